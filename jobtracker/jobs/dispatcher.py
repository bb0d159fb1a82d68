"""From records to Celery messages: signatures, chords, revokes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from celery import Celery, Signature, chord, signals, states
from celery.exceptions import SoftTimeLimitExceeded
from kombu.utils.json import loads
from redis.exceptions import ResponseError

from jobtracker.broker.config import broker_priorities
from jobtracker.broker.connection import sent_together
from jobtracker.broker.errors import broker_errors
from jobtracker.broker.headers import REQUEST_ID_HEADER, SENT_HEADER
from jobtracker.broker.queues import expect_queues
from jobtracker.connection.client import is_away
from jobtracker.core.job import task_id_in, task_id_of, task_of
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.core.masking import ALL
from jobtracker.errors import (
    ArgumentsGoneError,
    BrokerUnavailableError,
    JobNotFoundError,
    PartlySentError,
    ResultGoneError,
)
from jobtracker.jobs import chains
from jobtracker.jobs.result_backend import ResultAsker, Silence, is_of_run_before
from jobtracker.store.reader import JobQueries, Loaded

SEND = "jobtracker.send"
"""The task that sends what was handed over. Every tracked worker has it, and no job is made of it."""

AT_ONCE = 50
"""Jobs that are sent in one go, which takes about a tenth of a second. Those of a larger tree are handed over to
workers: nobody waits until they are sent."""

HANDED_OVER = 200
"""Jobs that are handed over with each message: a worker is at it for about a fifth of a second."""

being_sent: ContextVar[list[str] | None] = ContextVar("jobtracker_being_sent", default=None)
"""Ids of the tasks that a dispatcher has published so far, while it sends. What it sends is recorded already."""

_RETRY_POLICY = {"max_retries": 1, "interval_start": 0}
"""For a connection that has gone stale. Without a policy (`retry=False`) kombu itself reconnects for six seconds."""


class Dispatcher:
    """Sends jobs to Celery.

    Args:
        app: The Celery app whose broker and result backend are used. It need not know the tasks.
        queries: Where the jobs are read.
    """

    def __init__(self, app: Celery, queries: JobQueries) -> None:
        self.app = app
        self.queries = queries
        self._results = ResultAsker(app)

    @cached_property
    def _priorities(self) -> dict[Priority, int]:
        return broker_priorities(self.app)

    def publish(
        self, families: Mapping[str, list[str]], runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None
    ) -> None:
        """Send a job; a parent as a chord, its sub-jobs as the header and its own task as the body.

        Args:
            families: The sub-jobs of the job, which is the first, and of each one below it (`JobQueries.families`).
            runs: The run that is sent of each.
            loaded: What is stored of the jobs, where that is known.

        Raises:
            BrokerUnavailableError: The broker or the result backend does not answer; nothing was sent.
            PartlySentError: It did not answer any more when part of the tree was sent.
            QueueMissingError: It has no queue for one of them; nothing was sent.
        """
        root = next(iter(families))
        if loaded is None:
            loaded = self.queries.load(list(families))
        jobs = {record["id"]: (record, data) for record, data in loaded}
        self._expect_queues(record for record, _ in jobs.values())
        self._send(self._chord(root, families, jobs, runs))

    def publish_alone(self, job_id: str, run: int) -> None:
        """Send a run of a job's own task, a parent's with the results of its sub-jobs, old and new, in order.

        A sub-job that did not complete stands in the list as None. The next of a chain gets the result of the job
        before it. What follows it in its chain goes with its message, where that is stored: Celery sends it then.

        Raises:
            BrokerUnavailableError: The broker does not answer.
            QueueMissingError: It has no queue for it.
            ResultGoneError: A completed sub-job's result is neither stored nor in Celery's result backend any more.
            ArgumentsGoneError: Its arguments are not stored.
        """
        for error in self.publish_all({job_id: run}).values():
            raise error

    def publish_all(self, runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None) -> dict[str, Exception]:
        """Send runs of jobs' own tasks, all in one round trip where the broker is Redis.

        Args:
            runs: The runs.
            loaded: What is stored of the jobs, in their order, where it was read already.

        Returns:
            Of those that can't be sent, why, as above.

        Raises:
            BrokerUnavailableError: The broker does not answer; it may have taken any of them.
        """
        if loaded is None:
            loaded = self.queries.load(list(runs), missing_ok=True)
        signatures: dict[str, Signature] = {}
        unsent: dict[str, Exception] = {}
        for record, data in loaded:
            job_id = record["id"]
            with _kept(unsent, job_id):
                if "status" not in record:
                    raise JobNotFoundError(job_id)
                self._expect_queues([record])
                signature = self._signature(record, data, runs[job_id], self._results_for(record))
                if rest := self._rest(record, data):
                    signature.set(chain=rest[::-1])
                signatures[job_id] = signature
        try:
            with self._producer() as producer, sent_together(producer):
                for job_id, signature in signatures.items():
                    with _kept(unsent, job_id):
                        self._send(signature, producer)
        except ResponseError as error:
            return unsent | dict.fromkeys(signatures, error)
        return unsent

    def hand_over(self, task_ids: Sequence[str], records: Sequence[Mapping[str, Any]]) -> None:
        """Let workers send runs of jobs that are noted as unsent: those that consume the queues of some of them.

        Args:
            task_ids: The runs.
            records: What is recorded of the job of each.

        Raises:
            BrokerUnavailableError: The broker does not answer; nobody was told.
            QueueMissingError: It has no queue for one of them; likewise.
        """
        self._expect_queues(records)
        options = {"priority": self._priorities[Priority.CRITICAL], "ignore_result": True, "kwargsrepr": "{}"}
        with self._producer() as producer:
            for first in range(0, len(task_ids), HANDED_OVER):
                some = task_ids[first : first + HANDED_OVER]
                own = {"argsrepr": f"[{len(some)} runs]", **self._route(records[first])}
                try:
                    self._send(self.app.signature(SEND, [some], options=options | own), producer)
                except BrokerUnavailableError:
                    if not first:
                        raise
                    return  # the reaper sends what is left

    def result_before(self, record: Mapping[str, str]) -> Any:
        """The result of the job before one in its chain.

        Raises:
            ResultGoneError: That is not there any more, or its result is not.
        """
        [(before, data)] = self.queries.load([record.get("sent_by", "")], missing_ok=True)
        if before.get("status") != Status.COMPLETED:
            raise ResultGoneError(before["id"])
        return self._result(before, data)

    def _results_for(self, record: Mapping[str, str]) -> list[Any]:
        """What comes before a job's stored arguments: the results of its sub-jobs, or that of the job before it."""
        if record.get("immutable"):
            return []
        if record.get("subs"):
            return [self.results(self.queries.sub_ids(record["id"]))]
        return [self.result_before(record)] if chains.takes_result(record) else []

    def _rest(self, record: Mapping[str, str], data: Mapping[str, str]) -> list[dict[str, Any]]:
        """What follows a job in its chain, as it is sent with the message of that job.

        It is empty where the rest is not stored; a retry checks that before (`Launcher.retry`).
        """
        rest = chains.rest_of(self.queries, record, data) or []
        ids = [each for signature in rest for each in chains.ids_of(signature)]
        task_ids = {record["id"]: task_id_in(record) for record in self.queries.records(ids)} if ids else {}
        return [chains.renewed(signature, task_ids) for signature in rest]

    def results(self, job_ids: Sequence[str]) -> list[Any]:
        """The results of jobs, in order; None for one that did not complete.

        Raises:
            ResultGoneError: One completed, and its result is not there any more.
            BrokerUnavailableError: Only Celery's result backend has it, and does not answer.
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

    @contextmanager
    def _producer(self) -> Iterator[Any]:
        """One for many messages: where the app keeps no connections, each would make its own."""
        with broker_errors():
            acquired = self.app.producer_pool.acquire(block=True)
        try:
            yield acquired
        finally:
            acquired.release()

    def _send(self, signature: Signature, producer: Any = None) -> None:
        sent: list[str] = []
        token = being_sent.set(sent)
        try:
            with broker_errors():
                signature.apply_async(producer=producer, retry_policy=_RETRY_POLICY)
        except BrokerUnavailableError as error:
            if sent:
                raise PartlySentError(str(error)) from error
            raise
        finally:
            being_sent.reset(token)

    def _chord(
        self, job_id: str, families: Mapping[str, list[str]], jobs: dict[str, Loaded], runs: Mapping[str, int]
    ) -> Signature:
        signature = self._signature(*jobs[job_id], runs.get(job_id, 1))
        if not families[job_id]:
            return signature
        header = [self._chord(sub, families, jobs, runs) for sub in families[job_id]]
        return chord(header, signature, app=self.app).set(task_id=signature.options["task_id"])

    def _signature(
        self, record: dict[str, str], data: dict[str, str], run: int, ahead: Sequence[Any] = ()
    ) -> Signature:
        if why := withheld(record, data):
            raise ArgumentsGoneError({record["id"]: why})
        args = loads(data.get("args") or "[]")
        kwargs = loads(data.get("payload") or "{}")
        rule = self.queries.registry.rule_of(record)
        passed_on = 1 if record.get("subs") and not record.get("immutable") else len(ahead)
        covered = rule.cover(args, kwargs, ahead=passed_on) if rule else None
        args = [*ahead, *args]
        options: dict[str, Any] = {
            **loads(data.get("options") or "{}"),
            "task_id": task_id_of(record["id"], run),
            "priority": self._priorities[Priority(record.get("priority", Priority.NORMAL))],
        }
        options |= self._route(record)
        options["headers"] = {**options.get("headers", {}), SENT_HEADER: 0}
        if record.get("request_id"):
            options["headers"][REQUEST_ID_HEADER] = record["request_id"]
        if covered and covered.hidden:  # in what Celery shows of a message
            options |= {"argsrepr": covered.args_repr, "kwargsrepr": covered.kwargs_repr}
        return self.app.signature(task_of(record), args=args, kwargs=kwargs, options=options)

    def _route(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Where a job is sent."""
        if not record.get("queue"):
            return {}
        if self._is_foreign(record):
            # Straight into the queue, wherever this is sent from: in a chord, by another worker.
            return {"queue": record["queue"], "declare": [], "exchange_type": "direct"}
        return {"queue": record["queue"]}

    def _expect_queues(self, records: Iterable[Mapping[str, Any]]) -> None:
        expect_queues(self.app, (record["queue"] for record in records if self._is_foreign(record)))

    def _is_foreign(self, record: Mapping[str, Any]) -> bool:
        """Whether a job goes to a queue of which only its own workers know what it has to be declared with."""
        return bool(record.get("queue")) and task_of(record) not in self.app.tasks

    def _result(self, record: dict[str, str], data: dict[str, str]) -> Any:
        if record["status"] != Status.COMPLETED:
            return None
        if "result" in data:
            return loads(data["result"])
        kept = self._results.kept_of(task_id_in(record))
        if kept is Silence.NO_ANSWER:
            raise BrokerUnavailableError(
                f"Celery's result backend does not answer, and the result of job {record['id']} is only there."
            )
        if isinstance(kept, Silence) or kept["status"] != states.SUCCESS or is_of_run_before(record, kept):
            raise ResultGoneError(record["id"], record.get("reason"))
        return kept["result"]


