"""The only writer: every change of a job is one call of one Lua verb (`lua/`, one a file).

The tables of `lifecycle` and `keys` are rendered into them: Lua and Python can't disagree about what is legal.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.core.job import job_and_run_of, name_of
from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.errors import TreeNotRecordedError
from jobtracker.store.changes import Change, Expired, NewJob, News, SettledIndex, Turn, Verdict
from jobtracker.store.functions import Call, Library, PendingCalls, batched
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.records import ask, fetch, read

T = TypeVar("T")

REMOVED_AT_ONCE = 30
"""Jobs of one call: it takes the server less than a millisecond, in which nobody else is served."""

_VERBS = (
    "create",
    "transition",
    "settle",
    "report",
    "told",
    "edit",
    "delete",
    "expire",
    "log",
    "reap",
    "claim",
    "draft",
    "plant",
    "forget_queues",
    "commit",
    "many",
)


@dataclass(frozen=True)
class Begun(Generic[T]):
    """A call that is under way: called, once, it waits for what became of it."""

    pending: PendingCalls
    read: Callable[[list[Any]], T]

    def __call__(self) -> T:
        """What became of it."""
        return self.read(self.pending.answers())

    def abandon(self) -> None:
        """Don't wait for it; whether it was carried out stays unknown."""
        self.pending.abandon()


