"""Trees and counts that the tests of maintenance share."""

from typing import Any

from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.writer import JobStore
from support.sample_jobs import create_parent
from support.workers_under_test import Project, job

DAY_MS = 86_400_000


def create_old_tree(store: JobStore, name: str, settled_at_ms: int) -> list[str]:
    """A parent with three sub-jobs, one of them a parent too, that all have completed at a time."""
    root, subs = create_parent(store, 3, name=name)
    inner, leaves = create_parent(store, 2, name=subs[0])
    for each in [*leaves, inner, *subs[1:], root]:
        change = store.apply(Event.COMPLETE, each, at_ms=settled_at_ms)
        if change.parent:
            store.notify_parent(change.parent, each, change.run, Status.COMPLETED)
    return [root, *subs, *leaves]


def left(project: Project) -> int:
    """How many jobs there are."""
    return project.queries.page(JobFilter()).total or 0


def begun_parent(project: Project, now_ms: int, **fields: Any) -> tuple[str, str]:
    """A parent whose sub-job has begun long ago."""
    project.announce()
    root = project.create("collect", sub_jobs=[job("ok")], **fields)
    (sub,) = project.subs(root)
    for each in (root, sub):
        project.tracking.store.apply(Event.ENQUEUE, each, at_ms=now_ms - 60_000)
    project.tracking.store.apply(Event.SUB_START, root, at_ms=now_ms - 60_000)
    return root, sub
