"""Moves what a partition has counted, for `repartition.py`: it is added to what another one has, once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.store import flow_series, queue_series, totals
from jobtracker.store.histograms import merged
from jobtracker.store.keys import MOST_NAMED, PREFIXES, Partition
from jobtracker.store.writer import JobStore

SERIES = ("flow", "settled", "released", "total", *queue_series.SERIES)
"""Names of keys that have counters in strings."""

_SUMS: dict[str, Callable[[Iterable[bytes]], bytes]] = {
    "total": totals.sum_of,
    "flow": flow_series.sum_of,
    "sent_to": queue_series.sum_of_numbers,
    "ended_at": queue_series.sum_of_numbers,
    "at_queue": queue_series.sum_of,
}
"""How two strings become one, where these are not as `histograms.py` has them."""


def complete_totals(store: JobStore, parts: Sequence[Partition]) -> None:
    """Let the totals of all partitions have all series, under the same names: then they can be added up.

    A job that moves counts under its type's label in its new partition, so that must be the old one's.
    """
    of_part = {part: set(store.client.smembers(part("named"))) for part in parts}
    named = set(sorted(set().union(*of_part.values()))[:MOST_NAMED])
    for part, own in of_part.items():
        if own != named:
            store.name_types(part, sorted(named - own), sorted(own - named))
        while store.fold_totals(part, all_of_them=True)[1]:
            pass


def move_series(
    source: RedisClient, target: RedisClient, part: Partition, place: Partition, keys: Mapping[str, Iterable[str]]
) -> None:
    """Add what a partition has counted to what another one has.

    Args:
        source: A client of its Redis.
        target: A client of the other one's.
        part: The partition.
        place: The other one.
        keys: Its keys, by name.
    """
    for key in (key for name in SERIES for key in keys.get(name, ())):
        _merge_series(source, target, part, place, key)
    for key in keys.get("counted", ()):
        _merge_counts(source, target, part, place, key)


def _merge_series(source: RedisClient, target: RedisClient, part: Partition, place: Partition, key: str) -> None:
    name = key.partition("}:")[2]
    wanted, mark = place.prefix + name, f"{part.number}:{name}"
    if target.sismember(place("moved"), mark):
        return
    ttl_ms = source.pttl(key)
    pipe = target.pipeline(transaction=True)  # of one partition, so of one slot
    pipe.sadd(place("moved"), mark)
    both = [_bytes(source, key), _bytes(target, wanted)]
    merge = next((sums for of, sums in _SUMS.items() if name.startswith(PREFIXES[of])), merged)
    pipe.set(wanted, merge([each for each in both if each]))
    if ttl_ms > 0:
        pipe.pexpire(wanted, ttl_ms)
    pipe.execute()


def _merge_counts(source: RedisClient, target: RedisClient, part: Partition, place: Partition, key: str) -> None:
    mark = f"{part.number}:counted"
    if target.sismember(place("moved"), mark):
        return
    pipe = target.pipeline(transaction=True)
    pipe.sadd(place("moved"), mark)
    for name, count in source.hgetall(key).items():
        pipe.hincrby(place("counted"), name, count)
    pipe.execute()


def _bytes(client: RedisClient, key: str) -> Any:
    return client.execute_command("GET", key, **{NEVER_DECODE: True})
