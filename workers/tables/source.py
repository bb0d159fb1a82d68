"""The tables that jobs work on, and how a payload names one."""

import codecs
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from workers.encoding import decode, without_surrogates
from workers.errors import UnreadableError
from workers.folder import MAX_NAME, NOTHING_FETCHED, documents_dir, fetched_or_found, read_file
from workers.limits import check_size
from workers.tables.csv_table import CsvOptions
from workers.tables.results import SCHEME, ResultFolder

Format: TypeAlias = Literal["csv", "json", "jsonl", "parquet"]

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""The suffixes that are read, and what each means."""

_ONE_OF_THREE: dict[str, Any] = {
    "oneOf": [
        {"required": ["document_id"], "properties": {"document_id": {"type": "string"}}},
        {"required": ["rows"], "properties": {"rows": {"type": "array"}}},
        {"required": ["text"], "properties": {"text": {"type": "string"}}},
    ]
}


def data_roots() -> list[Path]:
    """Give the folders of tables: DOCUMENTS_DIR, and those of DATA_ROOTS (separated as in PATH)."""
    return [documents_dir(), *map(Path, filter(None, os.environ.get("DATA_ROOTS", "").split(os.pathsep)))]


class TableInput(BaseModel):
    """A payload that names its table: a file in the allowed folders, rows, or the text of a CSV or JSON file."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_OF_THREE)

    document_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_NAME,
        description="Name of a table in DOCUMENTS_DIR, one of DATA_ROOTS or the bucket, with or without its "
        "suffix; or gs://bucket/name, where that bucket is allowed; or result: and the id of a job that left its "
        "result as a file.",
        examples=["visits"],
    )
    rows: list[dict[str, JsonValue]] | None = Field(
        default=None, min_length=1, description="The rows themselves, as objects.", examples=[[{"a": 1}, {"a": 2}]]
    )
    text: str | None = Field(default=None, description="The text of a file; say its format.")
    format: Format | None = Field(
        default=None, description="json is an array of objects, jsonl one object a line; by default the suffix tells."
    )

    csv: CsvOptions | None = Field(
        default=None,
        description="How a CSV file is written; the rest is found out, and told in the result.",
    )

    @model_validator(mode="after")
    def _names_one_input(self) -> Self:
        if sum(given is not None for given in (self.document_id, self.rows, self.text)) != 1:
            raise ValueError("give exactly one of document_id, rows and text")
        if self.text is not None and self.format in (None, "parquet"):
            raise ValueError("text needs a format: csv, json or jsonl")
        if self.rows is not None and self.format is not None:
            raise ValueError("rows take no format")
        if self.csv is not None and (self.rows is not None or self.format not in {None, "csv"}):
            raise ValueError("csv says how a CSV file is written; this is none")
        return self

    @property
    def _is_result(self) -> bool:
        return self.document_id is not None and self.document_id.startswith(SCHEME)

    @property
    def document_ids(self) -> list[str]:
        """The tables that it names."""
        return [] if self.document_id is None else [self.document_id]

    def save(
        self, folder: Path, stem: str, results: ResultFolder, fetched: Mapping[str, str] = NOTHING_FETCHED
    ) -> "SavedTable":
        """Put the table into a file of its own.

        The database gets this copy under a name that we chose: what the payload calls it can then mean nothing, and
        nobody can replace it between the check and the reading. Text is UTF-8 afterwards, and has line ends of one
        kind; a result of ours stays as it is.

        Args:
            folder: Where to put it.
            stem: What to call it, without a suffix.
            results: The folder of the results of other jobs.
            fetched: Where the tables from buckets are, by their ids.

        Raises:
            InputError: Its subclasses in workers.errors say whether the name is refused or unknown, the table is too
                large, or it has a format that is not read here.
        """
        data, format_, csv = self._read(results, fetched)
        path = folder / f"{stem}.{format_}"
        path.write_bytes(data)
        return SavedTable(path, format_, csv)

    def _read(self, results: ResultFolder, fetched: Mapping[str, str]) -> tuple[bytes, Format, CsvOptions]:
        csv = self.csv or CsvOptions()
        if self.rows is not None:
            data, format_ = "\n".join(map(json.dumps, self.rows)).encode(), FORMATS[".jsonl"]
        elif self.text is not None:
            data, format_ = without_surrogates(self.text).encode(), self.format or "csv"
        else:
            path = _find(self.document_id or "", results, fetched)
            suffix = path.suffix.lower()
            found = self.format or FORMATS.get(suffix)
            if found is None:
                raise UnreadableError(f"a table ends in {', '.join(FORMATS)}, not in {suffix!r}: say its format")
            data, format_ = read_file(path), found
            csv = csv.with_known(suffix, is_result=self._is_result)
        check_size(len(data))
        # What we have written ourselves is UTF-8, and a carriage return in it a part of a value.
        return (data if format_ == "parquet" or self._is_result else _as_text(data)), format_, csv


class SavedTable(NamedTuple):
    """A table in a file of its own."""

    path: Path
    format: Format
    csv: CsvOptions
    """What is known of a CSV file: what the payload says, and what its name does."""


def _find(document_id: str, results: ResultFolder, fetched: Mapping[str, str]) -> Path:
    if document_id.startswith(SCHEME) and document_id not in fetched:
        return results.find(document_id)
    return fetched_or_found(document_id, fetched, data_roots(), FORMATS)


def _as_text(data: bytes) -> bytes:
    """Text as UTF-8 without a mark; where lines end in several ways, or as on an old Macintosh, in a line feed.

    Raises:
        UnreadableError: It is not text.
    """
    try:
        data.decode()
    except UnicodeDecodeError:
        return decode(data).encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        raise UnreadableError("the table is not text: it holds NUL bytes. UTF-16 needs its byte order mark")
    if b"\r" in data and not data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"):
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data
