"""What a large result costs in the object store, beside Celery's own result backends.

Each turn writes and reads one result of each size by each of them, in this process and interleaved: all have the same
machine. The bucket is an emulator on this machine: it says what the client costs, not what the network does.
"""

import contextlib
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery

from jobtracker.broker.config import configure
from jobtracker.jobs.large_values import LargeValues
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.objects.folder import FolderStore
from jobtracker.objects.object_store import ObjectStore
from jobtracker.settings import Settings

TITLE = "writing and reading a large result; the largest in KiB"
SIZE = 8192
_BUCKET = "bench-values"

Figures = dict[str, dict[str, dict[str, float]]]
Way = tuple[Callable[[str, Any], Any], Callable[[str, Any], Any]]


def run(largest_kib: int, rounds: int) -> Figures:
    """Measure; times in milliseconds, by way, then size in KiB, then write and read; the median of the rounds."""
    from support.google_emulators import FirestoreEmulator, StorageEmulator

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis"))
        storage = stack.enter_context(StorageEmulator(folder))
        firestore = stack.enter_context(FirestoreEmulator(folder))
        os.environ |= {"STORAGE_EMULATOR_HOST": storage.url, "FIRESTORE_EMULATOR_HOST": firestore.address}
        ways = _ways(server, folder)
        found: dict[str, dict[str, dict[str, list[float]]]] = {name: {} for name in ways}
        for size in _sizes(largest_kib):
            value = {"rows": ["x" * 1000] * (size * 1024 // 1006)}
            for _ in range(rounds):
                for name, way in ways.items():
                    times = found[name].setdefault(str(size), {"write": [], "read": []})
                    written, read = _time(way, value)
                    times["write"].append(written)
                    times["read"].append(read)
    return {
        name: {
            size: {what: round(statistics.median(times), 3) for what, times in both.items()}
            for size, both in by_size.items()
        }
        for name, by_size in found.items()
    }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first: each beside Celery's Redis backend."""
    base = figures["Celery: redis"]
    head = ("", *(f"{size} KiB: write, read (ms)" for size in base))
    return [
        head,
        *(
            (
                name,
                *(
                    f"{both['write']:.1f} ({both['write'] / base[size]['write']:.1f}x), "
                    f"{both['read']:.1f} ({both['read'] / base[size]['read']:.1f}x)"
                    for size, both in by_size.items()
                ),
            )
            for name, by_size in figures.items()
        ),
    ]


def _sizes(largest_kib: int) -> list[int]:
    return sorted({min(128, largest_kib), min(1024, largest_kib), largest_kib})


def _time(way: Way, value: Any) -> tuple[float, float]:
    write, read = way
    task_id = uuid.uuid4().hex
    began = time.perf_counter()
    place = write(task_id, value)
    wrote = time.perf_counter()
    if read(task_id, place) != value:
        raise RuntimeError("it reads another result than was written")
    return (wrote - began) * 1000, (time.perf_counter() - wrote) * 1000


def _ways(server: EmbeddedRedis, folder: Path) -> dict[str, Way]:
    from jobtracker.objects.bucket import BucketStore

    bucket = BucketStore(_BUCKET, project="bench")
    bucket.check()
    return {
        "Celery: redis": _celery(server, f"{server.url}/1"),
        "jobtracker: folder": _ours(FolderStore(folder / "objects")),
        "Celery: gs://, emulator": _celery(server, f"gs://{_BUCKET}/results"),
        "jobtracker: bucket, emulator": _ours(bucket),
    }


def _celery(server: EmbeddedRedis, url: str) -> Way:
    app = Celery("bench", set_as_current=False)
    configure(app, Settings(redis_url=server.url, celery_result_backend=url, gcp_project_id="bench"))

    def write(task_id: str, value: Any) -> None:
        app.backend.mark_as_done(task_id, value)

    def read(task_id: str, _: Any) -> Any:
        return app.backend.get_task_meta(task_id)["result"]

    return write, read


def _ours(objects: ObjectStore) -> Way:
    values = LargeValues(objects, lambda: "bench", 0)

    def write(job_id: str, value: Any) -> dict[str, str]:
        return {"result_object": values.write(job_id, "result", json.dumps(value)).model_dump_json()}

    def read(job_id: str, data: dict[str, str]) -> Any:
        return json.loads(values.read(job_id, data, "result") or "null")

    return write, read
