"""Compares each job with what its tasks wrote down, and says what can't be true.

What is legal:

* nothing is known of a job of which nobody was told, where those who sent it and ran it while the store was away were
  killed with their reports;
* a job whose task returned is completed where Celery's result backend knows of it; where the worker was killed
  between the return and that, nobody can tell, and it counts as lost;
* a failed one raised, killed its process, or was lost with its worker or its message. A parent fails by its sub-jobs.
  The first end of a run that somebody has seen counts: one that comes back and succeeds changes nothing, unless the
  first one was only lost;
* one that is to run again where it is lost has not failed by being lost with its worker, unless the rest of its chain
  waits for it; one that can be sent again has not failed by its message being lost;
* a cancelled one was cancelled, or one above it was, or one before it in its chain did not complete, or one beside it
  (fail_fast), even where that was corrected later. From then on it does not begin: but for a process that found the
  store away when it asked, or had asked before it stood still;
* of a job that was run again no earlier run begins; where the tracker did it by itself, Celery had no result;
* a job has been delivered at least as often as its task has begun, but for the times when the store was away;
* a task that kills its processes is not executed again when it has killed as many as its type bears, in one run or in
  several, until somebody asks for it; it is in quarantine then, and no other job is. Not counted is one that was lost
  by a worker which has not noticed that, while the broker delivered it again (the visibility timeout), nor one that
  was lost while the store was away.
"""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chaos.evidence import Case, Evidence
from chaos.journal import ASKED_TO_RETRY, BEGAN, KILLS, RAISED, RETURNED
from chaos.tasks import RUN_AGAIN
from jobtracker.declarations import DEFAULT
from jobtracker.lifecycle import SETTLED, FailurePolicy, Status
from jobtracker.settlement import MOST_RELAUNCHES

_CLOCK_S = 0.005
"""Records have whole milliseconds."""

_LOOK_S = 0.5
"""May lie between a look at Celery's result backend and what follows from it."""


class Finding(NamedTuple):
    """Something that must not be."""

    kind: str
    """wrong | stuck | lost | counters off"""
    job_id: str
    text: str


def judge(evidence: Evidence) -> list[Finding]:
    """All that is not as it must be with any of the jobs."""
    return [Finding(kind, case.id, text) for case in evidence.cases.values() for kind, text in _of(case, evidence)]


def _of(case: Case, evidence: Evidence) -> Iterator[tuple[str, str]]:
    if not case.record:
        if case.order and case.order.acknowledged:
            yield "lost", "it was accepted, and there is no such job"
        elif not all(evidence.in_outage(line.at_s) for lines in case.lines.values() for line in lines):
            yield "lost", "its task ran, and there is no such job"
        return
    for sub in evidence.subs.get(case.id, []):
        if not sub.record:
            yield "lost", f"its sub-job {sub.id} is not there"
    if case.status not in SETTLED:
        if not is_only_created(case):
            yield "stuck", f"it is {case.status}, run {case.run}: {case.record.get('reason')}"
        return
    for rule in (_RULES[Status(case.status)], _answers, _executions):
        yield from (("wrong", text) for text in rule(case, evidence))


def is_only_created(case: Case) -> bool:
    """Nobody was told that it was started: whoever asked may have had no answer, and not know that it is there."""
    return case.run == 0 and case.status == Status.PENDING and not (case.order and case.order.acknowledged)


# -- verdicts -------------------------------------------------------------------------------------------------------


def _completed(case: Case, evidence: Evidence) -> Iterator[str]:
    if not case.did(RETURNED):
        yield "it is completed, and its task has not returned"
    elif (state := evidence.state(case)) != "SUCCESS":
        yield f"it is completed, and Celery says {state}"
    policy = case.record.get("policy") or FailurePolicy.FAIL
    subs = evidence.subs.get(case.id, [])
    if policy != FailurePolicy.CONTINUE:
        for sub in subs:
            if sub.status != Status.COMPLETED:
                yield f"it is completed, and its sub-job {sub.id} is {sub.status}"
    if case.node and (wrong := _result(case, subs, may_miss=policy == FailurePolicy.CONTINUE)):
        yield wrong


