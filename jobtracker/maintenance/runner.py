"""Looks after what nobody reports: settled jobs whose time is up, and jobs of workers that are gone.

Every worker and API process has one; a lock in Redis lets one of them act at a time. What it writes bears the fence
of its turn, and is refused once another one has taken over: a process may be stopped for minutes between a look and
what follows from it. Each step can be repeated.
"""

import itertools
import logging
import time
import uuid
from collections.abc import Container, Sequence
from typing import NamedTuple

from redis.exceptions import ResponseError

from jobtracker.broker.connection import BROKER_TIMEOUT_S, connected
from jobtracker.broker.queues import backlogs
from jobtracker.connection.client import is_away
from jobtracker.core.clock import now_ms
from jobtracker.core.job import and_also, job_and_run_of
from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.errors import BrokerUnavailableError
from jobtracker.jobs.lost_executions import UNANSWERED
from jobtracker.jobs.result_backend import Silence
from jobtracker.maintenance.abandoned_messages import AbandonedMessages
from jobtracker.maintenance.missing_messages import Astray, MissingMessages, settle_missing
from jobtracker.maintenance.outbox_relay import Outbox
from jobtracker.maintenance.unreported_ends import Ending, UnreportedEnds
from jobtracker.runtime import Tracking
from jobtracker.store.changes import SettledIndex
from jobtracker.store.functions import FencedError, batched
from jobtracker.store.keys import NOBODY, PROCESS_GONE, RELEASED, Partition
from jobtracker.store.writer import REMOVED_AT_ONCE

logger = logging.getLogger(__name__)

_BATCH = 500

_LOOKED_AT = 2000
"""About so many running jobs a round looks at, where no worker has gone lately."""

_TRASHED = 100
"""So many jobs of the trash are looked up together."""

_INDEXES = 50
"""Indexes of settled jobs that a call looks through for some whose time is over; where one has many, it alone."""

_ANEW_S = 3600.0
"""So often retention begins with the oldest job again: what it has left behind may have become free to go."""

_PAUSE = 1.1
"""The pause between two removals, as part of the time that the first one took: longer where the server is busy."""

_SHORTEST_TURN_S = 2.0
"""The lock lasts for two rounds or, where they follow each other faster, so long: a round should not outlast it."""

_EXPIRED_FOR_MS = 3000
"""For so long the report of a start may be on its way, or a clock be wrong."""

_ASKED = 100
"""About how many unsettled jobs of each status Celery's result backend is asked in a round."""


class _Place(NamedTuple):
    """Where to go on among jobs that are sorted by when they came to their status."""

    since_ms: int = 0
    skip: int = 0
    """So many that came to it at that very millisecond are behind."""

    def behind(self, found: Sequence[tuple[str, int]], gone: Container[str] = ()) -> "_Place":
        """The place behind some jobs and when they came to their status (ms), of which some have left it since."""
        reached_ms = found[-1][1]
        skip = sum(at_ms == reached_ms and job not in gone for job, at_ms in found)
        return _Place(reached_ms, skip + (self.skip if reached_ms == self.since_ms else 0))


