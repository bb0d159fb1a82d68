"""Known traps: each a small function that says what is wrong, what follows, which setting to change, and its source.

They do no input or output: they only judge what `collect.py` has gathered. A check whose facts are missing reports
nothing; `collect.py` lists the missing facts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from jobtracker.doctor.collect import DEFAULT_VISIBILITY_S, Evidence
from jobtracker.doctor.inspect_parsing import seconds
from jobtracker.schemas.examination import Trap
from jobtracker.store.schema import JobRecord

_CELERY = "https://docs.celeryq.dev/en/stable"
_VISIBILITY = (
    f"{_CELERY}/getting-started/backends-and-brokers/redis.html#visibility-timeout; kombu/transport/redis.py"
)
_WHERE_VISIBILITY = (
    " in broker_transport_options of all workers (CELERY_VISIBILITY_TIMEOUT_S for the shipped ones and the API)"
)
_CONSUMER_TIMEOUT_S = 1800.0
"""RabbitMQ's default; what it is set to can't be asked over AMQP."""

_HALF = 0.5


# -- messages that come back too early ------------------------------------------------------------------------------


def eta_beyond_redelivery(found: Evidence) -> Iterator[Trap]:
    """A job waits for a time that is further away than the broker waits for an acknowledgement."""
    limit = _redelivery(found)
    if found.broker_is_amqp and set(found.setting("task_default_queue_type").values()) == {"quorum"}:
        return  # there such messages wait at the broker
    waits = {record.id: _wait_s(record) for record in found.waiting}
    beyond = {job_id: wait_s for job_id, wait_s in waits.items() if wait_s > limit.seconds}
    if not beyond:
        return
    longest, wait_s = max(beyond.items(), key=lambda item: item[1])
    waiting = "1 job waits" if len(beyond) == 1 else f"{len(beyond):,} jobs wait"
    yield Trap(
        name=f"eta_beyond_{limit.name}",
        where="the broker",
        problem=f"{waiting} for a time further away than {limit}; {longest} waits {wait_s:,.0f} s.",
        consequence=f"A worker holds such a message unacknowledged until then. {limit.consequence}",
        change=limit.change(wait_s),
        source=limit.source,
    )


def run_time_beyond_redelivery(found: Evidence) -> Iterator[Trap]:
    """Tasks that are acknowledged when they are done take longer than the broker waits for that."""
    limit = _redelivery(found)
    for name, job_type in found.types.items():
        run = found.figures[name].run if name in found.figures else None
        if not job_type.acks_late or run is None or run.max_s is None or run.max_s <= limit.seconds:
            continue
        p95 = "" if run.p95_s is None else f", p95 {run.p95_s:,.0f} s"
        yield Trap(
            name=f"run_time_beyond_{limit.name}",
            where=name,
            problem=f"Jobs of type {name!r} are acknowledged late, and took up to {run.max_s:,.0f} s{p95}, in the "
            f"last 24 hours, retries and waits for sub-jobs included: longer than {limit}.",
            consequence=f"Their messages are not acknowledged while they run. {limit.consequence}",
            change=f"{limit.change(run.max_s)}; or acks_late=False for this task",
            source=limit.source,
        )


def visibility_timeouts_differ(found: Evidence) -> Iterator[Trap]:
    """Workers of one broker don't agree about when a message comes back."""
    timeouts = {name: timeout_s for name, timeout_s in found.visibility_s.items() if name in found.settings}
    if len(set(timeouts.values())) < 2:
        return
    told = ", ".join(f"{name} {timeout_s:,.0f} s" for name, timeout_s in sorted(timeouts.items()))
    yield Trap(
        name="visibility_timeouts_differ",
        where="the workers",
        problem=f"Their visibility timeouts differ: {told}.",
        consequence="Every worker gives back what is older than its own timeout, no matter which worker holds "
        "it: the shortest "
        "counts for all.",
        change=f"visibility_timeout = {max(timeouts.values()):.0f}{_WHERE_VISIBILITY}",
        source="kombu/transport/redis.py, restore_visible",
    )


# -- chords ---------------------------------------------------------------------------------------------------------


