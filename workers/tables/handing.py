"""How data_processing hands its tables to a confined process, and keeps what that leaves."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from jobtracker import current_job
from workers.buckets import Buckets, Found
from workers.confined.caller import run_confined
from workers.fetching import fetched, temporary_folder
from workers.payloads import read_payload
from workers.tables.result_bucket import ResultBucket
from workers.tables.results import SCHEME, ResultFolder
from workers.tables.source import FORMATS, data_roots
from workers.transfers import run_transfer
from workers.work.data_processing import DataProcessingPayload

_WORK = "data_processing:run"


def process_in_confinement(
    payload: Mapping[str, Any], *, max_bytes: int, keep_s: float, buckets: Buckets | None = None
) -> dict[str, Any]:
    """Run the steps of a payload over its tables, in a confined process.

    Tables that are in buckets are fetched for it, and where there is a bucket the whole result is put there.

    Args:
        payload: The fields of DataProcessingPayload.
        max_bytes: The most that the record may take as JSON.
        keep_s: How long results stay as files.
        buckets: Where tables may be, beside the folders; default: as the settings say.

    Returns:
        A ProcessedTable as JSON.

    Raises:
        InputError: A table can't be used, or the result can't be kept; its subclasses say why.
        BucketUnusableError: A bucket can't be used.
        Exception: As `run_confined`.
    """
    buckets = Buckets.from_env() if buckets is None else buckets
    job_id = current_job().id
    store = buckets.own
    if store is None:
        folder = ResultFolder.of_settings(keep_s=keep_s)
        record = _record(job_id, max_bytes, folder)
        return _run(payload, record, buckets, None)
    job_id = job_id or uuid.uuid4().hex  # of no tracked task
    results = ResultBucket.of_settings(store, keep_s)
    with temporary_folder() as scratch:
        record = _record(job_id, max_bytes, results.scratch(scratch))
        table = _run(payload, record, buckets, results)
        run_transfer(lambda transfer: results.keep(job_id, scratch, table.get("file"), transfer), progress=1)
    return table


def _record(job_id: str, max_bytes: int, folder: ResultFolder) -> dict[str, Any]:
    return {"job_id": job_id, "max_bytes": max_bytes, "folder": folder.model_dump(mode="json")}


def _run(
    payload: Mapping[str, Any], record: dict[str, Any], buckets: Buckets, results: ResultBucket | None
) -> dict[str, Any]:
    def find(name: str) -> Found | None:
        if name.startswith(SCHEME):
            return results.find(name) if results else None
        return buckets.find(name, data_roots(), FORMATS)

    names: Collection[str] = read_payload(DataProcessingPayload, payload).document_ids if buckets else ()
    with fetched(names, find) as files:
        return run_confined(_WORK, payload=payload, record=record, fetched=files)