def _result(case: Case, subs: list[Case], *, may_miss: bool) -> str | None:
    """What is wrong with its result."""
    stored = json.loads(case.data["result"]) if "result" in case.data else None
    returned = [line.detail for line in case.last if line.what == RETURNED]
    if stored not in returned:
        return f"its result is {stored}, and its task returned {returned}"
    if not case.node or not case.node.subs:  # a replacement may have sub-jobs all the same
        expected = case.node.value if case.node else None
        value = stored[1] if case.type == "join" and stored else stored
        return None if value == expected else f"its result is {stored}, not {expected}"
    if not isinstance(stored, list) or len(stored) != len(subs):
        return f"its result is {stored}, and it has {len(subs)} sub-jobs"
    for position, (sub, value) in enumerate(zip(subs, stored, strict=True)):
        kept = json.loads(sub.data["result"]) if "result" in sub.data else None
        if value != kept and not (may_miss and value is None):
            return f"result {position} is {value}, and that of sub-job {sub.id} is {kept}"
        if sub.node and not sub.node.subs and value not in {sub.node.value, None}:
            return f"result {position} is {value}, not {sub.node.value}"
    return None


def _failed(case: Case, evidence: Evidence) -> Iterator[str]:
    began = [line.at_s for line in case.begun(case.run)]
    ran_again = not was_lost(case) and began and began[-1] > _finished_s(case)
    if (state := evidence.state(case)) == "SUCCESS" and not ran_again:
        yield f"it is failed ({case.record.get('reason')}), and Celery says {state}"
    yield from _lost(case, evidence)
    subs = evidence.subs.get(case.id, [])
    by_subs = case.record.get("presumed") == "subs_failed"
    if by_subs and all(sub.status == Status.COMPLETED for sub in subs):
        yield "it is failed by its sub-jobs, and all of them are completed"
    # Celery may fail in its task's place, with a retry that could not be sent, say, and be unable to store that.
    by_celery = state == "FAILURE" or (case.did(ASKED_TO_RETRY) and evidence.in_outage(_finished_s(case)))
    if not (by_subs or subs or by_celery or was_lost(case) or any(map(case.did, (RAISED, KILLS, RETURNED)))):
        yield f"it is failed ({case.record.get('reason')}), and its task has not raised"


def was_lost(case: Case) -> bool:
    """Its verdict says that it was lost, not what its task did."""
    if case.record.get("presumed") in {"lose", "quarantine"}:
        return True
    return case.error_type in {*_WITH_WORKER, "ChordError", "Terminated", "MessageLost"}


_WITH_WORKER = {"WorkerLostError", "WorkerLost", "WorkerShutdown"}


def _lost(case: Case, evidence: Evidence) -> Iterator[str]:
    """What is wrong with its being lost."""
    reason, next_id = case.record.get("reason"), case.record.get("next")
    if case.error_type in _WITH_WORKER and case.type in RUN_AGAIN and not next_id:
        yield f"it is failed ({reason}), and is to run again then"
    if case.error_type == "MessageLost":
        chords = (each for each in evidence.above(case) if each.record.get("subs"))
        by_celery = any(each.record.get("origin") != "api" for each in chords)
        can_be_sent = not (next_id or by_celery or evidence.before(case) or case.record.get("replaced"))
        if can_be_sent and case.relaunched < MOST_RELAUNCHES:
            yield f"it is failed ({reason}), and can be sent again"
    if case.error_type == "JobQuarantinedError":
        begun = [line for line in case.since_asked if line.what == BEGAN]
        if max(len(begun), case.delivered_since_asked) < DEFAULT.max_deliveries:
            yield f"it is failed ({reason}), and its task has begun {len(begun)} times"


