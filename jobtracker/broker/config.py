"""Where Redis and RabbitMQ differ as Celery's broker: priorities, what a queue is declared with, how much waits."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from amqp.exceptions import AMQPError, NotFound
from celery import Celery
from celery.backends.asynchronous import E_RETRY_LIMIT_EXCEEDED
from kombu.entity import Queue
from kombu.exceptions import BatchPublishError, ChannelError, OperationalError
from kombu.utils.url import maybe_sanitize_url
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobtracker.connection.client import how_to_ask
from jobtracker.connection.urls import SentinelAddress, is_sentinel
from jobtracker.connection.write_rejection import Refusal, find_refusal, refusal_of
from jobtracker.core.lifecycle import Priority
from jobtracker.errors import BrokerUnavailableError, QueueMissingError
from jobtracker.settings import Settings

T = TypeVar("T")

_REDIS_PRIORITIES = {Priority.CRITICAL: 0, Priority.HIGH: 3, Priority.NORMAL: 6, Priority.LOW: 9}
_AMQP_PRIORITIES = {Priority.LOW: 0, Priority.NORMAL: 3, Priority.HIGH: 6, Priority.CRITICAL: 9}


SHIPPED_QUEUE = "jobtracker"
"""Where the documented job types go, until a worker that announces them says otherwise."""


class Backlog(NamedTuple):
    """What the broker says of a queue."""

    messages: int
    """Those that wait, of all priorities."""
    consumers: int | None
    """How many channels consume it; None where the broker does not tell."""


def configure(app: Celery, settings: Settings) -> None:
    """Give a Celery app the broker and the result backend of `settings`, and what it has to know of that broker.

    The workers' app and the API's do so alike: on RabbitMQ a queue is declared by whoever comes first, and refused to
    whoever comes with other arguments.
    """
    # Celery prefers the variables CELERY_… of the environment to `broker_url` and `result_backend`, as they are
    # spelled there, but not to these (celery/app/utils.py, celery/app/base.py).
    app.conf.update(broker_read_url=settings.broker_url, broker_write_url=settings.broker_url)
    app.backend_cls = settings.result_backend
    # Not Celery's own `celery`: workers of other projects on the same broker consume that, and know other tasks.
    app.conf.update(task_default_queue=SHIPPED_QUEUE)
    app.conf.update(_amqp_conf(settings) if settings.broker_is_amqp else _REDIS_CONF)
    if settings.celery_visibility_timeout_s is not None and not settings.broker_is_amqp:
        app.conf.broker_transport_options = {"visibility_timeout": settings.celery_visibility_timeout_s}
    for name, url in (
        ("broker_transport_options", settings.celery_broker_url),
        ("result_backend_transport_options", settings.celery_result_backend),
    ):
        if is_sentinel(url or settings.tracking_url):
            of = SentinelAddress.read(url or settings.tracking_url)
            app.conf[name] = {
                **app.conf[name],
                "master_name": of.service,
                "sentinel_kwargs": how_to_ask(of, _SENTINELS_WITHIN_S),
            }


_SENTINELS_WITHIN_S = 1


_REDIS_CONF = {
    # kombu takes messages without a priority for the most urgent (kombu/transport/redis.py).
    "task_default_priority": _REDIS_PRIORITIES[Priority.NORMAL],
}


def _amqp_conf(settings: Settings) -> dict[str, Any]:
    conf: dict[str, Any] = {
        "task_default_priority": _AMQP_PRIORITIES[Priority.NORMAL],
        # A message counts as sent when RabbitMQ has it: what a process has only written is lost where it is killed.
        "broker_transport_options": {"confirm_publish": True},
    }
    if settings.broker_url.startswith("amqps:"):
        conf["broker_use_ssl"] = {"server_hostname": None}  # that of the URL: without it py-amqp checks no name
    if settings.celery_queue_type == "classic":
        return conf | {"task_queue_max_priority": max(_AMQP_PRIORITIES.values())}
    return conf | {
        "task_default_queue_type": "quorum",
        "task_create_missing_queue_type": "quorum",
        # Messages with an ETA wait at the broker, which can't be where they are sent to queues directly.
        "task_default_exchange": "jobtracker",
        "task_default_exchange_type": "topic",
    }


_speaks_amqp: "WeakKeyDictionary[Celery, bool]" = WeakKeyDictionary()
"""Of apps, which have one broker as long as they live. To find out takes longer than to record a job."""


def is_amqp(app: Celery) -> bool:
    """Whether an app's broker speaks AMQP, as RabbitMQ does."""
    if app not in _speaks_amqp:
        _speaks_amqp[app] = app.connection_for_write().transport.driver_type == "amqp"
    return _speaks_amqp[app]


def broker_priorities(app: Celery) -> dict[Priority, int]:
    """The broker's own numbers: kombu's Redis transport takes 0 first, AMQP takes the highest first.

    A quorum queue knows two levels, up to 4 and above (RabbitMQ 4): low and normal are one there, as are high and
    critical.
    """
    return _AMQP_PRIORITIES if is_amqp(app) else _REDIS_PRIORITIES