class JobStore:
    """Writes jobs.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        retention_ms: How long settled jobs stay; time series stay a day longer.
        tombstone_s: How long a deleted job's late reports are refused.
        max_log_lines: So many lines of a job's log are kept, about.
        check: Called before the first write, and again as in `Library`; where it raises none is made.
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
        self._verbs = Library(_VERBS, keep_s, check=check)

    def fenced(self, fences: Mapping[Partition, str]) -> "JobStore":
        """The same store for a reaper: what it writes in these partitions raises `FencedError` once its turn is over.

        In another one it carries on what has become of a job in these, as whoever reports does.
        """
        fenced = copy.copy(self)
        fenced._verbs = self._verbs.fenced({part.prefix: fence for part, fence in fences.items()})  # noqa: SLF001
        return fenced

    def reap(self, reaper: str, *, lock_ms: int, mark_ms: int) -> dict[Partition, Turn]:
        """Take the reaper's lock of each partition, or keep it.

        Args:
            reaper: Who asks; each has a name of its own.
            lock_ms: How long it has the lock.
            mark_ms: How long it is remembered that one was here.
        """
        parts = self.keys.parts
        calls: list[Call] = [(part("reaper"), [part.prefix, reaper, lock_ms, mark_ms]) for part in parts]
        answers = self._verbs.call_many(self.client, "reap", calls)
        turns = (Turn(fence or None, watched_ms) for fence, watched_ms in answers)
        return dict(zip(parts, turns, strict=True))

    def create(self, *jobs: NewJob, at_ms: int | None = None) -> list[Outcome]:
        """Record jobs, or attach sub-jobs to ones that are there, in one round trip.

        Returns:
            For each: applied, duplicate (it was there), sent_again (it had settled, and has a new run), deleted (it
            must not come back), or missing (it is given no fields, only sub-jobs to attach, and is not there).
        """
        at_ms = now_ms() if at_ms is None else at_ms
        answers = self._verbs.call_many(self.client, "create", [self._new(job, at_ms) for job in jobs])
        return self._created(jobs, answers)

    def plant(self, jobs: Sequence[NewJob], *, at_ms: int, started: bool) -> None:
        """Record a large tree under ids that are new, all of it or nothing.

        It is a draft first, which is no job and expires. Once that is whole it is committed: its root is recorded,
        and then, parents before their sub-jobs, the rest; where this process dies, by the reaper. Jobs that are alike
        and stand together cost about a third of what `create` does.

        Args:
            jobs: Its jobs, each after its sub-jobs, the root last; they lie in one partition.
            at_ms: When it is made.
            started: Its first runs are recorded too. Those of jobs without sub-jobs wait to be claimed.

        Raises:
            TreeNotRecordedError: It took too long: nothing is recorded.
        """
        root = jobs[-1].id
        part = self.keys.of(root)
        draft = part("draft", root)
        above_first = [*(job for job in reversed(jobs) if job.subs), *(job for job in jobs if not job.subs)]
        texts = [_part_of(some, at_ms, started=started) for some in batched(above_first, _PLANTED)]
        calls: Iterator[Call] = (
            (draft, [part.prefix, number, DRAFT_MS, text]) for number, text in enumerate(texts, start=1)
        )
        self._verbs.call_all(self.client, "draft", calls)
        if not self._verbs.call(self.client, "commit", draft, [part.prefix, root, at_ms, len(texts)]):
            raise TreeNotRecordedError(root)
        self._verbs.call_all(self.client, "plant", [(draft, [part.prefix, root])] * (len(texts) - 1))

    def plant_next(self, root: str) -> int:
        """Record the next part of a tree whose draft is committed; returns how many are left."""
        part = self.keys.of(root)
        return int(self._verbs.call(self.client, "plant", part("draft", root), [part.prefix, root]))

    def begin_create(self, *jobs: NewJob, at_ms: int | None = None) -> Begun[list[Outcome]]:
        """Send what `create` sends; what it returns is to be called, once, for the outcomes."""
        at_ms = now_ms() if at_ms is None else at_ms
        calls = [self._new(job, at_ms) for job in jobs]
        pending = self._verbs.begin(self.client, "create", calls)
        return Begun(pending, lambda answers: self._created(jobs, answers))

    def _created(self, jobs: Iterable[NewJob], answers: Iterable[str]) -> list[Outcome]:
        if len(self.keys.parts) > 1:
            # A parent in another partition lists them now; whether it does they could not see.
            apart = [sub for job in jobs for sub in job.subs.values() if not self.keys.are_together(job.id, sub)]
            self._verbs.call_many(self.client, "told", [self._told_call(sub, "", settled=False) for sub in apart])
        return [_OUTCOMES[outcome] for outcome in answers]

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
            attempt: In which attempt of that run, likewise.
            lease: The worker that must still hold the job, or `keys.NOBODY`; where another one has taken it on, the
                event is stale.
            execution: The execution that reports (`new_execution`); or only the incarnation of its worker, where more
                is not known. A start that was reported before is a duplicate. An end that changes nothing goes into
                the job's ledger, once.
            fields: Further fields of the record, written if the event is applied.
            data: Further bulky fields, likewise.
            at_ms: When it happened; default now.
            sent: Where the run is that of a task id: when its message was sent, as that says (`lineage.sent`).
        """
        call = self.call_of(event, job_id, run, attempt, lease, execution, fields, data, at_ms, sent)
        return self._change(self._verbs.call(self.client, "transition", *call))

    def report(self, call: Call) -> Change:
        """Apply an event, as `call_of` has made it, and tell the job's parent: one round trip.

        The parent is told where it lies in the job's partition and nothing else is to come first: then the change
        bears its verdict, which is said once, or neither parent nor verdict where nothing follows. Otherwise it is to
        be told (`settle`).
        """
        return self._change(self._verbs.call(self.client, "report", *call))

    def report_all(self, calls: Sequence[Call]) -> list[Change | Exception]:
        """Report on a few jobs, likewise, in order and in one round trip; where one fails, its error.

        Raises:
            redis.exceptions.RedisError: Redis does not answer: some may have been applied.
        """
        answers = self._verbs.begin(self.client, "report", calls).each()
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
        fields, data = fields or {}, data or {}
        part = self.keys.of(job_id)
        args: list[str | int | float] = [
            part.prefix,
            job_id,
            event,
            now_ms() if at_ms is None else at_ms,
            "" if run is None else run,
            "" if attempt is None else attempt,
            lease or "",
            execution or "",
            sent,
            len(fields),
            *_flat(fields),
            *_flat(data),
        ]
        return part("job", job_id), args

    def apply_many(
        self, event: Event, jobs: Mapping[str, Mapping[str, str | int]], runs: Mapping[str, int] | None = None
    ) -> dict[str, Change]:
        """Apply the same event to many jobs, in order, in one round trip.

        Args:
            event: What happened.
            jobs: To which jobs, each with its own further fields of the record.
            runs: In which run of each, where that is known.
        """
        calls = [
            self.call_of(event, job_id, (runs or {}).get(job_id), None, None, None, fields, None, None)
            for job_id, fields in jobs.items()
        ]
        answers = self._verbs.call_many(self.client, "transition", calls)
        return {job_id: self._change(answer) for job_id, answer in zip(jobs, answers, strict=True)}

    def settle(
        self,
        parent_id: str,
        job_id: str,
        run: int,
        status: Status,
        *,
        at_ms: int | None = None,
    ) -> Verdict:
        """Tell a parent what became of a sub-job; may be repeated.

        Args:
            parent_id: The parent.
            job_id: The sub-job.
            run: The sub-job's run that this is about.
            status: Its status now.
            at_ms: When that came about; default now.
        """
        at_ms = now_ms() if at_ms is None else at_ms
        part, is_apart = self.keys.of(parent_id), not self.keys.are_together(parent_id, job_id)
        left = "0" if len(self.keys.parts) > 1 else ""
        if is_apart:
            [own] = fetch(self.client, self.keys, [job_id])
            if own.get("status") in _STATUSES:
                run, status, left = int(own["run"]), Status(own["status"]), own.get("left", left)
        args: list[str | int | float] = [part.prefix, parent_id, job_id, run, status, at_ms, left]
        named: list[str] = []
        while True:
            answer = self._verbs.call(self.client, "settle", part("job", parent_id), [*args, *named])
            verdict, grandparent, parent_run, parent_status, *asked = answer
            if not asked:
                break
            named = self._named(asked[0])
        if is_apart:
            call = self._told_call(job_id, left, settled=status in SETTLED)
            self._verbs.call_many(self.client, "told", [call])
        return _verdict(verdict, grandparent, parent_run, parent_status)

    def settle_many(self, news: Sequence[News], *, at_ms: int | None = None) -> list[Verdict]:
        """Tell parents what became of sub-jobs, in order, as `settle` does: many in one round trip."""
        at_ms = now_ms() if at_ms is None else at_ms
        left = "0" if len(self.keys.parts) > 1 else ""
        near = [each for each in news if self.keys.are_together(each.parent_id, each.job_id)]
        calls: list[Call] = []
        for each in near:
            part = self.keys.of(each.parent_id)
            calls.append((part("job", each.parent_id), [part.prefix, *each, at_ms, left]))
        verdicts: dict[News, Verdict] = {}
        for each, answer in zip(near, self._verbs.call_many(self.client, "settle", calls), strict=True):
            verdict, grandparent, run, status, *asked = answer
            if not asked:
                verdicts[each] = _verdict(verdict, grandparent, run, status)
        return [verdicts[each] if each in verdicts else self.settle(*each, at_ms=at_ms) for each in news]

    def _named(self, job_ids: Sequence[str]) -> list[str]:
        found = zip(job_ids, fetch(self.client, self.keys, job_ids), strict=True)
        return [
            text
            for job_id, record in found
            for text in (job_id, name_of(record) if record else "", record.get("reason", ""))
        ]

    def _told_call(self, job_id: str, left: str, *, settled: bool) -> Call:
        part = self.keys.of(job_id)
        return part("job", job_id), [part.prefix, job_id, left, int(settled)]

    def edit(
        self,
        job_id: str,
        *,
        fields: Mapping[str, str | int] | None = None,
        data: Mapping[str, str] | None = None,
        unsent_only: bool = False,
    ) -> Outcome:
        """Change what people may change of a job; with `unsent_only` it is illegal once the job was sent or began."""
        fields, data = fields or {}, data or {}
        part = self.keys.of(job_id)
        args: list[str | int | float] = [part.prefix, job_id, int(unsent_only), len(fields)]
        args += [*_flat(fields), *_flat(data)]
        return Outcome(self._verbs.call(self.client, "edit", part("job", job_id), args))

    def delete(self, *job_ids: str, mode: str = "delete", finished_before_ms: int = 0) -> list[Outcome]:
        """Remove jobs, some with each call; the modes are in lua/delete.lua. Their sub-jobs are in the trash then."""
        if len(self.keys.parts) > 1 and job_ids:
            return self._delete_across(job_ids, mode, finished_before_ms)
        return self._delete(job_ids, mode, finished_before_ms)

    def _delete(self, job_ids: Sequence[str], mode: str, finished_before_ms: int) -> list[Outcome]:
        outcomes: dict[str, Outcome] = {}
        for part, own in self.keys.share_out(job_ids).items():
            for some in batched(own, REMOVED_AT_ONCE):
                args: list[str | int | float] = [part.prefix, mode, finished_before_ms, self.tombstone_s, *some]
                found = self._verbs.call(self.client, "delete", part("job", some[0]), args)
                outcomes |= zip(some, map(Outcome, found), strict=True)
        return [outcomes[job_id] for job_id in job_ids]

    def _delete_across(self, job_ids: Sequence[str], mode: str, finished_before_ms: int) -> list[Outcome]:
        """Remove jobs whose parents and sub-jobs may lie in other partitions, which no script sees."""
        keys, pipe = self.keys, self.client.pipeline(transaction=False)
        for job_id in job_ids:
            ask(pipe, keys, job_id)
            pipe.zrange(keys("subs", job_id), 0, -1)
        answers = pipe.execute()
        parents = {job_id: read(packed).get("parent") for job_id, packed in zip(job_ids, answers[::2], strict=True)}
        subs = dict(zip(job_ids, answers[1::2], strict=True))
        parts = [job_id for job_id in job_ids if parents[job_id] and mode in {"delete", "expire"}]
        for job_id in parts:
            pipe.exists(keys("job", parents[job_id]))
        kept = {job_id for job_id, has_parent in zip(parts, pipe.execute(), strict=True) if has_parent}
        rest = [job_id for job_id in job_ids if job_id not in kept]
        gone = dict(zip(rest, self._delete(rest, mode, finished_before_ms), strict=True))
        trash = [
            sub for each, done in gone.items() if done is Outcome.APPLIED and mode != "undo" for sub in subs[each]
        ]
        for part, own in keys.share_out(trash).items():
            pipe.sadd(part("trash"), *own)
        for part in keys.parts if mode == "trash" else ():
            pipe.srem(part("trash"), *job_ids)
        pipe.execute()
        return [gone.get(job_id, Outcome.ILLEGAL) for job_id in job_ids]

    def expire(self, part: Partition, indexes: Sequence[SettledIndex], *, finished_before_ms: int) -> Expired:
        """Remove some jobs that settled before a time, from indexes of a partition one after the other: one call."""
        across = int(len(self.keys.parts) > 1)
        args: list[str | int | float] = [part.prefix, finished_before_ms, REMOVED_AT_ONCE, across]
        args += [each for index in indexes for each in index]
        removed, through, has_trash, apart, reached = self._verbs.call(self.client, "expire", part("kinds"), args)
        found = list(indexes)
        for number, score, job_id in batched(reached, 3):
            found[number] = found[number]._replace(score=score, job_id=job_id)
        return Expired(removed, found[:through], found[through:], bool(has_trash), apart)

    def log(self, job_id: str, lines: Iterable[tuple[int, str, str]]) -> Outcome:
        """Append `(time in ms, level, message)` lines to a job's log."""
        part = self.keys.of(job_id)
        args: list[str | int | float] = [part.prefix, job_id, self.max_log_lines]
        args += [each for line in lines for each in line]
        return Outcome(self._verbs.call(self.client, "log", part("job", job_id), args))

    def confirm(self, *task_ids: str) -> None:
        """Note that these runs, recorded as sent, were; or that nothing was to be sent."""
        for some in batched(task_ids, _INDEXED):
            pipe = self.client.pipeline(transaction=False)
            for part, own in self.keys.share_out(some, _job_of).items():
                pipe.zrem(part("unconfirmed"), *own)
            pipe.execute()

    def hand_over(self, task_ids: Iterable[str], *, at_ms: int | None = None) -> None:
        """Note that these runs, recorded as sent, are to be sent by whoever claims them."""
        at_ms = now_ms() if at_ms is None else at_ms
        for some in batched(task_ids, _INDEXED):
            pipe = self.client.pipeline(transaction=False)
            for part, own in self.keys.share_out(some, _job_of).items():
                pipe.zadd(part("unsent"), dict.fromkeys(own, at_ms))
                pipe.zrem(part("unconfirmed"), *own)
            pipe.execute()

    def claim(self, task_ids: Sequence[str]) -> list[str]:
        """Take on the sending of runs that were handed over; returns those that nobody else has taken on."""
        calls: list[Call] = [
            (part("unsent"), [part.prefix, now_ms(), *own])
            for part, own in self.keys.share_out(task_ids, _job_of).items()
        ]
        return [each for claimed in self._verbs.call_many(self.client, "claim", calls) for each in claimed]

    def forget_queues(self, part: Partition, names: Sequence[str], *, before_ms: int) -> int:
        """Forget names of queues to which nothing was sent since a time; returns how many."""
        return int(self._verbs.call(self.client, "forget_queues", part("queues"), [part.prefix, before_ms, *names]))

    def told(self, job_id: str) -> None:
        """Note that those who wait for a job know what has become of it; `settle` notes that of a parent."""
        self.client.zrem(self.keys.of(job_id)("untold"), job_id)

    def look_at_expiry(self, later: Sequence[str], never: Sequence[str], *, at_ms: int) -> None:
        """Note when jobs that have expired are to be looked at again.

        Args:
            later: These at that time, ...
            never: ... and these not any more.
            at_ms: The time.
        """
        pipe = self.client.pipeline(transaction=False)
        for part, own in self.keys.share_out(later, str).items():
            pipe.zadd(part("expiring"), dict.fromkeys(own, at_ms), xx=True)
        for part, own in self.keys.share_out(never, str).items():
            pipe.zrem(part("expiring"), *own)
        pipe.execute()

    def answered(self, *job_ids: str) -> None:
        """Note that Celery's result backend has answered about jobs that were taken for lost without it."""
        for part, own in self.keys.share_out(job_ids).items():
            self.client.zrem(part("unanswered"), *own)

    def count_dropped(self, reports: int) -> None:
        """Note that reports were given up, however many: their jobs are not as they say."""
        pipe = self.client.pipeline(transaction=True)
        pipe.hincrby(self.keys("dropped"), "reports", reports)
        pipe.hset(self.keys("dropped"), "last", now_ms())
        pipe.execute()

    def _new(self, job: NewJob, at_ms: int) -> Call:
        part = self.keys.of(job.id)
        args: list[str | int | float] = [part.prefix, job.id, at_ms, _told_by(job)]
        args += [len(job.fields), *_flat(job.fields), len(job.data), *_flat(job.data), *_flat(job.subs)]
        return part("job", job.id), args

    @staticmethod
    def _change(answer: Any) -> Change:
        states, parent, following, *verdict = (answer, None, None) if isinstance(answer, str) else answer
        outcome, before, after, run, attempt, losses, cancel, parent_waits, waited_for, reused = states.split(" ")
        return Change(
            _OUTCOMES[outcome],
            _STATUSES.get(before),
            _STATUSES.get(after),
            int(run),
            int(attempt),
            parent or None,
            cancel == "1",
            following or None,
            int(losses),
            parent_waits == "1",
            waited_for == "1",
            reused == "1",
            _verdict(*verdict) if verdict else None,
        )


