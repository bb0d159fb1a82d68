"""Decides whether a job that no worker runs can be sent again: automatically, or by a retry."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobtracker.jobs.relaunch import Relauncher
from jobtracker.jobs.stored_calls import why_not_repeatable, why_not_sendable
from jobtracker.schemas.explanation import Code
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.schema import JobRecord


@dataclass(frozen=True)
class Resending:
    """What can be done for a job whose message is missing, or with a lost worker.

    Attributes:
        root: The outermost of its parents; itself, if it has none.
        why_not: Why it is not sent again automatically; None: it is.
        why_no_retry: Why a retry would be refused, or would not lead to its parent; None: a retry helps.
        retry: How to retry it: "retry it …".
    """

    root: str
    why_not: str | None
    why_no_retry: str | None
    retry: str

    @property
    def when_lost(self) -> str:
        """What helps once it has failed, a sentence without its full stop."""
        return f"Send {self.root} anew" if self.why_no_retry else self.retry.capitalize()

    def advice(self, code: Code, *, by_itself: bool) -> str:
        """What becomes of it and what helps, sentences.

        Args:
            code: Its message is missing, or will be delivered again.
            by_itself: It is sent again by itself if it can be.
        """
        by_hand = f"cancel it, then {self.retry}"
        comes_back = code is Code.WAITING_FOR_REDELIVERY
        if by_itself and self.why_not is None:
            when = "before that" if comes_back else "soon"
            otherwise = f"; else {by_hand}" if self.why_no_retry is None else ""
            return f"It is sent again {when}, as another run, if a worker consumes the queue{otherwise}."
        if self.why_no_retry:
            final = f"It can't be retried ({self.why_no_retry})"
            if comes_back:
                return f"{final}: wait for that, a cancel would be final."
            return f"{final}: it will be taken for lost, if a worker consumes the queue. Send {self.root} anew."
        if comes_back:
            return f"To have it run sooner, {by_hand}."
        return f"It will be taken for lost, if a worker consumes the queue. To have it run, {by_hand}."


def resending_of(relauncher: Relauncher, record: JobRecord, data: Mapping[str, str]) -> Resending:
    """What can be done for a job.

    Args:
        relauncher: Would send it; its parents are read there.
        record: The job.
        data: Its bulky part.
    """
    above = _ancestors(relauncher.queries, record)
    retry = "retry it"
    if above:
        retry += f", or its parent {record.parent} where that has ended too"
    return Resending(
        root=above[-1][0].id if above else record.id,
        why_not=relauncher.why_not(record) or _why_not(record, data, above),
        why_no_retry=_why_no_retry(record, data, above),
        retry=retry,
    )


def _why_not(record: JobRecord, data: Mapping[str, str], above: list[Loaded]) -> str | None:
    if why := why_not_repeatable(record, data):
        return why
    if record.next or record.linked or record.expires:
        return "what was to follow it, or when it was to expire, is not stored"
    if record.origin != "api" and record.subs and not record.callback_mode:
        return "Celery code has built the chord"
    for parent, _ in above:
        if parent.origin != "api" and not parent.callback_mode:  # else we call its task
            return f"Celery's chord of {parent.id} would not count it"
    return None


def _why_no_retry(record: JobRecord, data: Mapping[str, str], above: list[Loaded]) -> str | None:
    if why := why_not_repeatable(record, data):
        return f"its arguments are not stored: {why}"
    for parent, bulk in above:
        if why := why_not_sendable(parent, bulk):
            return f"the arguments of its parent {parent.id} are not stored: {why}"
    return None


def _ancestors(queries: JobQueries, record: JobRecord) -> list[Loaded]:
    """A job's parents, the nearest first."""
    found: list[Loaded] = []
    parent = record.parent
    while parent:
        [loaded] = queries.load([parent], missing_ok=True)
        if not loaded[0].exists:
            break
        found.append(loaded)
        parent = loaded[0].parent
    return found
