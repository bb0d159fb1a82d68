"""Run declared steps over a table."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic_core import to_json, to_jsonable_python

from workers.errors import InputError
from workers.tables.compiler import compile_step
from workers.tables.csv_table import CsvFacts, CsvOptions, load_csv
from workers.tables.sandbox import Sandbox
from workers.tables.source import TableInput
from workers.tables.steps import Step

MAX_ROWS = 10_000
"""The most rows that a result may ask for."""

MAX_RESULT_BYTES = 4 * 1024**2
"""The most that the rows of a result may take as JSON; the result is stored in Redis."""


class Column(BaseModel):
    """A column of a table."""

    name: str = Field(description="Its name.")
    type: str = Field(description="Its SQL type, for example BIGINT.")


class StepOutcome(BaseModel):
    """What a step left."""

    step: str = Field(description="Which step.")
    rows: int = Field(description="How many rows there were after it.")


class ProcessedTable(BaseModel):
    """The result of data_processing."""

    kind: Literal["data_processing"] = "data_processing"
    document_id: str | None = Field(description="Null for inline input.")
    input_columns: list[Column] = Field(description="The columns that the input has.")
    input_rows: int = Field(description="How many rows the input has.")
    csv: CsvFacts | None = Field(description="How the CSV file was read; null for other formats.")
    steps: list[StepOutcome] = Field(description="One entry for each step, in order.")
    columns: list[Column] = Field(description="The columns of the result.")
    rows: list[dict[str, Any]] = Field(
        description="The result: times as ISO 8601, decimals as text, infinite numbers as null, bytes as base64."
    )
    total_rows: int = Field(description="How many rows the result has, given here or not.")
    truncated: bool = Field(description="True when not all of them are given.")


def process_table(
    table_input: TableInput,
    steps: Sequence[Step],
    max_rows: int,
    *,
    progress: Callable[[int, int, str], object] = lambda done, total, note: None,  # noqa: ARG005
    check: Callable[[], object] = lambda: None,
) -> ProcessedTable:
    """Run the steps one after the other over a table.

    Args:
        table_input: The table.
        steps: What to do with it.
        max_rows: How many rows of the result to give.
        progress: Told (done, total, note) before each step.
        check: Called several times a second; what it raises stops the work.

    Raises:
        InputError: The input cannot be read, or a step does not fit it; the message names the step.
    """
    total = len(steps) + 1
    with table_input.open() as (path, format_), Sandbox(path, check) as sandbox:
        progress(0, total, f"reading {format_}")
        facts = None
        if format_ == "csv":
            facts = load_csv(sandbox, path, "t0", table_input.csv or CsvOptions())
        else:
            sandbox.load(format_, "t0")
        columns = input_columns = sandbox.columns("t0")
        input_rows = rows = _count(sandbox, "t0")
        outcomes = []
        for number, step in enumerate(steps, start=1):
            progress(number, total, f"step {number} of {len(steps)}: {step.step}")
            try:
                sql, values = compile_step(step, f"t{number - 1}", list(columns))
                sandbox.execute(f"CREATE TEMP TABLE t{number} AS {sql}", values)
            except InputError as error:
                raise type(error)(f"step {number} ({step.step}): {error}") from error
            sandbox.execute(f"DROP TABLE t{number - 1}")
            columns = sandbox.columns(f"t{number}")
            rows = _count(sandbox, f"t{number}")
            outcomes.append(StepOutcome(step=step.step, rows=rows))
        found = sandbox.execute(f"FROM t{len(steps)}", max_rows=max_rows)
        progress(total, total, "")
    given = list(_within_size(dict(zip(columns, row, strict=True)) for row in found))
    return ProcessedTable(
        document_id=table_input.document_id,
        input_columns=_described(input_columns),
        input_rows=input_rows,
        csv=facts,
        steps=outcomes,
        columns=_described(columns),
        rows=given,
        total_rows=rows,
        truncated=len(given) < rows,
    )


def _count(sandbox: Sandbox, table: str) -> int:
    return int(sandbox.execute(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - a name of ours


def _described(columns: dict[str, str]) -> list[Column]:
    return [Column(name=name, type=sql_type) for name, sql_type in columns.items()]


def _within_size(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give rows as JSON values, until together they would be too large."""
    left_bytes = MAX_RESULT_BYTES
    for row in rows:
        jsonable = to_jsonable_python(row, inf_nan_mode="null", bytes_mode="base64", serialize_unknown=True)
        left_bytes -= len(to_json(jsonable))
        if left_bytes < 0:
            return
        yield jsonable
