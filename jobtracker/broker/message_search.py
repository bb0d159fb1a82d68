"""Looking for messages at the broker, without taking any: a bounded number of them, for a bounded time.

Redis shows its lists, so a message has a position there, and what was fetched and not acknowledged is seen as well
(kombu/transport/redis.py: a list for each priority of a queue, the hash `unacked` and its index by time). AMQP can't
look without consuming: RabbitMQ tells how many messages and consumers a queue has.
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
"""Messages that are looked at in each list, from the end where they are taken."""

_MOST_TAKEN = 10_000
"""Messages that were fetched and not acknowledged: so many are told apart."""

_FIRST_CHUNK, _LAST_CHUNK = 20, 250
"""Messages of one round trip: more each time, for they may be large."""

_TASK = re.compile(rb'"task": "([^"\\]+)"')
_ID = re.compile(rb'"id": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class Waiting:
    """A message in its queue."""

    position: int
    """1 is taken next."""
    tasks_ahead: Counter[str] | None
    """Names of the tasks before it; None where not all of them were looked at."""


@dataclass
class Queue:
    """What was seen of a queue."""

    messages: int = 0
    consumers: int | None = None
    """None where the broker does not tell."""
    exists: bool = True
    looked_at: int = 0
    is_whole: bool = False
    """Every message of it was looked at."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """By task id."""


@dataclass
class Sightings:
    """What was seen at the broker.

    Attributes:
        queues: By name.
        taken_ms: When those of the wanted messages were fetched that are not acknowledged, by task id.
        shows_taken: Such messages can be seen, and all of them were looked at.
        visibility_timeout_s: After so long they are delivered again, as this process is configured; None: on AMQP, as
            soon as the connection of the worker is gone.
    """

    queues: dict[str, Queue] = field(default_factory=dict)
    taken_ms: dict[str, int] = field(default_factory=dict)
    shows_taken: bool = False
    visibility_timeout_s: float | None = None


def look_for(
    connection: Any, wanted: Mapping[str, Collection[str]], within_s: float, *, whole_only: bool = False
) -> Sightings:
    """Look for messages.

    Args:
        connection: To the broker.
        wanted: Task ids by the queue in which each may be.
        within_s: For how long at most, in seconds; one round trip may exceed it.
        whole_only: Not in queues that are too long to look at every message.
    """
    if connection.transport.driver_type != "redis":
        return Sightings({name: _counted(connection, name) for name in wanted})
    until = time.monotonic() + within_s
    channel = connection.default_channel
    # Of its own: kombu's client puts its prefix before the keys of those commands only that kombu itself uses.
    client = Redis(connection_pool=channel.pool)
    found = Sightings(visibility_timeout_s=float(channel.visibility_timeout))
    for name, ids in wanted.items():
        found.queues[name] = _seen(client, channel, name, _needles(ids), until, whole_only)
    found.shows_taken = _see_taken(client, channel, _needles(i for ids in wanted.values() for i in ids), found, until)
    return found


class Taken(NamedTuple):
    """A message that was fetched and is not acknowledged."""

    task_id: str
    queue: str
    """Where it was; of an exchange that is not direct, its routing key."""
    taken_ms: int
    """When it was fetched, by the clock of who fetched it."""
    tag: str
    """Its delivery tag."""
    attempt: int
    """Celery's number of the attempt that it asks for, from 0."""


class TakenMessages:
    """The messages that were fetched and are not acknowledged; each is read once, however often it is looked for."""

    def __init__(self) -> None:
        self._read: dict[str, Taken | None] = {}  # by tag; None: it is no task's

    def look(self, connection: Any) -> list[Taken]:
        """Those that were fetched first, `_MOST_TAKEN` at most; of new ones `SCAN_LIMIT` each time; none on AMQP."""
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


def find_taken(connection: Any) -> list[Taken]:
    """The messages that were fetched and are not acknowledged, the `SCAN_LIMIT` oldest; none on AMQP."""
    return TakenMessages().look(connection)


def _taken(tag: str, raw: bytes) -> Taken | None:
    try:
        message, _, routing_key = json.loads(raw)
        headers = message["headers"]
        return Taken(str(headers["id"]), queue_of(routing_key), 0, tag, int(headers.get("retries") or 0))
    except (ValueError, TypeError, LookupError):  # of another program, or of protocol 1
        return None


def _text(tag: bytes | str) -> str:
    return tag.decode() if isinstance(tag, bytes) else tag


def unacked_keys(channel: Any) -> tuple[str, str]:
    """The hash of the messages that are not acknowledged, and its index by the time they were fetched."""
    return (
        f"{channel.global_keyprefix}{channel.unacked_key}",
        f"{channel.global_keyprefix}{channel.unacked_index_key}",
    )


def _counted(connection: Any, name: str) -> Queue:
    counted = backlog(connection, name)
    return Queue(counted.messages, counted.consumers) if counted else Queue(exists=False)


def _needles(task_ids: Iterable[str]) -> dict[bytes, str]:
    """The ids by how they are written in a message."""
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
                queue.waiting[task_id] = Waiting(before + looked_at, ahead)
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
    """The messages of a list, the one that is taken next first."""
    seen, size = 0, _FIRST_CHUNK
    while seen < SCAN_LIMIT and time.monotonic() < until:
        chunk = client.lrange(key, -(seen + size), -(seen + 1))
        yield from reversed(chunk)
        seen += len(chunk)
        if len(chunk) < size:
            return
        size = min(2 * size, _LAST_CHUNK, SCAN_LIMIT - seen)


def _see_taken(client: Any, channel: Any, needles: Mapping[bytes, str], found: Sightings, until: float) -> bool:
    """Note when the wanted ones were taken; whether all that are not acknowledged were looked at."""
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
    """Which of the wanted tasks a message is; an id may stand in another's message too, as its parent's."""
    for found in _ID.finditer(raw):
        task_id = needles.get(found[1])
        if task_id and message_of(json.loads(raw))["headers"].get("id") == task_id:
            return task_id
    return None
