"""data_processing: declared steps over a table."""

from typing import Any

from pydantic import Field

from workers.progress import Job
from workers.tables.processing import MAX_ROWS, process_table
from workers.tables.source import TableInput
from workers.tables.steps import Step


class DataProcessingPayload(TableInput):
    """A table, and what to do with it."""

    steps: list[Step] = Field(default=[], max_length=50, description="Run one after the other; none gives the table.")
    max_rows: int = Field(default=1_000, ge=0, le=MAX_ROWS, description="The most rows of the result to give.")


def run(job: Job, payload: dict[str, Any]) -> dict[str, Any]:
    """Run declared steps over a table.

    Args:
        job: Told how far it is.
        payload: The fields of DataProcessingPayload.

    Returns:
        A ProcessedTable as JSON.
    """
    request = DataProcessingPayload.model_validate(payload)
    table = process_table(request, request.steps, request.max_rows, progress=job.progress)
    job.log(f"read {table.document_id or 'the input'}: rows {table.input_rows}, columns {len(table.input_columns)}")
    for number, outcome in enumerate(table.steps, start=1):
        job.log(f"step {number} ({outcome.step}): rows {outcome.rows}")
    if table.truncated:
        job.log(f"the result gives {len(table.rows)} of {table.total_rows} rows", "warning")
    return table.model_dump(mode="json")
