"""Read JSON objects into a table: no number loses a digit, and no text is guessed to be something else."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from workers.errors import InputError, UnreadableError, ValueRefusedError
from workers.tables.columns import literal, quote
from workers.tables.csv_dialect import MAX_COLUMNS, MAX_NAME_CHARS
from workers.tables.found_types import TEXT, TIMES, find_types
from workers.tables.sandbox import Sandbox

_LONG = "[0-9]{16}"
"""Floating point has 15 digits: a whole number of more may become another one."""

_WHOLE = {"BIGINT": f"@v BETWEEN {-(2**63)} AND {2**63 - 1}", "HUGEINT": "true"}
_NUMBERS = {
    "HUGEINT": "regexp_full_match(@v, '-?[0-9]{1,38}')",
    # NaN and Infinity are what Python writes.
    "DOUBLE": (
        "CASE WHEN strlen(@v) < 16 AND NOT regexp_matches(@v, '[eE]') THEN true "
        f"ELSE NOT regexp_full_match(@v, '-?{_LONG}[0-9]*') "
        "AND (isfinite(TRY_CAST(@v AS DOUBLE)) OR @v IN ('NaN', 'Infinity', '-Infinity')) END"
    ),
}


class _Found(NamedTuple):
    """What becomes of a column."""

    read_as: str
    tests: Mapping[str, str]
    """The types that its values may be of, as find_types takes them."""


_TEXT = _Found(TEXT, TIMES)
_FOUND = {
    "BIGINT": _Found("BIGINT", _WHOLE),
    "HUGEINT": _Found("HUGEINT", _WHOLE),
    "DOUBLE": _Found(TEXT, _NUMBERS),
    "BOOLEAN": _Found("BOOLEAN", {"BOOLEAN": "true"}),
    '"NULL"': _Found(TEXT, {}),
    # Whatever else it sees in texts, they are read as they are.
    **dict.fromkeys(("VARCHAR", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID"), _TEXT),
}
"""By what DuckDB calls what it found; it calls whole numbers DOUBLE where they are large, and reads them as text."""

_UNSURE = re.compile(r"JSON|NULL|DATE|TIME|UUID|MAP|UNION")
"""In the type of lists and objects: values that would not stay as they are."""

_MADE_UP = re.compile(r"(.+)_[0-9]+")
"""What DuckDB calls a column whose name differs from another one's by capitals."""

_FORMATS = {"json": "auto", "jsonl": "newline_delimited"}


def load_json(sandbox: Sandbox, path: Path, format_: Literal["json", "jsonl"], table: str) -> None:
    """Read a JSON file into a table.

    A column has one of the types of JSON, or is a date or timestamp where all its texts are ISO 8601. Where types are
    mixed it is text, and where they are mixed with lists or objects, or objects do not all have the same names, JSON.

    Args:
        sandbox: It may read the file.
        path: The file.
        format_: Objects in an array, or one a line.
        table: The name of the table.

    Raises:
        InputError: It can't be read, or its rows are no objects.
    """
    columns = _columns(sandbox, path, format_)
    found = {name: _FOUND[sql_type] for name, sql_type in columns.items() if sql_type in _FOUND}
    read = ", ".join(f"{literal(name)}: '{found[name].read_as if name in found else 'JSON'}'" for name in columns)
    raw = f"{table}_raw"
    sandbox.execute(
        f"CREATE TEMP TABLE {raw} AS FROM read_json(?, columns = {{{read}}}, {_options(path, format_)})", [str(path)]
    )
    _check_names(sandbox, raw, columns)
    types = find_types(sandbox, raw, {name: each.tests for name, each in found.items()})
    values = {
        name: f"CAST({quote(name)} AS {types[name]})" if name in types else _mixed(sandbox, raw, name, sql_type)
        for name, sql_type in columns.items()
    }
    try:
        _make(sandbox, table, values, raw)
    except ValueRefusedError:  # objects that do not all have the same names
        for name in columns.keys() - types.keys():
            if not _all_fit(sandbox, raw, name, values[name]):
                values[name] = quote(name)
        _make(sandbox, table, values, raw)
    for name, sql_type in sandbox.columns(table).items():
        if sql_type == "JSON":
            _check_nested_names(sandbox, raw, name)
    sandbox.execute(f"DROP TABLE {raw}")


def _make(sandbox: Sandbox, table: str, values: Mapping[str, str], raw: str) -> None:
    named = ", ".join(f"{value} AS {quote(name)}" for name, value in values.items())
    sandbox.execute(f"CREATE TEMP TABLE {table} AS SELECT {named} FROM {raw}")  # noqa: S608 (quoted names)


