"""Jobs for tests, and the events that bring one to each status."""

import itertools
import warnings
from typing import Any

from jobtracker.connection.client import RedisClient
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.workers import Worker
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.repartition import Repartition
from jobtracker.store.writer import JobStore

START_MS = 1_790_000_000_000
WEEK_MS = 7 * 86_400_000
"""A time to begin with: 2026-09-21, in milliseconds."""

COURSES: dict[Status, tuple[Event, ...]] = {
    Status.PENDING: (),
    Status.RUNNING: (Event.START,),
    Status.RETRYING: (Event.START, Event.RETRY),
    Status.COMPLETED: (Event.START, Event.COMPLETE),
    Status.FAILED: (Event.START, Event.FAIL),
    Status.CANCELLED: (Event.START, Event.CANCELLED),
}
"""How the worker's reports bring a job to each status."""

_numbers = itertools.count(1)


def new_job(job_id: str | None = None, *, subs: list[str] | None = None, **fields: Any) -> NewJob:
    """A job to be recorded; further keyword arguments are fields of its record."""
    return NewJob(
        id=job_id or f"job-{next(_numbers)}",
        fields={"name": "a job", "type": "custom", "priority": "normal", **fields},
        subs=dict(enumerate(subs or [])),
    )


def create_job(store: JobStore, job_id: str | None = None, *, at_ms: int = START_MS, **fields: Any) -> str:
    """Record a job that was not sent."""
    job = new_job(job_id, **fields)
    store.create(job, at_ms=at_ms)
    return job.id


def create_parent(
    store: JobStore, subs: int, *, name: str = "parent", sent: bool = True, sub_fields: Any = None, **fields: Any
) -> tuple[str, list[str]]:
    """Record a parent and its sub-jobs, and send them; returns their ids."""
    ids = [f"{name}.{n}" for n in range(subs)]
    store.create(*(new_job(sub, parent=name, **(sub_fields or {})) for sub in ids), at_ms=START_MS)
    store.create(new_job(name, subs=ids, **fields), at_ms=START_MS)
    if sent:
        for job_id in (name, *ids):
            store.apply(Event.ENQUEUE, job_id, at_ms=START_MS)
    return name, ids


def bring_to(store: JobStore, job_id: str, status: Status, *, at_ms: int = START_MS) -> None:
    """Bring a pending job to a status, as its worker's reports would."""
    for event in COURSES[status]:
        assert store.apply(event, job_id, at_ms=at_ms).applied


def create_in(store: JobStore, status: Status, *, sent: bool = True, at_ms: int = START_MS, **fields: Any) -> str:
    """Record a job and bring it to a status."""
    job_id = create_job(store, at_ms=at_ms, **fields)
    if sent:
        store.apply(Event.ENQUEUE, job_id, at_ms=at_ms)
    bring_to(store, job_id, status, at_ms=at_ms)
    return job_id


def report(store: JobStore, parent: str, sub: str, event: Event, **more: Any) -> Any:
    """Report on a sub-job as its worker does, and tell its parent what became of it; returns the verdict."""
    change = store.report(store.call_of(event, sub, **more))
    assert change.after is not None
    return change.verdict or store.notify_parent(parent, sub, change.run, change.after)


def a_worker(incarnation: str = "i", **fields: Any) -> Worker:
    """What a worker says of itself; keyword arguments are fields of it."""
    described = {"name": "w@test", "host": "test", "pid": 1, "pool": "prefork", "concurrency": 1, "queues": []}
    return Worker.model_validate(
        {"incarnation": incarnation, **described, "version": "0", "started_at_ms": 0, **fields}
    )


def begin(store: JobStore, lease: str, at_ms: int, **fields: str | int) -> str:
    """A job that a worker has begun."""
    job_id = create_in(store, Status.PENDING, at_ms=at_ms)
    store.apply(Event.START, job_id, at_ms=at_ms, fields={"lease": lease, "worker": "w@test", **fields})
    return job_id


def kept(project: Any, job_id: str, result: object, state: str, **options: Any) -> str:
    """What Celery has stored of a job."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of redis-py, about a command that Celery uses
        project.app.backend.store_result(job_id, result, state, **options)
    return job_id


def move(client: RedisClient, keys: Keys, to: int, **how: Any) -> int:
    """Move a store to another number of partitions; returns how many jobs were moved."""
    target = how.pop("target", client)
    options = {"is_elsewhere": target is not client, "retention_ms": WEEK_MS, "patience_s": 0, **how}
    return Repartition(client, target, keys.namespace, to, **options).run(lambda _: None)
