"""Asks the broker and the workers: queue depths and worker statistics."""

import threading
import time
from collections.abc import Collection
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from redis.exceptions import RedisError

from jobtracker.broker.config import without_secrets
from jobtracker.broker.connection import ask_broker, connected
from jobtracker.broker.headers import mapped_task
from jobtracker.broker.queues import Backlog, backlogs, unacknowledged
from jobtracker.errors import BrokerUnavailableError
from jobtracker.runtime import Tracking
from jobtracker.schemas.drains import DrainMark
from jobtracker.schemas.workers import QueueDepth, QueueDepths, Worker, WorkerStats
from jobtracker.store.drains import Drains


class Inspector:
    """Asks the broker and the workers.

    Args:
        tracking: Whose.
        timeout_s: How long workers may take to answer, in seconds.
        cache_s: How long their answers are kept, in seconds.
    """

    def __init__(self, tracking: Tracking, timeout_s: float = 1.0, cache_s: float = 2.0) -> None:
        self.tracking = tracking
        self.app = tracking.app
        self.leases = tracking.leases
        self.drains = Drains(tracking.client, tracking.keys)
        self.timeout_s = timeout_s
        self.cache_s = cache_s
        self._lock = threading.Lock()
        self._workers: list[WorkerStats] = []
        self._failure: Exception | None = None
        self._asked_at = float("-inf")
        self._consumed_lock = threading.Lock()
        self._consumed: tuple[float, set[str]] = (float("-inf"), set())

    def queue_depths(self, *, every: bool = False) -> QueueDepths:
        """How much waits at the broker.

        Args:
            every: Tell of all queues that are known, even where nothing waits and nobody consumes.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        live = self.leases.live()
        consuming = self._without_drained(live)
        sent = self.tracking.queries.queues()
        names = self.expected_queues() | {queue for worker in live for queue in worker.queues}

        def ask(connection: Any) -> tuple[dict[str, Backlog | None], int | None]:
            waiting = backlogs(connection, sorted(names.union(sent.names)))
            return waiting, unacknowledged(connection)

        def matters(name: str, waiting: Backlog | None) -> bool:
            return every or name in names or waiting is None or waiting.messages > 0 or bool(waiting.consumers)

        found, held = ask_broker(self.app, ask)
        return QueueDepths(
            queues=[
                QueueDepth(
                    queue=name,
                    messages=messages,
                    consumers=[worker.name for worker in consuming if name in worker.queues],
                    consumer_count=consumers,
                    exists=waiting is not None,
                )
                for name, waiting in found.items()
                if matters(name, waiting)
                for messages, consumers in [waiting or _NOTHING]
            ],
            some_left_out=sent.some_left_out,
            unacknowledged=held,
        )

    def expected_queues(self) -> set[str]:
        """The queues of job types, whether something was sent there or not."""
        names = {t.queue for t in self.tracking.registry.all().values() if t.queue}
        if self.tracking.registry.expected:  # which are sent there before any worker is
            names.add(self.app.conf.task_default_queue)
        return names

    def consuming(self) -> list[Worker]:
        """The workers that live, by name, with the queues that they consume: none of a worker that was drained."""
        return self._without_drained(self.leases.live())

    def _without_drained(self, live: list[Worker]) -> list[Worker]:
        marks = self.drains.of(worker.incarnation for worker in live)
        return [_without(worker, marks.get(worker.incarnation)) for worker in live]

    def workers(self, *, fresh: bool = False) -> list[WorkerStats]:
        """All workers, by name; their answers, and that there are none, are at most `cache_s` s old, or `fresh`.

        Raises:
            BrokerUnavailableError: The broker does not answer.
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        with self._lock:
            if fresh or time.monotonic() - self._asked_at >= self.cache_s:
                try:
                    self._workers, self._failure = self._ask(), None
                except (BrokerUnavailableError, RedisError) as error:
                    self._failure = error  # who waits here must not wait again, one after the other
                self._asked_at = time.monotonic()
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            return self._workers

    def consumed_anywhere(self, most_age_s: float) -> set[str]:
        """The queues that any worker says it consumes, tracked or not; the answer may be so many seconds old.

        It takes the whole time limit: who knows who will answer?

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._consumed_lock:
            at, consumed = self._consumed
            if time.monotonic() - at >= most_age_s:
                with self.broker() as connection:
                    answers = lists_of(self.ask(connection, None).active_queues())
                consumed = {queue["name"] for queues in answers.values() for queue in queues}
                self._consumed = time.monotonic(), consumed
            return consumed

    def configurations(
        self, names: list[str], settings: Collection[str], of_tasks: Collection[str]
    ) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
        """Some of Celery's settings of workers, and their tasks with some attributes, both by worker.

        Args:
            names: The workers.
            settings: Celery's names of settings. No others leave this method: some are secret.
            of_tasks: Names of the attributes. A task is told as "name [attribute=True …]".

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self.broker() as connection:
            inspect = self.ask(connection, names)
            told = inspect.conf(with_defaults=True) or {}
            tasks = lists_of(inspect.registered(*of_tasks))
        confs = {name: conf for name, conf in told.items() if isinstance(conf, dict)}
        return {name: {key: conf.get(key) for key in settings} for name, conf in confs.items()}, tasks

    def _ask(self) -> list[WorkerStats]:
        leases = {worker.name: worker for worker in self.leases.live()}
        marks = self.drains.of(worker.incarnation for worker in leases.values())
        drains = {name: marks.get(lease.incarnation) for name, lease in leases.items()}
        found = {
            name: WorkerStats(name=name, online=False, lease=lease, drain=drains[name])
            for name, lease in leases.items()
        }
        with self.broker() as connection:
            # By name the answers are waited for; without names the whole time limit is: who knows who will answer?
            stats = self.ask(connection, list(leases) or None).stats() or {}
            if not stats:
                return [found[name] for name in sorted(found)]
            for told in stats.values():
                told["broker"] = without_secrets(told.get("broker") or {})
            inspect = self.ask(connection, list(stats))
            answers = {
                "stats": stats,
                "active": lists_of(inspect.active()),
                "reserved": lists_of(inspect.reserved()),
                "scheduled": lists_of(inspect.scheduled()),
                "registered": lists_of(inspect.registered()),
            }
            for told in chain.from_iterable([*answers["active"].values(), *answers["reserved"].values()]):
                self._cover(told)
            for waiting in chain.from_iterable(answers["scheduled"].values()):
                self._cover(waiting["request"])
            queues = inspect.active_queues() or {}
        for name in stats:
            values = {what: answer[name] for what, answer in answers.items() if name in answer}
            found[name] = WorkerStats(
                name=name,
                online=len(values) == len(answers),  # what it did not answer in time is not known
                lease=leases.get(name),
                drain=drains.get(name),
                queues=[queue["name"] for queue in queues.get(name) or []],
                **values,
            )
        return [found[name] for name in sorted(found)]

    def _cover(self, told: dict[str, Any]) -> None:
        """Take from what a worker tells of a task what is not to be seen of its arguments."""
        task, kwargs = told["type"], told["kwargs"]
        mapped = mapped_task(task, kwargs)
        announced = self.tracking.registry.type_of_task(mapped or task)
        if announced is not None:
            rule = announced.arguments.of_map() if mapped else announced.arguments
            masked_args = rule.mask_arguments(told["args"], kwargs)
            told |= {"args": list(masked_args.args), "kwargs": dict(masked_args.kwargs)}
        elif task.startswith("celery."):  # it may carry a task that is masked, as what waits for a chord does
            told |= {"args": [], "kwargs": {}}

    def ask(self, connection: Any, names: list[str] | None) -> Any:
        """Celery's inspect of these workers; None: of all that answer in time."""
        return self.app.control.inspect(destination=names, timeout=self.timeout_s, connection=connection)

    def broker(self) -> AbstractContextManager[Any]:
        """A connection to the broker for as long as its context lasts.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        return connected(self.app, self.timeout_s)


def lists_of(answers: dict[str, Any] | None) -> dict[str, list[Any]]:
    """What workers have answered, by their names; one that could not sends an error (kombu/pidbox.py, dispatch)."""
    return {name: answer for name, answer in (answers or {}).items() if isinstance(answer, list)}


def _without(worker: Worker, mark: DrainMark | None) -> Worker:
    """A worker without the queues that it was told to consume no more."""
    if mark is None:
        return worker
    return worker.model_copy(update={"queues": [queue for queue in worker.queues if queue not in mark.queues]})


_NOTHING = Backlog(0, None)
"""A queue that nobody has made yet."""
