"""Groups of failures as the store has them (`lua/lib/failures.lua`), and what several partitions know together."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgpack

KNOWN: Final = "known"
RESOLVED: Final = "resolved"
IGNORED: Final = "ignored"

NAMED = ("types", "queues", "workers", "releases")
"""By what failures are counted within a group."""

Packed = dict[str, Any]
"""A group, by the names of its fields."""


def unpack(packed: bytes | None) -> Packed | None:
    """A group as it is stored; None: there is none."""
    return msgpack.unpackb(packed, strict_map_key=False, unicode_errors="replace") if packed else None


def pack(group: Packed) -> bytes:
    """A group as the store has it."""
    packed: bytes = msgpack.packb({name: value for name, value in group.items() if value is not None})
    return packed


def together(groups: Iterable[Packed | None]) -> Packed | None:
    """One group of what several partitions know of it; None: none of them knows it.

    The latest mark counts. If that says that it is resolved, the first failure after it is the regression.
    """
    found = [group for group in groups if group]
    if not found:
        return None
    told = next((group for group in found if group.get("type")), found[0])
    seen = [group for group in found if group["count"]] or found
    whole: Packed = {name: told[name] for name in ("type", "message", "frames") if name in told}
    whole["count"] = sum(group["count"] for group in found)
    whole |= {name: min(group[name] for group in seen) for name in ("first", "since")}
    first = min(seen, key=lambda group: group["first"])
    if "first_in" in first:
        whole["first_in"] = first["first_in"]
    whole["last"] = max(group["last"] for group in seen)
    for name in (*NAMED, "hours"):
        whole[name] = _sum(_counts(group, name) for group in found)
    marked = max(found, key=lambda group: group.get("marked_at", 0))
    if "mark" in marked:
        whole |= {name: marked[name] for name in ("mark", "marked_at")}
    regressed = [group for group in found if group.get("regressed_at", 0) > whole.get("marked_at", 0)]
    if regressed and whole.get("mark") == RESOLVED:
        first = min(regressed, key=lambda group: group["regressed_at"])
        whole |= {name: first[name] for name in ("regressed_at", "regressed_in") if name in first}
    return whole


def without_counts(group: Packed) -> Packed:
    """The same group in a partition whose jobs have not failed with its error."""
    return {name: value for name, value in group.items() if name not in {*NAMED, "hours"}} | {"count": 0}


def _counts(group: Packed, name: str) -> Mapping[Any, int]:
    return group.get(name) or {}  # an empty one comes as a list


def _sum(counts: Iterable[Mapping[Any, int]]) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total
