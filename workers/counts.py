"""How many of what, in words."""

from collections.abc import Mapping
from typing import Any


def told(counts: Mapping[Any, int]) -> str:
    """The sum and its parts, e.g. `7 (person 4, date 3)`; parts of nothing are left out."""
    parts = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f"{sum(counts.values())}{f' ({parts})' if parts else ''}"
