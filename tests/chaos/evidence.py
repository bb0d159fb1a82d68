"""What is known of each job at the end of a run, from all witnesses: tracker, tasks, Celery, and those who asked."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from celery import Celery, states

from chaos.journal import BEGAN, KILLS, Line
from chaos.load import Act, Book
from chaos.orders import Node, Order
from chaos.stack import BEHIND_S, WORKERS, Harm, Hit, consumers_of
from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import Event, Status
from jobtracker.store.reader import JobQueries

_NOTICE_S = 4.0
"""How long after it is back a process may still think that the store is away: `redis_probe._LONGEST_PAUSE_S`, and
what a call may take."""

_TELL_S = 5.0
"""So long a process may take to tell what its task did, where Celery can't store the result."""

_AROUND_S = 1.0
"""A fault may have hit what was done so long before it or after it."""

_GO_ON_S = 1.0
"""So long after a pause a process may still be at what it was about to do before."""


@dataclass
class Case:
    """A job, and what the witnesses say of it.

    Attributes:
        id: The job.
        record: What the tracker says; empty where it knows no such job.
        data: The bulky part of it.
        order: What it belongs to; None: to none, as what a replacement sends.
        node: What was asked for, likewise.
        acts: What was asked of it later.
        lines: What its tasks did, by run.
    """

    id: str
    record: dict[str, str]
    data: dict[str, str]
    order: Order | None = None
    node: Node | None = None
    acts: list[Act] = field(default_factory=list)
    lines: dict[int, list[Line]] = field(default_factory=lambda: defaultdict(list))

    @property
    def status(self) -> str:
        """Its status; "missing" where there is no such job."""
        return self.record.get("status", "missing")

    @property
    def run(self) -> int:
        """Its current run."""
        return int(self.record.get("run") or 0)

    @property
    def type(self) -> str:
        """Its type, which is its task too."""
        return self.record.get("type", "")

    @property
    def relaunched(self) -> int:
        """How many runs the tracker itself has added, since somebody has asked for one."""
        return int(self.record.get("relaunched") or 0)

    @property
    def last(self) -> list[Line]:
        """What its task did in the current run."""
        return self.lines[self.run or 1]

    @property
    def since_asked(self) -> list[Line]:
        """What its task did in the current run, and in those before it that the tracker itself has followed by it."""
        last = self.run or 1
        return [line for run in range(last - self.relaunched, last + 1) for line in self.lines[run]]

    @property
    def delivered_since_asked(self) -> int:
        """How often it was begun since then, as its record says: a process may die before its task can write that."""
        before = self.record.get("ledger_before", "0").split()[0]
        return int(self.record.get("deliveries") or 0) - int(before)

    @property
    def error_type(self) -> str | None:
        """What its error is called."""
        error: dict[str, str] = json.loads(self.data.get("error") or "{}")
        return error.get("type")

    def begun(self, run: int) -> list[Line]:
        """The executions of a run."""
        return [line for line in self.lines[run] if line.what == BEGAN]

    def did(self, what: str) -> bool:
        """Whether its task did that in the current run."""
        return any(line.what == what for line in self.last)