def results_expire_before_chord(found: Evidence) -> Iterator[Trap]:
    """A chord takes so long that the results of its first tasks may be gone before the last one ends."""
    limits = {
        worker: min(
            (s for s in map(seconds, (conf["result_chord_expires"], conf["result_expires"])) if s), default=0.0
        )
        for worker, conf in found.settings.items()
    }
    limit_s = min((limit for limit in limits.values() if limit), default=0.0)
    began = {r.id: r.queued or r.started or r.created for r in found.open_parents}
    ages = {job_id: (found.now_ms - began_ms) / 1000 for job_id, began_ms in began.items()}
    old = {job_id: age_s for job_id, age_s in ages.items() if limit_s and age_s > limit_s * _HALF}
    if not old:
        return
    oldest, age_s = max(old.items(), key=lambda item: item[1])
    yield Trap(
        name="results_expire_before_chord",
        where=", ".join(sorted(worker for worker, limit in limits.items() if limit == limit_s)),
        problem=f"Parent {oldest} has been waiting for its sub-jobs for {age_s:,.0f} s; Celery keeps the results of "
        f"a chord for {limit_s:,.0f} s, and {len(old)} have used more than half of that.",
        consequence="Once the results or the chord's own counter have expired its task is never called, or without "
        "them.",
        change=f"result_expires = {4 * age_s:,.0f}".replace(",", "") + " and result_chord_expires not below it",
        source=f"{_CELERY}/userguide/configuration.html#result-expires; celery/backends/redis.py, "
        "on_chord_part_return",
    )


def ignored_result_in_chord(found: Evidence) -> Iterator[Trap]:
    """The result of a task that is used in chords is ignored."""
    ignored = {task.name for tasks in found.tasks.values() for task in tasks if "ignore_result" in task.flags}
    for name in sorted(found.sub_job_types):
        if found.types[name].task not in ignored:
            continue
        yield Trap(
            name="ignored_result_in_chord",
            where=name,
            problem=f"Jobs of type {name!r} are sub-jobs, and their task ignores its result.",
            consequence="A chord within a chord never comes to its end, nor does any chord of a result backend "
            "that polls: it waits for a result that nobody stores. A parent that is run again lacks that result.",
            change=f"ignore_result=False for task {found.types[name].task!r}, or task_ignore_result = False",
            source=f"{_CELERY}/userguide/canvas.html#chord-important-notes",
        )


# -- workers that die -----------------------------------------------------------------------------------------------


def lost_without_cap(found: Evidence) -> Iterator[Trap]:
    """A task that kills its worker is delivered again without end."""
    tracked = {job_type.task for job_type in found.types.values()}
    for worker, tasks in sorted(found.tasks.items()):
        names = sorted(
            t.name for t in tasks if {"reject_on_worker_lost", "acks_late"} <= t.flags and t.name not in tracked
        )
        if names:
            yield Trap(
                name="reject_on_worker_lost_without_cap",
                where=worker,
                problem=f"{_named(names)} with reject_on_worker_lost, and not tracked: nothing counts the "
                "deliveries.",
                consequence="A task that kills its process, as one that runs out of memory does, goes back to its "
                "queue and kills the next one, without end. A quorum queue drops the message after 20 times.",
                change="track these tasks (Tracker(app), or @tracked), or task_reject_on_worker_lost = False",
                source=f"{_CELERY}/userguide/configuration.html#task-reject-on-worker-lost",
            )


# -- queues ---------------------------------------------------------------------------------------------------------


def queue_without_consumer(found: Evidence) -> Iterator[Trap]:
    """Messages wait in a queue that nobody consumes."""
    for queue, messages in sorted(found.unconsumed.items()):
        waiting = "1 message waits" if messages == 1 else f"{messages:,} messages wait"
        yield Trap(
            name="queue_without_consumer",
            where=queue,
            problem=f"{waiting} in queue {queue!r}, and no worker consumes it.",
            consequence="Their jobs stay pending; those that are cancelled have ended, and left their messages.",
            change=f"start a worker with --queues {queue}, or correct task_routes or task_default_queue of the "
            f"senders; or, where nobody is to do them, celery purge -Q {queue}",
            source=f"{_CELERY}/userguide/routing.html",
        )


