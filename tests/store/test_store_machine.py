"""Any course that jobs and trees can take: late, twice and out of order, with deletes and expiry in between."""

import random
import uuid
from typing import Any

import pytest
from hypothesis import Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.job_laws import OUTSIDE, check_change, is_confirmed, likely
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, new_job
from support.time_series import Settled, expected_series, stored_series

from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import REPORTED, SETTLED, Event, FailurePolicy, Outcome, Priority, Status
from jobtracker.errors import UniqueKeyTakenError
from jobtracker.store.changes import Change, NewJob, News, Verdict
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries, as_notified
from jobtracker.store.records import fetch
from jobtracker.store.writer import JobStore

pytestmark = [pytest.mark.long, pytest.mark.thorough]

IDS = ("a", "b", "c", "d", "e")
"""A job's parent comes before it, so that no tree bites its tail."""

OF_A_RUN = {Event.LOSE, Event.QUARANTINE, Event.RELAUNCH, Event.UNENQUEUE}

PHASES = set(Phase) - {Phase.explain}
"""To explain a failure hypothesis traces every line, which takes minutes here."""

TICKS = (0, 1, 700, 59_999, 60_000, 3_600_000, 90_000_000)
kinds = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["custom", "a:b"]),
        "priority": st.sampled_from(Priority),
        "policy": st.sampled_from(FailurePolicy),
        "run": st.sampled_from([1, 1, 0]),
    },
    optional={
        "callback_mode": st.just("own"),
        "unique": st.sampled_from(
            ["x pending,running,retrying 0", "x pending,running,retrying 0", "y pending 0", "y pending,completed 0"]
        ),
    },
)
forests = st.tuples(*(st.sampled_from([None, *IDS[:n], *IDS[:n]]) for n in range(len(IDS))))

REPORTED = REPORTED | {Event.LOSE, Event.REQUEUE, Event.REPLACE}
"""What an execution reports of itself; two of them others presume too."""

Records = dict[str, dict[str, str]]


