"""Fetching records of jobs; `lua/lib/record.lua` writes them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.store.keys import Keys
from jobtracker.store.schema import JobRecord, decode


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
    for job_id in job_ids:
        ask(pipe, keys, job_id)
    return list(map(decode, job_ids, pipe.execute()))


def ask(pipe: Any, keys: Keys, job_id: str) -> None:
    """Ask for a record, with what else a pipeline asks for; `decode` reads the answer."""
    pipe.execute_command("GET", keys("job", job_id), **{NEVER_DECODE: True})
