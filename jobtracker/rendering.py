"""Jobs as JSON, written from what the store tells, without making a model of each: models say what it looks like."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import pydantic_core

from jobtracker.models import JobSummary
from jobtracker.records import Row, record_of

_KEPT = 5000
"""Records whose JSON is kept: about as many megabytes."""


def to_json(value: Any) -> bytes:
    """The JSON that pydantic's models make of a value."""
    return pydantic_core.to_json(value, inf_nan_mode="null")


@lru_cache(_KEPT)
def summary_json(row: Row) -> bytes:
    """The JSON of a `JobSummary`. Lists are asked for again and again, and most jobs in them have settled."""
    return to_json(JobSummary.values_of(record_of(row)))


def page_json(rows: Iterable[Row], about: Mapping[str, Any]) -> bytes:
    """The JSON of jobs, with what else their page says."""
    return b'{"jobs":[' + b",".join(map(summary_json, rows)) + b"]," + to_json(about)[1:]
