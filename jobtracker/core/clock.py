"""Time, as the store and the API count it."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """The time, in milliseconds since the epoch (UTC)."""
    return time.time_ns() // 1_000_000


def from_ms(value: str | int | None) -> datetime | None:
    """An aware datetime from milliseconds since the epoch."""
    return datetime.fromtimestamp(int(value) / 1000, UTC) if value not in {None, ""} else None
