"""The record of a job as the store keeps it, for who reads it: lua/record.lua writes it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgpack
from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.core.lifecycle import SETTLED
from jobtracker.store.keys import RECORD_FIELDS, Keys


class Row(NamedTuple):
    """A job of a list."""

    id: str
    packed: bytes
    """Its record."""


def fields_of(packed: bytes) -> dict[str, str]:
    """What is set of a record, by `keys.RECORD_FIELDS`, as texts; not what a newer release has added."""
    known = len(RECORD_FIELDS)
    found = msgpack.unpackb(packed, strict_map_key=False, unicode_errors="replace")
    fields = {RECORD_FIELDS[place]: str(value) for place, value in found.items() if place < known}
    if fields.get("status") in SETTLED and "entered" in fields:
        fields.setdefault("finished", fields["entered"])
    return fields


def record_of(row: Row) -> dict[str, str]:
    """The record, with its id."""
    return {**fields_of(row.packed), "id": row.id}


def fetch(client: RedisClient, keys: Keys, job_ids: Iterable[str]) -> list[dict[str, str]]:
    """The fields of many jobs, in one round trip; of one that is not there none."""
    pipe = client.pipeline(transaction=False)
    for job_id in job_ids:
        ask(pipe, keys, job_id)
    return [read(packed) for packed in pipe.execute()]


def ask(pipe: Any, keys: Keys, job_id: str) -> None:
    """Ask for a record, with what else a pipeline asks for; the answer is to be read."""
    pipe.execute_command("GET", keys("job", job_id), **{NEVER_DECODE: True})


def read(packed: bytes | None) -> dict[str, str]:
    """The fields in an answer; none where there is no such job."""
    return fields_of(packed) if packed else {}
