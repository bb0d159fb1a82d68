"""Fetching records of jobs; `lua/lib/record.lua` writes them."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.store.keys import Keys
from jobtracker.store.pipeline import batched
from jobtracker.store.schema import FIELDS, PLACES, JobRecord, decode

_AT_ONCE = 500
"""Records of one command: less than a millisecond of the server's time."""


class Row(NamedTuple):
    """A job of a list."""

    id: str
    packed: bytes
    """Its record."""

    @property
    def record(self) -> JobRecord:
        """Its record, decoded."""
        return decode(self.id, self.packed)


def fetch(client: RedisClient, keys: Keys, job_ids: Iterable[str]) -> list[JobRecord]:
    """The records of many jobs, in one round trip; `exists` is False on one that is not there."""
    job_ids = list(job_ids)
    pipe = client.pipeline(transaction=False)
    asked: list[list[str]] = []  # one command for many of a partition: redis-py spends most of the time on commands
    for part, own in keys.share_out(job_ids).items():
        for some in batched(own, _AT_ONCE):
            pipe.execute_command("MGET", *[part("job", job_id) for job_id in some], **{NEVER_DECODE: True})
            asked.append(some)
    if len(asked) == 1 and len(keys.parts) == 1:
        return list(map(decode, job_ids, pipe.execute()[0]))
    packed = dict(zip(chain.from_iterable(asked), chain.from_iterable(pipe.execute()), strict=True))
    return [decode(job_id, packed[job_id]) for job_id in job_ids]


def ask(pipe: Any, keys: Keys, job_id: str) -> None:
    """Ask for a record, with what else a pipeline asks for; `decode` reads the answer."""
    pipe.execute_command("GET", keys("job", job_id), **{NEVER_DECODE: True})


_KINDS: dict[str, type] = {field.name: int if field.is_number else str for field in FIELDS}


def by_places(fields: Mapping[str, str | int]) -> dict[int, str | int]:
    """Fields of a record by their places, with values as they are stored."""
    return {
        PLACES[name]: value if value.__class__ is _KINDS[name] else _as_stored(name, value)
        for name, value in fields.items()
    }


def _as_stored(name: str, value: str | int) -> str | int:
    if _KINDS[name] is str:
        return str(value)
    try:
        return int(value)
    except ValueError:  # as it was given: the doctor reports it
        return value