class Evidence:
    """All cases of a run.

    Args:
        book: What was asked for.
        lines: What the tasks wrote down.
        queries: The tracker.
        app: An app with Celery's result backend.
        harm: What was done to the processes.
    """

    def __init__(
        self,
        book: Book,
        lines: Sequence[Line],
        queries: JobQueries,
        app: Celery,
        harm: Harm,
    ) -> None:
        self.book = book
        self.lines = lines
        self._queries = queries
        self._app = app
        self.harm = harm

    @cached_property
    def cases(self) -> dict[str, Case]:
        """Every job that anybody knows of, by id."""
        ids = [job_id for status in Status for job_id in self._queries.entered_before(status, 2**53, 0, 10**6)]
        loaded = self._queries.load(ids, missing_ok=True)
        found = {
            record.id: Case(record.id, record.as_texts() | {"id": record.id}, data)
            for record, data in loaded
            if record.exists
        }

        def case(job_id: str) -> Case:
            return found.setdefault(job_id, Case(job_id, {}, {}))

        orders = {order.name: order for order in self.book.orders}
        for each in list(found.values()):
            each.order = orders.get(each.record.get("name", ""))
        for order in self.book.orders:
            for node in order.all():
                if node.id and (order.acknowledged or node.id in found):
                    case(node.id).order, case(node.id).node = order, node
        for act in self.book.acts:
            case(act.job_id).acts.append(act)
        for line in self.lines:
            job_id, _, run = line.task_id.partition("~")
            case(job_id).lines[int(run or 1)].append(line)
        return found

    @cached_property
    def unaccepted(self) -> set[str]:
        """The values, as JSON, of jobs that somebody asked the API for and was not told that they were accepted."""
        orders = (order for order in self.book.orders if order.way != "celery" and not order.acknowledged)
        return {json.dumps(node.value) for order in orders for node in order.all()}

    @cached_property
    def subs(self) -> dict[str, list[Case]]:
        """The sub-jobs of each parent, in order."""
        parents = [case.id for case in self.cases.values() if case.record.get("subs")]
        return {
            parent: [self.cases.get(sub) or Case(sub, {}, {}) for sub in self._queries.sub_ids(parent)]
            for parent in parents
        }

    def state(self, case: Case) -> str:
        """Celery's own state of the current run."""
        return str(self._app.AsyncResult(task_id_of(case.id, case.run or 1)).state)

    def success_s(self, case: Case, run: int) -> float | None:
        """When Celery stored the success of a run, in seconds since the epoch; None where it has none."""
        kept = self._app.backend.get_task_meta(task_id_of(case.id, run))
        if kept["status"] != states.SUCCESS:
            return None
        return datetime.fromisoformat(kept["date_done"]).timestamp()

    def relaunches(self, case: Case) -> Iterator[tuple[int, float]]:
        """The runs that the tracker itself has followed by another, and when, in seconds since the epoch."""
        for entry in map(json.loads, self.history(case.id)):
            if entry["event"] == Event.RELAUNCH:
                yield entry["run"], entry["at"] / 1000

    def begun_unnoticed(self, case: Case) -> int:
        """How often it was begun again before anybody knew that its process was lost.

        The broker delivers it again then (the visibility timeout, or Celery could not acknowledge it), or Celery's
        pool gives it to another process without a signal (celery/concurrency/asynpool.py, _put_back). The history
        tells of the starts of a run from the second one on.
        """
        times, run, is_begun = 0, 0, False
        for entry in map(json.loads, self.history(case.id)):
            if entry["run"] != run:
                run = entry["run"]
                is_begun = bool(case.begun(run))
            if entry["event"] != Event.START:
                is_begun = False
            elif not entry.get("refused"):
                times += is_begun
                is_begun = True
        return times

    def has_not_completed(self, case: Case) -> bool:
        """Whether it has not completed, or had ended otherwise before that was corrected or it ran again."""
        was = [entry["was"].get("status") for entry in map(json.loads, self.history(case.id)) if "was" in entry]
        return case.status != Status.COMPLETED or Status.FAILED in was or Status.CANCELLED in was

    def history(self, job_id: str) -> list[str]:
        """What the tracker keeps of a job's course, as it stands in the store."""
        return list(self._queries.client.lrange(self._queries.keys("history", job_id), 0, -1))

    def above(self, case: Case) -> Iterator[Case]:
        """It and all its ancestors."""
        at: Case | None = case
        while at is not None:
            yield at
            at = self.cases.get(at.record.get("parent", ""))

    def before(self, case: Case) -> Case | None:
        """The job before it in its chain."""
        return self._before.get(case.id)

    @cached_property
    def _before(self) -> dict[str, Case]:
        return {case.record["next"]: case for case in self.cases.values() if case.record.get("next")}

    def may_begin(self, line: Line) -> bool:
        """Whether a process may have begun a task that it should not have: the store was away, or had let it begin
        before the process stood still."""
        paused = (pause for pause in self.harm.pauses if line.pid in pause.pids)
        return self.in_outage(line.at_s) or any(0 <= line.at_s - pause.end_s <= _GO_ON_S for pause in paused)

    def in_outage(self, at_s: float, until_s: float | None = None) -> bool:
        """Whether a process may have found the store or the broker away at a time, or at any in between two."""
        return self._away({"tracking", "broker"}, at_s, until_s)

    def backend_away(self, at_s: float, until_s: float | None = None) -> bool:
        """The same of Celery's result backend."""
        return self._away({"backend"}, at_s, until_s)

    def _away(self, roles: set[str], at_s: float, until_s: float | None) -> bool:
        return any(
            outage.begin_s <= (until_s or at_s) and at_s <= outage.end_s + _NOTICE_S
            for outage in self.harm.outages
            if outage.roles & roles
        )

    # -- what may have been lost ------------------------------------------------------------------------------------

    @cached_property
    def _hits(self) -> list[Hit]:
        """All that was done to processes, by tasks that kill them too, and by calls to kill a task."""
        found = list(self.harm.hits)
        found += [Hit(line.at_s, line.at_s, line.worker, line.pid) for line in self.lines if line.what == KILLS]
        for case in self.cases.values():
            for act in case.acts:
                if act.terminate and act.may_have_been_done:
                    jobs = {node.id for node in case.order.all()} if case.order else {case.id}
                    for line in self.lines:
                        if line.task_id.partition("~")[0] in jobs:
                            hit = Hit(act.asked_s - _AROUND_S, act.answered_s + _TELL_S, line.worker, line.pid)
                            found.append(hit)
        return found

    def was_hit(self, line: Line, until_s: float) -> bool:
        """Whether the process that wrote a line may have been stopped or killed since, or shortly before."""
        return any(
            hit.name == line.worker
            and hit.pid in {None, line.pid}
            and hit.begin_s <= until_s
            and line.at_s - _AROUND_S <= hit.end_s
            for hit in self._hits
        )

    def told_s(self, line: Line) -> float:
        """When the store has heard of a line at the latest, where it is there and its process lives."""
        return line.at_s + _TELL_S

    def may_be_lost(self, line: Line) -> bool:
        """Whether what a process had to report of a line may be lost: it was hit before the store could know."""
        until_s = self.told_s(line)
        for outage in self.harm.outages:
            if "tracking" in outage.roles and outage.begin_s <= until_s and line.at_s <= outage.end_s + _NOTICE_S:
                until_s = max(until_s, outage.end_s + 2 * _NOTICE_S)
        return self.was_hit(line, until_s)

    def message_may_be_lost(self, case: Case, since_s: float, until_s: float) -> bool:
        """Whether a job's message may have been lost, or looked lost, between two times."""
        since_s -= _AROUND_S
        if self.in_outage(since_s, until_s):
            return True
        who = consumers_of(case.record.get("queue", "")) | {"api"}
        of_a_worker = {"parent", "sent_by", "replaced", "subs", "actual_queue"}
        is_sent_by_worker = of_a_worker & set(case.record) or self.before(case)
        if is_sent_by_worker or not case.order:
            who |= {kind.name for kind in WORKERS}
            if self.backend_away(since_s, until_s):  # Celery counts the sub-jobs there
                return True
        return any(hit.name in who and hit.begin_s <= until_s and since_s <= hit.end_s for hit in self._hits)

    def asked_again(self, case: Case, until_s: float) -> bool:
        """Whether somebody may have asked until then that it, or what it belongs to, is run again."""
        jobs = {each.id for each in self.above(case)}
        if case.order:
            jobs |= {str(node.id) for node in case.order.all()}
        acts = (act for job_id in jobs if job_id in self.cases for act in self.cases[job_id].acts)
        return any(
            act.asked_s <= until_s
            and act.may_have_been_done
            and (act.verb == "retry" or (act.verb == "start" and act.status is None))
            for act in acts
        )

    # -- clocks -----------------------------------------------------------------------------------------------------

    def times(self, noted_s: float) -> tuple[float, ...]:
        """What time it may have been when somebody noted one: a worker's clock may have been behind then."""
        true_s = noted_s + BEHIND_S
        if not any(w.begin_s <= true_s <= w.end_s + _AROUND_S for w in self.harm.wrong_clocks):
            return (noted_s,)
        return (true_s,) if noted_s < self.harm.began_s - _AROUND_S else (noted_s, true_s)

    def had_wrong_clock(self, line: Line) -> bool:
        """Whether the worker that wrote a line had a clock that was behind."""
        return any(w.name == line.worker and w.begin_s <= line.at_s <= w.end_s for w in self.harm.wrong_clocks)

    def clock_was_wrong(self, since_s: float, until_s: float) -> bool:
        """Whether any worker's clock was behind at any time in between."""
        return any(w.begin_s <= until_s and since_s <= w.end_s + _AROUND_S for w in self.harm.wrong_clocks)

    @cached_property
    def dropped(self) -> int:
        """How many reports were given up, as the tracker counts."""
        return self._queries.dropped()
