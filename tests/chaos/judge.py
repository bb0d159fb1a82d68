"""Compares each job with what its tasks wrote down, and says what can't be true.

What is legal:

* nothing is known of a job of which nobody was told, where those who sent it and ran it while the store was away were
  killed with their reports;
* a job whose task returned is completed where Celery's result backend knows of it; where the worker was killed
  between the return and that, nobody can tell, and it counts as lost. Where the backend was away it may be completed
  without it;
* a failed one raised, killed its process, or was lost with its worker or its message. A parent fails by its sub-jobs.
  The first end of a run that somebody has seen counts: one that comes back and succeeds changes nothing, unless the
  first one was only lost;
* one that is to run again where it is lost has not failed by being lost with its worker, unless the rest of its chain
  waits for it; one that can be sent again has not failed by its message being lost;
* a cancelled one was cancelled, or one above it was, or one before it in its chain did not complete, or one beside it
  (fail_fast), even where that was corrected later. From then on it does not begin: but for a process that found the
  store away when it asked, or had asked before it stood still;
* of a job that was run again no earlier run begins; where the tracker did it by itself, Celery had no result;
* a job has been delivered at least as often as its task has begun, but for processes that were killed before they
  could report that, and for reports that are counted as dropped;
* a task is not executed again unless its process or its worker was killed or stood still meanwhile, the store or the
  broker was away, the visibility timeout had run out, or somebody asked for it; without any of these no message is
  taken for lost. A clock that is behind, and a result backend that is away, are no reasons;
* a task that has expired does not begin, but on a worker whose clock is behind, and its job is cancelled;
* the link of a chain is given what the one before it has returned, in every run; where that is run again and
  completes then, the rest of the chain goes on;
* no sub-job runs whose parent is not recorded;
* a task that kills its processes is not executed again when it has killed as many as its type bears, in one run or in
  several, until somebody asks for it; it is in quarantine then, and no other job is. Not counted is one that was lost
  and began again before anybody had noticed that, nor one that was lost while the store was away.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from chaos.application import VISIBILITY_TIMEOUT_S
from chaos.evidence import Case, Evidence
from chaos.journal import ASKED_TO_RETRY, BEGAN, KILLS, RAISED, REPLACED, RETURNED, Line
from chaos.stack import BEHIND_S
from chaos.tasks import RUN_AGAIN
from jobtracker.core.declarations import DEFAULT
from jobtracker.core.lifecycle import SETTLED, Event, FailurePolicy, Status
from jobtracker.jobs.relaunch import MOST_RELAUNCHES

_CLOCK_S = 0.005
"""Records have whole milliseconds."""

_LOOK_S = 0.5
"""May lie between a look at Celery's result backend and what follows from it."""

_BEGIN_S = 2.0
"""May lie between a worker's look at the expiry of a message and the begin of its task."""

_STORE_S = 5.0
"""So long Celery may try to store a result."""

_NOT_SENT = "about to send it"
"""In the reason of a run that followed one of which nobody has said that it was sent."""

EXTRA = "executed too often"


class Finding(NamedTuple):
    """Something that must not be."""

    kind: str
    """wrong | executed too often | stuck | lost | counters off"""
    job_id: str
    text: str


def judge(evidence: Evidence) -> list[Finding]:
    """All that is not as it must be with any of the jobs."""
    return [Finding(kind, case.id, text) for case in evidence.cases.values() for kind, text in _of(case, evidence)]


def _of(case: Case, evidence: Evidence) -> Iterator[tuple[str, str]]:
    if not case.record:
        if case.order and case.order.acknowledged:
            yield "lost", "it was accepted, and there is no such job"
        elif not _may_be_unknown(case, evidence):
            yield "lost", "its task ran, and there is no such job"
        return
    above = case.record.get("parent")
    if above and above not in evidence.cases and any(case.lines.values()):
        yield "wrong", f"its task ran, and its parent {above} is not recorded"
    for sub in evidence.subs.get(case.id, []):
        if not sub.record:
            yield "lost", f"its sub-job {sub.id} is not there"
    if case.status not in SETTLED:
        if not is_only_created(case):
            yield "stuck", f"it is {case.status}, run {case.run}: {case.record.get('reason')}"
        return
    for rule in (_RULES[Status(case.status)], _answers, _executions, _expiry, _link):
        yield from (("wrong", text) for text in rule(case, evidence))
    for rule in (_again_in_one_run, _again_in_another_run):
        yield from ((EXTRA, text) for text in rule(case, evidence))


