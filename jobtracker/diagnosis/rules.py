"""What follows from what was found out about a job that is not done: a code, and a sentence. Nothing here asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobtracker.broker.message_search import Queue, Sightings
from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.diagnosis.observations import Findings, Holder, Job
from jobtracker.jobs.dispatcher import AT_ONCE
from jobtracker.jobs.propagation import CAN_NOT_KILL
from jobtracker.schemas.explanation import (
    CancelRequest,
    Code,
    MessagePlace,
    QueuePlace,
    SubJobState,
    Whereabouts,
    WorkerPlace,
)
from jobtracker.store.keys import LET_GO, PROCESS_GONE

_NEW_MS = 3000
"""Of something as young as this not everybody may know yet."""
_LET_GO = {LET_GO, PROCESS_GONE}
"""What stands for the lease of a worker that lives and does not run the job any more."""


@dataclass
class Verdict:
    """What a job waits for; the fields are those of `explanations.Explanation`."""

    code: Code
    sentence: str
    message: MessagePlace | None = None
    queue: QueuePlace | None = None
    worker: WorkerPlace | None = None
    cancel: CancelRequest | None = None
    job_before: str | None = None


def verdict_of(job: Job, found: Findings, subs: Sequence[SubJobState] = ()) -> Verdict:
    """What a job waits for.

    Args:
        job: The job.
        found: What was found out.
        subs: Those of its sub-jobs that it waits for, or because of which it failed; the first ones.
    """
    if job.is_settled:
        return Verdict(Code.SETTLED, _end(job, subs))
    verdict = _cause(job, found, subs)
    if verdict.code is not Code.WORKER_LOST and (asked_ms := job.ms("cancel")):
        pool = verdict.worker.pool if verdict.worker else None
        verdict.cancel = CancelRequest(
            requested_at=_at(asked_ms),
            reason=job.record.get("reason"),
            can_be_killed=None if pool is None else pool not in CAN_NOT_KILL,
        )
        stops = (
            "The task stops when it looks (current_job()); a cancel with force would kill it."
            if verdict.cancel.can_be_killed
            else "The task stops when it looks (current_job())."
        )
        if pool in CAN_NOT_KILL:
            stops = f"The task stops when it looks (current_job()): a {pool} pool can't kill it."
        asked = f"A cancel was asked for {_when(asked_ms, found)}."
        verdict.code = Code.CANCEL_REQUESTED
        verdict.sentence = f"{asked} {stops if job.is_executing else ''} {verdict.sentence}".replace("  ", " ")
    return verdict


def _cause(job: Job, found: Findings, subs: Sequence[SubJobState]) -> Verdict:
    if job.is_executing and job.run:
        return _executing(job, found)
    if not job.run:
        return _not_sent(job, found)
    if job.waits_for_a_chain and not job.subs_open:
        before = job.record.get("sent_by")
        named = f"the job before it in its chain{f', {before}' if before else ''},"
        return Verdict(Code.WAITING_FOR_JOB_BEFORE, f"It waits for {named} to complete.", job_before=before)
    if job.subs_open > 0:
        total = int(job.record["subs"])
        return Verdict(
            Code.WAITING_FOR_SUB_JOBS, f"It waits for {job.subs_open} of its {total} sub-jobs{_listed(subs)}."
        )
    return _message(job, found)


def _not_sent(job: Job, found: Findings) -> Verdict:
    if job.status is Status.RUNNING:
        began = _when(job.ms("started"), found)
        sentence = (
            f"A program outside of Celery drives it, and has to report its end; it began {began}{_progress(job)}."
        )
        return Verdict(Code.OUTSIDE_WORKER, sentence)
    if parent := job.record.get("parent"):
        return Verdict(Code.NOT_STARTED, f"It starts with its parent {parent}, which nobody has started.")
    created = _when(job.ms("created"), found)
    return Verdict(Code.NOT_STARTED, f"It was created {created}, and nobody has started it: start it.")


def _executing(job: Job, found: Findings) -> Verdict:
    incarnation = job.record.get("lease")
    name = job.record.get("worker") or "a worker"
    lease = found.leases.get(incarnation or "")
    ended_ms = found.lease_ends_ms.get(incarnation or "")
    alive = None if not incarnation or incarnation in _LET_GO else lease is not None
    silent_ms = found.silent_ms.get(incarnation or "")
    heard_ms = found.now_ms - silent_ms if silent_ms is not None else None
    worker = WorkerPlace(
        name=name,
        alive=alive,
        lease_ended_at=from_ms(ended_ms) if alive is False else None,
        last_heard_at=from_ms(heard_ms),
        pool=lease.pool if lease else None,
    )
    fate = found.fates.get(job.id, "will be settled")
    if incarnation in _LET_GO:
        why = f" ({job.record['reason']})" if job.record.get("reason") else ""
        return Verdict(Code.WORKER_LOST, f"{name} ran it, and let it go{why}: the job {fate}.", worker=worker)
    if alive is False:
        when = f", {_when(ended_ms, found)}" if ended_ms else ""
        sentence = f"{name} ran it, and has stopped saying that it lives{when}: the job {fate}."
        return Verdict(Code.WORKER_LOST, sentence, worker=worker)
    began = _when(job.attempt_began_ms, found)
    what = "its task"
    if attempt := int(job.record.get("attempt") or 0):
        what = f"attempt {attempt + 1} of its task"
        if not job.record.get("began"):
            began += f"; the first began {_when(job.ms('started'), found)}"
    heard = f"; the worker was last heard of {_when(heard_ms, found)}" if heard_ms else ""
    sentence = f"{name} runs {what}, which began {began}{_progress(job)}{heard}."
    return Verdict(Code.RUNNING, sentence, worker=worker)


# -- where the message is -------------------------------------------------------------------------------------------


def _message(job: Job, found: Findings) -> Verdict:
    """What a job waits for whose message is somewhere, or should be."""
    if job.task_id in found.unsent:
        verdict = _unsent(job, found)
        _add_queue(verdict, job, found, None)
        return verdict
    if found.broker is None:
        verdict = Verdict(
            Code.UNKNOWN,
            f"Its message was sent to queue {job.queue!r}; where it is can't be found out: "
            "the broker does not answer.",
        )
        verdict.message = MessagePlace(where=Whereabouts.UNKNOWN)
    else:
        verdict = _found(job, found, found.broker, found.broker.queues.get(job.queue) or Queue())
        _add_queue(verdict, job, found, found.broker.queues.get(job.queue))
    not_before_ms = job.ms("eta")
    place = verdict.message.where if verdict.message else Whereabouts.UNKNOWN
    if not_before_ms and not_before_ms > found.now_ms and place is not Whereabouts.NOWHERE:
        when = _when(not_before_ms, found)
        if job.status is Status.RETRYING:
            why = f" ({job.record['reason']})" if job.record.get("reason") else ""
            attempt = int(job.record.get("attempt") or 0)
            verdict.code = Code.WAITING_FOR_RETRY
            verdict.sentence = f"Attempt {attempt + 1} did not succeed{why}; the next one is due {when}."
        else:
            verdict.code = Code.WAITING_FOR_ETA
            verdict.sentence = f"It must not run before its ETA, {when}."
        if verdict.worker:
            verdict.sentence += f" {verdict.worker.name} holds its message until then."
    return verdict


def _unsent(job: Job, found: Findings) -> Verdict:
    consumers = found.consumers_of(job.queue)
    whom = "the next of its workers that is free" if consumers else "a worker, of which none lives that consumes it"
    sentence = (
        f"It is one of more than {AT_ONCE} jobs that were started together {_when(job.ms('queued'), found)}: {whom}, "
        f"sends it to queue {job.queue!r}, or the reaper does after a while."
    )
    return Verdict(Code.BEING_SENT, sentence, message=MessagePlace(where=Whereabouts.NOWHERE))


def _found(job: Job, found: Findings, broker: Sightings, queue: Queue) -> Verdict:
    waiting, taken_ms = queue.waiting.get(job.task_id), broker.taken_ms.get(job.task_id)
    if waiting:
        place = MessagePlace(where=Whereabouts.QUEUE, position=waiting.position)
        return _in_queue(job, found, queue, place, f"{waiting.position} of {max(queue.messages, waiting.position)}")
    if holder := found.holder_of(job.task_id):
        return _held(found, holder, taken_ms)
    if found.is_opaque(job):
        return _unknown(
            f"It does not wait in queue {job.queue!r}; its task's own strategy hides what workers have of it."
        )
    if ended_by := found.ended_by(job):
        return _unknown(f"{ended_by} took its message and does not run it any more; its report has not come yet.")
    if taken_ms is not None:
        return _taken(found, taken_ms)
    return _not_found(job, found, broker, queue)


def _not_found(job: Job, found: Findings, broker: Sightings, queue: Queue) -> Verdict:
    """Where a message may be that neither the broker shows nor a worker says that it has."""
    if not queue.exists:
        place = MessagePlace(where=Whereabouts.NOWHERE)
        sentence = f"The broker has no queue {job.queue!r}: nobody will run it."
        return Verdict(Code.MESSAGE_MISSING, sentence, message=place)
    if broker.shows_taken and not queue.is_whole:
        place = MessagePlace(where=Whereabouts.QUEUE, further_back_than=queue.looked_at)
        return _in_queue(job, found, queue, place, f"behind {queue.looked_at} others of {queue.messages}")
    eta_ms = job.ms("eta")
    if broker.visibility_timeout_s is None and eta_ms and eta_ms > found.now_ms:  # RabbitMQ's own delay, or a worker
        return Verdict(Code.WAITING_FOR_ETA, "", message=MessagePlace(where=Whereabouts.UNKNOWN))
    if broker.visibility_timeout_s is None and queue.messages:
        place = MessagePlace(where=Whereabouts.QUEUE)
        return _in_queue(job, found, queue, place, f"one of {queue.messages}")
    if not found.workers_answered:
        return _unknown(
            f"It does not wait in queue {job.queue!r}; a worker that does not say what it holds may have it."
        )
    if (queue.consumers or 0) > len(found.consumers_of(job.queue)):
        return _unknown(
            f"It does not wait in queue {job.queue!r}; a worker that is not tracked consumes it, and may have it."
        )
    if not broker.shows_taken and broker.visibility_timeout_s is not None:
        return _unknown(
            f"It does not wait in queue {job.queue!r}; too many messages were fetched to look at all of them."
        )
    return _nowhere(job, found)


def _unknown(sentence: str) -> Verdict:
    return Verdict(Code.UNKNOWN, sentence, message=MessagePlace(where=Whereabouts.UNKNOWN))


def _in_queue(job: Job, found: Findings, queue: Queue, place: MessagePlace, which: str) -> Verdict:
    consumers = found.consumers_of(job.queue)
    if not consumers and not queue.consumers:
        whom = "nobody" if queue.consumers == 0 else "no tracked worker"
        sentence = f"It waits in queue {job.queue!r} ({which}), which {whom} consumes: start a worker with --queues."
        return Verdict(Code.NO_CONSUMER, sentence.replace("--queues", f"--queues {job.queue}"), message=place)
    by = ", ".join(consumers[:3]) + (f" and {len(consumers) - 3} more" if len(consumers) > 3 else "")
    by = by or f"{queue.consumers} consumers that are not tracked"
    return Verdict(Code.QUEUED, f"It waits in queue {job.queue!r} ({which}), consumed by {by}.", message=place)


def _held(found: Findings, holder: Holder, taken_ms: int | None) -> Verdict:
    lease = next((lease for lease in found.leases.values() if lease.name == holder.worker), None)
    worker = WorkerPlace(name=holder.worker, alive=True, pool=lease.pool if lease else None)
    place = _fetched(Whereabouts.WORKER, found, taken_ms)
    match holder.where:
        case "active":
            sentence = f"{holder.worker} says that it runs its task; its own report has not come yet."
            return Verdict(Code.RUNNING, sentence, message=place, worker=worker)
        case "rate_limited":
            sentence = (
                f"{holder.worker} has fetched its message, and holds it until its task's rate limit lets it go."
            )
            return Verdict(Code.RATE_LIMITED, sentence, message=place, worker=worker)
        case "scheduled":
            sentence = f"{holder.worker} holds its message for later."
            return Verdict(Code.WAITING_FOR_ETA, sentence, message=place, worker=worker)
        case _:
            slots = f"all {lease.concurrency} slots are taken" if lease else "no slot is free"
            sentence = f"{holder.worker} has fetched its message and starts it when it can: {slots}."
            return Verdict(Code.PREFETCHED, sentence, message=place, worker=worker)


def _taken(found: Findings, taken_ms: int) -> Verdict:
    place = _fetched(Whereabouts.UNACKNOWLEDGED, found, taken_ms)
    if found.now_ms - taken_ms < _NEW_MS:
        return Verdict(Code.PREFETCHED, "A worker has just fetched its message.", message=place)
    if not found.workers_answered and found.leases:
        sentence = "A worker that does not answer has fetched its message, and not acknowledged it."
        return Verdict(Code.PREFETCHED, sentence, message=place)
    when = f", {_when(_ms(place.redelivered_at), found)} or soon after" if place.redelivered_at else ""
    if found.last_lost_ms is None or found.last_lost_ms < taken_ms:
        sentence = (
            "It was fetched and not acknowledged. No tracked worker has it, and none was lost since: "
            f"one that is not tracked may have it. If that is gone, the broker delivers it again{when}."
        )
        return Verdict(Code.UNKNOWN, sentence, message=place)
    sentence = f"Whoever fetched its message does not live any more; the broker delivers it again{when}."
    if not found.leases:
        sentence += " That takes a worker: none lives."
    return Verdict(Code.WAITING_FOR_REDELIVERY, sentence, message=place)


def _nowhere(job: Job, found: Findings) -> Verdict:
    place = MessagePlace(where=Whereabouts.NOWHERE)
    sent_ms = max(job.ms("queued") or 0, job.ms("entered") or 0)
    if job.task_id in found.unconfirmed or found.now_ms - sent_ms < _NEW_MS:
        return Verdict(Code.BEING_SENT, "Its message is about to be sent, or has just been.", message=place)
    told = f" ({job.record['reason']})" if job.record.get("reason") else ""
    sentence = f"Its message is neither in queue {job.queue!r} nor with a worker{told}: nobody will run it."
    return Verdict(Code.MESSAGE_MISSING, sentence, message=place)


def _fetched(where: Whereabouts, found: Findings, taken_ms: int | None) -> MessagePlace:
    visibility_ms = found.visibility_ms()
    redelivered_ms = int(taken_ms + visibility_ms) if taken_ms is not None and visibility_ms is not None else None
    return MessagePlace(where=where, taken_at=from_ms(taken_ms), redelivered_at=from_ms(redelivered_ms))


def _add_queue(verdict: Verdict, job: Job, found: Findings, queue: Queue | None) -> None:
    verdict.queue = QueuePlace(
        name=job.queue,
        messages=queue.messages if queue else None,
        consumers=found.consumers_of(job.queue),
        consumer_count=queue.consumers if queue else None,
    )


# -- words ----------------------------------------------------------------------------------------------------------


def _end(job: Job, subs: Sequence[SubJobState]) -> str:
    began_ms, finished_ms = job.began_ms, job.ms("finished")
    at = f"{_at(finished_ms):%Y-%m-%d %H:%M:%S} UTC" if finished_ms else "at an unknown time"
    verb = {Status.COMPLETED: "completed", Status.FAILED: "failed", Status.CANCELLED: "was cancelled"}[job.status]
    took = f", {_span(finished_ms - began_ms)} after it began" if began_ms and finished_ms else ", before it began"
    reason = f": {job.record['reason']}" if job.record.get("reason") else ""
    text = _sentence(f"It {verb} at {at}{took}{reason}")
    if subs and job.status is not Status.COMPLETED and not reason:
        text += f" Of its sub-jobs these did not complete{_listed(subs)}."
    if job.record.get("presumed") == Event.LOSE:
        text += " That is presumed; its worker's own report would correct it."
    return text


def _sentence(text: str) -> str:
    return text if text.endswith("…") else text.rstrip(".") + "."


def _listed(subs: Sequence[SubJobState]) -> str:
    if not subs:
        return ""
    named = [f"{sub.name} ({sub.id}) {sub.status if sub.code is Code.SETTLED else sub.code}" for sub in subs[:3]]
    return ": " + ", ".join(named) + (", …" if len(subs) > 3 else "")


def _progress(job: Job) -> str:
    total = float(job.record.get("total") or 0)
    if not total:
        return ""
    note = f", {job.record['note']}" if job.record.get("note") else ""
    return f"; {min(float(job.record.get('done') or 0) / total, 1):.0%} are done{note}"


def _when(ms: int | None, found: Findings) -> str:
    """A time as people want it: how far away, and by the clock."""
    if ms is None:
        return "at an unknown time"
    distance = _span(abs(ms - found.now_ms))
    return f"{f'in {distance}' if ms > found.now_ms else f'{distance} ago'} ({_at(ms):%Y-%m-%d %H:%M:%S} UTC)"


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _span(ms: int) -> str:
    """A duration in its largest unit."""
    seconds = ms / 1000
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
