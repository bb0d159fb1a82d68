"""Run declared steps over a table."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from workers.errors import InputError, ValueRefusedError
from workers.folder import NOTHING_FETCHED
from workers.tables.columns import TYPES, quote
from workers.tables.compiler import compile_step
from workers.tables.csv_table import CsvFacts, load_csv
from workers.tables.joins import join_tables
from workers.tables.json_table import load_json
from workers.tables.misfits import Attempt, misfits
from workers.tables.output import Delivery, Result, copies
from workers.tables.results import ResultFile
from workers.tables.sandbox import Sandbox
from workers.tables.source import SavedTable, TableInput
from workers.tables.steps import Cast, Join, Step


class Column(BaseModel):
    """A column of a table."""

    name: str = Field(description="Its name.")
    type: str = Field(description="Its SQL type, for example BIGINT.")


class TableFacts(BaseModel):
    """A table as it was read."""

    document_id: str | None = Field(description="Null for inline input.")
    columns: list[Column] = Field(description="Its columns.")
    rows: int = Field(description="How many rows it has.")
    csv: CsvFacts | None = Field(description="How the CSV file was read; null for other formats.")


class JoinedTable(TableFacts):
    """The second table of a join, and what came of it."""

    unmatched: int = Field(description="How many rows of the first table found no partner in it.")
    repeated: int = Field(description="How many found more than one.")


class StepOutcome(BaseModel):
    """What a step left."""

    step: str = Field(description="Which step.")
    rows: int = Field(description="How many rows there were after it.")
    joined: JoinedTable | None = Field(None, description="Of a join: its second table.")


class ProcessedTable(BaseModel):
    """The result of data_processing."""

    kind: Literal["data_processing"] = "data_processing"
    document_id: str | None = Field(description="Null for inline input.")
    input_columns: list[Column] = Field(description="The columns that the input has.")
    input_rows: int = Field(description="How many rows the input has.")
    csv: CsvFacts | None = Field(description="How the CSV file was read; null for other formats.")
    steps: list[StepOutcome] = Field(description="One entry for each step, in order.")
    columns: list[Column] = Field(description="The columns of the result.")
    rows: list[dict[str, JsonValue]] = Field(
        description="The result: times as ISO 8601, durations and decimals as text, what is infinite as null, bytes "
        "as base64."
    )
    total_rows: int = Field(description="How many rows the result has, given here or not.")
    truncated: bool = Field(description="True when not all of them are given here.")
    file: ResultFile | None = Field(None, description="All of the result, where it was asked for or is too large.")


def process_table(
    table_input: TableInput,
    steps: Sequence[Step],
    delivery: Delivery,
    *,
    fetched: Mapping[str, str] = NOTHING_FETCHED,
    progress: Callable[[int, int, str], object] = lambda done, total, note: None,  # noqa: ARG005
) -> ProcessedTable:
    """Run the steps one after the other over a table.

    Args:
        table_input: The table.
        steps: What to do with it.
        delivery: How much of the result to give, and where to keep the whole of it.
        fetched: Where the tables from buckets are, by their ids.
        progress: Told (done, total, note) before each step.

    Raises:
        InputError: The input cannot be read, or a step does not fit it; the message names the step.
        ResultNotKeptError: The result is to be kept as a file, and can't be.
    """
    total = len(steps) + 1
    sources = [table_input, *(step.table for step in steps if isinstance(step, Join))]
    with TemporaryDirectory(prefix="data-processing-") as work:
        folder = Path(work)
        tables = [
            _Table(source, source.save(folder, f"input{number}", delivery.folder, fetched))
            for number, source in enumerate(sources)
        ]
        files = [*(table.file.path for table in tables), *copies(folder)]
        with Sandbox(files, folder / "spill") as sandbox:
            progress(0, total, f"reading {tables[0].file.format}")
            read = tables[0].load(sandbox, "t0")
            outcomes, second = [], iter(tables[1:])
            for number, step in enumerate(steps, start=1):
                progress(number, total, f"step {number} of {len(steps)}: {step.step}")
                try:
                    outcomes.append(_run(sandbox, step, second, f"t{number - 1}", f"t{number}"))
                except InputError as error:
                    raise type(error)(f"step {number} ({step.step}): {error}") from error
                sandbox.execute(f"DROP TABLE t{number - 1}")
            last = f"t{len(steps)}"
            columns = sandbox.columns(last)
            processed = ProcessedTable(
                document_id=read.document_id,
                input_columns=read.columns,
                input_rows=read.rows,
                csv=read.csv,
                steps=outcomes,
                columns=_described(columns),
                rows=[],
                total_rows=outcomes[-1].rows if outcomes else read.rows,
                truncated=False,
            )
            rest_bytes = len(json.dumps(processed.model_dump(mode="json")))
            result = Result(sandbox, last, columns, processed.total_rows, folder)
            given = result.give(delivery, rest_bytes)
            progress(total, total, "")
    truncated = len(given.rows) < processed.total_rows
    return processed.model_copy(update={"rows": given.rows, "file": given.file, "truncated": truncated})


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the payload in its own file."""

    source: TableInput
    file: SavedTable

    def load(self, sandbox: Sandbox, table: str) -> TableFacts:
        facts = None
        match self.file.format:
            case "csv":
                facts = load_csv(sandbox, self.file.path, table, self.file.csv)
            case "json" | "jsonl":
                load_json(sandbox, self.file.path, self.file.format, table)
            case "parquet":
                read = "read_parquet(?, hive_partitioning = false)"
                sandbox.execute(f"CREATE TEMP TABLE {table} AS FROM {read}", [str(self.file.path)])
        columns = _described(sandbox.columns(table))
        rows = sandbox.count(table)
        return TableFacts(document_id=self.source.document_id, columns=columns, rows=rows, csv=facts)


def _run(sandbox: Sandbox, step: Step, second: Iterator[_Table], table: str, result: str) -> StepOutcome:
    """Make a table of another one by a step."""
    joined = None
    if isinstance(step, Join):
        facts = next(second).load(sandbox, "second")
        matches = join_tables(sandbox, step, table, "second", result)
        sandbox.execute("DROP TABLE second")
        joined = JoinedTable(**facts.model_dump(), **matches._asdict())
    else:
        sql, values = compile_step(step, table, list(sandbox.columns(table)))
        try:
            sandbox.execute(f"CREATE TEMP TABLE {result} AS {sql}", values)
        except ValueRefusedError as error:
            complaint = misfits(sandbox, table, _attempts(step)) if isinstance(step, Cast) else None
            raise ValueRefusedError(complaint or str(error)) from error
    return StepOutcome(step=step.step, rows=sandbox.count(result), joined=joined)


def _attempts(step: Cast) -> list[Attempt]:
    return [
        Attempt(name, type_, quote(name), f"CAST({quote(name)} AS {TYPES[type_]})")
        for name, type_ in step.columns.items()
    ]


def _described(columns: dict[str, str]) -> list[Column]:
    return [Column(name=name, type=sql_type) for name, sql_type in columns.items()]