def _may_be_unknown(case: Case, evidence: Evidence) -> bool:
    """Whether who sent it and who ran it may have been killed with their reports, the store being away.

    Or who sent it was not told that it was accepted: it was taken back then, and ran while nobody could know that.
    """
    lines = [line for lines in case.lines.values() for line in lines]
    if not all(evidence.in_outage(line.at_s) for line in lines):
        return False
    if not any(line.what == RETURNED and json.dumps(line.detail) not in evidence.unaccepted for line in lines):
        return True
    return evidence.dropped > 0 or any(map(evidence.may_be_lost, lines))


def is_only_created(case: Case) -> bool:
    """Nobody was told that it was started: whoever asked may have had no answer, and not know that it is there."""
    return case.run == 0 and case.status == Status.PENDING and not (case.order and case.order.acknowledged)


# -- verdicts -------------------------------------------------------------------------------------------------------


def _completed(case: Case, evidence: Evidence) -> Iterator[str]:
    if not case.did(RETURNED):
        yield "it is completed, and its task has not returned"
    elif (state := evidence.state(case)) != "SUCCESS" and not (
        any(evidence.backend_away(line.at_s, line.at_s + _STORE_S) for line in case.last if line.what == RETURNED)
        # Celery stores that a task is to be retried when the next attempt may have ended (celery/app/trace.py).
        or (state == "RETRY" and case.did(ASKED_TO_RETRY))
        # A worker that is told of a cancel looks what is stored, and stores that (celery/worker/control.py, revoke).
        or (state == "REVOKED" and "cancel" in case.record)
    ):
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
        return None if stored == expected else f"its result is {stored}, not {expected}"
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
    ran_again = not was_lost(case) and began and any(began[-1] > at_s for at_s in _finished_s(case, evidence))
    if (state := evidence.state(case)) == "SUCCESS" and not ran_again:
        yield f"it is failed ({case.record.get('reason')}), and Celery says {state}"
    yield from _lost(case, evidence)
    subs = evidence.subs.get(case.id, [])
    by_subs = case.record.get("inferred") == "subs_failed"
    if by_subs and all(sub.status == Status.COMPLETED for sub in subs):
        yield "it is failed by its sub-jobs, and all of them are completed"
    # Celery may fail in its task's place, and be unable to store that: with a retry that could not be sent, say, or
    # with a task in its place, of which the result backend is to tell (celery/backends/asynchronous.py).
    by_celery = (
        state == "FAILURE"
        or (case.did(ASKED_TO_RETRY) and _ended_in_outage(case, evidence))
        or (case.did(REPLACED) and any(evidence.backend_away(line.at_s) for line in case.last))
    )
    for line in case.last:
        if line.what == RETURNED and was_lost(case) and not subs and not _is_unheard(line, evidence):
            yield f"it is failed ({case.record.get('reason')}), and its task has returned, and could say so"
    if not (by_subs or subs or by_celery or was_lost(case) or any(map(case.did, (RAISED, KILLS, RETURNED)))):
        yield f"it is failed ({case.record.get('reason')}), and its task has not raised"


def _is_unheard(line: Line, evidence: Evidence) -> bool:
    """Whether the tracker may have not heard in time of what a task did: its process was hit, or the store away."""
    return evidence.may_be_lost(line) or evidence.in_outage(line.at_s, evidence.told_s(line))


def was_lost(case: Case) -> bool:
    """Its verdict says that it was lost, not what its task did."""
    if case.record.get("inferred") in {"lose", "quarantine"}:
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
        if "took its message" in str(reason):  # and acknowledged it: its process may have begun the task, and died
            can_be_sent = False
        if can_be_sent and case.relaunched < MOST_RELAUNCHES and not (case.order and case.order.expires_s):
            yield f"it is failed ({reason}), and can be sent again"
        since_s, until_s = _noted_s(case.record, "queued"), max(_finished_s(case, evidence))
        if not case.begun(case.run) and not evidence.message_may_be_lost(case, since_s, until_s):
            yield f"it is failed ({reason}), and nothing has happened that could have lost its message"
    if case.error_type == "JobQuarantinedError":
        begun = [line for line in case.since_asked if line.what == BEGAN]
        if max(len(begun), case.delivered_since_asked) < DEFAULT.max_deliveries:
            yield f"it is failed ({reason}), and its task has begun {len(begun)} times"


def _cancelled(case: Case, evidence: Evidence) -> Iterator[str]:
    ran_unknown = _ended_in_outage(case, evidence) or any(map(evidence.may_begin, case.begun(case.run)))
    if evidence.state(case) == "SUCCESS" and not ran_unknown:
        yield f"it is cancelled ({case.record.get('reason')}), and Celery says SUCCESS"
    if not _has_cause(case, evidence):
        yield f"it is cancelled ({case.record.get('reason')}), and nobody has cancelled it"
    finished_s = max(_finished_s(case, evidence))
    for line in case.begun(case.run):
        if line.at_s > finished_s + _CLOCK_S and not evidence.may_begin(line):
            yield f"its task began {line.at_s - finished_s:.3f} s after it was cancelled"


