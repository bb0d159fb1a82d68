"""How far a process has read the hints of each partition: what the ids of events name."""

import re

Positions = tuple[tuple[int, int], ...]
"""Of each partition the position of the last hint that was read, as it is ordered."""

_POSITION = re.compile(r"\d{1,19}-\d{1,19}", re.ASCII)


def positions_in(event_id: str, partitions: int) -> Positions | None:
    """The positions that an event's id names; None where it is none of a store of so many partitions."""
    texts = event_id.split(",")
    if len(texts) != partitions or not all(map(_POSITION.fullmatch, texts)):
        return None
    return tuple(map(as_ordered, texts))


def as_ordered(position: str) -> tuple[int, int]:
    """A position as it is ordered."""
    at_ms, of_these = position.split("-")
    return int(at_ms), int(of_these)


def reaches(positions: Positions, others: Positions) -> bool:
    """Whether all that is known at `others` is known at `positions` too."""
    return all(at >= other for at, other in zip(positions, others, strict=True))
