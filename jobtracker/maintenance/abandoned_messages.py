"""Gives messages of lost workers back to their queues on Redis, which would only do so after `visibility_timeout`.

The message that goes back is the same: the same task id, arguments, links and chain. It moves from kombu's hash of
unacknowledged messages into its queue in one step of the server, and only if it is unchanged: a message that another
worker has fetched meanwhile stays with that worker.

It gets a new delivery tag. The worker that had it may live after all (it was stopped, or cut off). If that worker
acknowledges the old tag, or gives it back when it stops, this concerns no other delivery.
"""

import json
import logging
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from jobtracker.broker.config import is_amqp
from jobtracker.broker.connection import BROKER_TIMEOUT_S, connected
from jobtracker.broker.message_search import UnackedMessage, UnackedMessages, unacked_keys
from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import Status
from jobtracker.diagnosis.held_messages import HeldMessages
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import BrokerUnavailableError
from jobtracker.maintenance.leadership import Leadership
from jobtracker.runtime import Tracking
from jobtracker.store.keys import Partition
from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)

_HELD_FOR = 3
"""The workers are asked again after so many lease times whether one of them has a message."""

_CLOCK_MS = 1000
"""So much (ms) the clock of a worker may differ that does not say which messages it has."""

_GIVE_BACK = """
local unacked, index, queue, tag, score, seen, message = KEYS[1], KEYS[2], KEYS[3], unpack(ARGV)
local now_at = tonumber(redis.call('ZSCORE', index, tag) or '')
if redis.call('HGET', unacked, tag) ~= seen or now_at ~= tonumber(score) then return 0 end
redis.call('HDEL', unacked, tag)
redis.call('ZREM', index, tag)
redis.call('RPUSH', queue, message)
return 1
"""
"""As kombu does it (kombu/transport/redis.py, restore_by_tag), if the message is unchanged."""


def requeue_unacked(connection: Any, taken: Iterable[UnackedMessage]) -> set[str]:
    """Give unacknowledged messages back to their queues, where workers take them next.

    A message whose queue is not known here stays: that of an exchange without a binding, for example.

    Args:
        connection: To the broker, Redis.
        taken: The messages, as they were found (`message_search.find_unacked`).

    Returns:
        The task ids of the messages that went back. One that was acknowledged, given back or fetched anew meanwhile
        did not.
    """
    channel = connection.default_channel
    client: Any = Redis(connection_pool=channel.pool)  # without kombu's key prefix
    unacked, index = unacked_keys(channel)
    given_back: set[str] = set()
    for each in taken:
        seen, score = client.hget(unacked, each.tag), client.zscore(index, each.tag)
        if seen is None or score is None or int(score * 1000) != each.taken_ms:
            continue
        message, exchange, routing_key = json.loads(seen)
        queues = _queues_of(channel, exchange, routing_key)
        if len(queues) != 1:  # a broadcast leaves a copy in each: this may be any
            continue
        properties = message["properties"]
        properties["delivery_tag"] = str(uuid.uuid4())
        message["headers"]["redelivered"] = True
        properties.setdefault("delivery_info", {})["redelivered"] = True
        priority = channel._get_message_priority(message)  # noqa: SLF001 (kombu has nothing public for either)
        queue = channel.global_keyprefix + channel._q_for_pri(queues[0], priority)  # noqa: SLF001
        args = (each.tag, repr(score), seen, json.dumps(message))
        if client.eval(_GIVE_BACK, 3, unacked, index, queue, *args):
            given_back.add(each.task_id)
    return given_back


def _queues_of(channel: Any, exchange: str, routing_key: str) -> list[str]:
    """The queues of an exchange that get such a message, by the bindings that kombu keeps in Redis.

    This process may not have declared the exchange, and does not know its type. Bindings of topics have a pattern.
    """
    if not exchange:
        return [routing_key] if routing_key else []
    table = channel.get_table(exchange)
    found = {queue for key, _, queue in table if key == routing_key}
    if not found:
        patterns = [entry for entry in table if entry[1]]
        found = channel.exchange_types["topic"](channel).lookup(patterns, exchange, routing_key, None)
    return sorted(found)