def _all_fit(sandbox: Sandbox, raw: str, name: str, value: str) -> bool:
    misfit = f"{quote(name)} IS NOT NULL AND TRY({value}) IS NULL"
    return not sandbox.execute(f"SELECT count(*) FROM {raw} WHERE {misfit}")[0][0]  # noqa: S608 (quoted names)


def _options(path: Path, format_: str) -> str:
    longest = max(path.stat().st_size + 1, 2**24)
    return f"format = '{_FORMATS[format_]}', maximum_object_size = {longest}, hive_partitioning = false"


def _columns(sandbox: Sandbox, path: Path, format_: str) -> dict[str, str]:
    """Give the columns in order, each with the type that DuckDB found by looking at all rows."""
    try:
        described = sandbox.execute(
            f"DESCRIBE FROM read_json(?, {_options(path, format_)}, sample_size = -1, map_inference_threshold = -1, "
            "field_appearance_threshold = 0, records = true, dateformat = '@', timestampformat = '@')",
            [str(path)],
        )
    except InputError as error:
        if "expected records" not in str(error):
            raise
        raise UnreadableError(_complaint(sandbox, path, format_)) from error
    columns = {str(name): str(sql_type) for name, sql_type, *_ in described}
    if len(columns) > MAX_COLUMNS:
        raise UnreadableError(f"the objects have {len(columns):,} names in all; at most {MAX_COLUMNS:,} are read")
    longest = max(map(len, columns))
    if longest > MAX_NAME_CHARS:
        raise UnreadableError(f"a name has {longest:,} characters; at most {MAX_NAME_CHARS:,} are read")
    return columns


def _complaint(sandbox: Sandbox, path: Path, format_: str) -> str:
    """Why this is no table."""
    sandbox.execute(
        "CREATE TEMP TABLE objects AS SELECT row_number() OVER () AS n, json_type(json) AS t "  # noqa: S608 (our words)
        f"FROM read_json_objects(?, {_options(path, format_)})",
        [str(path)],
    )
    [(count, number)] = sandbox.execute("SELECT count(*), min(n) FILTER (t <> 'OBJECT') FROM objects")
    if number is not None:
        return f"row {number} is no object: a table is an array of objects, or one object a line"
    return "the objects of the table have no names, or an empty one" if count else "the table has no row"


def _check_names(sandbox: Sandbox, table: str, columns: Mapping[str, str]) -> None:
    """Raise UnreadableError where a column has a made-up name, so that none of its values was found."""
    known = {name.lower() for name in columns}
    doubtful = [name for name in columns if (made := _MADE_UP.fullmatch(name)) and made[1].lower() in known]
    for name in doubtful:
        if not sandbox.execute(f"SELECT count({quote(name)}) FROM {table}")[0][0]:  # noqa: S608 (quoted)
            raise UnreadableError(f"two names in the objects differ by capitals only; DuckDB calls one {name!r}")


def _check_nested_names(sandbox: Sandbox, table: str, name: str) -> None:
    """Raise UnreadableError where an object within a row has a name twice: a reader of JSON takes the last value."""
    column, row = quote(name), 0
    for batch in sandbox.batches(f"SELECT CAST({column} AS VARCHAR) FROM {table}", _BATCH_ROWS):  # noqa: S608 (quoted)
        for (value,) in batch:
            row += 1
            try:
                if value is not None:
                    _DECODER.decode(value)
            except _TwiceError as error:
                raise UnreadableError(f"row {row:,}: an object in the column {name!r} has a name twice") from error


class _TwiceError(Exception):
    """A name is there twice."""


def _distinct_names(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _TwiceError


_DECODER = json.JSONDecoder(
    object_pairs_hook=_distinct_names,
    parse_int=str,  # Python refuses to make a number of thousands of digits
    parse_float=str,
    strict=False,
)
_BATCH_ROWS = 1_000


def _mixed(sandbox: Sandbox, table: str, name: str, sql_type: str) -> str:
    """The value of a column of objects, lists, or of several types, as SQL."""
    column = quote(name)
    if sql_type == "JSON":
        has_nested = f"bool_or(json_type({column}) IN ('OBJECT', 'ARRAY'))"
        [(nested,)] = sandbox.execute(f"SELECT {has_nested} FROM {table}")  # noqa: S608 (quoted)
        return column if nested else f"{column} ->> '$'"
    is_long = f"bool_or(regexp_matches({column}::VARCHAR, '{_LONG}'))"
    is_unsure = _UNSURE.search(sql_type) or sql_type.count(",") >= _MAX_FIELDS
    if is_unsure or sandbox.execute(f"SELECT {is_long} FROM {table}")[0][0]:  # noqa: S608 (quoted)
        return column
    return f"CAST({column} AS {sql_type})"


_MAX_FIELDS = 200
"""An object within a row that has more stays JSON: its names are rather values."""
