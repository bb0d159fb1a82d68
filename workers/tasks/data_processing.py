"""data_processing: declared steps over a table."""

from typing import Any

from workers.app import settings, tracker
from workers.tables.handing import process_in_confinement
from workers.work.data_processing import DataProcessingPayload


@tracker.task("data_processing", payload=DataProcessingPayload)
def data_processing(results: list[Any] | None = None, /, **payload: Any) -> dict[str, Any]:
    """Run declared steps over a table.

    Args:
        results: Of the sub-jobs, where this is the body of a chord; a table has no use for them.
        payload: The fields of DataProcessingPayload.

    Returns:
        A ProcessedTable as JSON.
    """
    del results
    # Not all of the settings reach the confined process.
    return process_in_confinement(payload, max_bytes=settings.max_result_bytes, keep_s=settings.retention_ms / 1000)