def unacknowledged_without_worker(found: Evidence) -> Iterator[Trap]:
    """Workers that are gone hold messages."""
    if not found.abandoned:
        return
    limit_s = _redelivery(found).seconds
    queues = Counter(each.queue for each in found.abandoned)
    where = ", ".join(f"{number:,} of queue {queue!r}" for queue, number in sorted(queues.items()))
    last_ms = max(each.taken_ms for each in found.abandoned) + int(limit_s * 1000)
    held = "1 message is" if len(found.abandoned) == 1 else f"{len(found.abandoned):,} messages are"
    none_runs = "" if found.workers else "; no worker runs, and only one that runs gives them back"
    yield Trap(
        name="unacknowledged_without_worker",
        where="the broker",
        problem=f"{held} with workers that are gone: {where}.",
        consequence=f"They come back when the visibility timeout of {limit_s:,.0f} s is over, the last one after "
        f"{datetime.fromtimestamp(last_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC{none_runs}.",
        change=("" if found.workers else "start a worker; ")
        + "what a worker had begun goes back to its queue within LEASE_LOST_S and MAINTENANCE_INTERVAL_S, "
        "where its job is tracked; what none has begun is sent again, where nothing is lacking "
        '(store_arguments="full"); jobtracker '
        f"explain ID says what helps one. For all else a shorter visibility_timeout{_WHERE_VISIBILITY}, but beyond "
        "the longest ETA, and the longest run time with acks_late: what is held for longer runs twice",
        source=_VISIBILITY,
    )


def quorum_queue_with_direct_exchange(found: Evidence) -> Iterator[Trap]:
    """Quorum queues whose messages can't wait at the broker."""
    kinds = found.setting("task_default_exchange_type")
    for worker, kind in sorted(found.setting("task_default_queue_type").items()):
        if kind == "quorum" and kinds[worker] != "topic":
            yield Trap(
                name="quorum_queue_with_direct_exchange",
                where=worker,
                problem=f"Its queues are quorum queues, and their exchange is of type {kinds[worker]!r}.",
                consequence="A message with an ETA or a countdown can't wait at the broker: it is held by a "
                "worker, without a limit to how many it fetches.",
                change='task_default_exchange_type = "topic", with a task_default_exchange of that type',
                source=f"{_CELERY}/getting-started/backends-and-brokers/rabbitmq.html#using-quorum-queues",
            )


TRAPS: tuple[Callable[[Evidence], Iterable[Trap]], ...] = (
    queue_without_consumer,
    unacknowledged_without_worker,
    eta_beyond_redelivery,
    run_time_beyond_redelivery,
    visibility_timeouts_differ,
    results_expire_before_chord,
    ignored_result_in_chord,
    lost_without_cap,
    quorum_queue_with_direct_exchange,
)


class _Redelivery(NamedTuple):
    """When a message that is not acknowledged comes back, though its worker lives."""

    name: str
    seconds: float
    consequence: str
    setting: str
    source: str

    def __str__(self) -> str:
        return f"the {self.name.replace('_', ' ')} of {self.seconds:,.0f} s"

    def change(self, needed_s: float) -> str:
        """The setting that suffices, with room to spare."""
        roomy_s = int(-(-needed_s * 1.5 // 600) * 600)
        return self.setting.format(s=roomy_s, ms=roomy_s * 1000)


def _redelivery(found: Evidence) -> _Redelivery:
    if found.broker_is_amqp:
        return _Redelivery(
            name="consumer_timeout",
            seconds=_CONSUMER_TIMEOUT_S,
            consequence="RabbitMQ closes its channel after consumer_timeout (what that is set to can't be asked "
            "over AMQP; this is the default), and delivers again all that the worker holds.",
            setting="consumer_timeout = {ms} in rabbitmq.conf",
            source="https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout",
        )
    # Only who consumes gives messages back.
    workers = [timeout_s for name, timeout_s in found.visibility_s.items() if name in found.settings]
    return _Redelivery(
        name="visibility_timeout",
        seconds=min(workers or found.visibility_s.values(), default=DEFAULT_VISIBILITY_S),
        consequence="The broker delivers it again each time the visibility timeout is over: the task runs several "
        "times, even at once.",
        setting='broker_transport_options = {{"visibility_timeout": {s}}} in all workers '
        "(CELERY_VISIBILITY_TIMEOUT_S={s} for the shipped workers and the API)",
        source=_VISIBILITY,
    )


def _wait_s(record: JobRecord) -> float:
    """How long its message is held before its time comes."""
    since = record.status_changed_at if record.status == "retrying" else record.queued or record.created
    return ((record.eta or since) - since) / 1000


def _named(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more} {'is' if len(names) == 1 else 'are'} acknowledged late,"
