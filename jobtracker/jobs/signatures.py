"""From records to Celery's signatures: a job's own task, a tree as chords, and where each is sent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from celery import Celery, Signature, chord
from kombu.utils.json import loads

from jobtracker.broker.config import broker_priorities
from jobtracker.broker.headers import JOINS_HEADER, REQUEST_ID_HEADER, ROOT_HEADER, SENT_HEADER
from jobtracker.core.clock import now_ms
from jobtracker.core.job import task_id_of
from jobtracker.core.labels import TAGS_HEADER
from jobtracker.core.lifecycle import Priority
from jobtracker.core.traceparent import HEADER
from jobtracker.errors import ArgumentsUnavailableError
from jobtracker.jobs import chains
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.results import JobResults
from jobtracker.jobs.stored_calls import why_not_sendable
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.schema import JobRecord

SEND = "jobtracker.send"
"""The task that sends what was handed over. Every tracked worker has it, and no job is made of it."""

_MOST_LEVELS = 20
"""So far up the root of a job is looked for."""


class SignatureBuilder:
    """Builds the signatures of jobs.

    Args:
        app: The Celery app that sends them. It need not know the tasks.
        queries: Where the jobs are read.
        results: Where the results are read that a task takes.
        large_values: Has the arguments that are too large for Redis.
    """

    def __init__(self, app: Celery, queries: JobQueries, results: JobResults, large_values: LargeValues) -> None:
        self.app = app
        self.queries = queries
        self.results = results
        self.large_values = large_values

    @cached_property
    def _priorities(self) -> dict[Priority, int]:
        return broker_priorities(self.app)

    def tree(
        self,
        job_id: str,
        trees: Mapping[str, list[str]],
        jobs: Mapping[str, Loaded],
        runs: Mapping[str, int],
        *,
        root: str | None = None,
    ) -> Signature:
        """A job; a parent as a chord, its sub-jobs as the header and its own task as the body.

        Args:
            job_id: The job.
            trees: The sub-jobs of the job and of each one below it.
            jobs: What is stored of them.
            runs: The run of each.
            root: The job at the top of all that it belongs to, if that is known.

        Raises:
            ArgumentsUnavailableError: The arguments of one are not stored.
        """
        record, data = jobs[job_id]
        if root is None and record.traceparent:
            root = self._root_of(record)
        signature = self._signature(record, data, runs.get(job_id, 1), root=root)
        if not trees[job_id]:
            return signature
        header = [self.tree(sub, trees, jobs, runs, root=root) for sub in trees[job_id]]
        return chord(header, signature, app=self.app).set(task_id=signature.options["task_id"])

    def own_task(self, record: JobRecord, data: dict[str, str], run: int) -> Signature:
        """A job's own task, with the results that it takes and with what follows it in its chain.

        Raises:
            ResultUnavailableError: A result that it takes is neither stored nor in Celery's result backend.
            BrokerUnavailableError: Only Celery's result backend has one, and does not answer.
            ArgumentsUnavailableError: Its arguments are not stored.
        """
        signature = self._signature(record, data, run, self._results_for(record))
        if rest := self._rest(record, data):
            signature.set(chain=rest[::-1])
        return signature

    def handover(self, task_ids: Sequence[str], record: JobRecord) -> Signature:
        """The task by which a worker that consumes the queue of a job sends these runs."""
        options = {
            "priority": self._priorities[Priority.CRITICAL],
            "ignore_result": True,
            "kwargsrepr": "{}",
            "argsrepr": f"[{len(task_ids)} runs]",
            **self._route(record),
        }
        return self.app.signature(SEND, [task_ids], options=options)

    def is_foreign(self, record: JobRecord) -> bool:
        """Whether only its own workers know what the queue of a job has to be declared with."""
        return bool(record.queue) and record.task not in self.app.tasks

    def _root_of(self, record: JobRecord) -> str:
        """The job at the top of all that a job belongs to, as far as these are still recorded."""
        found, above = record.id, record.parent or record.sent_by
        for _ in range(_MOST_LEVELS):
            if above is None:
                break
            [record] = self.queries.records([above])
            found, above = above, record.parent or record.sent_by
        return found

    def _signature(
        self,
        record: JobRecord,
        data: Mapping[str, str],
        run: int,
        ahead: Sequence[Any] = (),
        *,
        root: str | None = None,
    ) -> Signature:
        if why := why_not_sendable(record, data):
            raise ArgumentsUnavailableError({record.id: why})
        data = self.large_values.with_arguments(record.id, data)
        args = loads(data.get("args") or "[]")
        kwargs = loads(data.get("payload") or "{}")
        rule = self.queries.registry.rule_of(record)
        passed_on = 1 if record.subs and not record.immutable else len(ahead)
        masked_args = rule.mask_arguments(args, kwargs, ahead=passed_on) if rule else None
        args = [*ahead, *args]
        options: dict[str, Any] = {
            **loads(data.get("options") or "{}"),
            "task_id": task_id_of(record.id, run),
            "priority": self._priorities[record.priority],
        }
        options |= self._route(record) | _times(record)
        options["headers"] = {**options.get("headers", {}), SENT_HEADER: 0}
        if record.tags:
            options["headers"][TAGS_HEADER] = [*record.tags]
        if record.request_id:
            options["headers"][REQUEST_ID_HEADER] = record.request_id
        if record.traceparent:
            options["headers"] |= {HEADER: record.traceparent, ROOT_HEADER: root or self._root_of(record)}
            options["headers"] |= {JOINS_HEADER: 1} if record.subs else {}
        if masked_args and masked_args.hidden:  # in what Celery shows of a message
            options |= {"argsrepr": masked_args.args_repr, "kwargsrepr": masked_args.kwargs_repr}
        return self.app.signature(record.task, args=args, kwargs=kwargs, options=options)

    def _route(self, record: JobRecord) -> dict[str, Any]:
        if not record.queue:
            return {}
        if self.is_foreign(record):
            # Straight into the queue, wherever this is sent from: in a chord, by another worker.
            return {"queue": record.queue, "declare": [], "exchange_type": "direct"}
        return {"queue": record.queue}

    def _results_for(self, record: JobRecord) -> list[Any]:
        """What comes before a job's stored arguments: the results of its sub-jobs, or that of the job before it."""
        if record.immutable:
            return []
        if record.subs:
            return [self.results.of(self.queries.sub_ids(record.id))]
        return [self.results.before(record)] if chains.takes_result(record) else []

    def _rest(self, record: JobRecord, data: Mapping[str, str]) -> list[dict[str, Any]]:
        """What follows a job in its chain, as it is sent with the message of that job.

        It is empty if the rest is not stored; a retry checks that before (jobs/retry.py).
        """
        rest = chains.rest_of(self.queries, record, data) or []
        ids = [each for signature in rest for each in chains.ids_of(signature)]
        task_ids = {record.id: record.task_id for record in self.queries.records(ids)} if ids else {}
        return [chains.renewed(signature, task_ids) for signature in rest]


def _times(record: JobRecord) -> dict[str, Any]:
    """A job's ETA, unless that has come, and when it expires: as options of its call."""
    times = {"eta": record.eta if (record.eta or 0) > now_ms() else None, "expires": record.expires}
    return {name: datetime.fromtimestamp(at_ms / 1000, UTC) for name, at_ms in times.items() if at_ms}
