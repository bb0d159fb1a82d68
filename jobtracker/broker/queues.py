"""Queues at the broker: how many messages wait, whether a queue exists, and which queue a task goes to."""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from amqp.exceptions import NotFound
from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import ChannelError
from redis import Redis
from redis.exceptions import ResponseError

from jobtracker.broker.config import is_amqp
from jobtracker.broker.connection import ask_broker
from jobtracker.broker.headers import sent, terms
from jobtracker.connection.write_rejection import WriteRejection, find_write_rejection
from jobtracker.errors import QueueMissingError


class Backlog(NamedTuple):
    """The broker's answer about a queue."""

    messages: int
    """Messages that wait, of all priorities."""
    consumers: int | None
    """Channels that consume it; None: the broker does not say."""


def expect_queues(app: Celery, names: Iterable[str]) -> None:
    """Check that the broker has all of these queues. Redis creates its lists on demand.

    Raises:
        QueueMissingError: RabbitMQ has no such queue, and would drop messages to it.
        BrokerUnavailableError: The broker does not answer.
    """
    wanted = sorted(set(names))
    if not wanted or not is_amqp(app):
        return

    def missing(connection: Any) -> list[str]:
        return [name for name in wanted if backlog(connection, name) is None]

    for name in ask_broker(app, missing):
        raise QueueMissingError(name)


def backlog(connection: Any, queue: str) -> Backlog | None:
    """The depth of a queue; None: RabbitMQ has no such queue."""
    return backlogs(connection, [queue])[queue]


def backlogs(connection: Any, queues: Iterable[str]) -> dict[str, Backlog | None]:
    """The depths of queues, None for one that RabbitMQ lacks: one round trip to Redis, one per queue to RabbitMQ.

    Redis counts no consumers. A passive declare does not serve there: with a `global_keyprefix` it looks for the
    queue without the prefix, and finds none (kombu/transport/redis.py, _has_queue).
    """
    names = list(queues)
    if connection.transport.driver_type == "redis":
        channel = connection.default_channel
        pipe: Any = Redis(connection_pool=channel.pool).pipeline(transaction=False)  # kombu's own adds its prefix
        for name in names:
            for priority in channel.priority_steps:
                key = channel._q_for_pri(name, priority)  # noqa: SLF001 (kombu has nothing public)
                pipe.llen(f"{channel.global_keyprefix}{key}")
        # A key that is no list is no queue: kombu keeps unacknowledged messages in a hash.
        answers = pipe.execute(raise_on_error=False) if names else []
        sizes = iter([0 if isinstance(answer, ResponseError) else int(answer) for answer in answers])
        return {name: Backlog(sum(next(sizes) for _ in channel.priority_steps), None) for name in names}
    found: dict[str, Backlog | None] = {}
    channel = connection.channel()  # a separate one: RabbitMQ closes it if there is no such queue
    try:
        for name in names:
            try:
                told = channel.queue_declare(queue=name, passive=True)
                found[name] = Backlog(int(told.message_count), int(told.consumer_count))
            except (ChannelError, NotFound):
                found[name] = None
                channel = connection.channel()
    finally:
        channel.close()
    return found


class NextMessage(NamedTuple):
    """A message that waits and is taken next of its priority: the one that was sent first, as a rule."""

    task_id: str
    sent_ms: int | None
    """When it was sent, and may run; None: it does not say, its job's record may."""


def next_messages(connection: Any, queues: Iterable[str]) -> dict[str, list[NextMessage]] | None:
    """Of each queue the messages that are taken next, one of each priority; None: the broker (AMQP) shows none.

    Those that can't be read are left out.
    """
    if connection.transport.driver_type != "redis":
        return None
    names, channel = list(queues), connection.default_channel
    pipe: Any = Redis(connection_pool=channel.pool).pipeline(transaction=False)
    for name in names:
        for priority in channel.priority_steps:
            pipe.lindex(f"{channel.global_keyprefix}{channel._q_for_pri(name, priority)}", -1)  # noqa: SLF001 (as above)
    answers = iter(pipe.execute(raise_on_error=False) if names else [])
    found: dict[str, list[NextMessage]] = {}
    for name in names:
        raw = [next(answers) for _ in channel.priority_steps]
        found[name] = [message for each in raw if isinstance(each, bytes) and (message := _next_message(each))]
    return found


def _next_message(raw: bytes) -> NextMessage | None:
    try:
        headers = json.loads(raw)["headers"]
        said = sent(headers)
        asked = terms({"eta": headers.get("eta")}).get("eta", 0)
        sent_ms = max(said, int(asked)) if isinstance(said, int) and said else None
        return NextMessage(str(headers["id"]), sent_ms)
    except (ValueError, TypeError, LookupError, AttributeError):  # of another program, or of protocol 1
        return None


def unacknowledged(connection: Any) -> int | None:
    """How many messages workers hold and have not acknowledged; None: the broker does not say.

    AMQP has no question for it. RabbitMQ's management API has, if it is enabled.
    """
    if connection.transport.driver_type != "redis":
        return None
    channel = connection.default_channel
    return int(channel.client.hlen(channel.unacked_key))


def broker_write_rejection(connection: Any, key: str) -> WriteRejection | None:
    """Why the broker rejects messages now; None: it takes them, or does not say.

    Args:
        connection: Of kombu.
        key: As for `find_write_rejection`.
    """
    if connection.transport.driver_type != "redis":
        return None
    client = connection.default_channel.client
    return find_write_rejection(client, key, client.info())


def queue_of_route(app: Celery, task: str) -> str:
    """The queue that an app's routes send a task to; for a route to an exchange, the app's queue bound to it."""
    route = app.amqp.router.route({}, task)
    queue = route.get("queue")
    if queue is None and route.get("exchange"):
        wanted = (str(getattr(route["exchange"], "name", route["exchange"])), route.get("routing_key") or "")
        queue = next((each for each in app.amqp.queues.values() if _is_bound(each, *wanted)), None)
    name: str = getattr(queue, "name", queue) or app.conf.task_default_queue
    return name


def _is_bound(queue: Queue, exchange: str, routing_key: str) -> bool:
    if queue.exchange is None or queue.exchange.name != exchange:
        return False
    match queue.exchange.type:
        case "fanout":
            return True
        case "topic":  # * stands for a word, # for any number of them
            pattern = re.escape(queue.routing_key or "").replace(r"\*", r"[^.]+")
            pattern = pattern.replace(r"\.\#", r"(\..*)?").replace(r"\#", r".*")
            return re.fullmatch(pattern, routing_key) is not None
        case _:
            return bool(queue.routing_key == routing_key)


def queue_of(routing_key: str) -> str:
    """The queue of a message that names only a routing key: that key, without the countdown before it.

    For quorum queues Celery puts the countdown in front, bit by bit (kombu/transport/native_delayed_delivery.py).
    """
    return _COUNTDOWN.sub("", routing_key)


_COUNTDOWN = re.compile(r"^(?:[01]\.){28}")