class Reaper:
    """Settles lost jobs and removes old ones.

    Attributes:
        tracking: What it works on; from its first round on with the fence of its turn.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self._unfenced = tracking
        self._me = uuid.uuid4().hex
        self._fences: dict[Partition, str] = {}
        self._asked: dict[Status, int] = {}  # how many of a status were asked about, before it is begun anew
        self._left: list[dict[str, str]] = []  # of those that were asked about, what has not ended
        self._held: set[str] | None = None  # leases, in the round before
        self._lost_some_at = float("-inf")
        self._looked_up_to = _Place()  # at running jobs
        self._reached: dict[Partition, dict[tuple[Status, str], SettledIndex]] = {}  # by retention
        self._unfinished: dict[Partition, list[SettledIndex]] = {}  # where there was no time for more
        self._begun_anew_at = float("-inf")
        self._forgotten_at = float("-inf")  # queues
        self._missing = MissingMessages(tracking)
        self._abandoned = AbandonedMessages(tracking)
        self._backend = UnreportedEnds(tracking)
        self._was_away_at = float("-inf")

    def step(self) -> None:
        """One round, if nobody else is at it."""
        try:
            parts = self._take_turn()
            self.settle_lost(parts)
            self._take_turn()
            self.give_back(parts)
            for step in (
                self.record_drafts,
                self.settle_finished,
                self.settle_expired,
                self.correct_unanswered,
                self.tell_waiting,
                self.send_unconfirmed,
                self.remove_expired,
                self.forget_queues,
            ):
                self._take_turn()
                step()
            if self._take_turn():
                self.settle_missing()
        except FencedError as error:
            logger.debug("%s", error)
        except Exception as error:
            if is_away(error):
                self._was_away_at = time.monotonic()
            raise

    def _take_turn(self) -> list[Partition]:
        """Take the locks, or keep them; returns the partitions in which a worker without a lease is a lost one.

        It may be one that could not renew its lease, unless the store has been there for long enough: every process
        leaves a mark that lasts for a little less than a lease, and there is none where the store was away.

        Each partition has a lock of its own, so that what is written in it bears what it holds. Whoever is first has
        them all.

        Raises:
            FencedError: Another one reaps.
        """
        settings = self._unfenced.settings
        mark_s = max(settings.lease_lost_s - 2 * settings.lease_renew_s, 2 * settings.reap_interval_s)
        lock_s = max(2 * settings.reap_interval_s, _SHORTEST_TURN_S)
        turns = self._unfenced.store.reap(self._me, lock_ms=int(lock_s * 1000), mark_ms=int(mark_s * 1000))
        fences = {part: turn.fence for part, turn in turns.items() if turn.fence is not None}
        if not fences:
            raise FencedError("Another one reaps.")
        if fences != self._fences:
            self._fences, self.tracking = fences, self._unfenced.fenced(fences)
        if time.monotonic() - self._was_away_at <= settings.lease_lost_s:
            return []
        return [part for part in fences if turns[part].watched_ms >= settings.lease_lost_s * 1000]

    def settle_lost(self, parts: Sequence[Partition] | None = None) -> int:
        """Settle running jobs whose worker has let its lease run out; returns how many.

        What Celery's result backend says of it counts. Where it says nothing, a job whose message comes back
        (acks_late) waits for that, and any other has failed: presumptions, which a report that the worker sends after
        all corrects. Where it does not answer, a job that does not come back stays as it is and is asked about again,
        for `RESULT_BACKEND_WAIT_S`.
        """
        queries = self.tracking.queries if parts is None else self.tracking.queries.within(parts)
        if not queries.parts:
            return 0
        if has_lost_some := self._has_lost_some():
            self._looked_up_to = _Place()
        settled = looked_at = 0
        while has_lost_some or looked_at < _LOOKED_AT:
            place = self._looked_up_to
            found = queries.entered_between(Status.RUNNING, place.since_ms, self._long_ago_ms(), place.skip, _BATCH)
            if not found:
                self._looked_up_to = _Place()
                break
            lost = self._lost([job for job, _ in found])
            gone = {record["id"] for record in lost if self._settle(record, "WorkerLost", _fate(record))}
            self._looked_up_to = place.behind(found, gone)
            settled, looked_at = settled + len(gone), looked_at + len(found)
        return settled

    def give_back(self, parts: Sequence[Partition]) -> int:
        """Give what lost workers had begun and not acknowledged back to its queue; returns how many messages."""
        return self._abandoned.give_back(self.tracking, parts)

    def _has_lost_some(self) -> bool:
        """Whether a worker has gone lately: until all that it ran has been running for long, all jobs are looked at.

        Otherwise a round looks at some, and the next one at the next ones: what each worker runs, it runs.
        """
        held, now = self.tracking.leases.all_held(), time.monotonic()
        if self._held is None or self._held - held:
            self._lost_some_at = now
        self._held = held
        return now < self._lost_some_at + 2 * self.tracking.settings.lease_lost_s

    def _lost(self, job_ids: Sequence[str]) -> list[dict[str, str]]:
        """The records of those running jobs whose lease nobody holds."""
        leases = dict(zip(job_ids, self.tracking.queries.fields(job_ids, "lease"), strict=True))
        live = self.tracking.leases.held({lease for lease in leases.values() if lease})
        records = self.tracking.queries.records([job for job, lease in leases.items() if lease and lease not in live])
        running = [record for record in records if record.get("status") == Status.RUNNING and record.get("lease")]
        live = self.tracking.leases.held({record["lease"] for record in running})  # another one may have it by now
        return [record for record in running if record["lease"] not in live]

    def settle_stopped(self, incarnation: str) -> int:
        """Settle what a worker that has stopped did not finish, likewise; returns how many.

        A cold shutdown says nothing of tasks that are acknowledged late: their messages just go back to the queue
        (celery/worker/consumer/consumer.py, cancel_active_requests). What is to run again is left to another process,
        for whom that worker is lost then: this one has no time left to send anything.
        """
        queries, before_ms, place, own = self.tracking.queries, now_ms(), _Place(), []
        while found := queries.entered_between(Status.RUNNING, place.since_ms, before_ms, place.skip, _BATCH):
            ids = [job for job, _ in found]
            own += [job for job, lease in zip(ids, queries.fields(ids, "lease"), strict=True) if lease == incarnation]
            place = place.behind(found)
        left = [
            record
            for record in queries.records(own)
            if record.get("status") == Status.RUNNING
            and record.get("lease") == incarnation
            and (record.get("acks_late") or not self.tracking.lost_executions.runs_again(record))
        ]
        return sum(self._settle(record, "WorkerShutdown", "has shut down") for record in left)

    def _settle(self, record: dict[str, str], kind: str, fate: str) -> bool:
        if not record.get("lease") or not record.get("executing"):
            return False
        ending = self._backend.ending_of(record)
        if isinstance(ending, Ending):
            return self._settle_as(record, ending)
        happened, comes_back = (
            f"{record.get('worker', 'its worker')} {fate}",
            self.tracking.lost_executions.comes_back(record),
        )
        is_unanswered = ending is Silence.NO_ANSWER
        if is_unanswered and not comes_back and not self._backend.is_given_up:
            self._await_answer(record, happened)
            return False
        change = self.tracking.lost_executions.settle(
            record,
            happened,
            kind,
            comes_back=comes_back,
            is_counted=kind == "WorkerLost",
            is_unanswered=is_unanswered,
        )
        return change is not None and change.applied

    def _await_answer(self, record: dict[str, str], happened: str) -> None:
        """Say, once, what a lost job waits for."""
        if UNANSWERED in record.get("reason", ""):
            return
        why = record.get("reason", "") if record["lease"] in RELEASED else happened
        self.tracking.store.apply(
            Event.PROGRESS,
            record["id"],
            run=int(record["run"]),
            lease=record["lease"],
            fields={"reason": and_also(why, UNANSWERED)},
        )

    def correct_unanswered(self) -> int:
        """Ask again about jobs that were taken for lost while the backend did not answer; returns how many it knows.

        What it says corrects the presumption, and parents follow.
        """
        corrected, done = 0, []
        unanswered = self.tracking.queries.unanswered(_ASKED)
        for record, _ in self.tracking.queries.load(unanswered, missing_ok=True):
            if record.get("presumed") and record.get("status") in SETTLED:
                ending = self._backend.ending_of(record)
                if ending is Silence.NO_ANSWER:
                    break
                if isinstance(ending, Ending) and ending.lost_by is None:
                    corrected += self._settle_as(record, ending)
            done.append(record["id"])
        self.tracking.store.answered(*done)
        return corrected

    def settle_finished(self) -> int:
        """Settle jobs whose end was never reported, by what Celery's result backend says of them; returns how many.

        Of their reports some were lost: the buffer of a process was full, or it ended, while the store was away. A
        round asks about some of those that have been where they are for long, the next round about the next ones.
        """
        overdue = self._overdue()
        self._left = [record for record in overdue if not self._settle_if_finished(record)]
        return len(overdue) - len(self._left)

    def settle_missing(self) -> int:
        """Send again, or take for lost, what was asked about last and whose message is nowhere; returns how many."""
        return sum(map(self._settle_missing, self._missing.look(self._left)))

    def _settle_missing(self, astray: Astray) -> bool:
        """Where the backend does not answer, the job may have ended: it stays as it is, while others are asked."""
        ending = self._backend.ending_of(astray.job.record)
        if ending is Silence.NO_ANSWER and not astray.job.is_executing and not self._backend.is_given_up:
            return False
        return settle_missing(self.tracking, astray, ending if isinstance(ending, Ending) else None)

    def _settle_if_finished(self, record: dict[str, str]) -> bool:
        ending = self._backend.ending_of(record)
        # Celery calls a running task revoked though it goes on, and a chord's body failed though we may call it.
        if isinstance(ending, Silence) or ending.event is Event.CANCELLED:
            return False
        if ending.event is Event.FAIL and self._was_before(record):
            return False
        is_parent_idle = record.get("subs") and not record.get("executing")
        if ending.event is Event.FAIL and is_parent_idle and not self._runs_again(record, ending):
            return False
        return self._settle_as(record, ending)

    def _settle_as(self, record: dict[str, str], ending: Ending) -> bool:
        if self._runs_again(record, ending):
            return self._run_again(record, ending)
        change = self.tracking.store.apply(
            ending.event,
            record["id"],
            run=int(record["run"]),
            execution=record.get("execution"),
            fields=ending.fields,
            data=ending.data,
        )
        if change.applied:
            logger.warning("Job %s is %s, as Celery's result backend says", record["id"], change.after)
            self.tracking.propagation.propagate(record["id"], change)
        return change.applied

    def _runs_again(self, record: dict[str, str], ending: Ending) -> bool:
        return ending.lost_by is not None and self.tracking.lost_executions.runs_again(record)

    def _was_before(self, record: dict[str, str]) -> bool:
        """Whether a failure is that of the job before it in its chain.

        Celery stores it for the rest of the chain too, which nobody sends then and we call cancelled
        (celery/backends/base.py, _fail_chain).
        """
        if record.get("queued") or record.get("executing"):
            return False
        return self.tracking.queries.field(record.get("sent_by", ""), "status") not in {None, Status.COMPLETED}

    def _run_again(self, record: dict[str, str], ending: Ending) -> bool:
        """Settle the loss of a process: whoever was about to report it has died too, or could not, nor the start."""
        if not record.get("executing"):
            fields = {"lease": PROCESS_GONE}
            self.tracking.store.apply(Event.START, record["id"], run=int(record["run"]), lease=NOBODY, fields=fields)
            [(record, _)] = self.tracking.queries.load([record["id"]], missing_ok=True)
        happened = f"its process was lost: {ending.lost_by}"
        change = self.tracking.lost_executions.settle(record, happened, "WorkerLostError", comes_back=False)
        return change is not None and change.applied

    def _overdue(self) -> list[dict[str, str]]:
        queries = self.tracking.queries
        found: list[str] = []
        for status in (Status.RUNNING, Status.RETRYING, Status.PENDING):
            begin = self._asked.get(status, 0)
            ids = queries.entered_before(status, self._long_ago_ms(), begin, _ASKED)
            self._asked[status] = begin + len(ids) if len(ids) == _ASKED else 0
            found += ids
        found += [job_and_run_of(task_id)[0] for task_id in self._missing.suspects]
        records = [record for record, _ in queries.load(list(dict.fromkeys(found)), missing_ok=True)]
        return [record for record in records if int(record.get("run", 0))]

    def settle_expired(self) -> int:
        """Cancel jobs that have not begun by when they expire; returns how many.

        No worker begins them any more: it discards what has expired when it gets it and when it would give it to its
        pool (celery/worker/request.py, maybe_expire), and RabbitMQ drops it. What a pool had got before may begin
        after all, or has begun and says so late: the verdict is inferred, and a start corrects it.
        """
        tracking, now = self.tracking, self.tracking.queries.server_ms()
        ids = tracking.queries.expiring(now - _EXPIRED_FOR_MS, _BATCH)
        if not ids:
            return 0
        later, settled = [], 0
        for record in tracking.queries.records(ids):
            if "status" not in record or record["status"] in SETTLED or not record.get("expires"):
                continue  # another run has no such time
            if _waits_for_more(record):
                later.append(record["id"])
                continue
            fields: dict[str, str | int] = {"reason": "it expired before it was started", "presumed": Event.LOSE}
            run = int(record["run"])
            change = tracking.store.apply(Event.CANCELLED, record["id"], run=run, lease=NOBODY, fields=fields)
            settled += change.applied
            tracking.propagation.propagate(record["id"], change)
        never = sorted(set(ids) - set(later))
        tracking.store.look_at_expiry(later, never, at_ms=now + int(tracking.settings.lease_lost_s * 1000))
        return settled

    def record_drafts(self) -> int:
        """Record the rest of large trees that are decided on, whose process may have died; returns how many trees."""
        roots, ends_at = (
            self.tracking.queries.drafts(_BATCH),
            time.monotonic() + self._unfenced.settings.reap_interval_s,
        )
        for root in roots:
            began = time.monotonic()
            while self.tracking.store.plant_next(root) and began < ends_at:
                _pause(began)
                began = time.monotonic()
        return len(roots)

    def tell_waiting(self) -> int:
        """Tell parents, and the next of chains, what a process that died left untold; returns of how many jobs."""
        queries = self.tracking.queries
        untold = queries.records(queries.untold(self._long_ago_ms(), _BATCH))
        for record in untold:
            self.tracking.propagation.catch_up(record["id"])
        return len(untold)

    def send_unconfirmed(self) -> int:
        """Send what was recorded as sent and was not, as far as is known; returns how many jobs."""
        return Outbox(self.tracking).send()

    def _long_ago_ms(self) -> int:
        return self.tracking.queries.server_ms() - int(self.tracking.settings.lease_lost_s * 1000)

    def remove_expired(self) -> int:
        """Remove settled jobs whose retention time is over, a tree together with its root; returns how many.

        A sub-job that stays with its parent goes with it, by way of the trash, and needs no second look: the next
        round goes on behind it. Where more has to go than there is time for in a round, the next one goes on too.
        """
        now = time.monotonic()
        if now > self._begun_anew_at + _ANEW_S:
            self._begun_anew_at, self._reached, self._unfinished = now, {}, {}
        ends_at = now + self.tracking.settings.reap_interval_s
        before_ms = self.tracking.queries.server_ms() - self.tracking.settings.retention_ms
        self._empty_trash(ends_at)
        removed = 0
        for part in self.tracking.queries.parts:
            removed += self._remove_expired(part, before_ms, ends_at)
        return removed

    def forget_queues(self) -> int:
        """Forget queues to which nothing was sent for as long as settled jobs stay, and that are empty; how many.

        They are asked for once an hour.
        """
        now = time.monotonic()
        if now < self._forgotten_at + _ANEW_S:
            return 0
        queries = self.tracking.queries
        before_ms = queries.server_ms() - self.tracking.settings.retention_ms
        old = {part: names for part in queries.parts if (names := queries.queues_before(part, before_ms))}
        forgotten = 0
        if old:
            asked = sorted({name for names in old.values() for name in names} - {""})
            try:
                with connected(self.tracking.app, BROKER_TIMEOUT_S, read_timeout_s=BROKER_TIMEOUT_S) as connection:
                    found = backlogs(connection, asked)
            except (BrokerUnavailableError, ResponseError) as error:
                logger.debug("Which queues are empty could not be asked: %s", error)
                return 0
            empty = {"", *(name for name, waiting in found.items() if waiting is None or not waiting.messages)}
            for part, names in old.items():
                if gone := [name for name in names if name in empty]:
                    forgotten += self.tracking.store.forget_queues(part, gone, before_ms=before_ms)
        self._forgotten_at = now
        return forgotten

    def _remove_expired(self, part: Partition, before_ms: int, ends_at: float) -> int:
        store, removed = self.tracking.store, 0
        kinds = itertools.product(sorted(SETTLED), sorted(self.tracking.queries.kinds(part)))
        reached = self._reached.setdefault(part, {})
        left = self._unfinished.pop(part, None) or [reached.get(kind) or SettledIndex(*kind) for kind in kinds]
        at_once = _INDEXES
        while left:
            began = time.monotonic()
            done = store.expire(part, left[:at_once], finished_before_ms=before_ms)
            _pause(began)
            removed += done.removed + self._remove(done.apart, "expire", before_ms).count(Outcome.APPLIED)
            if done.has_trash or done.apart:
                self._empty_trash(ends_at)
            reached |= {(index.status, index.kind): index for index in done.through if index.job_id}
            left, at_once = done.left + left[at_once:], 1 if done.left else _INDEXES
            if time.monotonic() > ends_at:
                self._unfinished[part] = left
                break
        return removed

    def _empty_trash(self, ends_at: float) -> None:
        while time.monotonic() < ends_at and (ids := self.tracking.queries.trash(_TRASHED)):
            self._remove(ids, "trash")

    def _remove(self, job_ids: Sequence[str], mode: str, before_ms: int = 0) -> list[Outcome]:
        """Remove jobs, with pauses, so that those who report meanwhile hardly notice."""
        outcomes: list[Outcome] = []
        for some in batched(job_ids, REMOVED_AT_ONCE):
            began = time.monotonic()
            outcomes += self.tracking.store.delete(*some, mode=mode, finished_before_ms=before_ms)
            _pause(began)
        return outcomes


def _pause(began: float) -> None:
    time.sleep((time.monotonic() - began) * _PAUSE)


def _waits_for_more(record: dict[str, str]) -> bool:
    """Whether a job that has expired runs, waits for others, or was replaced by a task with a time of its own."""
    ended = sum(int(record.get(f"subs_{status}") or 0) for status in SETTLED)
    is_open = int(record.get("subs") or 0) > ended
    return bool(record.get("executing") or record.get("replaced") or not record.get("queued") or is_open)


def _fate(record: dict[str, str]) -> str:
    """What has become of the worker that had a job."""
    if record.get("lease") not in RELEASED:
        return "was lost"
    return f"let it go ({record.get('reason', '').removesuffix(f'; {UNANSWERED}')})"
