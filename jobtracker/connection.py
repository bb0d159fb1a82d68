"""Connections to the tracking Redis."""

from typing import Any, TypeAlias

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 (redis-py's own name)
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004 (likewise)
    TryAgainError,
)
from redis.retry import Retry

from jobtracker.circuit import Circuit

RedisClient: TypeAlias = Any
"""A `redis.Redis` that decodes its responses. redis-py types every answer as bytes or text, so Any is more honest."""

_NO_LIMIT = 2**31

_UNREACHABLE = (ConnectionError, TimeoutError)
_UNABLE = (ReadOnlyError, OutOfMemoryError, ClusterDownError, TryAgainError)
_UNABLE_CODES = ("MISCONF ", "NOREPLICAS ", "BUSY ")
"""Errors that redis-py has no class for: it can't persist, lacks replicas, is held up by somebody's script."""


def connect(url: str, timeout_s: float, *, circuit: Circuit | None = None) -> RedisClient:
    """A client that decodes responses, gives up after `timeout_s` and tries once: its callers know when to repeat.

    With a `circuit` a server that does not answer is tried by one of many threads, and the others don't wait for it.

    It opens as many connections as are in use at once: a pool of threads or greenlets may be larger than the hundred
    that redis-py allows by default (redis/connection.py), and what exceeds that is refused, not queued.
    """
    of_url = parse_url(url).get("connection_class", Connection)  # type: ignore[no-untyped-call]
    return Redis.from_url(
        url,
        connection_class=_watched(of_url, circuit) if circuit else of_url,
        decode_responses=True,
        encoding_errors="replace",  # half a surrogate pair in an error's text must not lose the report
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        client_name="jobtracker",
        max_connections=_NO_LIMIT,
    )


def _watched(connection_class: Any, circuit: Circuit) -> Any:
    """A kind of connection that asks a circuit first, and tells it what has become of each call."""

    class Watched(connection_class):  # type: ignore[misc] # known when it is called
        def connect(self) -> None:
            self._ask()
            try:
                super().connect()
            except _UNREACHABLE:
                circuit.failed()
                raise

        def send_packed_command(self, *args: Any, **options: Any) -> None:
            self._ask()
            super().send_packed_command(*args, **options)

        def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                response = super().read_response(*args, **options)
            except _UNREACHABLE:
                circuit.failed()
                raise
            circuit.answered()
            return response

        @staticmethod
        def _ask() -> None:
            if not circuit.admits():
                raise ConnectionError("it did not answer a moment ago")

    return Watched


def server_of(client: RedisClient, key: str) -> RedisClient:
    """A client of the one server that has a key, for commands that name none: SCAN, INFO."""
    del key  # there is one server only
    return client


def is_unreachable(error: BaseException) -> bool:
    """Whether a call failed because the server did not answer; it may have been carried out all the same."""
    return isinstance(error, _UNREACHABLE)


def is_away(error: BaseException) -> bool:
    """Whether a call failed for what will pass: the same call later, or to the server's successor, may succeed.

    Beside a server that does not answer that is one which loads its data, has become a replica, has no memory left.
    """
    if isinstance(error, ResponseError) and str(error).startswith(_UNABLE_CODES):
        return True
    return isinstance(error, (*_UNREACHABLE, *_UNABLE))