def _cancelled(case: Case, evidence: Evidence) -> Iterator[str]:
    if evidence.state(case) == "SUCCESS" and not evidence.in_outage(_finished_s(case)):
        yield f"it is cancelled ({case.record.get('reason')}), and Celery says SUCCESS"
    if not _has_cause(case, evidence):
        yield f"it is cancelled ({case.record.get('reason')}), and nobody has cancelled it"
    for line in case.begun(case.run):
        if line.at_s > _finished_s(case) + _CLOCK_S and not evidence.may_begin(line):
            yield f"its task began {line.at_s - _finished_s(case):.3f} s after it was cancelled"


def _has_cause(case: Case, evidence: Evidence) -> bool:
    for each in evidence.above(case):
        if any(act.verb == "cancel" and act.may_have_been_done for act in each.acts):
            return True
        if each.order and not each.order.acknowledged:  # a tree that was sent in part is cancelled
            return True
        before = evidence.before(each)
        if before and (evidence.has_not_completed(before) or before.record.get("cancel")):
            return True
        beside = evidence.subs.get(each.record.get("parent", ""), [])
        above = evidence.cases.get(each.record.get("parent", ""))
        if (
            above
            and above.record.get("policy") == FailurePolicy.FAIL_FAST
            and any(sub is not each and evidence.has_not_completed(sub) for sub in beside)
        ):
            return True
    return False


_RULES: dict[Status, Callable[[Case, Evidence], Iterator[str]]] = {
    Status.COMPLETED: _completed,
    Status.FAILED: _failed,
    Status.CANCELLED: _cancelled,
}


# -- what was answered, and executions -------------------------------------------------------------------------------


def _answers(case: Case, evidence: Evidence) -> Iterator[str]:
    """What contradicts what was answered."""
    for act in case.acts:
        if act.run is not None and act.run > case.run:
            yield f"{act.verb} was answered with run {act.run}, and it is in run {case.run}"
        if act.verb == "cancel" and act.status is Status.CANCELLED and act.run == case.run:
            if case.status != Status.CANCELLED:
                yield f"a cancel was answered with cancelled, and it is {case.status} in the same run"
            for line in case.begun(case.run):
                if line.at_s > act.answered_s and not evidence.may_begin(line):
                    yield f"its task began {line.at_s - act.answered_s:.3f} s after the answer to a cancel"


def _executions(case: Case, evidence: Evidence) -> Iterator[str]:
    """What has begun once too often."""
    if _is_short(case, evidence):
        yield f"it has {case.record.get('deliveries')} deliveries, and its task has begun more often"
    kills = sum(line.what == KILLS and not evidence.in_outage(line.at_s) for line in case.since_asked)
    if kills > DEFAULT.max_deliveries + len(case.record.get("displaced", "").split()) + evidence.handed_on(case):
        yield f"it has killed {kills} processes since somebody asked for it, and {DEFAULT.max_deliveries} are borne"
    for run, at_s in evidence.relaunches(case):
        done_s = evidence.success_s(case, run)
        if done_s is not None and done_s < at_s - _LOOK_S and not evidence.in_outage(done_s, at_s):
            yield f"Celery had the result of run {run} for {at_s - done_s:.3f} s when it was followed by another run"
    queued_s = float(case.record.get("queued") or 0) / 1000
    for run in range(1, case.run):
        for line in case.begun(run):
            if line.at_s > queued_s + _CLOCK_S and not evidence.may_begin(line):
                yield f"run {run} began {line.at_s - queued_s:.3f} s after run {case.run} was sent"


def _is_short(case: Case, evidence: Evidence) -> bool:
    """Its record has fewer deliveries than its task has begun, though the store was there each time."""
    begun = [line for run in list(case.lines) for line in case.begun(run)]
    deliveries = int(case.record.get("deliveries") or 0)
    return deliveries < len(begun) and not any(evidence.in_outage(line.at_s) for line in begun)


def _finished_s(case: Case) -> float:
    return float(case.record.get("finished") or 0) / 1000
