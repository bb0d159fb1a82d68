"""Writes jobs as JSON from the store's data, without a model for each job. The models describe the form."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import pydantic_core

from jobtracker.schemas.jobs import JobError
from jobtracker.store.decode import stored_json, summary_values
from jobtracker.store.records import Row

_KEPT = 5000
"""Records whose JSON is kept: about as many megabytes."""


def to_json(value: Any) -> bytes:
    """The JSON that pydantic's models make of a value."""
    return pydantic_core.to_json(value, inf_nan_mode="null")


@lru_cache(_KEPT)
def summary_json(row: Row) -> bytes:
    """The JSON of a `JobSummary`. Lists are asked for again and again, and most jobs in them have settled."""
    return to_json(summary_values(row.record))


def page_json(rows: Iterable[Row], about: Mapping[str, Any]) -> bytes:
    """The JSON of jobs, with what else their page says."""
    return _page_json(map(summary_json, rows), about)


def failed_page_json(rows: Iterable[Row], errors: Iterable[str | None], about: Mapping[str, Any]) -> bytes:
    """The JSON of a `FailedJobPage`.

    Args:
        rows: The jobs.
        errors: What is stored of each one's error: JSON, or None.
        about: What else the page says.
    """
    with_errors = (
        summary_json(row)[:-1] + b',"error":' + _error_json(error) + b"}"
        for row, error in zip(rows, errors, strict=True)
    )
    return _page_json(with_errors, about)


def _page_json(jobs: Iterable[bytes], about: Mapping[str, Any]) -> bytes:
    return b'{"jobs":[' + b",".join(jobs) + b"]," + to_json(about)[1:]


def _error_json(text: str | None) -> bytes:
    error = JobError.model_validate(stored_json(text)) if text else None
    return to_json(error and error.model_copy(update={"traceback": None}))
