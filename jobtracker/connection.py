"""Connections to the tracking Redis."""

from typing import Any, TypeAlias

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

RedisClient: TypeAlias = Any
"""A `redis.Redis` that decodes its responses. redis-py types every answer as bytes or text, so Any is more honest."""

_NO_LIMIT = 2**31


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
