"""Connections to an app's broker, with time limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from celery import Celery
from kombu.exceptions import BatchPublishError

from jobtracker.broker.config import is_amqp
from jobtracker.broker.errors import broker_errors

T = TypeVar("T")

BROKER_TIMEOUT_S = 1.0
"""How long the broker may take to connect, and to answer, where nobody should wait long for it."""


@contextmanager
def connected(app: Celery, timeout_s: float, *, read_timeout_s: float | None = None) -> Iterator[Any]:
    """An open connection to an app's broker.

    Args:
        app: The app.
        timeout_s: How long connecting may take, in seconds.
        read_timeout_s: How long an answer may take, in seconds; default: as the app is configured.

    Raises:
        BrokerUnavailableError: The broker does not answer, or rejects the connection.
    """
    names = ("read_timeout", "write_timeout") if is_amqp(app) else ("socket_timeout", "socket_connect_timeout")
    limits = dict.fromkeys(names, read_timeout_s) if read_timeout_s else {}
    with broker_errors(), app.connection_for_read(transport_options=limits) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=timeout_s)
        yield connection


def ask_broker(app: Celery, ask: Callable[[Any], T]) -> T:
    """Ask an app's broker over a connection from the app's pool: to open one takes far longer.

    Args:
        app: The app.
        ask: Asks over a connection. It is called again with a new one if the pooled connection is closed.

    Raises:
        BrokerUnavailableError: The broker does not answer, or rejects the call.
    """
    with broker_errors(), app.pool.acquire(block=True) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        answer: T = connection.ensure(connection, ask, max_retries=1, interval_start=0)(connection)
        return answer


_TOGETHER = 20
"""Messages of one round trip: workers take these while the next ones are made."""


@contextmanager
def sent_together(producer: Any) -> Iterator[None]:
    """Publish in batches: some messages with each round trip to Redis, one by one to other brokers.

    If it fails, the broker may have any of the messages.

    Raises:
        BrokerUnavailableError: The broker does not answer, or rejects the call.
        redis.exceptions.ResponseError: Redis rejects one of the messages, and does not say which.
    """
    with broker_errors():
        try:
            with producer.batch(_TOGETHER):
                yield
        except BatchPublishError as error:
            raise error.__cause__ or error from error
