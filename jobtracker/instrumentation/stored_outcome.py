"""Reads from Celery's result backend what it has about a task that this process reports on."""

import functools

from celery import Task
from redis.exceptions import RedisError

from jobtracker.core.job import job_and_run_of
from jobtracker.jobs.result_backend import Kept, Silence, is_of_run_before, keeps_results
from jobtracker.runtime import Tracking


class StoredOutcomes:
    """Asks the result backend of an app.

    Args:
        tracking: The app, and what is recorded.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    @functools.cached_property
    def are_kept(self) -> bool:
        """Whether Celery stores results where others can read them."""
        return keeps_results(self._tracking.app.backend)

    def of(self, task_id: str, task: Task, *states: str) -> Kept | Silence:
        """What the backend keeps of a task; in one of these states only if that is of this run.

        Where the id was sent again and nobody can say of which run it is, nobody knows.
        """
        kept = self._tracking.result_backend.kept_of(task_id, task)
        job_id, run = job_and_run_of(task_id)
        if isinstance(kept, Silence) or kept["status"] not in states or run > 1:
            return kept
        if self._tracking.reporter.away:
            return Silence.NO_ANSWER
        try:
            [record] = self._tracking.queries.records([job_id])
        except RedisError:
            return Silence.NO_ANSWER
        return Silence.NOTHING_KNOWN if is_of_run_before(record, kept) else kept