def _has_cause(case: Case, evidence: Evidence) -> bool:
    for each in evidence.above(case):
        if any(act.verb == "cancel" and act.may_have_been_done for act in each.acts):
            return True
        if each.order and each.order.expires_s is not None and _has_expired(each, evidence):
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


def _had_ended_before(case: Case, evidence: Evidence) -> bool:
    """Whether an end that was told late has corrected a cancel: it was earlier."""
    entries = map(json.loads, evidence.history(case.id))
    return any(entry.get("was", {}).get("status") == Status.CANCELLED for entry in entries)


def _answers(case: Case, evidence: Evidence) -> Iterator[str]:
    """What contradicts what was answered."""
    for act in case.acts:
        if act.run is not None and act.run > case.run:
            yield f"{act.verb} was answered with run {act.run}, and it is in run {case.run}"
        if act.verb == "cancel" and act.status is Status.CANCELLED and act.run == case.run:
            if case.status != Status.CANCELLED and not _had_ended_before(case, evidence):
                yield f"a cancel was answered with cancelled, and it is {case.status} in the same run"
            for line in case.begun(case.run):
                if line.at_s > act.answered_s and not evidence.may_begin(line):
                    yield f"its task began {line.at_s - act.answered_s:.3f} s after the answer to a cancel"


def _executions(case: Case, evidence: Evidence) -> Iterator[str]:
    """What has begun once too often."""
    if _is_short(case, evidence):
        yield f"it has {case.record.get('deliveries')} deliveries, and its task has begun more often"
    kills = sum(line.what == KILLS and not evidence.in_outage(line.at_s) for line in case.since_asked)
    if kills > DEFAULT.max_deliveries + evidence.begun_unnoticed(case):
        yield f"it has killed {kills} processes since somebody asked for it, and {DEFAULT.max_deliveries} are borne"
    for run, at_s in evidence.relaunches(case):
        done_s = evidence.success_s(case, run)
        if done_s is None:
            continue
        done_s, followed_s = max(evidence.times(done_s)), min(evidence.times(at_s))
        if done_s < followed_s - _LOOK_S and not evidence.in_outage(done_s, followed_s):
            what = f"Celery had the result of run {run} for {followed_s - done_s:.3f} s"
            if not evidence.backend_away(done_s, followed_s):
                yield f"{what} when it was followed by another run"
    yield from _sent_again(case, evidence)
    queued_s = max(evidence.times(_noted_s(case.record, "queued")))
    for run in range(1, case.run):
        for line in case.begun(run):
            if line.at_s > queued_s + _CLOCK_S and not evidence.may_begin(line):
                yield f"run {run} began {line.at_s - queued_s:.3f} s after run {case.run} was sent"


def _sent_again(case: Case, evidence: Evidence) -> Iterator[str]:
    """What was taken for lost though nothing has happened."""
    for entry in map(json.loads, evidence.history(case.id)):
        if entry["event"] != Event.RELAUNCH or case.begun(entry["run"]):
            continue
        if _NOT_SENT in entry.get("reason", ""):  # where a sender stood still for as long nobody can tell
            continue
        was = {**case.record, **entry.get("was", {})}
        since_s = min(evidence.times(_noted_s(was, "queued") or _noted_s(was, "created")))
        until_s = max(evidence.times(entry["at"] / 1000))
        if not evidence.message_may_be_lost(case, since_s, until_s):
            yield f"run {entry['run']} was followed by another, and nothing can have lost its message"


def _is_short(case: Case, evidence: Evidence) -> bool:
    """Its record has fewer deliveries than its task has begun, more than may have been lost with who began them."""
    lines = [line for run in list(case.lines) for line in case.lines[run]]
    begun = [line for line in lines if line.what == BEGAN]

    def may_be_missing(line: Line) -> bool:
        return evidence.in_outage(line.at_s) and (evidence.dropped > 0 or evidence.may_be_lost(line))

    return int(case.record.get("deliveries") or 0) < len(begun) - sum(map(may_be_missing, begun))


