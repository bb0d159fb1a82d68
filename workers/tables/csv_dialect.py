"""How a CSV file is written: its delimiter, and the names of its columns."""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from workers.errors import UnreadableError

DELIMITERS = (",", ";", "\t", "|")
"""What is tried where the caller does not name one; of those that fit alike the first wins."""

_SAID = re.compile(r"[\r\n]*sep=(?P<delimiter>[^\r\n\"])\r?\n(?P<empty>[\r\n]*)", re.IGNORECASE)
_SAMPLE_CHARS = 2**18
_SAMPLE_RECORDS = 200
MAX_NAME_CHARS = 1_000
MAX_COLUMNS = 5_000


class Dialect(BaseModel):
    """How a CSV file was read."""

    delimiter: str = Field(description="What separates two fields.")
    header: bool = Field(description="The first line names the columns; else they are column0, column1 and so on.")
    detected: list[Literal["delimiter", "header"]] = Field(description="What the caller did not say.")


def find_dialect(path: Path, delimiter: str | None, header: bool | None) -> tuple[Dialect, list[str], int]:
    """Look at the beginning of a CSV file.

    Args:
        path: The file, in UTF-8.
        delimiter: What the caller says; None: of those that separate the first line the one by which most of the
            first lines have as many fields; a comma where there is none.
        header: What the caller says; None: the first line names columns if none of its fields is a number, and not
            all are empty.

    Returns:
        The dialect, the names of the columns, and how many lines stand before the first one: empty ones, and the one
        by which Excel says the delimiter (sep=;).

    Raises:
        UnreadableError: The file has no line, a quoted field that does not end, too many columns, or two of one name.
    """
    with path.open(encoding="utf-8", newline="") as file:
        sample = file.read(_SAMPLE_CHARS)
    sample = sample.removeprefix("\ufeff")
    empty_lines = sample[: len(sample) - len(sample.lstrip("\r\n"))].count("\n")
    if said := _SAID.match(sample):
        delimiter = delimiter or said["delimiter"]
        empty_lines += 1 + said["empty"].count("\n")
        sample = sample[said.end() :]
    found = [(each, _records(sample, each)) for each in ([delimiter] if delimiter else DELIMITERS)]
    fitting = [(each, records) for each, records in found if records and len(records[0]) > 1]
    chosen, records = max(fitting or found[:1], key=lambda pair: _fit(pair[1]))
    if not records:
        raise UnreadableError("the table has no line")
    first = records[0]
    if len(first) > MAX_COLUMNS:
        raise UnreadableError(f"the first line has {len(first):,} fields; at most {MAX_COLUMNS:,} are read")
    has_header = _names_columns(first) if header is None else header
    names = first if has_header else [f"column{number}" for number in range(len(first))]
    given = {"delimiter": delimiter, "header": header}
    detected = [name for name in ("delimiter", "header") if given[name] is None]
    dialect = Dialect.model_validate({"delimiter": chosen, "header": has_header, "detected": detected})
    return dialect, _distinct(names), empty_lines


def _records(sample: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=False)
    records: list[list[str]] = []
    # A field of more than 128 kB ends it: what is before it will do.
    with suppress(csv.Error):
        records.extend(record for record in itertools.islice(reader, _SAMPLE_RECORDS + 1) if record)
    # The last record of a sample may be cut off.
    return records[:-1] if len(records) > 1 and len(sample) == _SAMPLE_CHARS else records


def _fit(records: Sequence[Sequence[str]]) -> float:
    """In how many of the records a delimiter makes as many fields as in the first."""
    return Counter(map(len, records))[len(records[0])] / len(records) if records else 0.0


def _names_columns(fields: Sequence[str]) -> bool:
    return any(map(str.strip, fields)) and not any(map(_is_number, fields))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _distinct(names: Sequence[str]) -> list[str]:
    """The names; one that is empty is made up.

    Raises:
        UnreadableError: Two are the same (DuckDB's names do not mind capitals), or one is too long.
    """
    made = [name or f"column{number}" for number, name in enumerate(names)]
    twice = [name for name, count in Counter(map(str.lower, made)).items() if count > 1]
    if twice:
        name = twice[0][:MAX_NAME_CHARS]
        raise UnreadableError(f"two columns are called {name!r}: rename one, or say header: false")
    longest = max(map(len, made), default=0)
    if longest > MAX_NAME_CHARS:
        raise UnreadableError(f"the name of a column has {longest:,} characters; at most {MAX_NAME_CHARS:,} are read")
    return made
