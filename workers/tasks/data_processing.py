"""data_processing: declared steps over a table."""

from typing import Any

from jobtracker import current_job
from workers.app import settings, tracker
from workers.confined.caller import run_confined
from workers.tables.results import ResultFolder
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
    # Not all of the settings reach the confined process, and its temporary folder goes with it.
    folder = ResultFolder.of_settings(keep_s=settings.retention_ms / 1000)
    record = {
        "job_id": current_job().id,
        "max_bytes": settings.max_result_bytes,
        "folder": folder.model_dump(mode="json"),
    }
    return run_confined("data_processing:run", payload=payload, record=record)
