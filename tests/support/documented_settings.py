"""The environment variables that the page on settings lists."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"
_OF_CLIENTS = "The command line and the client"


def documented_settings() -> dict[str, str]:
    """The variables of servers and workers, each with the default that the page names."""
    return dict(pair for rows in _tables() for names, defaults in rows for pair in _pairs(names, defaults))


def _tables() -> Iterator[list[list[str]]]:
    for section in _PAGE.read_text().split("\n## ")[1:]:
        if not section.startswith(_OF_CLIENTS):
            yield [row.split("|")[1:3] for row in section.splitlines() if row.startswith("| `")]


def _pairs(names: str, defaults: str) -> Iterator[tuple[str, str]]:
    # Two variables may share a default that is told in words.
    for name, default in zip_longest(re.findall("`([^`]+)`", names), defaults.split(","), fillvalue=defaults):
        yield name, default.strip().strip("`")
