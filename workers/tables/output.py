"""Give the rows of a result: in the job's record as far as they fit, and all of them as a file."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import from_json, to_json, to_jsonable_python

from workers.tables.columns import literal, quote
from workers.tables.results import FileFormat, ResultFile, ResultFolder, check_result_size
from workers.tables.sandbox import Sandbox

MAX_ROWS = 10_000
"""The most rows that a record may be asked for."""

_AUTOMATIC: FileFormat = "parquet"
"""What is written unasked: the smallest, and the only one that keeps all types."""

_BATCH_ROWS = 200
_CHUNK_BYTES = 2**20
_COPIES: dict[FileFormat, str] = {"csv": "FORMAT csv, HEADER true", "parquet": "FORMAT parquet, COMPRESSION zstd"}
_NESTED = re.compile(r"\]$|^(STRUCT|MAP|UNION)\b")
_JSON: dict[str, Any] = {"inf_nan_mode": "null", "bytes_mode": "base64", "serialize_unknown": True}


class Delivery(BaseModel):
    """How much of a result is given in the job's record, and where the whole of it goes.

    Attributes:
        max_bytes: The most that the whole record may take as JSON: the tracker keeps none of a larger one.
        max_rows: The most rows to give; None: as many as fit, and a file where that is not all of them.
        format: Write a file of this format in any case.
        job_id: Whose result it is.
        folder: Where files go.
    """

    model_config = ConfigDict(frozen=True)

    max_bytes: int = 65_536
    max_rows: int | None = None
    format: FileFormat | None = None
    job_id: str = ""
    folder: ResultFolder = Field(default_factory=ResultFolder.of_settings)


@dataclass(frozen=True, slots=True)
class Given:
    """What of a result is given, and how."""

    rows: list[dict[str, JsonValue]]
    file: ResultFile | None


def copies(folder: Path) -> list[Path]:
    """The files in the folder of a job that its sandbox must be able to write to."""
    return [folder / f"output.{format_}" for format_ in _COPIES]


@dataclass(frozen=True, slots=True)
class Result:
    """A table to give.

    Attributes:
        sandbox: It has the table, and may write to copies(folder).
        table: Its name.
        columns: Its columns with their types.
        count: How many rows it has.
        folder: The folder of the job.
    """

    sandbox: Sandbox
    table: str
    columns: Mapping[str, str]
    count: int
    folder: Path

    def give(self, delivery: Delivery, rest_bytes: int) -> Given:
        """Give its rows.

        Args:
            delivery: How.
            rest_bytes: What the rest of the record takes as JSON.

        Raises:
            TooLargeError: A file is needed and would be too large to be read again.
            ResultNotKeptError: A file is needed and can't be written, or that of an earlier run can't be removed.
        """
        wanted = min(self.count, MAX_ROWS if delivery.max_rows is None else delivery.max_rows)
        left_bytes = delivery.max_bytes - rest_bytes
        rows = _fitting((to_jsonable_python(row, **_JSON) for row in islice(self._rows(), wanted)), left_bytes)
        is_all = len(rows) == (self.count if delivery.max_rows is None else wanted)
        format_ = delivery.format or (None if is_all else _AUTOMATIC)
        if format_ is None:
            delivery.folder.forget(delivery.job_id)
            return Given(rows, None)
        chunks = self._lines() if format_ == "jsonl" else self._copied(format_, delivery.folder.max_file_bytes)
        file = delivery.folder.write(delivery.job_id, format_, self.count, chunks)
        return Given(_fitting(rows, left_bytes - len(json.dumps(file.model_dump()))), file)

    def _rows(self) -> Iterator[dict[str, Any]]:
        raw = [name for name, sql_type in self.columns.items() if sql_type == "JSON"]
        given = ", ".join(_as_given(name, sql_type) for name, sql_type in self.columns.items())
        for batch in self.sandbox.batches(f"SELECT {given} FROM {self.table}", _BATCH_ROWS):  # noqa: S608 (quoted)
            for values in batch:
                row = dict(zip(self.columns, values, strict=True))
                for name in raw:
                    row[name] = None if row[name] is None else from_json(row[name])
                yield row

    def _lines(self) -> Iterator[bytes]:
        for row in self._rows():
            yield to_json(row, **_JSON) + b"\n"

    def _copied(self, format_: FileFormat, max_bytes: int) -> Iterator[bytes]:
        path = self.folder / f"output.{format_}"

        def check() -> None:
            check_result_size(path.stat().st_size if path.exists() else 0, max_bytes)

        values = ", ".join(_as_written(name, sql_type, format_) for name, sql_type in self.columns.items())
        self.sandbox.execute(
            f"COPY (SELECT {values} FROM {self.table}) TO {literal(str(path))} ({_COPIES[format_]})",  # noqa: S608
            check=check,
        )
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


def _as_given(name: str, sql_type: str) -> str:
    """A column as SQL, so that its values are the same in Python, whose times know less."""
    column = quote(name)
    if sql_type == "INTERVAL":  # a month has no number of days
        return f"CAST({column} AS VARCHAR)"
    if sql_type == "TIMESTAMP_NS":
        return f"replace(CAST({column} AS VARCHAR), ' ', 'T')"
    if sql_type.startswith(("DATE", "TIMESTAMP")) and not sql_type.endswith("]"):  # infinity would be 9999-12-31
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    return column


def _as_written(name: str, sql_type: str, format_: FileFormat) -> str:
    """A column as SQL, so that a file keeps its values."""
    column = quote(name)
    if format_ == "csv" and _NESTED.search(sql_type):
        return f"to_json({column}) AS {column}"
    if format_ == "parquet" and sql_type in {"HUGEINT", "UHUGEINT"}:  # DuckDB would make floating point of them
        return f"CAST({column} AS DECIMAL(38, 0)) AS {column}"
    return column


def _fitting(rows: Iterable[dict[str, JsonValue]], left_bytes: int) -> list[dict[str, JsonValue]]:
    """As many of the rows as take no more bytes in the list of a record, in the JSON of the tracker."""
    fitting = []
    for row in rows:
        left_bytes -= len(json.dumps(row)) + len(", ")
        if left_bytes < 0:
            break
        fitting.append(row)
    return fitting
