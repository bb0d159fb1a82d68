"""Moves groups of failures to other partitions, when a store is moved (`repartition.py`)."""

from collections.abc import Iterable
from typing import Any

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.store.failure_groups import Packed, pack, together, unpack, without_counts
from jobtracker.store.functions import batched
from jobtracker.store.keys import Keys, Partition

OF_GROUPS = ("failure", "failures", "failure_counts")
"""The keys of groups, but for the indexes of their jobs."""

_AT_ONCE = 200


def move_groups(
    source: RedisClient, target: RedisClient, part: Partition, to: Keys, groups: Iterable[str], *, goes_whole: bool
) -> None:
    """Let each partition know the groups that one knows: their jobs go anywhere. May be repeated.

    Args:
        source: A client of the store's present Redis.
        target: A client of its new Redis.
        part: The partition.
        to: The new partitions.
        groups: The ids of its groups.
        goes_whole: It will not be there any more: another one takes over what it has counted, once.
    """
    home = to.parts[part.number % len(to.parts)] if goes_whole else None
    for some in batched(groups, _AT_ONCE):
        found = dict(zip(some, _read(source, part, some), strict=True))
        for place in to.parts:
            moves = place is home
            if not moves and place.prefix == part.prefix and not goes_whole:
                continue  # it stays here
            marks = [f"{part.number}:failure:{id_}" for id_ in some]
            known = set(_moved(target, place, marks)) if moves else set()
            pipe = target.pipeline(transaction=True)  # of one partition, so of one slot
            for id_, there, mark in zip(some, _read(target, place, some), marks, strict=True):
                own = found[id_]
                if own is None or mark in known:
                    continue
                whole = together([there, own if moves else without_counts(own)])
                if whole is not None:
                    _write(pipe, place, id_, whole)
                if moves:
                    pipe.sadd(place("moved"), mark)
            pipe.execute()


def _moved(client: RedisClient, place: Partition, marks: list[str]) -> list[str]:
    there = client.smismember(place("moved"), marks)
    return [mark for mark, is_there in zip(marks, there, strict=True) if is_there]


def _read(client: RedisClient, part: Partition, ids: list[str]) -> list[Packed | None]:
    names = [part("failure", id_) for id_ in ids]
    return list(map(unpack, client.execute_command("MGET", *names, **{NEVER_DECODE: True})))


def _write(pipe: Any, place: Partition, id_: str, group: Packed) -> None:
    pipe.set(place("failure", id_), pack(group))
    pipe.zadd(place("failures"), {id_: group["last"]})
    pipe.zadd(place("failure_counts"), {id_: group["count"]})
