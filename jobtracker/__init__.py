"""The durable, exact record of every Celery job. These are the public names."""

from jobtracker.current import CurrentJob, JobCancelledError, current_job
from jobtracker.declarations import tracked
from jobtracker.lifecycle import FailurePolicy, Priority, Status
from jobtracker.settings import Settings
from jobtracker.tracker import Tracker

__all__ = [
    "CurrentJob",
    "FailurePolicy",
    "JobCancelledError",
    "Priority",
    "Settings",
    "Status",
    "Tracker",
    "current_job",
    "tracked",
]