def _again_in_one_run(case: Case, evidence: Evidence) -> Iterator[str]:
    """Executions of an attempt after the first: the broker has delivered its message again, and must have had to."""
    for run, lines in list(case.lines.items()):
        if any(line.what == REPLACED for line in lines):  # others have its id then
            continue
        before = evidence.before(case)
        if before and len(before.begun(before.run)) > 1:  # each execution of that has sent it
            continue
        asked = Counter(line.attempt + 1 for line in lines if line.what == ASKED_TO_RETRY)
        begun = Counter[int]()
        for first, second in _pairs(lines):
            begun[second.attempt] += 1
            if begun[second.attempt] < asked[second.attempt]:  # each has sent a message of its own
                continue
            sent_s = _sent_s(case, run)
            is_redelivered = evidence.harm.redelivers and (
                second.at_s - sent_s >= VISIBILITY_TIMEOUT_S
                # By its clock a worker notes when it has fetched a message; by theirs others see that as long ago.
                or (BEHIND_S >= VISIBILITY_TIMEOUT_S and evidence.clock_was_wrong(sent_s, second.at_s))
            )
            if not (
                is_redelivered
                or evidence.was_hit(first, second.at_s)
                or evidence.in_outage(first.at_s - _BEGIN_S, second.at_s)
                # Celery connects to the broker anew where it can't store that it could not store a result.
                or evidence.backend_away(first.at_s, second.at_s)
            ):
                yield f"its task began again in run {run} after {second.at_s - first.at_s:.3f} s, without a reason"


def _pairs(lines: list[Line]) -> Iterator[tuple[Line, Line]]:
    """Each execution of an attempt with the one before it."""
    attempts: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        if line.what == BEGAN:
            attempts[line.attempt].append(line)
    for begun in attempts.values():
        yield from pairwise(begun)


def _sent_s(case: Case, run: int) -> float:
    """Not later than that a run's message was sent: when the job was recorded, where nothing else is known."""
    noted = "queued" if run == case.run else "created"
    return _noted_s(case.record, noted) or 0.0


def _again_in_another_run(case: Case, evidence: Evidence) -> Iterator[str]:
    """Runs after one that was not lost, and that nobody has asked for."""
    runs = sorted(run for run in list(case.lines) if case.begun(run))
    for earlier, later in pairwise(runs):
        began_s = case.begun(later)[0].at_s
        before = [line for line in case.lines[earlier] if line.at_s <= began_s]
        if not before or evidence.asked_again(case, began_s):
            continue
        last = before[-1]
        is_lost = last.what == KILLS or any(line.what == REPLACED for line in before)
        if last.what == ASKED_TO_RETRY or case.record.get("subs"):
            is_lost = is_lost or evidence.message_may_be_lost(case, before[0].at_s, began_s)
        if last.what == BEGAN:
            is_lost |= evidence.was_hit(last, began_s) or evidence.in_outage(last.at_s - _BEGIN_S, began_s)
        if not is_lost and not _is_unheard(last, evidence):
            yield f"run {later} began {began_s - last.at_s:.3f} s after run {earlier} had {last.what}"


# -- expiry and chains ----------------------------------------------------------------------------------------------


def _expiry(case: Case, evidence: Evidence) -> Iterator[str]:
    if not case.order or case.order.expires_s is None or not (expires_s := _noted_s(case.record, "expires")):
        return
    for line in case.begun(1):
        late_s = line.at_s - expires_s
        if late_s > _BEGIN_S and not (evidence.was_hit(line, line.at_s) or evidence.had_wrong_clock(line)):
            yield f"its task began {late_s:.3f} s after it had expired"
    if case.status == Status.FAILED and not any(case.lines.values()) and _has_expired(case, evidence):
        yield f"it is failed ({case.record.get('reason')}), and had expired"


def _has_expired(case: Case, evidence: Evidence) -> bool:
    return max(_finished_s(case, evidence)) >= _noted_s(case.record, "expires") - _CLOCK_S > 0


def _link(case: Case, evidence: Evidence) -> Iterator[str]:
    if not case.node or not case.node.before:
        return
    given = case.node.before.value
    for run, lines in case.lines.items():
        for line in lines:
            if line.what == BEGAN and line.detail != given:
                yield f"run {run} was given {line.detail}, and the one before it in its chain returns {given}"
    before = evidence.cases.get(str(case.node.before.id))
    if case.status != Status.CANCELLED or before is None or before.status != Status.COMPLETED:
        return
    is_retried = any(act.verb == "retry" and act.run == before.run for act in before.acts)
    chain = case.order.nodes if case.order else []
    was_cancelled = any(
        act.verb == "cancel" and act.may_have_been_done
        for node in chain
        if str(node.id) in evidence.cases
        for act in evidence.cases[str(node.id)].acts
    )
    if is_retried and not was_cancelled and not any(map(evidence.may_be_lost, before.last)):
        yield "it is cancelled, and the one before it in its chain was retried and has completed"


# -- times ----------------------------------------------------------------------------------------------------------


def _noted_s(record: dict[str, str], name: str) -> float:
    return float(record.get(name) or 0) / 1000


def _finished_s(case: Case, evidence: Evidence) -> tuple[float, ...]:
    """When it may have settled."""
    return evidence.times(_noted_s(case.record, "finished") or _noted_s(case.record, "status_changed_at"))


def _ended_in_outage(case: Case, evidence: Evidence) -> bool:
    return any(map(evidence.in_outage, _finished_s(case, evidence)))
