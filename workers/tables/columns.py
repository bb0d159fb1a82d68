"""The types and names of columns, and how both are written in SQL."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import islice
from typing import Annotated, TypeAlias

from pydantic import Field

from workers.errors import InputError

ColumnName: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]


class ColumnType(StrEnum):
    """What a column can be cast to."""

    TEXT = "text"
    """Characters."""
    INTEGER = "integer"
    """Whole numbers of 64 bits; fractions are rounded."""
    NUMBER = "number"
    """Floating point of 64 bits."""
    DECIMAL = "decimal"
    """Exact, 18 digits of which 4 after the point."""
    BOOLEAN = "boolean"
    """True or false."""
    DATE = "date"
    """A day."""
    TIMESTAMP = "timestamp"
    """A day and time without a zone."""


TYPES = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.DECIMAL: "DECIMAL(18, 4)",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
}
"""What each type is called in SQL."""


def quote(name: str) -> str:
    """Quote an identifier."""
    if "\0" in name:
        raise InputError("the name of a column holds a NUL character")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text as SQL, where none can be bound."""
    if "\0" in text:
        raise InputError("the name of a column holds a NUL character")
    return "'" + text.replace("'", "''") + "'"


def check_known(names: Iterable[str], columns: Mapping[str, object], table: str = "the table") -> None:
    """Raise InputError when a name is none of the columns."""
    for name in names:
        if name not in columns:
            known = ", ".join(map(repr, islice(columns, 30)))
            raise InputError(f"there is no column {name!r} in {table}; there are {known}")


def check_distinct(names: Iterable[str], remedy: str = "") -> None:
    """Raise InputError when two names are the same; DuckDB's do not mind capitals."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise InputError(f"two columns would be called {name!r}" + (f": {remedy}" if remedy else ""))
        seen.add(name.lower())


def free_name(wish: str, taken: Iterable[str]) -> str:
    """Give a name that no column has; DuckDB's own rowid would not do, for a table may have a column called so."""
    names = set(map(str.lower, taken))
    while wish in names:
        wish += "_"
    return wish