_PLANTED = 200
"""Jobs that are recorded in one go: it takes the server a few milliseconds."""

DRAFT_MS = 10_000
"""So long a draft waits for its next part, or its commit: that follows at once, unless its process has died."""

_INDEXED = 500
"""Entries of an index that one command writes."""

_OUTCOMES = {str(outcome): outcome for outcome in Outcome}
_STATUSES = {str(status): status for status in Status}
"""Looked up in half the time that the enum takes; a status of a newer release is not there."""


def _job_of(task_id: str) -> str:
    return job_and_run_of(task_id)[0]


def _told_by(job: NewJob) -> int:
    """Who records a job, as lua/create.lua reads it."""
    if job.published:
        return 3 if job.chained_anew else 2
    return int(job.sends)


def _verdict(verdict: str, grandparent: str, run: int, status: str) -> Verdict:
    return Verdict(verdict, grandparent or None, run, _STATUSES.get(status))


def _part_of(jobs: Iterable[NewJob], at_ms: int, *, started: bool) -> str:
    """Jobs as lua/plant.lua reads them: what the records of several say that stand together, once."""
    alike = [
        [
            _texts({**fields, "subs": count} if count else fields),
            [[each.id, _texts(each.data), _texts(each.subs)] for each in some],
        ]
        for (fields, count), some in groupby(jobs, lambda job: (job.fields, len(job.subs)))
    ]
    return json.dumps([at_ms, int(started), *alike], ensure_ascii=False)


def _texts(mapping: Mapping[Any, str | int]) -> list[str]:
    return [str(part) for pair in mapping.items() for part in pair]


def _flat(mapping: Mapping[Any, Any]) -> list[Any]:
    return [part for pair in mapping.items() for part in pair]