@contextmanager
def _kept(errors: dict[str, Exception], job_id: str) -> Iterator[None]:
    """Note why one job can't be sent; what concerns them all is raised."""
    try:
        yield
    except (BrokerUnavailableError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        if is_away(error):
            raise
        errors[job_id] = error


def withheld(record: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    """Why a job can't be sent from what is stored of it; None where it can."""
    if record.get("replaced") and record.get("subs"):
        return "its task has put a group or chord into its place, whose own arguments are not stored"
    if record.get("link") == "outdated":
        return f"they hold what the job before it, {record['sent_by']}, had returned in an earlier run"
    names = json.loads(record.get("masked") or "[]")
    if names == [ALL]:
        return f"its type {record['type']} stores none"
    if names:
        return f"its type {record['type']} masks {', '.join(names)}"
    if data.get("arguments_repr", "() {}") not in {"() {}", "[] {}"}:
        return f'declare its task {task_of(record)} with @tracked(store_arguments="full")'
    return None


def unrepeatable(record: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    """Why a job can't run again as it did from what is stored of it; None where it can."""
    if why := withheld(record, data):
        return why
    if record.get("linked") and not {"link", "link_error"} & loads(data.get("options") or "{}").keys():
        return 'what its link or link_error calls is not stored: that takes store_arguments="full" of all of it'
    if record.get("link") == "body" and not record.get("subs"):
        return f"it is the body of a chord, whose header only the job before it, {record['sent_by']}, sends"
    was_sent = record.get("queued") or record.get("deliveries")
    if record.get("sent_by") and not record.get("link") and not was_sent and record.get("origin") != "api":
        return (
            "it was recorded by an earlier release, which did not note whether it takes the result of the job before"
        )
    return None


def _note_sent(headers: dict[str, Any] | None = None, **_: Any) -> None:
    sent = being_sent.get()
    if sent is not None and headers:
        sent.append(headers["id"])


signals.after_task_publish.connect(_note_sent, weak=False, dispatch_uid="jobtracker:sent")