def expect_queues(app: Celery, names: Iterable[str]) -> None:
    """Do nothing where the broker has all of these queues. A list of Redis is there when it is needed.

    Raises:
        QueueMissingError: RabbitMQ has no such queue, and would drop what is sent to it.
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
    """What waits in a queue; None where RabbitMQ has no such queue."""
    return backlogs(connection, [queue])[queue]


def backlogs(connection: Any, queues: Iterable[str]) -> dict[str, Backlog | None]:
    """What waits in each of many queues, None where RabbitMQ has none: one round trip to Redis, one each to RabbitMQ.

    Redis counts no consumers. It is not asked by a passive declare: with a `global_keyprefix` that looks for the
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
        # What is no list, as the key in which kombu keeps what is not acknowledged, is no queue.
        answers = pipe.execute(raise_on_error=False) if names else []
        sizes = iter([0 if isinstance(answer, ResponseError) else int(answer) for answer in answers])
        return {name: Backlog(sum(next(sizes) for _ in channel.priority_steps), None) for name in names}
    found: dict[str, Backlog | None] = {}
    channel = connection.channel()  # of its own: RabbitMQ closes it where there is no such queue
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


def unacknowledged(connection: Any) -> int | None:
    """How many messages workers hold and have not acknowledged; None where the broker does not tell.

    AMQP has no question for it; RabbitMQ's management API would, where it is switched on.
    """
    if connection.transport.driver_type != "redis":
        return None
    channel = connection.default_channel
    return int(channel.client.hlen(channel.unacked_key))


def broker_refusal(connection: Any, key: str) -> Refusal | None:
    """Why the broker takes no messages now; None where it does, or does not tell. `key` is as for `find_refusal`."""
    if connection.transport.driver_type != "redis":
        return None
    client = connection.default_channel.client
    return find_refusal(client, key, client.info())


def queue_of_route(app: Celery, task: str) -> str:
    """Where an app's own routes send a task; of a route to an exchange, the app's queue that is bound to it so."""
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


def without_secrets(broker: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker tells of its connection to the broker, without the passwords that Celery leaves in it.

    Of a unix socket the host name is a URL, with its password (kombu/transport/redis.py); options may hold any, but
    for the one that says when a message comes back.
    """
    known = {name: value for name, value in broker.items() if name != "transport_options"}
    timeout_s = (broker.get("transport_options") or {}).get("visibility_timeout")
    told = {"transport_options": {"visibility_timeout": timeout_s}} if timeout_s is not None else {}
    return known | told | {"hostname": maybe_sanitize_url(known.get("hostname"))}


def queue_of(routing_key: str) -> str:
    """The queue that a message without one is for: its routing key, without the time it is to wait before.

    For quorum queues Celery writes the countdown before it, bit by bit (kombu/transport/native_delayed_delivery.py).
    """
    return _COUNTDOWN.sub("", routing_key)


_COUNTDOWN = re.compile(r"^(?:[01]\.){28}")


@contextmanager
def connected(app: Celery, timeout_s: float, *, read_timeout_s: float | None = None) -> Iterator[Any]:
    """A connection to an app's broker that stands.

    Args:
        app: The app.
        timeout_s: How long it may take to connect, in seconds.
        read_timeout_s: How long an answer may take; default: as the app is configured.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses.
    """
    names = ("read_timeout", "write_timeout") if is_amqp(app) else ("socket_timeout", "socket_connect_timeout")
    limits = dict.fromkeys(names, read_timeout_s) if read_timeout_s else {}
    with broker_errors(), app.connection_for_read(transport_options=limits) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=timeout_s)
        yield connection


def ask_broker(app: Celery, ask: Callable[[Any], T]) -> T:
    """What an app's broker answers, on one of the connections that the app keeps: to open one takes far longer.

    Args:
        app: The app.
        ask: Asks on a connection; once more on a new one, where the one that was kept has gone.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses.
    """
    with broker_errors(), app.pool.acquire(block=True) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        answer: T = connection.ensure(connection, ask, max_retries=1, interval_start=0)(connection)
        return answer


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn what brokers and their clients raise into errors of ours.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses; or the result backend does not.
    """
    try:
        yield
    except (OperationalError, RedisConnectionError, RedisTimeoutError, OSError, ResponseError) as error:
        if refusal := refusal_of(error) or refusal_of(error.__cause__):
            raise BrokerUnavailableError(f"The broker takes no writes: {refusal}") from error
        if isinstance(error, ResponseError):
            raise
        raise BrokerUnavailableError(f"The broker does not answer: {error}") from error
    except RuntimeError as error:  # Celery subscribes to the result before it sends
        if str(error) != E_RETRY_LIMIT_EXCEEDED:
            raise
        raise BrokerUnavailableError("Celery's result backend does not answer.") from error
    except AMQPError as error:
        raise BrokerUnavailableError(f"The broker refuses: {error}") from error


_TOGETHER = 20
"""Messages of one round trip: others work on these while the next ones are made."""


@contextmanager
def sent_together(producer: Any) -> Iterator[None]:
    """Send what a producer publishes some messages at a time, each with one round trip; one by one but to Redis.

    Where it fails, any of the messages may be with the broker.

    Raises:
        BrokerUnavailableError: The broker does not answer, or refuses.
        redis.exceptions.ResponseError: Redis does not take one of the messages, and does not say which.
    """
    with broker_errors():
        try:
            with producer.batch(_TOGETHER):
                yield
        except BatchPublishError as error:
            raise error.__cause__ or error from error
