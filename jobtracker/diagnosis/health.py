"""Whether the tracking Redis, the broker and the workers do their part."""

import time
from typing import Any

from redis.exceptions import RedisError

from jobtracker.broker.connection import connected
from jobtracker.broker.queues import broker_write_rejection
from jobtracker.connection.write_rejection import find_write_rejection, in_words
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import BrokerUnavailableError, StoreMismatchError
from jobtracker.schemas.health import Component
from jobtracker.schemas.workers import QueueDepths
from jobtracker.store.partitions import expect_partitions, servers_of


class HealthCheck:
    """Checks the parts, each by itself.

    Args:
        inspector: Asks the workers and the broker.
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._tracking = inspector.tracking

    def redis(self) -> Component:
        """The tracking Redis: latency, memory, persistence, what it was never told, whether it can be used."""
        began = time.perf_counter()
        try:
            servers = servers_of(self._tracking.client, self._tracking.keys)
            for server in servers:
                server.ping()
            latency_ms = (time.perf_counter() - began) * 1000 / len(servers)
            infos = [server.info() for server in servers]
            dropped = self._tracking.queries.dropped()
            asked = zip(servers.items(), infos, strict=True)
            rejections = [find_write_rejection(server, key, info) for (server, key), info in asked]
            expect_partitions(self._tracking.client, self._tracking.keys)
        except (RedisError, StoreMismatchError) as error:
            return Component(healthy=False, detail=in_words(error))
        info, rejection = infos[0], next(filter(None, rejections), None)
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
            healthy=rejection is None,
            detail=str(rejection) if rejection else None,
            latency_ms=round(latency_ms, 3),
            facts=facts,
        )

    def broker(self) -> Component:
        """Celery's broker."""
        began, timeout_s = time.perf_counter(), self._inspector.timeout_s
        try:
            with connected(self._tracking.app, timeout_s, read_timeout_s=timeout_s) as connection:
                transport = connection.transport.driver_type
                latency_ms = (time.perf_counter() - began) * 1000
                rejection = broker_write_rejection(connection, self._tracking.keys.parts[0]("probe"))
        except BrokerUnavailableError as error:
            return Component(healthy=False, detail=str(error))
        return Component(
            healthy=rejection is None,
            detail=str(rejection) if rejection else None,
            latency_ms=round(latency_ms, 3),
            facts={"transport": transport},
        )

    def workers(self) -> Component:
        """Whether somebody comes for the jobs: a worker answers and names its queues, and no queue waits in vain."""
        try:
            workers = self._inspector.workers()
            depths = self._inspector.queue_depths()
            unconsumed = self._unconsumed(depths)
        except (BrokerUnavailableError, RedisError) as error:
            return Component(healthy=False, detail=in_words(error))
        # A solo worker does not answer while it runs a task. Its lease says that it lives.
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
        return self._unconsumed(self._inspector.queue_depths())

    def _unconsumed(self, depths: QueueDepths) -> dict[str, int]:
        consumed: set[str] = set()
        for worker in self._inspector.workers():
            # One that is too busy to answer consumes what it did when it started, unless it was drained.
            if worker.online or not worker.lease:
                consumed.update(worker.queues)
            else:
                consumed.update(set(worker.lease.queues) - set(worker.drain.queues if worker.drain else ()))
        waiting = [each for each in depths.queues if each.messages and each.queue not in consumed]
        if any(each.consumer_count is None for each in waiting):
            consumed |= self._inspector.consumed_anywhere(0)  # a worker without a lease is unknown until it answers
        return {
            each.queue: each.messages for each in waiting if each.queue not in consumed and not each.consumer_count
        }
