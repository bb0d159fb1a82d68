"""Sends jobs to Celery: alone, many in one round trip, a tree as a chord, or by way of the workers; and revokes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from typing import Any

from celery import Celery, Signature
from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import ResponseError

from jobtracker.broker.connection import sent_together
from jobtracker.broker.errors import broker_errors
from jobtracker.broker.queues import expect_queues
from jobtracker.connection.client import is_away
from jobtracker.core.job import task_id_of
from jobtracker.core.traceparent import HEADER
from jobtracker.errors import BrokerUnavailableError, JobNotFoundError, PartialDispatchError
from jobtracker.jobs.sending import Dispatch, being_sent, listen_before
from jobtracker.jobs.signatures import SignatureBuilder
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.schema import JobRecord
from jobtracker.tracing.active import active, continued

AT_ONCE = 50
"""Jobs that are sent in one go, which takes about a tenth of a second. Those of a larger tree are handed over to
workers: nobody waits until they are sent."""

HANDED_OVER = 200
"""Jobs that are handed over with each message: a worker needs about a fifth of a second for them."""

_RETRY_POLICY = {"max_retries": 1, "interval_start": 0}
"""For a connection that has gone stale. Without a policy (`retry=False`) kombu itself reconnects for six seconds."""


def is_large(jobs: Sized) -> bool:
    """Whether these are too many jobs to be sent in one go."""
    return len(jobs) > AT_ONCE


class Dispatcher:
    """Sends jobs to Celery.

    Args:
        app: The Celery app whose broker is used.
        queries: Where the jobs are read.
        signatures: Builds their signatures.
    """

    def __init__(self, app: Celery, queries: JobQueries, signatures: SignatureBuilder) -> None:
        self.app = app
        self.queries = queries
        self.signatures = signatures

    def publish(
        self, trees: Mapping[str, list[str]], runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None
    ) -> None:
        """Send a job; a parent as a chord, its sub-jobs as the header and its own task as the body.

        Args:
            trees: The sub-jobs of the job, which comes first, and of each one below it (`JobQueries.families`).
            runs: The run that is sent of each.
            loaded: What is stored of the jobs, if that is known.

        Raises:
            BrokerUnavailableError: The broker or the result backend does not answer; nothing was sent.
            PartialDispatchError: It stopped answering when part of the tree had been sent.
            QueueMissingError: It has no queue for one of them; nothing was sent.
        """
        root = next(iter(trees))
        if loaded is None:
            loaded = self.queries.load(list(trees))
        jobs = {record.id: (record, data) for record, data in loaded}
        self._expect_queues(record for record, _ in jobs.values())
        types = {task_id_of(each, runs.get(each, 1)): jobs[each][0].type for each in trees} if active() else {}
        self._send(self.signatures.tree(root, trees, jobs, runs), types)

    def publish_alone(self, job_id: str, run: int) -> None:
        """Send a run of a job's own task, a parent's with the results of its sub-jobs, old and new, in order.

        A sub-job that did not complete stands in the list as None. The next of a chain gets the result of the job
        before it. What follows it in its chain goes with its message if that is stored: Celery sends it then.

        Raises:
            BrokerUnavailableError: The broker does not answer.
            QueueMissingError: It has no queue for it.
            ResultUnavailableError: A completed sub-job's result is neither stored nor in the result backend any more.
            ArgumentsUnavailableError: Its arguments are not stored.
        """
        for error in self.publish_all({job_id: run}).values():
            raise error

    def publish_all(self, runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None) -> dict[str, Exception]:
        """Send runs of jobs' own tasks, as `publish_alone`: in one round trip if the broker is Redis.

        Args:
            runs: The runs.
            loaded: What is stored of the jobs, in their order, if it was read already.

        Returns:
            The jobs that can't be sent, each with the error that says why.

        Raises:
            BrokerUnavailableError: The broker does not answer; it may have taken any of them.
        """
        if loaded is None:
            loaded = self.queries.load(list(runs), missing_ok=True)
        signatures: dict[str, Signature] = {}
        types = {task_id_of(record.id, runs[record.id]): record.type for record, _ in loaded} if active() else {}
        unsent: dict[str, Exception] = {}
        for record, data in loaded:
            job_id = record.id
            with _kept(unsent, job_id):
                if not record.exists:
                    raise JobNotFoundError(job_id)
                self._expect_queues([record])
                signatures[job_id] = self.signatures.own_task(record, data, runs[job_id])
        try:
            with self._producer() as producer, sent_together(producer):
                for job_id, signature in signatures.items():
                    with _kept(unsent, job_id):
                        self._send(signature, types, producer)
        except ResponseError as error:
            return unsent | dict.fromkeys(signatures, error)
        return unsent

    def hand_over(self, task_ids: Sequence[str], records: Sequence[JobRecord]) -> None:
        """Let workers send runs of jobs that are noted as unsent: those that consume the queues of some of them.

        Args:
            task_ids: The runs.
            records: What is recorded of the job of each.

        Raises:
            BrokerUnavailableError: The broker does not answer; no worker will send them.
            QueueMissingError: It has no queue for one of them; no worker will send them.
        """
        self._expect_queues(records)
        with self._producer() as producer:
            for first in range(0, len(task_ids), HANDED_OVER):
                some = task_ids[first : first + HANDED_OVER]
                try:
                    self._send(self.signatures.handover(some, records[first]), {}, producer)
                except BrokerUnavailableError:
                    if not first:
                        raise
                    return  # the outbox relay sends the rest

    def revoke(self, task_ids: Sequence[str], *, terminate: bool = False) -> None:
        """Tell the workers to discard tasks, or with `terminate` to kill them. They forget it when they restart.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        if task_ids:
            with broker_errors():
                self.app.control.revoke(list(task_ids), terminate=terminate)

    @contextmanager
    def _producer(self) -> Iterator[Any]:
        """One for many messages: if the app keeps no connections, each message would open its own."""
        with broker_errors():
            acquired = self.app.producer_pool.acquire(block=True)
        try:
            yield acquired
        finally:
            acquired.release()

    def _send(self, signature: Signature, types: Mapping[str, str], producer: Any = None) -> None:
        dispatch = Dispatch(self.app, types)
        if types:
            listen_before()
        token = being_sent.set(dispatch)
        try:
            with broker_errors(), continued(_traceparent_of(signature)):
                signature.apply_async(producer=producer, retry_policy=_RETRY_POLICY)
        except Exception as error:
            dispatch.end_span(error)
            if isinstance(error, BrokerUnavailableError) and dispatch.sent:
                raise PartialDispatchError(str(error)) from error
            raise
        finally:
            being_sent.reset(token)

    def _expect_queues(self, records: Iterable[JobRecord]) -> None:
        expect_queues(
            self.app, (record.queue for record in records if record.queue and self.signatures.is_foreign(record))
        )


def _traceparent_of(signature: Signature) -> str | None:
    """In which trace a signature is sent."""
    found = (signature.options.get("headers") or {}).get(HEADER)
    return found if isinstance(found, str) else None


@contextmanager
def _kept(errors: dict[str, Exception], job_id: str) -> Iterator[None]:
    """Keep the error that concerns one job only; raise an error that concerns them all."""
    try:
        yield
    except (BrokerUnavailableError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        if is_away(error):
            raise
        errors[job_id] = error
