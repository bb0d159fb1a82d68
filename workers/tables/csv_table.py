"""Read a CSV file into a table: every line counts, and no value is guessed to be something else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workers.errors import InputError, UnreadableError, ValueRefusedError
from workers.tables.columns import TYPES, ColumnType, literal, quote
from workers.tables.csv_dialect import Dialect, find_dialect
from workers.tables.found_types import VALUES, find_types
from workers.tables.misfits import Attempt, misfits
from workers.tables.sandbox import Sandbox

BadRows: TypeAlias = Literal["fail", "skip", "pad"]

_NAMED = 10
"""So many bad lines an error names."""

_FIRST_YEAR = 1000
"""An earlier year is taken for one of two digits."""

_BORNE: dict[BadRows, tuple[str, ...]] = {
    "fail": (),
    "skip": ("MISSING COLUMNS", "TOO MANY COLUMNS"),
    "pad": ("MISSING COLUMNS",),
}
"""What may be wrong with a line, in DuckDB's words. A quote that does not end is refused: it takes the rest along."""


class CsvOptions(BaseModel):
    """What a payload says of its CSV file; what it does not say is found out, and told in the result."""

    model_config = ConfigDict(extra="forbid")

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        None, description="What separates two fields; by default , ; tab or |, found out."
    )
    header: bool | None = Field(None, description="Whether the first line names the columns; by default found out.")
    types: dict[str, ColumnType] = Field(
        {}, max_length=500, description="Types of columns; one that is not named is found out from all its values."
    )
    date_format: str | None = Field(
        None,
        max_length=50,
        description="How dates are written in the columns whose type is given as date or timestamp, e.g. %d/%m/%Y, "
        "or %d/%m/%y where years have two digits; by default ISO 8601.",
    )
    on_bad_rows: BadRows = Field(
        "fail",
        description="What becomes of a line with too few or too many fields: fail names the lines; skip leaves them "
        "out; pad takes null for missing fields, and fails for too many.",
    )

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.delimiter in {'"', "\n", "\r", "\0"}:
            raise ValueError("a quote, a line end or a NUL can't separate fields")
        if self.date_format is not None and not {ColumnType.DATE, ColumnType.TIMESTAMP} & set(self.types.values()):
            raise ValueError("date_format needs a column in types that is a date or a timestamp")
        return self

    def with_known(self, suffix: str, *, is_result: bool) -> Self:
        """These options, with what the name of a file tells where they say nothing: of .tsv, and a result of ours."""
        if is_result:
            known = {"delimiter": self.delimiter or ",", "header": self.header is not False}
        else:
            known = {"delimiter": self.delimiter or ("\t" if suffix == ".tsv" else None)}
        return self.model_copy(update=known)


class CsvFacts(Dialect):
    """How a CSV file was read, and what was not."""

    bad_rows: int = Field(
        description="Lines without as many fields as the first; on_bad_rows says what became of them."
    )
    bad_lines: list[int] = Field(description="The numbers of the first of them, from 1.")
    found_types: list[str] = Field(
        description="The columns whose type the caller did not say: input_columns has what was found."
    )


def load_csv(sandbox: Sandbox, path: Path, table: str, options: CsvOptions) -> CsvFacts:
    """Read a CSV file into a table.

    Args:
        sandbox: It may read the file.
        path: The file.
        table: The name of the table.
        options: How it is written.

    Raises:
        InputError: It can't be read as the options say; the message has the numbers of the lines.
    """
    dialect, names, skipped = find_dialect(path, options.delimiter, options.header)
    if unknown := sorted(options.types.keys() - set(names)):
        known = ", ".join(map(repr, names[:30]))
        raise InputError(f"types names a column {unknown[0]!r} that is not there; there are {known}")
    text = f"{table}_text"
    _load_text(sandbox, path, text, dialect, names, skipped)
    count, lines = _bad_lines(sandbox, path)
    _, refused = _bad_lines(sandbox, path, but_for=_BORNE[options.on_bad_rows])
    if refused:
        raise UnreadableError(_complaint(count, refused, len(names), dialect))
    if count and options.on_bad_rows == "pad":
        sandbox.execute(f"DROP TABLE {text}")
        _load_text(sandbox, path, text, dialect, names, skipped, padded=True)
    tests = {name: VALUES for name in names if name not in options.types}
    found = find_types(sandbox, text, tests, is_given="@v <> ''")
    types = {name: TYPES[said] for name, said in options.types.items()} | found
    values = ", ".join(f"{_cast(name, types[name], options)} AS {quote(name)}" for name in names)
    try:
        sandbox.execute(f"CREATE TEMP TABLE {table} AS SELECT {values} FROM {text}")  # noqa: S608 (quoted names)
    except ValueRefusedError as error:
        attempts = [
            Attempt(name, said, quote(name), _cast(name, TYPES[said], options))
            for name, said in options.types.items()
        ]
        complaint = misfits(sandbox, text, attempts) or str(error)
        raise ValueRefusedError(f"{complaint}, as types says: mend the file, or call the column text") from error
    for used in (text, "reject_errors", "reject_scans"):
        sandbox.execute(f"DROP TABLE {used}")
    return CsvFacts(
        **dialect.model_dump(),
        bad_rows=count,
        bad_lines=[line for line, _ in lines],
        found_types=list(found),
    )


