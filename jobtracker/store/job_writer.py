"""Writes single jobs: records them, and applies events to them."""

import copy
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.errors import UniqueKeyTakenError
from jobtracker.store.changes import Change, NewJob, Verdict
from jobtracker.store.functions import Library
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.pipeline import Call, PendingCalls, packed
from jobtracker.store.records import by_places

T = TypeVar("T")

_COMMANDS = (
    "create",
    "transition",
    "notify_parent",
    "transition_and_notify",
    "mark_parent_notified",
    "update",
    "delete",
    "prune",
    "append_log",
    "mark_failure",
    "acquire_leadership",
    "claim",
    "add_draft",
    "bulk_create",
    "forget_queues",
    "commit_draft",
    "watch",
    "batch",
    "hold_bulk",
    "tag",
    "let_go_unique",
    "fold_totals",
    "name_types",
)


@dataclass(frozen=True)
class Begun(Generic[T]):
    """A call that is under way. Call this object once to wait for the outcome."""

    pending: PendingCalls
    read: Callable[[list[Any]], T]

    def __call__(self) -> T:
        """What became of it."""
        return self.read(self.pending.answers())

    def abandon(self) -> None:
        """Don't wait for it; whether it was carried out stays unknown."""
        self.pending.abandon()


class JobWriter:
    """Writes jobs.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        retention_ms: How long settled jobs stay; time series stay a day longer.
        tombstone_s: How long a deleted job's late reports are refused.
        max_log_lines: About how many lines of a job's log are kept.
        check: Called before the first write, and again as in `Library`. If it raises, nothing is written.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys | None = None,
        *,
        retention_ms: int = 7 * 86_400_000,
        tombstone_s: int = 86_400,
        max_log_lines: int = 1000,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.client = client
        self.keys = keys or Keys()
        self.tombstone_s = tombstone_s
        self.max_log_lines = max_log_lines
        keep_s = retention_ms // 1000 + 86_400
        self._functions = Library(_COMMANDS, keep_s, check=check)

    def fenced(self, fences: Mapping[Partition, str]) -> Self:
        """The same store for a leader: writes to these partitions raise `FencedError` once its term is over.

        Writes to other partitions are not fenced.
        """
        fenced = copy.copy(self)
        fenced._functions = self._functions.fenced({part.prefix: fence for part, fence in fences.items()})  # noqa: SLF001
        return fenced

    def create(self, *jobs: NewJob, at_ms: int | None = None) -> list[Outcome]:
        """Record jobs, or attach sub-jobs to ones that are there, in one round trip.

        Returns:
            For each: applied, duplicate (it was there), sent_again (it had settled, and has a new run), deleted (it
            must not come back), or missing (it is given no fields, only sub-jobs to attach, and is not there).

        Raises:
            UniqueKeyTakenError: Another job has the unique key of one.
        """
        at_ms = now_ms() if at_ms is None else at_ms
        answers = self._functions.call_many(self.client, "create", [self._new(job, at_ms) for job in jobs])
        return self._created(jobs, answers)

    def begin_create(self, *jobs: NewJob, at_ms: int | None = None) -> Begun[list[Outcome]]:
        """Send what `create` sends; what it returns is to be called, once, for the outcomes."""
        at_ms = now_ms() if at_ms is None else at_ms
        calls = [self._new(job, at_ms) for job in jobs]
        pending = self._functions.begin(self.client, "create", calls)
        return Begun(pending, lambda answers: self._created(jobs, answers))

    def _created(self, jobs: Iterable[NewJob], answers: Iterable[str]) -> list[Outcome]:
        if len(self.keys.parts) > 1:
            # A parent in another partition lists them now; whether it does they could not see.
            apart = [sub for job in jobs for sub in job.subs.values() if not self.keys.are_together(job.id, sub)]
            self._functions.call_many(
                self.client, "mark_parent_notified", [self._notified_call(sub, "", settled=False) for sub in apart]
            )
        return outcomes_of(answers)

    def apply(
        self,
        event: Event,
        job_id: str,
        *,
        run: int | None = None,
        attempt: int | None = None,
        lease: str | None = None,
        execution: str | None = None,
        fields: Mapping[str, str | int] | None = None,
        data: Mapping[str, str] | None = None,
        at_ms: int | None = None,
        sent: str | int = "",
    ) -> Change:
        """Apply an event to a job: one round trip.

        Args:
            event: What happened.
            job_id: To which job.
            run: In which run, where the reporter knows it; an older one is stale.
            attempt: The attempt of that run.
            lease: The worker that must still hold the job, or `keys.NOBODY`; where another one has taken it on, the
                event is stale.
            execution: The execution that reports (`new_execution`); or only the incarnation of its worker, where more
                is not known. A start that was reported before is a duplicate. An end that changes nothing goes into
                the job's ledger, once.
            fields: Further fields of the record, written if the event is applied.
            data: Further bulky fields.
            at_ms: When it happened; default now.
            sent: Where the run is that of a task id: when its message was sent, as that says (`broker.headers.sent`).
        """
        call = self.call_of(event, job_id, run, attempt, lease, execution, fields, data, at_ms, sent)
        return self._change(self._functions.call(self.client, "transition", *call))

    def report(self, call: Call) -> Change:
        """Apply an event, as `call_of` has made it, and tell the job's parent: one round trip.

        The parent is told where it lies in the job's partition and nothing else is to come first: then the change
        bears its verdict, which is said once, or neither parent nor verdict where nothing follows. Otherwise it is to
        be told (`notify_parent`).
        """
        return self._change(self._functions.call(self.client, "transition_and_notify", *call))

    def report_all(self, calls: Sequence[Call]) -> list[Change | Exception]:
        """Report on a few jobs, in order and in one round trip. If one report fails, its place has the error.

        Raises:
            redis.exceptions.RedisError: Redis does not answer: some may have been applied.
        """
        answers = self._functions.begin(self.client, "transition_and_notify", calls).each()
        return [answer if isinstance(answer, Exception) else self._change(answer) for answer in answers]

    def call_of(
        self,
        event: Event,
        job_id: str,
        run: int | None = None,
        attempt: int | None = None,
        lease: str | None = None,
        execution: str | None = None,
        fields: Mapping[str, str | int] | None = None,
        data: Mapping[str, str] | None = None,
        at_ms: int | None = None,
        sent: str | int = "",
    ) -> Call:
        """What `apply` is to send, for `report` and `report_all`; it may be sent more than once."""
        part = self.keys.of(job_id)
        at_ms = now_ms() if at_ms is None else at_ms
        report = (job_id, event, at_ms, run, attempt, lease or "", execution or "", sent, fields or {}, data or {})
        return part("job", job_id), (part.prefix, packed(*report))

    def apply_many(
        self,
        event: Event,
        jobs: Mapping[str, Mapping[str, str | int]],
        runs: Mapping[str, int] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> dict[str, Change]:
        """Apply the same event to many jobs, in order, in one round trip.

        Args:
            event: What happened.
            jobs: To which jobs, each with its own further fields of the record.
            runs: In which run of each, where that is known.
            data: Further bulky fields, the same of each.
        """
        calls = [
            self.call_of(event, job_id, (runs or {}).get(job_id), None, None, None, fields, data, None)
            for job_id, fields in jobs.items()
        ]
        answers = self._functions.call_many(self.client, "transition", calls)
        return {job_id: self._change(answer) for job_id, answer in zip(jobs, answers, strict=True)}

    def update(
        self,
        job_id: str,
        *,
        fields: Mapping[str, str | int] | None = None,
        data: Mapping[str, str] | None = None,
        unsent_only: bool = False,
        by: str = "",
    ) -> Outcome:
        """Change what people may change of a job.

        Args:
            job_id: The job.
            fields: Of its record.
            data: Of its data.
            unsent_only: It is illegal once the job was sent or began.
            by: The caller, for its history.
        """
        call = self._update_call(job_id, fields or {}, data or {}, unsent_only=unsent_only, by=by)
        return Outcome(self._functions.call(self.client, "update", *call))

    def _update_call(
        self, job_id: str, fields: Mapping[str, str | int], data: Mapping[str, str], *, unsent_only: bool, by: str
    ) -> Call:
        part = self.keys.of(job_id)
        return part("job", job_id), (part.prefix, packed(job_id, unsent_only, by, fields, data))

    def append_log(self, job_id: str, lines: Iterable[tuple[int, str, str]]) -> Outcome:
        """Append `(time in ms, level, message)` lines to a job's log."""
        part = self.keys.of(job_id)
        args: list[str | int | float] = [part.prefix, job_id, self.max_log_lines]
        args += [each for line in lines for each in line]
        return Outcome(self._functions.call(self.client, "append_log", part("job", job_id), args))

    def _new(self, job: NewJob, at_ms: int) -> Call:
        part = self.keys.of(job.id)
        subs = [each for sub in job.subs.items() for each in sub]
        call = packed(job.id, at_ms, _recorded_by(job), by_places(job.fields), job.data, subs)
        return part("job", job.id), (part.prefix, call)

    def _notified_call(self, job_id: str, left: str, *, settled: bool) -> Call:
        part = self.keys.of(job_id)
        return part("job", job_id), [part.prefix, job_id, left, int(settled)]

    @staticmethod
    def _change(answer: Any) -> Change:
        if isinstance(answer, str):
            return _change_of(answer)
        states, parent, following, *verdict = answer
        told = verdict_of(*verdict) if verdict else None
        return _change_of(states)._replace(parent=parent or None, next=following or None, verdict=told)


