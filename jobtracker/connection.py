"""Connections to the tracking Redis."""

from typing import Any, TypeAlias

from redis import Redis
from redis.backoff import NoBackoff
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

RedisClient: TypeAlias = Any
"""A `redis.Redis` that decodes its responses. redis-py types every answer as bytes or text, so Any is more honest."""

_NO_LIMIT = 2**31

_UNREACHABLE = (ConnectionError, TimeoutError)
_UNABLE = (ReadOnlyError, OutOfMemoryError, ClusterDownError, TryAgainError)
_UNABLE_CODES = ("MISCONF ", "NOREPLICAS ", "BUSY ")
"""Errors that redis-py has no class for: it can't persist, lacks replicas, is held up by somebody's script."""


def connect(url: str, timeout_s: float) -> RedisClient:
    """A client that decodes responses, gives up after `timeout_s` and tries once: its callers know when to repeat.

    It opens as many connections as are in use at once: a pool of threads or greenlets may be larger than the hundred
    that redis-py allows by default (redis/connection.py), and what exceeds that is refused, not queued.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        encoding_errors="replace",  # half a surrogate pair in an error's text must not lose the report
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        client_name="jobtracker",
        max_connections=_NO_LIMIT,
    )


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
