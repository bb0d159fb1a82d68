"""Find the values that can't be cast, to say where they are and not what they are."""

from collections.abc import Iterable
from dataclasses import dataclass

from workers.tables.columns import ColumnType, free_name, quote
from workers.tables.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a column is to be cast to.

    Attributes:
        column: Its name.
        type: The type.
        value: Its value as SQL; null where there is nothing to cast.
        cast: The value cast, as SQL.
    """

    column: str
    type: ColumnType
    value: str
    cast: str


def misfits(sandbox: Sandbox, table: str, attempts: Iterable[Attempt]) -> str | None:
    """Say in which row the first value is that does not fit, and how many more of its column do not.

    Args:
        sandbox: It has the table.
        table: The name of the table.
        attempts: What was tried.

    Returns:
        The column, the row (from 1, without a header) and the type; None where all values fit.
    """
    place = quote(free_name("place", sandbox.columns(table)))
    for attempt in attempts:
        [(count, row)] = sandbox.execute(
            f"SELECT count(*), min({place}) FROM (SELECT *, row_number() OVER () AS {place} FROM {table}) "  # noqa: S608
            f"WHERE {attempt.value} IS NOT NULL AND TRY({attempt.cast}) IS NULL"
        )
        if count:
            others = f", nor can {count - 1:,} more" if count > 1 else ""
            return f"row {row:,} of the column {attempt.column!r} can't be read as {attempt.type}{others}"
    return None
