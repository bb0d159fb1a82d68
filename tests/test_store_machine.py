"""Any course that jobs and trees can take: late, twice and out of order, with deletes and expiry in between."""

import uuid
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from recount import keys_of, recount
from sample_jobs import START_MS, new_job
from time_series import Settled, expected_series, stored_series

from jobtracker.keys import Keys
from jobtracker.lifecycle import SETTLED, Event, FailurePolicy, Outcome, Priority, Status
from jobtracker.queries import JobQueries
from jobtracker.store import Change, JobStore, NewJob, Verdict

IDS = ("a", "b", "c", "d", "e", "f", "g")
"""Of two jobs the one that comes first may be the parent, so that no tree bites its tail."""

REPORTS = sorted(set(Event) - {Event.SUBS_FAILED, Event.SUBS_CANCELLED, Event.REOPEN})
"""What comes from outside; the rest is what a parent makes of its sub-jobs."""

jobs = st.sampled_from(IDS)
ticks = st.sampled_from([0, 1, 700, 59_999, 60_000, 3_600_000, 90_000_000])

Records = dict[str, dict[str, str]]


class JobMachine(RuleBasedStateMachine):
    """Drives the store as hooks, launcher and reaper do, but in any order."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self.keys = Keys(namespace=f"test-machine-{uuid.uuid4().hex}")
        self.store = JobStore(client, self.keys)
        self.queries = JobQueries(client, self.keys)
        self.records: Records = {}
        self.buried: set[str] = set()
        self.created: list[int] = []
        self.settled: list[Settled] = []
        self.tellings: list[tuple[str, str, int, Status]] = []

    # -- what happens ------------------------------------------------------------------------------------------------

    @rule(
        job=jobs,
        priority=st.sampled_from(Priority),
        policy=st.sampled_from([*FailurePolicy, None]),
        job_type=st.sampled_from(["custom", "a:b"]),
        sent=st.booleans(),
        tick=ticks,
    )
    def create(self, job, priority, policy, job_type, sent, tick):
        if job in self.queries.trash(100):
            return  # ids are given once; these here are few
        fields = {"run": 1, "queued": START_MS} if sent else {}
        if policy:
            fields["policy"] = policy
        outcome = self._create(job, tick, type=job_type, priority=priority, **fields)
        assert outcome is (
            Outcome.DELETED if job in self.buried else Outcome.DUPLICATE if job in self.records else Outcome.APPLIED
        )
        self.look()

    @rule(pair=st.tuples(jobs, jobs).filter(lambda pair: pair[0] < pair[1]), own=st.booleans(), tick=ticks)
    def attach(self, pair, own, tick):
        parent, sub = pair
        known = self.records.get(sub)
        if parent not in self.records or sub in self.buried or sub in self.queries.trash(100):
            return
        if known and known.get("parent") != parent:
            return
        self._create(sub, tick, parent=parent, run=1, queued=START_MS)
        self.store.create(NewJob(id=parent, fields={}, subs={IDS.index(sub): sub}))
        if own:
            self.store.edit(parent, fields={"body": "own"})
        self.look()

    @rule(
        job=jobs,
        event=st.sampled_from(REPORTS),
        runs_ago=st.sampled_from([None, 0, 0, 0, 1]),
        attempts_ago=st.sampled_from([None, 0, 0, -1, 1]),
        tick=ticks,
    )
    def report(self, job, event, runs_ago, attempts_ago, tick):
        record = self.records.get(job, {})
        run = None if runs_ago is None else max(int(record.get("run", 0)) - runs_ago, 0)
        attempt = None if attempts_ago is None else max(int(record.get("attempt", 0)) - attempts_ago, 0)
        if event is Event.RERUN:
            run = attempt = None
        change = self.store.apply(event, job, run=run, attempt=attempt, at_ms=START_MS + tick)
        self._check(job, record, change, run)
        self.look(event, job)
        if change.applied and change.parent and change.after:
            self.tellings.append((change.parent, job, change.run, change.after))
            if event is Event.START:
                self.store.apply(Event.SUB_START, change.parent)
                self.look()

    @precondition(lambda self: self.tellings)
    @rule(data=st.data())
    def tell(self, data):
        telling = data.draw(st.sampled_from(self.tellings), label="telling")
        self._tell(*telling)

    @rule(job=jobs, priority=st.sampled_from(Priority))
    def edit(self, job, priority):
        self.store.edit(job, fields={"priority": priority})
        self.look()

    @rule(job=jobs, mode=st.sampled_from(["delete", "expire"]))
    def delete(self, job, mode):
        record = self.records.get(job)
        outcome = self.store.delete(job, mode=mode, finished_before_ms=2**53)[0]
        if record is None:
            assert outcome is Outcome.MISSING
        elif outcome is Outcome.APPLIED:
            assert record["status"] in SETTLED or (mode == "delete" and record["run"] == "0")
            assert record.get("parent") not in self.records
            self.buried |= {job} if mode == "delete" else set()
        self.look(deleted={job})

    @rule()
    def empty_trash(self):
        while ids := self.queries.trash(2):
            outcomes = self.store.delete(*ids, mode="trash")
            self.buried |= {job for job, done in zip(ids, outcomes, strict=True) if done is Outcome.APPLIED}
            self.look(deleted=set(ids))

    # -- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_differs_from_a_recount(self):
        assert recount(self.client, self.keys) == []

    def teardown(self):
        try:
            self._tell_everything()
            before = self.records
            assert self._tell_everything() == {"waiting"}
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
        rerun = event is Event.RERUN
        if was_settled and "presumed" not in was and not rerun:
            assert record["status"] == was["status"], "a settled job moved"
        assert int(record["run"]) >= int(was["run"]) or event is Event.UNENQUEUE
        if record["run"] == was["run"]:
            assert int(record.get("attempt", 0)) >= int(was.get("attempt", 0))
        assert int(record.get("deliveries", 0)) >= int(was.get("deliveries", 0))
        verdict = ("status", "finished", "presumed")
        if [was.get(name) for name in verdict] != [record.get(name) for name in verdict]:
            if was_settled and not rerun:
                self.settled.remove(Settled.of(was))
            if is_settled:
                self.settled.append(Settled.of(record))

    def _check(self, job: str, record: dict[str, str], change: Change, run: int | None) -> None:
        if job in self.buried:
            assert change.outcome is Outcome.DELETED
        elif not record:
            assert change.outcome is Outcome.MISSING
        else:
            assert change.before == record["status"]
            if run is not None and run < int(record["run"]):
                assert change.outcome is Outcome.STALE
            if not change.applied:
                assert self._read()[job] == record, "what was not applied changed something"
                assert change.after == change.before

    def _check_parent(self, parent: str, record: dict[str, str]) -> None:
        subs = self.queries.sub_ids(parent)
        told = self.client.hgetall(self.keys("outcomes", parent))
        statuses = {sub: self.records[sub]["status"] for sub in subs}
        assert {sub: outcome.partition(":")[2] for sub, outcome in told.items()} == statuses
        is_open = any(status not in SETTLED for status in statuses.values())
        unhappy = bool({Status.FAILED, Status.CANCELLED} & set(statuses.values()))
        if record.get("presumed") == Event.SUBS_FAILED:
            assert unhappy
        if record.get("presumed") in {Event.SUBS_FAILED, Event.SUBS_CANCELLED}:
            assert not is_open
        if record["status"] in SETTLED or "executing" in record or is_open:
            return
        # What is not settled waits for its own task: Celery's chord calls that, or we have.
        assert "cancel" not in record
        called = record.get("body") == "sent"
        if unhappy:
            assert called
            assert record.get("policy") == FailurePolicy.CONTINUE
            assert record["run"] != "0"
        elif record.get("body") == "own":
            assert record["run"] == "0"

    # -- means -------------------------------------------------------------------------------------------------------

    def _create(self, job: str, tick: int, **fields: Any) -> Outcome:
        outcome = self.store.create(new_job(job, **fields), at_ms=START_MS + tick)[0]
        if outcome is Outcome.APPLIED:
            self.created.append(START_MS + tick)
        return outcome

    def _read(self) -> Records:
        start = self.keys("job", "")
        return {
            key.removeprefix(start): self.client.hgetall(key)
            for key in keys_of(self.client, self.keys)
            if key.startswith(start)
        }

    def _tell(self, parent: str, sub: str, run: int, status: Status) -> str:
        """Tell a parent, and carry on what it makes of that."""
        verdict: Verdict = self.store.settle(parent, sub, run, status, "{}")
        self.look()
        if verdict.verdict == "due":
            assert self.records[parent].get("executing") is None
            self.store.edit(parent, fields={"body": "sent"})
        elif verdict.verdict == "halt":
            for each in self.queries.sub_ids(parent):
                self.store.apply(Event.CANCEL, each, at_ms=START_MS)
        elif verdict.verdict == "settled" and verdict.status:
            if verdict.grandparent:
                self.tellings.append((verdict.grandparent, parent, verdict.run, verdict.status))
            if verdict.status not in SETTLED:
                self.tellings.append((parent, sub, run, status))  # its task may be due now
        self.look()
        return verdict.verdict

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
            if round_ <= {"waiting"}:
                return verdicts or {"waiting"}
        raise AssertionError(f"the parents don't come to rest: {verdicts}")


def test_whatever_happens_counters_match_settled_jobs_stay_so_and_parents_follow(client):
    run_state_machine_as_test(
        lambda: JobMachine(client), settings=settings(max_examples=50, stateful_step_count=40, deadline=None)
    )
