"""Join a second table to the rows of the first."""

from collections.abc import Mapping
from typing import NamedTuple

from workers.errors import InputError, TooLargeError
from workers.tables.columns import check_distinct, check_known, free_name, quote
from workers.tables.sandbox import Sandbox
from workers.tables.steps import Join

MAX_ROWS = 10_000_000
"""The most rows that a join may give: keys that are there a thousand times on both sides give a million."""

_INTEGERS = frozenset(
    {
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
    }
)


class Matches(NamedTuple):
    """How the rows of the first table fared."""

    unmatched: int
    """So many found no partner."""
    repeated: int
    """So many found more than one."""


def join_tables(sandbox: Sandbox, step: Join, left: str, right: str, result: str) -> Matches:
    """Make a table of the rows of two.

    Rows keep the order of the left table, and for each of its rows that of the right one; what only the right one has
    comes last.

    Args:
        sandbox: It has the tables.
        step: How to join.
        left: The name of the first table.
        right: The name of the second one.
        result: The name of the table to make.

    Raises:
        InputError: A column is missing, two that are to be equal are of different types, or two of the result would
            have one name.
        TooLargeError: The result would have more than MAX_ROWS rows.
    """
    join = _Join(step, left, sandbox.columns(left), right, sandbox.columns(right))
    columns = join.columns()
    [(unmatched, repeated, matched)] = sandbox.execute(join.counting())
    rows = matched + (unmatched if step.how in {"left", "full"} else 0)
    if step.how not in {"semi", "anti"} and rows > MAX_ROWS:
        raise TooLargeError(
            f"the join would give {rows:,} rows, at most {MAX_ROWS:,} are made: {repeated:,} rows of the first table "
            "find more than one partner. Keep one row of each key in one of the tables"
        )
    sandbox.execute(f"CREATE TEMP TABLE {result} AS {join.joining(columns)}")
    return Matches(unmatched, repeated)


class _Join:
    def __init__(
        self, step: Join, left: str, left_columns: Mapping[str, str], right: str, right_columns: Mapping[str, str]
    ) -> None:
        self.step = step
        self.left, self.left_columns = left, left_columns
        self.right, self.right_columns = right, right_columns
        self.keys = [(key, key) if isinstance(key, str) else (key.left, key.right) for key in step.on]
        self.check_keys()

    def check_keys(self) -> None:
        check_known((key for key, _ in self.keys), self.left_columns)
        check_known((key for _, key in self.keys), self.right_columns, "the second table")
        check_distinct(key for key, _ in self.keys)
        check_distinct(key for _, key in self.keys)
        for first, second in self.keys:
            types = self.left_columns[first], self.right_columns[second]
            if types[0] != types[1] and not _INTEGERS.issuperset(types):
                raise InputError(
                    f"{first!r} is {types[0]}, {second!r} of the second table is {types[1]}: they can't be equal. "
                    f"Cast {first!r} before the join, or say the type of {second!r} in csv.types"
                )

    def columns(self) -> list[tuple[str, str]]:
        """The columns of the result: SQL and name."""
        both = self.step.how in {"right", "full"}
        partners = dict(self.keys) if both else {}
        columns = [
            (
                f"coalesce(l.{quote(name)}, r.{quote(partners[name])})" if name in partners else f"l.{quote(name)}",
                name,
            )
            for name in self.left_columns
        ]
        if self.step.how not in {"semi", "anti"}:
            columns += self.added({key for _, key in self.keys}, {name.lower() for name in self.left_columns})
        check_distinct((name for _, name in columns), "give the join a suffix, or rename the column before it")
        return columns

    def added(self, keys: set[str], taken: set[str]) -> list[tuple[str, str]]:
        suffix = self.step.suffix or ""
        names = [name for name in self.right_columns if name not in keys]
        return [(f"r.{quote(name)}", name + suffix if name.lower() in taken else name) for name in names]

    def equal(self) -> str:
        return " AND ".join(f"l.{quote(first)} = r.{quote(second)}" for first, second in self.keys)

    def counting(self) -> str:
        """A SELECT of how many rows find no partner, more than one, and how many pairs there are."""
        keys = [quote(key) for _, key in self.keys]
        count = quote(free_name("count", self.right_columns))
        return (
            "SELECT count(*) - count(n), count(*) FILTER (n > 1), coalesce(sum(n), 0)::HUGEINT FROM "  # noqa: S608 (quoted)
            f"(SELECT r.{count} AS n FROM {self.left} l LEFT JOIN (SELECT {', '.join(keys)}, count(*) AS {count} "
            f"FROM {self.right} GROUP BY {', '.join(keys)}) r ON {self.equal()})"
        )

    def joining(self, columns: list[tuple[str, str]]) -> str:
        places = [quote(free_name("place", each)) for each in (self.left_columns, self.right_columns)]
        tables = [
            f"(SELECT *, row_number() OVER () AS {place} FROM {table}) {alias}"  # noqa: S608 (names of ours)
            for place, table, alias in zip(places, (self.left, self.right), "lr", strict=True)
        ]
        is_filter = self.step.how in {"semi", "anti"}
        order = [f"l.{places[0]} NULLS LAST"] + ([] if is_filter else [f"r.{places[1]}"])
        named = ", ".join(f"{sql} AS {quote(name)}" for sql, name in columns)
        return (
            f"SELECT {named} FROM {tables[0]} {self.step.how.upper()} JOIN {tables[1]} "  # noqa: S608
            f"ON {self.equal()} ORDER BY {', '.join(order)}"
        )
