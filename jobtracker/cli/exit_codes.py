"""What the exit status says."""

from enum import IntEnum

from jobtracker.core.lifecycle import Status


class ExitStatus(IntEnum):
    """The exit statuses of all commands."""

    OK = 0
    """Done; of a job that was waited for: it completed."""
    FAILED = 1
    """Not done, for the reason that stands on stderr; of a job that was waited for: it failed."""
    USAGE = 2
    """Wrong usage, as typer has it, or an extra that is not installed."""
    CANCELLED = 3
    """The job that was waited for was cancelled."""
    TIMED_OUT = 124
    """The job that was waited for had not settled in time."""
    INTERRUPTED = 130
    """Ctrl-C."""
    NO_READER = 141
    """Nobody reads its output any more: 128 + SIGPIPE, as of other commands before a `head`."""


_OF_JOBS = {Status.COMPLETED: ExitStatus.OK, Status.FAILED: ExitStatus.FAILED, Status.CANCELLED: ExitStatus.CANCELLED}


def exit_status_of(status: Status) -> ExitStatus:
    """The exit status for a job that has settled."""
    return _OF_JOBS[status]