class AbandonedMessages:
    """Gives back the messages of lost executions.

    Args:
        leadership: Tells the store.
    """

    def __init__(self, leadership: Leadership) -> None:
        self._leadership, tracking = leadership, leadership.tracking
        self._app = tracking.app
        self._leases = tracking.leases
        self._asked = HeldMessages(Inspector(tracking))
        self._seen = UnackedMessages()
        self._held: dict[str, float] = {}  # task ids that a worker has, until when (time.monotonic)
        self._level = logging.WARNING
        self._held_s = _HELD_FOR * tracking.settings.lease_lost_s

    def give_back(self, parts: Sequence[Partition]) -> int:
        """Give back messages that lost workers had begun and not acknowledged; returns how many.

        A message goes back if all of this is true; otherwise it stays until kombu gives it back:

        * its job waits for it: the execution that began last was lost or given up, and the run has not ended;
        * it is the message of that execution: it was fetched before that began, by clocks that agree or of a worker
          that says what it has;
        * the lease of the worker that ran it is over;
        * no worker says that it has the message, not even one that is not tracked or has lost its lease.

        Args:
            parts: Partitions in which a worker without a lease is a lost one.
        """
        tracking = self._leadership.tracking
        if not parts or not tracking.relauncher.resends or is_amqp(self._app):
            return 0
        try:
            with connected(self._app, BROKER_TIMEOUT_S, read_timeout_s=BROKER_TIMEOUT_S) as connection:
                abandoned = self._abandoned(tracking, parts, self._seen.look(connection))
            if not abandoned:
                self._level = logging.WARNING
                return 0
            abandoned = self._unless_held(abandoned)
            with connected(self._app, BROKER_TIMEOUT_S, read_timeout_s=BROKER_TIMEOUT_S) as connection:
                given_back = requeue_unacked(connection, abandoned)
        except (BrokerUnavailableError, ResponseError) as error:  # an ACL may forbid it: the rest goes on
            logger.log(self._level, "The messages of lost workers could not be given back: %s", error)
            self._level = logging.DEBUG  # once per trouble, not every few seconds
            return 0
        self._level = logging.WARNING
        for each in abandoned:
            if each.task_id in given_back:
                job_id, _ = job_and_run_of(each.task_id)
                logger.warning(
                    "Job %s: its message was with a lost worker, and is in queue %r again", job_id, each.queue
                )
        return len(given_back)

    def _abandoned(
        self, tracking: Tracking, parts: Collection[Partition], taken: list[UnackedMessage]
    ) -> list[UnackedMessage]:
        now = time.monotonic()
        self._held = {task_id: until for task_id, until in self._held.items() if until > now}
        taken = [each for each in taken if each.task_id not in self._held]
        jobs = [job_and_run_of(each.task_id)[0] for each in taken]
        records = tracking.queries.records(jobs) if jobs else []
        found = [
            (worker, each)
            for each, record in zip(taken, records, strict=True)
            if tracking.keys.of(record.id) in parts and (worker := lost_worker_of(each, record))
        ]
        live = tracking.leases.held({worker for worker, _ in found})
        return [each for worker, each in found if worker not in live]

    def _unless_held(self, abandoned: list[UnackedMessage]) -> list[UnackedMessage]:
        messages = {each.task_id: each.queue for each in abandoned}
        live = self._leases.live()
        tracked = self._asked.of_workers(live, messages)
        silent = [worker for worker in live if worker.incarnation not in tracked]
        if any(abs(worker.clock_ahead_ms) > _CLOCK_MS for worker in silent):
            return []  # it may have fetched one, and by its clock that was before the execution began
        held = {task_id for holding in tracked.values() for task_id in holding.held}
        held |= self._asked.told_by_anyone(messages)
        until = time.monotonic() + self._held_s
        self._held |= dict.fromkeys(held, until)
        return [each for each in abandoned if each.task_id not in held]


def lost_worker_of(taken: UnackedMessage, record: JobRecord) -> str | None:
    """The incarnation of the worker that began a message's task and does not run it any more, by the job's record.

    None: the record names no such worker, or the message was fetched after that, so by another worker. Whether the
    worker's lease is over is not checked here.
    """
    execution = record.execution
    if record.status != Status.PENDING or record.executing or not execution:
        return None
    if record.task_id != taken.task_id:
        return None
    if record.attempt != taken.attempt:
        return None
    began_ms, worker, _ = execution.split("-", 2)  # lua/lib/executions.lua
    return worker if taken.taken_ms <= int(began_ms) else None
