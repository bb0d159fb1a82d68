"""Rules that conclude from the location of a job's message why the job is not done."""

from jobtracker.broker.message_search import BrokerObservations, Queue
from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Status
from jobtracker.diagnosis.conclusions import Conclusion, time_in_words
from jobtracker.diagnosis.observations import Holder, Job, Observations
from jobtracker.jobs.dispatcher import AT_ONCE
from jobtracker.schemas.explanation import (
    Code,
    Location,
    MessageLocation,
    QueueState,
    WorkerState,
)
from jobtracker.schemas.workers import Worker

_NEW_MS = 3000
"""Of something as young as this not everybody may know yet."""


def conclude_by_message(job: Job, found: Observations) -> Conclusion:
    """What a job waits for whose message is somewhere, or should be."""
    if job.task_id in found.unsent:
        conclusion = _unsent(job, found)
        _add_queue(conclusion, job, found, None)
        return conclusion
    if found.broker is None:
        conclusion = Conclusion(
            Code.UNKNOWN,
            f"Its message was sent to queue {job.queue!r}; where it is can't be found out: "
            "the broker does not answer.",
        )
        conclusion.message = MessageLocation(where=Location.UNKNOWN)
    else:
        conclusion = _found(job, found, found.broker, found.broker.queues.get(job.queue) or Queue())
        _add_queue(conclusion, job, found, found.broker.queues.get(job.queue))
    not_before_ms = job.record.eta
    place = conclusion.message.where if conclusion.message else Location.UNKNOWN
    if not_before_ms and not_before_ms > found.now_ms and place is not Location.NOWHERE:
        when = time_in_words(not_before_ms, found)
        if job.status is Status.RETRYING:
            why = f" ({job.record.reason})" if job.record.reason else ""
            attempt = job.record.attempt
            conclusion.code = Code.WAITING_FOR_RETRY
            conclusion.summary = f"Attempt {attempt + 1} did not succeed{why}; the next one is due {when}."
        else:
            conclusion.code = Code.WAITING_FOR_ETA
            conclusion.summary = f"It must not run before its ETA, {when}."
        if conclusion.worker:
            conclusion.summary += f" {conclusion.worker.name} holds its message until then."
    return conclusion


def _unsent(job: Job, found: Observations) -> Conclusion:
    consumers = found.consumers_of(job.queue)
    whom = "the next of its workers that is free" if consumers else "a worker, of which none lives that consumes it"
    started = time_in_words(job.record.queued, found)
    sentence = (
        f"It is one of more than {AT_ONCE} jobs that were started together {started}: {whom}, "
        f"sends it to queue {job.queue!r}, or maintenance does after a while."
    )
    return Conclusion(Code.BEING_SENT, sentence, message=MessageLocation(where=Location.NOWHERE))


def _found(job: Job, found: Observations, broker: BrokerObservations, queue: Queue) -> Conclusion:
    waiting, taken_ms = queue.waiting.get(job.task_id), broker.taken_ms.get(job.task_id)
    if waiting:
        place = MessageLocation(where=Location.QUEUE, position=waiting.position)
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


def _not_found(job: Job, found: Observations, broker: BrokerObservations, queue: Queue) -> Conclusion:
    """Where a message may be that neither the broker shows nor a worker says that it has."""
    if not queue.exists:
        place = MessageLocation(where=Location.NOWHERE)
        sentence = f"The broker has no queue {job.queue!r}: nobody will run it."
        return Conclusion(Code.MESSAGE_MISSING, sentence, message=place)
    if broker.shows_taken and not queue.is_whole:
        place = MessageLocation(where=Location.QUEUE, further_back_than=queue.looked_at)
        return _in_queue(job, found, queue, place, f"behind {queue.looked_at} others of {queue.messages}")
    eta_ms = job.record.eta
    if broker.visibility_timeout_s is None and eta_ms and eta_ms > found.now_ms:  # RabbitMQ's own delay, or a worker
        return Conclusion(Code.WAITING_FOR_ETA, "", message=MessageLocation(where=Location.UNKNOWN))
    if broker.visibility_timeout_s is None and queue.messages:
        place = MessageLocation(where=Location.QUEUE)
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


def _unknown(sentence: str) -> Conclusion:
    return Conclusion(Code.UNKNOWN, sentence, message=MessageLocation(where=Location.UNKNOWN))


