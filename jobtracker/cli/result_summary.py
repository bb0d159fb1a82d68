"""A task's result in a few words, for results of any shape."""

import json
from collections.abc import Iterator
from enum import IntEnum

from pydantic import JsonValue

_SHORT_CHARS = 24
_DEPTH_LIMIT = 3


class _Rank(IntEnum):
    """What tells more comes first."""

    COUNT = 1
    NUMBER = 2
    WORD = 3


def summarize(result: JsonValue) -> str:
    """The lengths of a result's lists, then its numbers, then its short texts, the outer ones of each first.

    Identifiers, empty values and long texts are left out. What is not an object is shown as JSON.
    """
    if not isinstance(result, dict):
        return "" if result is None else json.dumps(result, ensure_ascii=False)
    facts = sorted(_facts(result, 0), key=lambda fact: fact[:2])
    return ", ".join(text for _, _, text in facts)


def _facts(values: dict[str, JsonValue], depth: int) -> Iterator[tuple[_Rank, int, str]]:
    for key, value in values.items():
        if key in {"id", "kind"} or key.endswith("_id"):
            continue
        name = key.replace("_", " ")
        if isinstance(value, dict):
            if depth < _DEPTH_LIMIT:
                yield from _facts(value, depth + 1)
        elif isinstance(value, list):
            if value:
                yield _Rank.COUNT, depth, f"{name} {len(value)}"
        elif isinstance(value, bool):
            yield _Rank.WORD, depth, name if value else f"not {name}"
        elif isinstance(value, int | float):
            yield _Rank.NUMBER, depth, f"{name} {value:.6g}"
        elif value and len(value) <= _SHORT_CHARS:
            yield _Rank.WORD, depth, f"{name} {value}"
