"""The records of a store as they stand there, to look at and to spoil."""

from collections.abc import Mapping
from typing import Any

import msgpack
from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.store.failure_groups import unpack
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.records import fetch
from jobtracker.store.schema import NAMES, PLACES


def stored(client: RedisClient, keys: Keys, job_id: str) -> dict[str, str]:
    """The fields of a job's record, as texts; none where there is no such job."""
    [record] = fetch(client, keys, [job_id])
    return record.as_texts()


def places(client: RedisClient, keys: Keys | Partition, job_id: str) -> dict[int, Any]:
    """The record as it stands, by place."""
    packed = client.execute_command("GET", keys("job", job_id), **{NEVER_DECODE: True})
    found: dict[int, Any] = msgpack.unpackb(packed or b"\x80", strict_map_key=False)
    return found


def group_of(client: RedisClient, keys: Keys | Partition, group: str) -> dict[str, Any]:
    """A group of failures as it stands there; empty where there is none."""
    return unpack(client.execute_command("GET", keys("failure", group), **{NEVER_DECODE: True})) or {}


def name_of(place: int) -> str:
    """The name of a field; of one that this release does not know its place."""
    return NAMES.get(place, str(place))


def alter(client: RedisClient, keys: Keys, job_id: str, fields: Mapping[Any, Any]) -> None:
    """Write fields into a record, by their names or by places that this release does not know; None removes one."""
    record = places(client, keys, job_id)
    for name, value in fields.items():
        place = name if isinstance(name, int) else PLACES[name]
        record[place] = int(value) if isinstance(value, str) and value.isdigit() and name != "executing" else value
    kept = {place: value for place, value in record.items() if value is not None}
    client.set(keys("job", job_id), msgpack.packb(kept))
