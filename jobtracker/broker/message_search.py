"""Looks for messages at the broker without taking any. Their number and the time are limited.

Redis shows its lists, so a message has a position there, and unacknowledged messages are visible too
(kombu/transport/redis.py: a list for each priority of a queue, the hash `unacked` and its index by time). AMQP can't
look without consuming: RabbitMQ only tells how many messages and consumers a queue has.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kombu.utils.json import dumps
from redis import Redis

from jobtracker.broker.queues import backlog, queue_of

SCAN_LIMIT = 1000
"""Messages that are read of each list, from the end where workers take them."""

_MOST_TAKEN = 10_000
"""Unacknowledged messages that are known at most."""

_FIRST_CHUNK, _LAST_CHUNK = 20, 250
"""Messages of one round trip: more each time, because they may be large."""

_TASK = re.compile(rb'"task": "([^"\\]+)"')
_ID = re.compile(rb'"id": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class QueuedMessage:
    """A message in its queue."""

    position: int
    """1 is taken next."""
    tasks_ahead: Counter[str] | None
    """Names of the tasks before it; None: not all of them were read."""


@dataclass
class Queue:
    """What was observed of a queue."""

    messages: int = 0
    consumers: int | None = None
    """None: the broker does not say."""
    exists: bool = True
    looked_at: int = 0
    is_whole: bool = False
    """Every message of it was read."""
    waiting: dict[str, QueuedMessage] = field(default_factory=dict)
    """By task id."""


@dataclass
class BrokerObservations:
    """What was observed at the broker.

    Attributes:
        queues: By name.
        taken_ms: Unacknowledged messages among the wanted ones: when each was fetched, by task id.
        shows_taken: The broker shows unacknowledged messages, and all of them were read.
        visibility_timeout_s: After so long they are delivered again, as this process is configured; None: AMQP, where
            that happens as soon as the worker's connection is gone.
    """

    queues: dict[str, Queue] = field(default_factory=dict)
    taken_ms: dict[str, int] = field(default_factory=dict)
    shows_taken: bool = False
    visibility_timeout_s: float | None = None


def locate_messages(
    connection: Any, wanted: Mapping[str, Collection[str]], within_s: float, *, whole_only: bool = False
) -> BrokerObservations:
    """Find out where messages are.

    Args:
        connection: To the broker.
        wanted: Task ids by the queue in which each may be.
        within_s: For how long to look at most, in seconds; one round trip may exceed it.
        whole_only: Skip queues that are too long to read every message.
    """
    if connection.transport.driver_type != "redis":
        return BrokerObservations({name: _counted(connection, name) for name in wanted})
    until = time.monotonic() + within_s
    channel = connection.default_channel
    # A separate client: kombu's own adds its key prefix only to the commands that kombu itself uses.
    client = Redis(connection_pool=channel.pool)
    found = BrokerObservations(visibility_timeout_s=float(channel.visibility_timeout))
    for name, ids in wanted.items():
        found.queues[name] = _seen(client, channel, name, _needles(ids), until, whole_only)
    found.shows_taken = _see_taken(client, channel, _needles(i for ids in wanted.values() for i in ids), found, until)
    return found


class UnackedMessage(NamedTuple):
    """A message that a worker has fetched and not acknowledged."""

    task_id: str
    queue: str
    """The queue that it was in; if it came through an exchange that is not direct, its routing key."""
    taken_ms: int
    """When it was fetched (ms), by the clock of the worker that did."""
    tag: str
    """Its delivery tag."""
    attempt: int
    """The attempt that it asks for, as Celery counts, from 0."""


class UnackedMessages:
    """The unacknowledged messages. Each is read once, however often `look` is called."""

    def __init__(self) -> None:
        self._read: dict[str, UnackedMessage | None] = {}  # by tag; None: it is no task message

    def look(self, connection: Any) -> list[UnackedMessage]:
        """The oldest ones, `_MOST_TAKEN` at most; each call reads up to `SCAN_LIMIT` new ones; none on AMQP."""
        if connection.transport.driver_type != "redis":
            return []
        channel = connection.default_channel
        client: Any = Redis(connection_pool=channel.pool)  # as above
        key, index = unacked_keys(channel)
        found = {
            _text(tag): int(at_s * 1000) for tag, at_s in client.zrange(index, 0, _MOST_TAKEN - 1, withscores=True)
        }
        self._read = {tag: message for tag, message in self._read.items() if tag in found}
        new = [tag for tag in found if tag not in self._read][:SCAN_LIMIT]
        for first in range(0, len(new), _FIRST_CHUNK):
            some = new[first : first + _FIRST_CHUNK]
            for tag, raw in zip(some, client.hmget(key, some), strict=True):
                if raw is not None:  # else it was acknowledged meanwhile
                    self._read[tag] = _taken(tag, raw)
        messages = ((self._read.get(tag), taken_ms) for tag, taken_ms in found.items())
        return [message._replace(taken_ms=taken_ms) for message, taken_ms in messages if message]


def find_unacked(connection: Any) -> list[UnackedMessage]:
    """The `SCAN_LIMIT` oldest unacknowledged messages; none on AMQP."""
    return UnackedMessages().look(connection)


def _taken(tag: str, raw: bytes) -> UnackedMessage | None:
    try:
        message, _, routing_key = json.loads(raw)
        headers = message["headers"]
        return UnackedMessage(str(headers["id"]), queue_of(routing_key), 0, tag, int(headers.get("retries") or 0))
    except (ValueError, TypeError, LookupError):  # of another program, or of protocol 1
        return None


def _text(tag: bytes | str) -> str:
    return tag.decode() if isinstance(tag, bytes) else tag


def unacked_keys(channel: Any) -> tuple[str, str]:
    """The keys of the hash of unacknowledged messages, and of its index by the time when they were fetched."""
    return (
        f"{channel.global_keyprefix}{channel.unacked_key}",
        f"{channel.global_keyprefix}{channel.unacked_index_key}",
    )


def _counted(connection: Any, name: str) -> Queue:
    counted = backlog(connection, name)
    return Queue(counted.messages, counted.consumers) if counted else Queue(exists=False)


def _needles(task_ids: Iterable[str]) -> dict[bytes, str]:
    """The task ids, by how they are written in a message."""
    return {dumps(task_id).encode(): task_id for task_id in task_ids}


def _seen(
    client: Any, channel: Any, name: str, needles: Mapping[bytes, str], until: float, whole_only: bool
) -> Queue:
    lists = [f"{channel.global_keyprefix}{name}" + (f"{channel.sep}{p}" if p else "") for p in channel.priority_steps]
    pipe = client.pipeline(transaction=False)
    for key in lists:
        pipe.llen(key)
    lengths = pipe.execute()
    if whole_only and max(lengths) > SCAN_LIMIT:
        return Queue(messages=sum(lengths))
    queue = Queue(messages=sum(lengths), is_whole=True)
    before, tasks_ahead = 0, Counter[str]()
    for key, length in zip(lists, lengths, strict=True):
        if not length:
            continue
        looked_at = 0
        for raw in _next_first(client, key, until):
            looked_at += 1
            task_id = _match(raw, needles, lambda message: message)
            if task_id and task_id not in queue.waiting:
                ahead = Counter(tasks_ahead) if queue.is_whole else None
                queue.waiting[task_id] = QueuedMessage(before + looked_at, ahead)
            if task := _TASK.search(raw):
                tasks_ahead[task[1].decode(errors="replace")] += 1
            if len(queue.waiting) == len(needles):
                queue.is_whole = False
                queue.looked_at += looked_at
                return queue
        queue.looked_at += looked_at
        queue.is_whole &= looked_at >= length
        before += length
    return queue


def _next_first(client: Any, key: str, until: float) -> Iterator[bytes]:
    """The messages of a list; the first one is taken next."""
    seen, size = 0, _FIRST_CHUNK
    while seen < SCAN_LIMIT and time.monotonic() < until:
        chunk = client.lrange(key, -(seen + size), -(seen + 1))
        yield from reversed(chunk)
        seen += len(chunk)
        if len(chunk) < size:
            return
        size = min(2 * size, _LAST_CHUNK, SCAN_LIMIT - seen)


def _see_taken(
    client: Any, channel: Any, needles: Mapping[bytes, str], found: BrokerObservations, until: float
) -> bool:
    """Note when the wanted messages were fetched; returns whether all unacknowledged ones were read."""
    key, index = unacked_keys(channel)
    cursor, looked_at, tags = 0, 0, {}
    while True:
        cursor, entries = client.hscan(key, cursor, count=_LAST_CHUNK)
        looked_at += len(entries)
        for tag, raw in entries.items():
            if task_id := _match(raw, needles, lambda entry: entry[0]):
                tags[tag] = task_id
        if not cursor or looked_at >= SCAN_LIMIT or time.monotonic() > until:
            break
    for tag, task_id in tags.items():
        taken_s = client.zscore(index, tag)
        if taken_s is not None:
            taken_ms = int(taken_s * 1000)
            found.taken_ms[task_id] = min(taken_ms, found.taken_ms.get(task_id, taken_ms))
    return not cursor


def _match(raw: bytes, needles: Mapping[bytes, str], message_of: Any) -> str | None:
    """The wanted task that a message is for, or None. As a parent's, an id may stand in another message too."""
    for found in _ID.finditer(raw):
        task_id = needles.get(found[1])
        if task_id and message_of(json.loads(raw))["headers"].get("id") == task_id:
            return task_id
    return None
