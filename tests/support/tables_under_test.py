"""Tables for tests of data_processing, and a folder for what they leave."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from workers.tables.output import Delivery
from workers.tables.processing import ProcessedTable, process_table
from workers.tables.source import TableInput
from workers.tables.steps import Step

STEPS: TypeAdapter[list[Step]] = TypeAdapter(list[Step])
ROWS: list[dict[str, Any]] = [
    {"name": "Ann", "town": "Ellery", "age": 41, "fee": 10.5},
    {"name": "Bob", "town": "Gannet", "age": 17, "fee": None},
    {"name": "Cid", "town": "Ellery", "age": 65, "fee": 2.0},
    {"name": "Bob", "town": "Gannet", "age": 17, "fee": None},
]


def process(
    steps: Any = (),
    *,
    max_rows: int | None = None,
    max_bytes: int = 10**6,
    output: Any = None,
    job_id: str = "job",
    **table: Any,
) -> ProcessedTable:
    """Run steps over a table, by default ROWS."""
    delivery = Delivery(max_bytes=max_bytes, max_rows=max_rows, format=output, job_id=job_id)
    return process_table(TableInput(**(table or {"rows": ROWS})), STEPS.validate_python(list(steps)), delivery)


def rows(*steps: Any, **table: Any) -> list[dict[str, Any]]:
    """The rows that steps give."""
    return process(steps, **table).rows


@pytest.fixture
def results_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of results as files."""
    folder = tmp_path_factory.mktemp("results")
    monkeypatch.setenv("RESULTS_DIR", str(folder))
    return folder
