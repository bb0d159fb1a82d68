"""What a job is called: its id, its task ids, its names; and the reasons that it gives."""

import os
import re
from collections.abc import Iterable

from jobtracker.core.clock import now_ms

RUN_MARK = "~"
"""Stands between a job's id and its run in the task ids of later runs."""


_LATER_RUN = re.compile("[1-9][0-9]{0,8}")
"""One spelling for each run: no two task ids mean the same run of the same job."""


def task_id_of(job_id: str, run: int) -> str:
    """The Celery task id of a job's run: the job's own id, from the second run on with the run behind it.

    So every process knows the job and the run from the task id alone.
    """
    return job_id if run <= 1 else f"{job_id}{RUN_MARK}{run}"


def job_and_run_of(task_id: str) -> tuple[str, int]:
    """The job and the run that a Celery task id belongs to.

    The job's own id is that of the first run, and of runs that Celery code sent again under it (`JobRecord.task_id`).
    """
    job_id, mark, run = task_id.rpartition(RUN_MARK)
    if mark and job_id and _LATER_RUN.fullmatch(run) and run != "1":
        return job_id, int(run)
    return task_id, 1


def new_execution(incarnation: str) -> str:
    """The id of an execution that begins now, on a worker.

    The store reads in it when and where (`lua/lib/executions.lua`).
    """
    return f"{now_ms()}-{incarnation}-{os.urandom(4).hex()}"


BULK_TYPE = "jobtracker.bulk"
"""The type of bulk runs. The API's processes do them: Celery gets no message of them."""

REASON_CHARS = 300


def as_reason(text: str) -> str:
    """A text as a reason; one that is too long ends with "…"."""
    return text if len(text) <= REASON_CHARS else text[: REASON_CHARS - 1].rstrip() + "…"


def and_also(text: str, more: str) -> str:
    """A reason that says one thing more, for which a text that is too long is cut."""
    room = REASON_CHARS - len(more) - 2
    return f"{text if len(text) <= room else text[: room - 1].rstrip() + '…'}; {more}"


UNIQUE_DIGITS = 20
"""Hexadecimal digits of a unique key's digest."""


def unique_id(first_id: str, digest: str) -> str:
    """The id of a job that has a unique key: it lies where the lock of that key does, with any partitions.

    Args:
        first_id: A UUID.
        digest: Of the key.
    """
    return f"{first_id}.{digest}"


def unique_field(digest: str, while_: Iterable[str], at_ms: int, for_s: float | None) -> str:
    """The field `unique` of a job's record, which the store reads (`store/lua/lib/unique.lua`).

    Args:
        digest: Of its unique key.
        while_: The statuses in which it has the lock of that key.
        at_ms: When it is made.
        for_s: So many seconds later the lock ends at the latest; None: no limit.
    """
    ends_ms = at_ms + round(for_s * 1000) if for_s else 0
    return f"{digest} {','.join(while_)} {ends_ms}"


def digest_in(unique: str) -> str:
    """The digest of the unique key in such a field."""
    return unique.partition(" ")[0]


def place_of(job_id: str) -> str:
    """What decides in which partition a job lies: its id, or the digest in that (`unique_id`)."""
    return job_id[37:] if len(job_id) == 37 + UNIQUE_DIGITS and job_id[36] == "." else job_id