def _in_queue(job: Job, found: Observations, queue: Queue, place: MessageLocation, which: str) -> Conclusion:
    consumers = found.consumers_of(job.queue)
    if not consumers and not queue.consumers:
        whom = "nobody" if queue.consumers == 0 else "no tracked worker"
        sentence = f"It waits in queue {job.queue!r} ({which}), which {whom} consumes: start a worker with --queues."
        return Conclusion(Code.NO_CONSUMER, sentence.replace("--queues", f"--queues {job.queue}"), message=place)
    by = ", ".join(consumers[:3]) + (f" and {len(consumers) - 3} more" if len(consumers) > 3 else "")
    by = by or f"{queue.consumers} consumers that are not tracked"
    return Conclusion(Code.QUEUED, f"It waits in queue {job.queue!r} ({which}), consumed by {by}.", message=place)


def _held(found: Observations, holder: Holder, taken_ms: int | None) -> Conclusion:
    lease = next((lease for lease in found.leases.values() if lease.name == holder.worker), None)
    worker = WorkerState(name=holder.worker, alive=True, pool=lease.pool if lease else None)
    place = _fetched(Location.WORKER, found, taken_ms)
    match holder.where:
        case "active":
            sentence = f"{holder.worker} says that it runs its task; its own report has not come yet."
            return Conclusion(Code.RUNNING, sentence, message=place, worker=worker)
        case "rate_limited":
            sentence = (
                f"{holder.worker} has fetched its message, and holds it until its task's rate limit lets it go."
            )
            return Conclusion(Code.RATE_LIMITED, sentence, message=place, worker=worker)
        case "scheduled":
            sentence = f"{holder.worker} holds its message for later."
            return Conclusion(Code.WAITING_FOR_ETA, sentence, message=place, worker=worker)
        case _:
            sentence = f"{holder.worker} has fetched its message and starts it when it can: {_slots_of(lease)}."
            return Conclusion(Code.PREFETCHED, sentence, message=place, worker=worker)


def _taken(found: Observations, taken_ms: int) -> Conclusion:
    place = _fetched(Location.UNACKNOWLEDGED, found, taken_ms)
    if found.now_ms - taken_ms < _NEW_MS:
        return Conclusion(Code.PREFETCHED, "A worker has just fetched its message.", message=place)
    if not found.workers_answered and found.leases:
        sentence = "A worker that does not answer has fetched its message, and not acknowledged it."
        return Conclusion(Code.PREFETCHED, sentence, message=place)
    when = f", {time_in_words(_redelivered_ms(found, taken_ms), found)} or soon after" if place.redelivered_at else ""
    if found.last_lost_ms is None or found.last_lost_ms < taken_ms:
        sentence = (
            "It was fetched and not acknowledged. No tracked worker has it, and none was lost since: "
            f"one that is not tracked may have it. If that is gone, the broker delivers it again{when}."
        )
        return Conclusion(Code.UNKNOWN, sentence, message=place)
    sentence = f"The worker that fetched its message is gone; the broker delivers the message again{when}."
    if not found.leases:
        sentence += " That takes a worker: none lives."
    return Conclusion(Code.WAITING_FOR_REDELIVERY, sentence, message=place)


def _nowhere(job: Job, found: Observations) -> Conclusion:
    place = MessageLocation(where=Location.NOWHERE)
    sent_ms = max(job.record.queued or 0, job.record.status_changed_at or 0)
    if job.task_id in found.unconfirmed or found.now_ms - sent_ms < _NEW_MS:
        return Conclusion(Code.BEING_SENT, "Its message is about to be sent, or has just been.", message=place)
    told = f" ({job.record.reason})" if job.record.reason else ""
    sentence = f"Its message is neither in queue {job.queue!r} nor with a worker{told}: nobody will run it."
    return Conclusion(Code.MESSAGE_MISSING, sentence, message=place)


def _fetched(where: Location, found: Observations, taken_ms: int | None) -> MessageLocation:
    redelivered_at = from_ms(_redelivered_ms(found, taken_ms))
    return MessageLocation(where=where, taken_at=from_ms(taken_ms), redelivered_at=redelivered_at)


def _redelivered_ms(found: Observations, taken_ms: int | None) -> int | None:
    visibility_ms = found.visibility_ms()
    return int(taken_ms + visibility_ms) if taken_ms is not None and visibility_ms is not None else None


def _add_queue(conclusion: Conclusion, job: Job, found: Observations, queue: Queue | None) -> None:
    conclusion.queue = QueueState(
        name=job.queue,
        messages=queue.messages if queue else None,
        consumers=found.consumers_of(job.queue),
        consumer_count=queue.consumers if queue else None,
    )


def _slots_of(lease: Worker | None) -> str:
    if lease is None:
        return "no slot is free"
    return "its slot is taken" if lease.concurrency == 1 else f"all its {lease.concurrency} slots are taken"
