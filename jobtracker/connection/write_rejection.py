"""Why a Redis server that answers rejects writes, in words, and what to change."""

from typing import Any, NamedTuple

from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from jobtracker.connection.client import RedisClient

_EVICTION = "https://redis.io/docs/latest/develop/reference/eviction/"
_PERSISTENCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"
_REPLICATION = "https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"


class WriteRejection(NamedTuple):
    """Why a server rejects writes now."""

    problem: str
    """What is the matter, half a sentence."""
    change: str
    """The setting to change, as a sentence."""
    source: str
    """Where that is documented."""

    def __str__(self) -> str:
        return f"{self.problem}; {self.change}"


_FULL = WriteRejection("its memory is full", "raise maxmemory", _EVICTION)
_REPLICA = WriteRejection(
    "it is a read-only replica", "name the primary in its address (REDIS_URL and so on)", _REPLICATION
)
_BY_CODE = {
    "MISCONF": WriteRejection(
        "it can't write to its disk", "make room there, its log says what is wrong (stop-writes-on-bgsave-error)",
        _PERSISTENCE,
    ),
    "NOREPLICAS": WriteRejection(
        "it has too few replicas", "bring them back, or lower min-replicas-to-write", _REPLICATION
    ),
}  # fmt: skip


def write_rejection_of(error: BaseException | None) -> WriteRejection | None:
    """Why a server refused a write, by its error; None where that says something else."""
    if isinstance(error, OutOfMemoryError):
        return _FULL
    if isinstance(error, ReadOnlyError):
        return _REPLICA
    if not isinstance(error, ResponseError):
        return None
    text = str(error).rpartition("caused error: ")[2]  # of a pipeline (redis/client.py, annotate_exception)
    return _BY_CODE.get(text.partition(" ")[0])


def find_write_rejection(client: RedisClient, key: str, info: dict[str, Any]) -> WriteRejection | None:
    """Why a server takes no writes now; None where it does, or does not tell.

    It is asked by a write that changes nothing, for what it tells of its memory is not what it goes by.

    Args:
        client: A client of it.
        key: One that is not there. It is not made.
        info: Its INFO.

    Raises:
        redis.exceptions.RedisError: It does not answer.
    """
    try:
        client.setrange(key, 0, "")
    except ResponseError as error:
        rejection = write_rejection_of(error)  # an ACL may forbid this one write
        if rejection is _FULL:
            used, most = (f"{int(info.get(name) or 0) / 2**20:,.1f}" for name in ("used_memory", "maxmemory"))
            return rejection._replace(problem=f"{rejection.problem}: {used} of {most} MB")
        return rejection
    return None


def in_words(error: Exception) -> str:
    """What a server's error comes to, without a full stop."""
    if rejection := write_rejection_of(error):
        return f"it takes no writes: {rejection}"
    text = str(error).rstrip(".")
    return f"{type(error).__name__}: {text}" if isinstance(error, RedisError) else text