@functools.lru_cache(maxsize=1000)
def _change_of(states: str) -> Change:
    """The first part of an answer of `transition`. There are few, so most are known."""
    outcome, before, after, run, attempt, losses, cancel, *flags = states.split(" ")
    parent_waits, waited_for, reused, next_is_recorded = (flag == "1" for flag in flags)
    return Change(
        _OUTCOMES[outcome],
        _STATUSES.get(before),
        _STATUSES.get(after),
        int(run),
        int(attempt),
        None,
        cancel == "1",
        None,
        int(losses),
        parent_waits,
        waited_for,
        reused,
        next_is_recorded,
    )


_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_STATUSES = {str(status): status for status in Status}
"""Looked up in half the time that the enum takes; a status of a newer release is not there."""


TAKEN = "taken "
"""What `create` answers where another job has the unique key of one begins so; that job follows."""


def outcomes_of(answers: Iterable[str]) -> list[Outcome]:
    """What became of jobs that were to be recorded, of the answers of `create` or `commit_draft`.

    Raises:
        UniqueKeyTakenError: Another job has the unique key of one.
    """
    try:
        return [_OUTCOMES[outcome] for outcome in answers]
    except KeyError as taken:
        raise UniqueKeyTakenError(str(taken.args[0]).removeprefix(TAKEN)) from None


def _recorded_by(job: NewJob) -> int:
    """Who records a job, as lua/create.lua reads it."""
    if job.published:
        return 3 if job.chained_anew else 2
    return int(job.sends)


def verdict_of(verdict: str, grandparent: str, run: int, status: str) -> Verdict:
    """What a parent makes of it, of an answer of `notify_parent`."""
    return Verdict(verdict, grandparent or None, run, _STATUSES.get(status))
