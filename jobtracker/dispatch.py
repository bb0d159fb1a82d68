"""From records to Celery messages: signatures, chords, revokes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from celery import Celery, Signature, chord, signals, states
from kombu.utils.json import loads

from jobtracker.arguments import ALL
from jobtracker.brokers import broker_errors, broker_priorities, expect_queues
from jobtracker.errors import ArgumentsGoneError, BrokerUnavailableError, PartlySentError, ResultGoneError
from jobtracker.lifecycle import Priority, Status
from jobtracker.models import task_id_of
from jobtracker.queries import JobQueries, Loaded

REQUEST_ID_HEADER = "jobtracker_request_id"
"""Message header with the id of the HTTP request that made the job."""

being_sent: ContextVar[list[str] | None] = ContextVar("jobtracker_being_sent", default=None)
"""Ids of the tasks that a dispatcher has published so far, while it sends. What it sends is recorded already."""

_RETRY_POLICY = {"max_retries": 1, "interval_start": 0}
"""For a connection that has gone stale. Without a policy (`retry=False`) kombu itself reconnects for six seconds."""


def priority_of(app: Celery, number: int | None) -> Priority:
    """The priority that is nearest to a broker's number; normal where the message has none."""
    if number is None:
        return Priority.NORMAL
    numbers = broker_priorities(app)
    return min(numbers, key=lambda priority: abs(numbers[priority] - number))


class Dispatcher:
    """Sends jobs to Celery.

    Args:
        app: The Celery app whose broker and result backend are used. It need not know the tasks.
        queries: Where the jobs are read.
    """

    def __init__(self, app: Celery, queries: JobQueries) -> None:
        self.app = app
        self.queries = queries

    @cached_property
    def _priorities(self) -> dict[Priority, int]:
        return broker_priorities(self.app)

    def publish(self, root: str, runs: Mapping[str, int]) -> None:
        """Send a job; a parent as a chord, its sub-jobs as the header and its own task as the body.

        Args:
            root: The job.
            runs: The run that is sent of it, and of each job below it.

        Raises:
            BrokerUnavailableError: The broker or the result backend does not answer; nothing was sent.
            PartlySentError: It did not answer any more when part of the tree was sent.
            QueueMissingError: It has no queue for one of them; nothing was sent.
        """
        families = self.queries.families(root)
        jobs = {record["id"]: (record, data) for record, data in self.queries.load(list(families))}
        self._expect_queues(record for record, _ in jobs.values())
        self._send(self._chord(root, families, jobs, runs))

    def publish_alone(self, job_id: str, run: int) -> None:
        """Send a run of a job's own task, a parent's with the results of its sub-jobs, old and new, in order.

        A sub-job that did not complete stands in the list as None.

        Raises:
            BrokerUnavailableError: The broker does not answer.
            QueueMissingError: It has no queue for it.
            ResultGoneError: A completed sub-job's result is neither stored nor in Celery's result backend any more.
            ArgumentsGoneError: Its arguments are not stored.
        """
        record, data = self.queries.load([job_id])[0]
        results = self.results(self.queries.sub_ids(job_id)) if record.get("subs") else None
        self._expect_queues([record])
        self._send(self._signature(record, data, run, results))

    def results(self, job_ids: Sequence[str]) -> list[Any]:
        """The results of jobs, in order; None for one that did not complete.

        Raises:
            ResultGoneError: One completed, and its result is not there any more.
        """
        return [self._result(record, data) for record, data in self.queries.load(job_ids)]

    def revoke(self, task_ids: Sequence[str], *, terminate: bool = False) -> None:
        """Tell the workers to discard tasks, or with `terminate` to kill them. They forget it when they restart.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        if task_ids:
            with broker_errors():
                self.app.control.revoke(list(task_ids), terminate=terminate)

    def _send(self, signature: Signature) -> None:
        sent: list[str] = []
        token = being_sent.set(sent)
        try:
            with broker_errors():
                signature.apply_async(retry_policy=_RETRY_POLICY)
        except BrokerUnavailableError as error:
            if sent:
                raise PartlySentError(str(error)) from error
            raise
        finally:
            being_sent.reset(token)

    def _chord(
        self, job_id: str, families: dict[str, list[str]], jobs: dict[str, Loaded], runs: Mapping[str, int]
    ) -> Signature:
        signature = self._signature(*jobs[job_id], runs.get(job_id, 1))
        if not families[job_id]:
            return signature
        header = [self._chord(sub, families, jobs, runs) for sub in families[job_id]]
        return chord(header, signature, app=self.app).set(task_id=signature.options["task_id"])

    def _signature(
        self, record: dict[str, str], data: dict[str, str], run: int, results: list[Any] | None = None
    ) -> Signature:
        if why := withheld(record, data):
            raise ArgumentsGoneError({record["id"]: why})
        args = loads(data.get("args") or "[]")
        kwargs = loads(data.get("payload") or "{}")
        rule = self.queries.registry.rule_of(record)
        covered = rule.cover(args, kwargs, ahead=1 if record.get("subs") else 0) if rule else None
        if results is not None:
            args = [results, *args]
        options: dict[str, Any] = {
            "task_id": task_id_of(record["id"], run),
            "priority": self._priorities[Priority(record["priority"])],
        }
        if record.get("queue"):
            options["queue"] = record["queue"]
            if self._is_foreign(record):
                # Straight into the queue, wherever this is sent from: in a chord, by another worker.
                options |= {"declare": [], "exchange_type": "direct"}
        if record.get("request_id"):
            options["headers"] = {REQUEST_ID_HEADER: record["request_id"]}
        if covered and covered.hidden:  # in what Celery shows of a message
            options |= {"argsrepr": covered.args_repr, "kwargsrepr": covered.kwargs_repr}
        return self.app.signature(record["task"], args=args, kwargs=kwargs, options=options)

    def _expect_queues(self, records: Iterable[dict[str, str]]) -> None:
        expect_queues(self.app, (record["queue"] for record in records if self._is_foreign(record)))

    def _is_foreign(self, record: dict[str, str]) -> bool:
        """Whether a job goes to a queue of which only its own workers know what it has to be declared with."""
        return bool(record.get("queue")) and record["task"] not in self.app.tasks

    def _result(self, record: dict[str, str], data: dict[str, str]) -> Any:
        if record["status"] != Status.COMPLETED:
            return None
        if "result" in data:
            return loads(data["result"])
        kept = self.app.AsyncResult(task_id_of(record["id"], int(record["run"])))
        if kept.state != states.SUCCESS:
            raise ResultGoneError(record["id"])
        return kept.result


def withheld(record: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    """Why a job can't be sent from what is stored of it; None where it can."""
    if record.get("replaced") and record.get("subs"):
        return "its task has put a group or chord into its place, whose own arguments are not stored"
    names = json.loads(record.get("masked") or "[]")
    if names == [ALL]:
        return f"its type {record['type']} stores none"
    if names:
        return f"its type {record['type']} masks {', '.join(names)}"
    if data.get("arguments_repr", "() {}") not in {"() {}", "[] {}"}:
        return f'declare its task {record.get("task")} with @tracked(store_arguments="full")'
    return None


def _note_sent(headers: dict[str, Any] | None = None, **_: Any) -> None:
    sent = being_sent.get()
    if sent is not None and headers:
        sent.append(headers["id"])


signals.after_task_publish.connect(_note_sent, weak=False, dispatch_uid="jobtracker:sent")