def _load_text(
    sandbox: Sandbox,
    path: Path,
    table: str,
    dialect: Dialect,
    names: Sequence[str],
    skipped: int,
    *,
    padded: bool = False,
) -> None:
    # Nothing is left to DuckDB's own sniffer: it leaves out lines at the beginning until the rest looks alike.
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    longest = max(path.stat().st_size + 1, 2**16)
    sandbox.execute(
        f"CREATE TEMP TABLE {table} AS FROM read_csv(?, auto_detect = false, delim = {literal(dialect.delimiter)}, "
        f"quote = '\"', escape = '\"', header = {dialect.header}, skip = {skipped}, columns = {{{columns}}}, "
        f"max_line_size = {longest}, buffer_size = {max(longest, 2**25)}, hive_partitioning = false, "
        f"store_rejects = true, rejects_limit = 0, null_padding = {padded}, parallel = {not padded}, "
        "allow_quoted_nulls = false)",  # empty in quotes is an empty text, without quotes null
        [str(path)],
    )


def _bad_lines(sandbox: Sandbox, path: Path, but_for: Sequence[str] = ()) -> tuple[int, list[tuple[int, str]]]:
    """How many lines are bad; of the first the numbers (DuckDB counts lines in quotes as one) and the faults."""
    wanted = "FROM reject_errors WHERE error_type::VARCHAR NOT IN (SELECT unnest(?))"
    [(count,)] = sandbox.execute(f"SELECT count(DISTINCT line) {wanted}", [list(but_for)])
    found = sandbox.execute(
        f"SELECT line_byte_position, min(error_message) {wanted} GROUP BY ALL ORDER BY 1 LIMIT ?",
        [list(but_for), _NAMED],
    )
    lines, number = [], 1
    with path.open("rb") as file:
        for position, message in found:
            while (left := int(position) - file.tell()) > 0 and (chunk := file.read(min(left, 2**20))):
                number += chunk.count(b"\n")
            lines.append((number, str(message)))
    return int(count), lines


def _complaint(count: int, lines: Sequence[tuple[int, str]], columns: int, dialect: Dialect) -> str:
    named = ", ".join(str(line) for line, _ in lines) + (", …" if len(lines) == _NAMED < count else "")
    what = "line does" if count == 1 else "lines do"
    return (
        f"{count:,} {what} not have the {columns} fields of the first line, separated by {dialect.delimiter!r}: line "
        f"{named} ({lines[0][1]}). Mend the file, name its delimiter, or say what becomes of them: on_bad_rows"
    )


def _cast(name: str, sql_type: str, options: CsvOptions) -> str:
    if sql_type == TYPES[ColumnType.TEXT]:
        return quote(name)
    column = f"nullif({quote(name)}, '')"  # whoever quotes all fields has no other way to leave one out
    if options.types.get(name) not in {ColumnType.DATE, ColumnType.TIMESTAMP}:
        return f"CAST({column} AS {sql_type})"

    def read(value: str) -> str:
        format_ = options.date_format
        return f"strptime({value}, {literal(format_)})" if format_ else f"CAST({value} AS {sql_type})"

    # 01/02/24 is a day of the year 24 for %Y: what can't be read takes its place.
    certain = f"CASE WHEN year(TRY({read(column)})) < {_FIRST_YEAR} THEN 'two digits' ELSE {column} END"
    return f"CAST({read(certain)} AS {sql_type})"
