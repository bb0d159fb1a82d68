"""Jobs as the API answers them."""

from typing import Any

from jobtracker.schemas.jobs import JobTree


def job(name: str, status: str = "completed", **fields: Any) -> JobTree:
    """A job in JSON, read as the command line reads it."""
    return JobTree.model_validate(
        {
            "id": f"id-of-{name}",
            "name": name,
            "job_type": "custom",
            "status": status,
            "priority": "normal",
            "created_at": "2026-03-01T12:00:00.000Z",
            "status_changed_at": "2026-03-01T12:00:00.000Z",
            "run": 1,
            "attempt": 0,
            "deliveries": 1,
            "origin": "api",
            **fields,
        }
    )
