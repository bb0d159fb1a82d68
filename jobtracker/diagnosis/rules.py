"""Rules that conclude from observations why a job is not done: a code and a summary. They do no input or output."""

from collections.abc import Sequence

from jobtracker.core.clock import from_ms
from jobtracker.core.job import BULK_TYPE
from jobtracker.core.lifecycle import UNDER_WAY
from jobtracker.diagnosis.conclusions import Conclusion, end_of, listed, moment, progress_of, time_in_words
from jobtracker.diagnosis.message_rules import conclude_by_message
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.jobs.cancel import CAN_NOT_KILL
from jobtracker.schemas.explanation import (
    CancelRequest,
    Code,
    SubJobState,
    WorkerState,
)
from jobtracker.store.keys import RELEASED


def conclude(job: Job, found: Observations, subs: Sequence[SubJobState] = ()) -> Conclusion:
    """What a job waits for.

    Args:
        job: The job.
        found: What was found out.
        subs: Those of its sub-jobs that it waits for, or because of which it failed; the first ones.
    """
    if job.is_settled:
        return Conclusion(Code.SETTLED, end_of(job, subs))
    conclusion = _cause(job, found, subs)
    if conclusion.code is not Code.WORKER_LOST and (asked_ms := job.record.cancel):
        pool = conclusion.worker.pool if conclusion.worker else None
        conclusion.cancel = CancelRequest(
            requested_at=moment(asked_ms),
            reason=job.record.reason,
            can_be_killed=None if pool is None else pool not in CAN_NOT_KILL,
        )
        stops = (
            "The task stops when it looks (current_job()); a cancel with terminate would kill it."
            if conclusion.cancel.can_be_killed
            else "The task stops when it looks (current_job())."
        )
        if pool in CAN_NOT_KILL:
            stops = f"The task stops when it looks (current_job()): a {pool} pool can't kill it."
        asked = f"A cancel was asked for {time_in_words(asked_ms, found)}."
        conclusion.code = Code.CANCEL_REQUESTED
        conclusion.summary = f"{asked} {stops if job.is_executing else ''} {conclusion.summary}".replace("  ", " ")
    return conclusion


def _cause(job: Job, found: Observations, subs: Sequence[SubJobState]) -> Conclusion:
    if job.is_executing and job.run:
        return _executing(job, found)
    if not job.run:
        return _not_sent(job, found)
    if job.waits_for_a_chain and not job.subs_open:
        before = job.record.sent_by
        named = f"the job before it in its chain{f', {before}' if before else ''},"
        return Conclusion(Code.WAITING_FOR_PREVIOUS_JOB, f"It waits for {named} to complete.", previous_job_id=before)
    if job.subs_open > 0:
        total = job.record.subs
        return Conclusion(
            Code.WAITING_FOR_SUB_JOBS, f"It waits for {job.subs_open} of its {total} sub-jobs{listed(subs)}."
        )
    return conclude_by_message(job, found)


def _not_sent(job: Job, found: Observations) -> Conclusion:
    if job.record.type == BULK_TYPE:
        began = f"; it began {time_in_words(job.record.started, found)}" if job.record.started else ""
        sentence = f"The processes of the API do this bulk run in turn with others{began}{progress_of(job)}."
        return Conclusion(Code.OUTSIDE_WORKER, sentence)
    if job.status in UNDER_WAY:
        began = time_in_words(job.record.started, found)
        sentence = (
            f"A program outside of Celery drives it, and has to report its end; it began {began}{progress_of(job)}."
        )
        return Conclusion(Code.OUTSIDE_WORKER, sentence)
    if parent := job.record.parent:
        return Conclusion(Code.NOT_STARTED, f"It starts with its parent {parent}, which nobody has started.")
    created = time_in_words(job.record.created, found)
    return Conclusion(Code.NOT_STARTED, f"It was created {created}, and nobody has started it: start it.")


def _executing(job: Job, found: Observations) -> Conclusion:
    incarnation = job.record.lease
    name = job.record.worker or "a worker"
    lease = found.leases.get(incarnation or "")
    ended_ms = found.lease_ends_ms.get(incarnation or "")
    alive = None if not incarnation or incarnation in RELEASED else lease is not None
    silent_ms = found.silent_ms.get(incarnation or "")
    heard_ms = found.now_ms - silent_ms if silent_ms is not None else None
    worker = WorkerState(
        name=name,
        alive=alive,
        lease_ended_at=from_ms(ended_ms) if alive is False else None,
        last_heard_at=from_ms(heard_ms),
        pool=lease.pool if lease else None,
    )
    fate = found.fates.get(job.id, "will be settled")
    if incarnation in RELEASED:
        why = f" ({job.record.reason})" if job.record.reason else ""
        return Conclusion(Code.WORKER_LOST, f"{name} ran it, and let it go{why}: the job {fate}.", worker=worker)
    if alive is False:
        when = f", {time_in_words(ended_ms, found)}" if ended_ms else ""
        sentence = f"{name} ran it, and has stopped saying that it lives{when}: the job {fate}."
        return Conclusion(Code.WORKER_LOST, sentence, worker=worker)
    began = time_in_words(job.attempt_began_ms, found)
    what = "its task"
    if attempt := job.record.attempt:
        what = f"attempt {attempt + 1} of its task"
        if not job.record.began:
            began += f"; the first began {time_in_words(job.record.started, found)}"
    heard = f"; the worker was last heard of {time_in_words(heard_ms, found)}" if heard_ms else ""
    sentence = f"{name} runs {what}, which began {began}{progress_of(job)}{heard}."
    return Conclusion(Code.RUNNING, sentence, worker=worker)


# -- where the message is -------------------------------------------------------------------------------------------


# -- words ----------------------------------------------------------------------------------------------------------
