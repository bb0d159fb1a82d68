"""Reading what workers answer about their settings and tasks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ASKED_OF_TASKS = ("acks_late", "ignore_result", "reject_on_worker_lost")

ASKED_SETTINGS = (
    "broker_transport_options",
    "result_chord_expires",
    "result_expires",
    "task_default_exchange_type",
    "task_default_queue_type",
    "task_reject_on_worker_lost",
)

_TASK = re.compile(r"^(\S+)(?: \[(.*)\])?$", re.DOTALL)
_DURATION = re.compile(r"^(?:(-?\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


@dataclass(frozen=True)
class TaskInfo:
    """What a worker says of one of its tasks."""

    name: str
    flags: frozenset[str]
    """Those of ASKED_OF_TASKS that are set."""

    @classmethod
    def read(cls, told: Iterable[str]) -> list["TaskInfo"]:
        """Read Celery's `inspect registered`: "name [acks_late=True …]" (celery/worker/control.py, registered)."""
        matches = [match for text in told if (match := _TASK.match(text))]
        return [
            cls(match[1], frozenset(name for name in ASKED_OF_TASKS if f"{name}=True" in (match[2] or "").split()))
            for match in matches
        ]


def seconds(value: Any) -> float | None:
    """A duration in seconds; a timedelta is told as Python prints it (celery/utils/serialization.py, jsonify)."""
    if isinstance(value, int | float):
        return float(value)
    if match := _DURATION.match(str(value)):
        days, hours, minutes, rest = match.groups(default="0")
        return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)
    return None
