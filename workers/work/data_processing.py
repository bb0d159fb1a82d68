"""data_processing: declared steps over a table."""

import json
from collections.abc import Mapping
from typing import Any, Self

import duckdb
from pydantic import Field, model_validator

from workers.folder import NOTHING_FETCHED
from workers.payloads import read_payload
from workers.progress import Job
from workers.tables.output import MAX_ROWS, Delivery
from workers.tables.processing import process_table
from workers.tables.results import Output
from workers.tables.source import TableInput
from workers.tables.steps import Join, Step

_MAX_JOINS = 8


class DataProcessingPayload(TableInput):
    """A table, and what to do with it."""

    steps: list[Step] = Field(default=[], max_length=50, description="Run one after the other; none gives the table.")
    max_rows: int | None = Field(
        default=None,
        ge=0,
        le=MAX_ROWS,
        description="The most rows of the result to give in the job's record. By default as many as it can hold "
        "(MAX_RESULT_BYTES), and where that is not all of them, all in a file.",
    )
    output: Output | None = Field(default=None, description="Write the result as a file, however large it is.")

    @model_validator(mode="after")
    def _joins_few_tables(self) -> Self:
        joins = sum(isinstance(step, Join) for step in self.steps)
        if joins > _MAX_JOINS:
            raise ValueError(f"has {joins} joins; at most {_MAX_JOINS} are taken")
        return self

    @property
    def document_ids(self) -> list[str]:
        """The tables that it names, those of its joins too."""
        joined = [step.table for step in self.steps if isinstance(step, Join)]
        return [*super().document_ids, *(each for table in joined for each in table.document_ids)]


def prepare() -> None:
    """Load what all tables need."""
    duckdb.connect(":memory:").execute("SELECT 1").close()


def run(
    job: Job,
    payload: dict[str, Any],
    record: dict[str, Any] | None = None,
    fetched: Mapping[str, str] = NOTHING_FETCHED,
) -> dict[str, Any]:
    """Run declared steps over a table.

    Args:
        job: Told how far it is.
        payload: The fields of DataProcessingPayload.
        record: Of the job's record: job_id, max_bytes and folder, as Delivery has them.
        fetched: Where the tables from buckets are, by their ids.

    Returns:
        A ProcessedTable as JSON.
    """
    request = read_payload(DataProcessingPayload, payload)
    format_ = request.output.format if request.output else None
    delivery = Delivery(max_rows=request.max_rows, format=format_, **(record or {}))
    table = process_table(request, request.steps, delivery, fetched=fetched, progress=job.progress)
    job.log(f"read {table.document_id or 'the input'}: rows {table.input_rows}, columns {len(table.input_columns)}")
    for number, outcome in enumerate(table.steps, start=1):
        joined = outcome.joined
        partners = "" if joined is None else f"; without a partner {joined.unmatched}, with several {joined.repeated}"
        job.log(f"step {number} ({outcome.step}): rows {outcome.rows}{partners}")
    if table.file:
        job.log(f"the whole result is {table.file.document_id}: rows {table.file.rows}, bytes {table.file.bytes}")
    if table.truncated:
        job.log(f"the record gives {len(table.rows)} of {table.total_rows} rows", "warning")
    result = table.model_dump(mode="json")
    if len(json.dumps(result)) > delivery.max_bytes:
        job.log("what describes the columns is larger than MAX_RESULT_BYTES: the record has no result", "warning")
    return result
