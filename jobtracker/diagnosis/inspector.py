"""What the broker and the workers themselves say: queue depths, worker statistics, health."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from redis.exceptions import RedisError

from jobtracker.broker.config import (
    Backlog,
    ask_broker,
    backlogs,
    broker_refusal,
    connected,
    unacknowledged,
    without_secrets,
)
from jobtracker.broker.headers import mapped_task
from jobtracker.broker.message_search import Taken, find_taken
from jobtracker.connection.write_rejection import find_refusal, in_words
from jobtracker.errors import BrokerUnavailableError, UnfitStoreError
from jobtracker.runtime import Tracking
from jobtracker.schemas.health import Component
from jobtracker.schemas.workers import HOLDS_COMMAND, Holding, QueueDepth, QueueDepths, Worker, WorkerStats
from jobtracker.store.functions import batched
from jobtracker.store.partitions import expect_partitions, servers_of

_ASKED_AT_ONCE = 500
"""Tasks about which workers are asked with one message."""


class Inspection:
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
        self.timeout_s = timeout_s
        self.cache_s = cache_s
        self._lock = threading.Lock()
        self._workers: list[WorkerStats] = []
        self._failure: Exception | None = None
        self._asked_at = float("-inf")

    def queue_depths(self) -> QueueDepths:
        """How much waits at the broker.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        live = self.leases.live()
        sent = self.tracking.queries.queues()
        names = {t.queue for t in self.tracking.registry.all().values() if t.queue}
        names |= {queue for worker in live for queue in worker.queues} | {self.app.conf.task_default_queue}

        def ask(connection: Any) -> tuple[dict[str, Backlog | None], int | None]:
            waiting = backlogs(connection, sorted(names.union(sent.names)))
            return waiting, unacknowledged(connection)

        def matters(name: str, waiting: Backlog | None) -> bool:
            return name in names or waiting is None or waiting.messages > 0 or bool(waiting.consumers)

        found, held = ask_broker(self.app, ask)
        return QueueDepths(
            queues=[
                QueueDepth(
                    queue=name,
                    messages=messages,
                    consumers=[worker.name for worker in live if name in worker.queues],
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

    def redis_health(self) -> Component:
        """The tracking Redis: latency, memory, persistence, what it was never told, whether it can be used."""
        began = time.perf_counter()
        try:
            servers = servers_of(self.tracking.client, self.tracking.keys)
            for server in servers:
                server.ping()
            latency_ms = (time.perf_counter() - began) * 1000 / len(servers)
            infos = [server.info() for server in servers]
            dropped = self.tracking.queries.dropped()
            asked = zip(servers.items(), infos, strict=True)
            refusals = [find_refusal(server, key, info) for (server, key), info in asked]
            expect_partitions(self.tracking.client, self.tracking.keys)
        except (RedisError, UnfitStoreError) as error:
            return Component(healthy=False, detail=in_words(error))
        info, refusal = infos[0], next(filter(None, refusals), None)
        facts = {
            "servers": len(servers),
            "version": info.get("valkey_version") or info.get("redis_version"),
            "used_memory_bytes": sum(int(each.get("used_memory") or 0) for each in infos),
            "max_memory_bytes": sum(int(each.get("maxmemory") or 0) for each in infos),
            "eviction_policy": info.get("maxmemory_policy"),
            "append_only": bool(info.get("aof_enabled")),
            "last_snapshot": info.get("rdb_last_bgsave_status"),
            "dropped_reports": dropped,
        }
        return Component(
            healthy=refusal is None,
            detail=str(refusal) if refusal else None,
            latency_ms=round(latency_ms, 3),
            facts=facts,
        )

    def broker_health(self) -> Component:
        """Celery's broker."""
        began = time.perf_counter()
        try:
            with connected(self.app, self.timeout_s, read_timeout_s=self.timeout_s) as connection:
                transport = connection.transport.driver_type
                latency_ms = (time.perf_counter() - began) * 1000
                refusal = broker_refusal(connection, self.tracking.keys.parts[0]("probe"))
        except BrokerUnavailableError as error:
            return Component(healthy=False, detail=str(error))
        return Component(
            healthy=refusal is None,
            detail=str(refusal) if refusal else None,
            latency_ms=round(latency_ms, 3),
            facts={"transport": transport},
        )

    def workers_health(self) -> Component:
        """Whether somebody comes for the jobs: a worker answers and names its queues, and no queue waits in vain."""
        try:
            workers = self.workers()
            depths = self.queue_depths()
            unconsumed = self._unconsumed(depths)
        except (BrokerUnavailableError, RedisError) as error:
            return Component(healthy=False, detail=in_words(error))
        # A solo worker answers nobody while it runs a task; that it lives, its lease says.
        busy = {w.name for w in workers if not w.online and w.lease and w.lease.pool == "solo"}
        consuming = sorted(busy | {w.name for w in workers if w.online and w.queues})
        silent = [w.name for w in workers if not w.online and w.name not in busy]
        detail = None
        if silent and not consuming:
            detail = (
                f"{', '.join(silent)} renew their leases and do not answer at this broker: is their "
                "CELERY_BROKER_URL the API's? If it is, they hang: restart them"
            )
        elif not consuming:
            detail = "no worker consumes; start one"
        elif unconsumed:
            waiting = ", ".join(f"{queue} ({messages})" for queue, messages in unconsumed.items())
            queues = ",".join(unconsumed)
            detail = (
                f"messages wait where no worker consumes: {waiting}; start one with --queues {queues}, or purge them "
                "where their jobs are cancelled or nobody is to do them"
            )
        facts: dict[str, Any] = {"consuming": consuming, "silent": silent, "unconsumed": unconsumed}
        if depths.some_left_out:
            facts["some_queues_left_out"] = True
        return Component(healthy=detail is None, detail=detail, facts=facts)

    def unconsumed(self) -> dict[str, int]:
        """How many messages wait in queues that none of the workers consumes, nor any that is not tracked.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        return self._unconsumed(self.queue_depths())

    def _unconsumed(self, depths: QueueDepths) -> dict[str, int]:
        consumed: set[str] = set()
        for worker in self.workers():
            # One that is too busy to answer consumes what it did when it started.
            consumed.update(worker.queues if worker.online or not worker.lease else worker.lease.queues)
        waiting = [each for each in depths.queues if each.messages and each.queue not in consumed]
        if any(each.consumer_count is None for each in waiting):
            # A worker without a lease is unknown until it answers, so the whole time limit is waited for.
            with self._broker() as connection:
                answers = self._inspect(connection, None).active_queues() or {}
            consumed |= {queue["name"] for queues in answers.values() for queue in queues or []}
        return {
            each.queue: each.messages for each in waiting if each.queue not in consumed and not each.consumer_count
        }

    def holdings(self, workers: Collection[Worker], task_ids: Collection[str]) -> dict[str, Holding]:
        """What workers that live hold of some tasks' messages, by incarnation; of those that answer in time.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        names = [worker.name for worker in workers if worker.tells_holds]
        found: dict[str, Holding] = {}
        if not names or not task_ids:
            return found
        with self._broker() as connection:
            for number, some in enumerate(batched(sorted(task_ids), _ASKED_AT_ONCE)):
                told = self._holdings(connection, names, some)
                # Whoever has not answered each time has not answered.
                found = (
                    told if not number else {each: _joined(found[each], told[each]) for each in found.keys() & told}
                )
        return found

    def _holdings(self, connection: Any, names: list[str], task_ids: Sequence[str]) -> dict[str, Holding]:
        replies = self.app.control.broadcast(
            HOLDS_COMMAND,
            arguments={"task_ids": list(task_ids)},
            destination=names,
            reply=True,
            timeout=self.timeout_s,
            connection=connection,
        )
        answers = [answer for reply in replies or [] for answer in reply.values() if "lease" in answer]  # no error
        return {holding.lease: holding for holding in map(Holding.model_validate, answers)}

    def perhaps_held(self, messages: Mapping[str, str]) -> set[str]:
        """Those of messages that a worker holds, or may hold: one without a lease, or one that does not answer.

        Args:
            messages: The queues of the messages by task id.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        live = self.leases.live()
        holdings = self.holdings(live, messages)
        if {worker.incarnation for worker in live} - holdings.keys():
            return set(messages)
        held = {task_id for holding in holdings.values() for task_id in holding.held}
        return held & messages.keys() | self.perhaps_held_untracked(messages, live)

    def perhaps_held_untracked(self, messages: Mapping[str, str], live: Collection[Worker]) -> set[str]:
        """Those of messages that a worker without a lease holds, or may hold, as all that its queues had.

        All workers are asked, for the whole time limit: who knows who will answer?

        Args:
            messages: The queues of the messages by task id.
            live: The workers that have a lease.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._broker() as connection:
            consumed = _lists(self._inspect(connection, None).active_queues())
            strangers = consumed.keys() - {worker.name for worker in live}
            told = self._inspect(connection, list(strangers)).query_task(*messages) if strangers else None
        queues = {queue["name"] for name in strangers for queue in consumed[name]}
        held = {task_id for tasks in (told or {}).values() if isinstance(tasks, dict) for task_id in tasks}
        return {task_id for task_id, queue in messages.items() if task_id in held or queue in queues}

    def told_by_anyone(self, task_ids: Collection[str]) -> set[str]:
        """Those of the tasks that a worker says it has, even one without a lease: all are asked, for the time limit.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._broker() as connection:
            answers = self._inspect(connection, None).query_task(*task_ids) or {}
        return {task_id for tasks in answers.values() if isinstance(tasks, dict) for task_id in tasks} & set(task_ids)

    def abandoned(self) -> list[Taken]:
        """Messages that were fetched and not acknowledged, and that no worker has; known on Redis only.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._broker() as connection:
            taken = find_taken(connection)
        held = self.perhaps_held({each.task_id: each.queue for each in taken}) if taken else set()
        return [each for each in taken if each.task_id not in held]

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
        with self._broker() as connection:
            inspect = self._inspect(connection, names)
            told = inspect.conf(with_defaults=True) or {}
            tasks = _lists(inspect.registered(*of_tasks))
        confs = {name: conf for name, conf in told.items() if isinstance(conf, dict)}
        return {name: {key: conf.get(key) for key in settings} for name, conf in confs.items()}, tasks

    def _ask(self) -> list[WorkerStats]:
        leases = {worker.name: worker for worker in self.leases.live()}
        found = {name: WorkerStats(name=name, online=False, lease=lease) for name, lease in leases.items()}
        with self._broker() as connection:
            # By name the answers are waited for; without names the whole time limit is: who knows who will answer?
            stats = self._inspect(connection, list(leases) or None).stats() or {}
            if not stats:
                return [found[name] for name in sorted(found)]
            for told in stats.values():
                told["broker"] = without_secrets(told.get("broker") or {})
            inspect = self._inspect(connection, list(stats))
            answers = {
                "stats": stats,
                "active": _lists(inspect.active()),
                "reserved": _lists(inspect.reserved()),
                "scheduled": _lists(inspect.scheduled()),
                "registered": _lists(inspect.registered()),
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
            covered = rule.cover(told["args"], kwargs)
            told |= {"args": list(covered.args), "kwargs": dict(covered.kwargs)}
        elif task.startswith("celery."):  # it may carry a task that is masked, as what waits for a chord does
            told |= {"args": [], "kwargs": {}}

    def _inspect(self, connection: Any, names: list[str] | None) -> Any:
        return self.app.control.inspect(destination=names, timeout=self.timeout_s, connection=connection)

    def _broker(self) -> AbstractContextManager[Any]:
        return connected(self.app, self.timeout_s)


def _joined(one: Holding, other: Holding) -> Holding:
    return Holding(lease=one.lease, held=one.held | other.held, ended=one.ended | other.ended, opaque=other.opaque)


def _lists(answers: dict[str, Any] | None) -> dict[str, list[Any]]:
    """What workers have answered, by their names; one that could not sends an error (kombu/pidbox.py, dispatch)."""
    return {name: answer for name, answer in (answers or {}).items() if isinstance(answer, list)}


_NOTHING = Backlog(0, None)
"""A queue that nobody has made yet."""