class JobMachine(RuleBasedStateMachine):
    """Drives the store as workers, people and maintenance do, but in any order."""

    def __init__(self, client: Any, partitions: int) -> None:
        super().__init__()
        self.client = client
        self.keys = Keys(f"test-machine-{uuid.uuid4().hex}", partitions)
        self.store = JobStore(client, self.keys)
        self.queries = JobQueries(client, self.keys)
        self.records: Records = {}
        self.buried: set[str] = set()
        self.created: list[int] = []
        self.settled: list[Settled] = []
        self.executions: dict[str, dict[str, int]] = {job: {} for job in IDS}
        self.tellings: list[tuple[str, str, int, Status]] = []

    # -- what happens ------------------------------------------------------------------------------------------------

    @initialize(forest=forests, kinds=st.tuples(*[kinds] * len(IDS)))
    def plant(self, forest, kinds):
        for job, parent, kind in zip(IDS, forest, kinds, strict=True):
            self._create(job, parent, kind)

    @precondition(lambda self: self.records)
    @rule(seed=st.integers(0, 2**32), events=st.integers(10, 20))
    def work(self, seed, events):
        """Workers and people go on with some jobs; now and then with what nobody expected, or from a while ago."""
        dice = random.Random(seed)
        for _ in range(events):
            open_jobs = [job for job, record in self.records.items() if record["status"] != Status.COMPLETED]
            job = dice.choice(open_jobs if open_jobs and dice.random() < 0.9 else sorted(self.records))
            record = self.records[job]
            event = dice.choice(likely(record) if dice.random() < 0.95 else OUTSIDE)
            run, attempt = int(record["run"]), int(record.get("attempt", 0))
            if event is Event.START and record["status"] == Status.RETRYING:
                attempt += 1
            elif dice.random() < 0.1:
                run, attempt = dice.choice([(run - 1, attempt), (run, attempt - 1)])
            known = event in REPORTED | OF_A_RUN  # so do its worker, who sends it, and who takes it for lost
            tick = dice.choice(TICKS)
            note(f"{job}: {event} of run {run}, attempt {attempt}, at {tick}")
            execution = None
            if event in REPORTED:
                execution, run = self._execution(dice, job, event, tick, max(run, 0))
            self._apply(
                job,
                event,
                tick,
                max(run, 0) if known else None,
                max(attempt, 0) if known else None,
                execution,
                tells=dice.random() < 0.5,
            )
            for _ in range(dice.choice([0, 0, 0, 1, 1])):
                self._tell_some(dice)

    @rule(
        what=st.sampled_from(["create", "edit", "retry", "retry", "delete", "expire", "empty trash", "report late"]),
        job=st.sampled_from(IDS),
        parent=st.sampled_from([None, *IDS]),
        kind=kinds,
        event=st.sampled_from(OUTSIDE),
    )
    def administer(self, what, job, parent, kind, event):
        if what == "create":
            self._create(job, parent, kind)
        elif what == "edit":
            self.store.update(job, fields={"priority": kind["priority"]})
            self.look()
        elif what == "retry":
            self._retry(job)
        elif what == "empty trash":
            self._empty_trash()
        elif what == "report late" and job in self.buried:
            self._apply(job, event, 0, 1, 0)
        elif what in {"delete", "expire"}:
            self._delete(self._root(job), what)

    # -- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_differs_from_a_recount(self):
        assert recount(self.client, self.keys) == []

    @invariant()
    def every_delivery_is_known(self):
        for job, record in self.records.items():
            others = self.client.hkeys(self.keys("executions", job))
            assert len({*others, record.get("execution")} - {None}) == int(record.get("deliveries", 0))

    def teardown(self):
        try:
            self._tell_everything()
            before = self.records
            assert self._tell_everything() <= {"waiting", "missing"}
            assert self.records == before
            for parent, record in self.records.items():
                if int(record.get("subs", 0)):
                    self._check_parent(parent, record)
            assert recount(self.client, self.keys) == []
            assert stored_series(self.client, self.keys) == expected_series(self.created, self.settled)
        finally:
            if leftover := keys_of(self.client, self.keys):
                self.client.delete(*leftover)

    def look(self, event: Event | None = None, job: str | None = None, deleted: set[str] | None = None) -> None:
        """Compare all records with what they were before this step."""
        before, self.records = self.records, self._read()
        assert before.keys() - self.records.keys() <= (deleted or set())
        for each, record in self.records.items():
            was = before.get(each)
            if was is not None and was != record:
                self._compare(was, record, event if each == job else None)
            elif was is None and record["status"] in SETTLED:
                self.settled.append(Settled.of(record))

    def _compare(self, was: dict[str, str], record: dict[str, str], event: Event | None) -> None:
        was_settled, is_settled = was["status"] in SETTLED, record["status"] in SETTLED
        rerun = event in {Event.RERUN, Event.AWAIT, Event.SEND_AGAIN}
        is_late_end = (
            event in {Event.COMPLETE, Event.FAIL}
            and was["status"] == Status.CANCELLED
            and was.get("cancel") == was["finished"] > record.get("finished", was["finished"])
        )
        rerun = rerun or is_late_end
        if was_settled and "inferred" not in was and not rerun:
            assert record["status"] == was["status"], "a settled job moved"
        assert int(record["run"]) >= int(was["run"]) or event is Event.UNENQUEUE
        if record["run"] == was["run"]:
            assert int(record.get("attempt", 0)) >= int(was.get("attempt", 0))
        assert int(record.get("deliveries", 0)) >= int(was.get("deliveries", 0))
        verdict = ("status", "finished", "inferred", "began", "deliveries", "ledger")
        if [was.get(name) for name in verdict] != [record.get(name) for name in verdict]:
            if was_settled and (is_late_end or not rerun):
                self.settled.remove(Settled.of(was))
            if is_settled:
                self.settled.append(Settled.of(record))

    def _execution(self, dice: random.Random, job: str, event: Event, tick: int, run: int) -> tuple[str | None, int]:
        """Which execution reports, and in which run it is: as a rule a new one begins, and that which runs ends."""
        known, running = self.executions[job], self.records[job].get("execution")
        chance = dice.random()
        if event is not Event.START and chance < 0.1:
            return dice.choice([None, "w1", "w2"]), run  # a main process, say, knows its worker only
        if event is not Event.START and running and chance < 0.7:
            return running, known[running]
        if known and chance < (0.1 if event is Event.START else 0.95):
            return dice.choice(sorted(known.items()))
        execution = f"{START_MS + tick}-w{dice.choice('12')}-{len(known)}"
        known[execution] = run
        return execution, run

    def _apply(
        self,
        job: str,
        event: Event,
        tick: int,
        run: int | None,
        attempt: int | None,
        execution: str | None = None,
        *,
        tells: bool = False,
    ) -> Change:
        """Apply an event; where it tells the parent with the same call, carry on what that makes of it."""
        record, before = self.records.get(job), self.records
        fields = {"callback_mode": "own"} if event is Event.RELAUNCH and record and record.get("subs") else None
        note(f"{job}: by {execution}")
        given = {"run": run, "attempt": attempt, "execution": execution, "fields": fields, "at_ms": START_MS + tick}
        if tells:
            change = self.store.report(self.store.call_of(event, job, **given))
        else:
            change = self.store.apply(event, job, **given)
        self.look(event, job)
        if record is None:
            assert change.outcome is (Outcome.DELETED if job in self.buried else Outcome.MISSING)
            return change
        assert change.before == record["status"]
        now = self.records[job]
        if not change.applied:
            confirmed = {"inferred"} if is_confirmed(record, now, change) else set()
            assert _verdict(now, confirmed) == _verdict(record, confirmed), "what was not applied changed something"
        meant = execution if execution and "-" in execution else now.get("execution")
        check_change(record, now, event, change, (run, attempt), meant)
        if change.applied and event in {Event.ENQUEUE, Event.RERUN, Event.RELAUNCH}:
            assert self._is_unconfirmed(job) or change.after is Status.CANCELLED
        if change.applied and change.parent and change.after:
            self.tellings.append((change.parent, job, change.run, change.after))
            if event in {Event.START, Event.SUB_START}:
                self._apply(change.parent, Event.SUB_START, tick, None, None)
            if change.verdict:
                news = News(change.parent, job, change.run, change.after)
                self._act_on(change.verdict, news, before.get(change.parent, {}))
        return change

    def _check_parent(self, parent: str, record: dict[str, str]) -> None:
        subs = self.queries.sub_ids(parent)
        told = self.client.hgetall(self.keys("outcomes", parent))
        statuses = {sub: self.records[sub]["status"] for sub in subs}
        assert {sub: outcome.partition(":")[2] for sub, outcome in told.items()} == statuses
        is_open = any(status not in SETTLED for status in statuses.values())
        unhappy = bool({Status.FAILED, Status.CANCELLED} & set(statuses.values()))
        if record.get("inferred") == Event.SUBS_FAILED:
            assert unhappy
        if record.get("inferred") in {Event.SUBS_FAILED, Event.SUBS_CANCELLED}:
            assert not is_open
        if record["status"] in SETTLED or "executing" in record or is_open:
            return
        # What is not settled waits for its own task: Celery's chord calls that, or we have.
        assert "cancel" not in record
        called = record.get("callback_mode") == "called"
        if unhappy:
            assert called
            assert record.get("policy") == FailurePolicy.CONTINUE
            assert record["run"] != "0"
        elif record.get("callback_mode") == "own":
            assert record["run"] == "0"

    # -- means -------------------------------------------------------------------------------------------------------

    def _retry(self, root: str) -> None:
        """As a retry does: the job and what did not complete below it, then the parents are told one by one."""
        changes = {}
        for job in self.queries.families(root):
            if self.records.get(job, {}).get("status") in {Status.FAILED, Status.CANCELLED}:
                changes[job] = self._apply(job, Event.RERUN, 0, None, None)
        for job, change in changes.items():
            if change.applied and change.parent:
                self._tell(change.parent, job, change.run, Status.PENDING)

    def _holders(self, job, unique):
        """The jobs that have the lock of a unique key."""
        for each, record in self.records.items():
            digest, statuses, _ = record.get("unique", "- - -").split()
            together = self.keys.are_together(job, each)  # else it has another lock: these ids do not name the key
            if together and unique and digest == unique.split()[0] and record["status"] in statuses.split(","):
                yield each

    def _create(self, job, parent, kind):
        known = self.records.get(job, {"parent": parent} if parent else {})
        if known.get("parent") != parent or (parent and (parent >= job or parent not in self.records)):
            return  # one parent a job, and that there before
        if job in self.queries.trash(100) or (parent and job in self.buried):
            return  # ids are given once; these here are few
        fields = kind | ({"parent": parent} if parent else {}) | ({"queued": START_MS} if kind["run"] else {})
        holders = [*self._holders(job, kind.get("unique"))]
        if holders and job not in self.records and job not in self.buried:
            with pytest.raises(UniqueKeyTakenError) as raised:
                self.store.create(new_job(job, **fields), at_ms=START_MS)
            assert [raised.value.job_id] == holders
            self.look()
            return
        outcome = self.store.create(new_job(job, **fields), at_ms=START_MS)[0]
        expected = Outcome.DUPLICATE if job in self.records else Outcome.APPLIED
        assert outcome is (Outcome.DELETED if job in self.buried else expected)
        if outcome is Outcome.APPLIED:
            self.created.append(START_MS)
        if parent:
            self.store.create(NewJob(id=parent, fields={}, subs={IDS.index(job): job}))
        self.look()

    def _delete(self, job, mode):
        record = self.records.get(job)
        outcome = self.store.delete(job, mode=mode, finished_before_ms=2**53)[0]
        if record is None:
            assert outcome is Outcome.MISSING
        elif outcome is Outcome.APPLIED:
            assert record["status"] in SETTLED or (mode == "delete" and record["run"] == "0")
            assert record.get("parent") not in self.records
            self.buried |= {job} if mode == "delete" else set()
        self.look(deleted={job})

    def _empty_trash(self):
        for _ in IDS:
            ids = self.queries.trash(2)
            outcomes = self.store.delete(*ids, mode="trash")
            self.buried |= {job for job, done in zip(ids, outcomes, strict=True) if done is Outcome.APPLIED}
            self.look(deleted=set(ids))
        assert self.queries.trash(2) == []

    def _is_unconfirmed(self, job: str) -> bool:
        return bool(self.queries.are_unconfirmed([task_id_of(job, int(self.records[job]["run"]))]))

    def _root(self, job: str) -> str:
        while self.records.get(job, {}).get("parent") in self.records:
            job = self.records[job]["parent"]
        return job

    def _read(self) -> Records:
        found = fetch(self.client, self.keys, IDS)
        return {record.id: record.as_texts() for record in found if record.exists}

    def _tell_some(self, dice: random.Random) -> None:
        """Tell a parent what was just heard or, as often, something from a while ago."""
        if self.tellings:
            self._tell(*dice.choice([self.tellings[-1], dice.choice(self.tellings)]))

    def _tell(self, parent: str, sub: str, run: int, status: Status) -> str:
        """Tell a parent, and carry on what it makes of that."""
        was = self.records.get(parent, {})
        verdict = self.store.notify_parent(parent, sub, run, status)
        self.look()
        self._act_on(verdict, News(parent, sub, run, status), was)
        return verdict.verdict

    def _act_on(self, verdict: Verdict, news: News, was: dict[str, str]) -> None:
        """Carry on what a parent makes of a sub-job; `was` is its record before it was told."""
        parent, sub, run, status = news
        if sub in self.records and verdict.verdict != "missing":
            told = self.client.hget(self.keys("outcomes", parent), sub)
            assert as_notified(told) == f"{self.records[sub]['run']}:{self.records[sub]['status']}"
        if verdict.verdict == "due":
            assert "executing" not in was
            assert was["status"] not in SETTLED
            assert was.get("callback_mode") != "called"
            assert int(was["run"]) > 0
            assert self._is_unconfirmed(parent)
        elif verdict.verdict == "halt":
            assert self.records[sub]["status"] in {Status.FAILED, Status.CANCELLED}
            assert "halted" not in was
            for each in self.queries.sub_ids(parent):
                self._apply(each, Event.CANCEL, 0, None, None)
        elif verdict.verdict == "settled" and verdict.status:
            if verdict.grandparent:
                self.tellings.append((verdict.grandparent, parent, verdict.run, verdict.status))
            if verdict.status not in SETTLED:
                self.tellings.append((parent, sub, run, status))  # its task may be due now
        self.look()

    def _tell_everything(self) -> set[str]:
        """Tell every parent of every sub-job, from the leaves up, until nothing new follows; returns the verdicts."""
        verdicts: set[str] = set()
        for _ in range(3 * len(IDS)):
            round_ = {
                self._tell(record["parent"], job, int(record["run"]), Status(record["status"]))
                for job, record in sorted(self.records.items(), reverse=True)
                if record.get("parent") in self.records
            }
            verdicts |= round_
            if round_ <= {"waiting", "missing"}:  # missing: a parent that came back without its sub-jobs
                return verdicts or {"waiting"}
        raise AssertionError(f"the parents don't come to rest: {verdicts}")


def _verdict(record: dict[str, str], without: set[str]) -> dict[str, str]:
    return {name: value for name, value in record.items() if name not in {"deliveries", "ledger"} | without}


@pytest.mark.timeout(300)
def test_whatever_happens_counters_match_settled_jobs_stay_so_and_parents_follow(client, partitions):
    run_state_machine_as_test(
        lambda: JobMachine(client, partitions), settings=settings(stateful_step_count=20, phases=PHASES)
    )
