"""Takes workers out of service, and says when one is safe to stop.

A worker is told to consume nothing, by Celery's remote control. It goes on with what it has by then. It is safe to
stop when it says that it has nothing left, and the store agrees: no job is recorded as running there. What can't be
seen is unknown, and never safe.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from redis.exceptions import RedisError

from jobtracker.broker.config import is_amqp
from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import UNDER_WAY
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.held_tasks import HeldTasks
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import WorkerNotFoundError
from jobtracker.runtime import Tracking
from jobtracker.schemas.drains import UNFINISHED_COMMAND, Drain, DrainMark, DrainState, HeldTask, Unfinished
from jobtracker.schemas.workers import Worker
from jobtracker.store.schema import JobRecord

_CONFIRMED_S = 2.0
"""How long it is waited until a worker says that it has done what it was told."""
_POLLED_EVERY_S = 0.05
_BATCH = 500
_MOST_LOOKED_AT = 20_000
"""So many jobs under way are looked at for those that are recorded as running on a worker."""
_CLOCK_MS = 60_000
"""So much (ms) a worker's clock may differ from those of others."""


@dataclass
class _Seen:
    """What was found out about a worker."""

    worker: Worker
    mark: DrainMark | None
    told: Unfinished | None
    reasons: list[str] = field(default_factory=list)
    unavailable: list[str] = field(default_factory=list)

    @property
    def is_drained(self) -> bool:
        """It was told to consume nothing, or consumes nothing for another reason."""
        return self.mark is not None or (self.told is not None and not self.told.queues)


class Drainer:
    """Drains workers.

    Args:
        tracking: Whose.
        inspector: Reaches the workers.
    """

    def __init__(self, tracking: Tracking, inspector: Inspector) -> None:
        self._tracking = tracking
        self._inspector = inspector
        self._drains = inspector.drains
        self._held = HeldTasks(tracking, Explainer(tracking, inspector))

    def look(self, name: str) -> Drain:
        """What a worker still has, and whether it is safe to stop.

        Raises:
            WorkerNotFoundError: There is no live tracked worker of that name.
            BrokerUnavailableError: The broker does not answer.
        """
        worker = self._find(name)
        return self._told(worker, self._ask(worker))

    def drain(self, name: str) -> Drain:
        """Tell a worker to consume nothing; it may be repeated.

        The queues that it consumed are remembered first, so that `undo` works even if this is broken off half way.

        Raises:
            WorkerNotFoundError: There is no live tracked worker of that name.
            BrokerUnavailableError: The broker does not answer.
        """
        worker = self._find(name)
        told = self._ask(worker)
        mark = self._drains.remember(worker.incarnation, told.queues if told else worker.queues)
        for queue in mark.queues:
            self._command(worker, "cancel_consumer", queue)
        return self._told(worker, self._confirmed(worker, told, lambda now: not now.queues))

    def undo(self, name: str) -> Drain:
        """Let a worker consume again what it consumed before it was drained.

        The mark goes when the worker says that it does. So what is broken off half way can be repeated.

        Raises:
            WorkerNotFoundError: There is no live tracked worker of that name.
            BrokerUnavailableError: The broker does not answer.
        """
        worker = self._find(name)
        mark = self._drains.of([worker.incarnation]).get(worker.incarnation)
        told = self._ask(worker)
        # A worker that took the name meanwhile may have got the command: it consumes nothing, and has no mark.
        is_idle = told is not None and not told.queues
        wanted = set(mark.queues if mark else worker.queues if is_idle else ())
        if not wanted:
            return self._told(worker, told)
        for queue in sorted(wanted):
            self._command(worker, "add_consumer", queue)
        told = self._confirmed(worker, told, lambda now: wanted <= set(now.queues))
        if mark and told and wanted <= set(told.queues):
            self._drains.forget(worker.incarnation)
        return self._told(worker, told)

    # -- asking and telling a worker --------------------------------------------------------------------------------

    def _find(self, name: str) -> Worker:
        found = [worker for worker in self._tracking.leases.live() if worker.name == name]
        if not found:
            raise WorkerNotFoundError(name)
        return max(found, key=lambda worker: worker.started_at_ms)

    def _ask(self, worker: Worker) -> Unfinished | None:
        """What a worker says that it has; None: it does not say it in time."""
        for reply in self._broadcast(worker, UNFINISHED_COMMAND, {}):
            try:
                told = Unfinished.model_validate(reply)
            except ValidationError:  # an error, or an answer of an older release
                continue
            if told.lease == worker.incarnation:
                return told
        return None

    def _command(self, worker: Worker, command: str, queue: str) -> None:
        """Give a worker a command of Celery's. One that is too busy to answer gets it when it has time.

        RabbitMQ keeps it for `control_queue_ttl`, five minutes by default.
        """
        with self._inspector.broker() as connection:
            arguments = {"queue": queue}
            self._inspector.app.control.broadcast(
                command, arguments=arguments, destination=[worker.name], timeout=None, connection=connection
            )

    def _broadcast(self, worker: Worker, command: str, arguments: dict[str, Any]) -> Iterable[Any]:
        with self._inspector.broker() as connection:
            replies = self._inspector.app.control.broadcast(
                command,
                arguments=arguments,
                destination=[worker.name],
                reply=True,
                timeout=self._inspector.timeout_s,
                connection=connection,
            )
        return [answer for reply in replies or [] for answer in reply.values()]

    def _confirmed(
        self, worker: Worker, before: Unfinished | None, is_done: Callable[[Unfinished], bool]
    ) -> Unfinished | None:
        """A worker's answer when it has done what it was told, or the last one.

        One that has not answered before is not waited for.
        """
        told, until = before, time.monotonic() + _CONFIRMED_S
        while told is not None:
            told = self._ask(worker)
            if told is None or is_done(told) or time.monotonic() > until:
                break
            time.sleep(_POLLED_EVERY_S)
        return told

    # -- what follows -----------------------------------------------------------------------------------------------

    def _told(self, worker: Worker, told: Unfinished | None) -> Drain:
        mark = self._drains.of([worker.incarnation]).get(worker.incarnation)
        seen = _Seen(worker, mark, told)
        self._judge(seen)
        if seen.is_drained and seen.told is not None and not seen.reasons and not seen.unavailable:
            # A message that it read together with the first question it knows of when it is asked again.
            seen = _Seen(worker, mark, self._ask(worker))
            self._judge(seen)
            if not seen.reasons and not seen.unavailable:
                self._compare_with_store(seen)
        tasks = self._held.of(seen.told.tasks, worker) if seen.told else []
        return self._answer(seen, tasks)

    def _judge(self, seen: _Seen) -> None:
        """Add what a worker's own answer says against stopping it."""
        worker, told = seen.worker, seen.told
        if sum(each.name == worker.name for each in self._tracking.leases.live()) > 1:
            seen.unavailable.append(f"what {worker.name} has: another live worker has the same name")
        if told is None:
            seen.unavailable.append(f"what {worker.name} has: {_why_silent(worker)}")
            return
        if told.queues and seen.mark:
            seen.reasons.append(f"It still consumes {', '.join(told.queues)}.")
        running = sum(task.where == "active" for task in told.tasks)
        if running:
            seen.reasons.append(f"It runs {_tasks(running)}.")
        if waiting := told.count - running:
            seen.reasons.append(f"It has fetched {_messages(waiting)} that it has not begun.")
        if told.in_pool is not None and told.in_pool > told.count:
            seen.reasons.append(f"Its pool has {_tasks(told.in_pool - told.count)} more that it does not name.")
        if told.unwritten:
            seen.reasons.append(f"{told.unwritten} of its reports are not stored yet.")
        if told.unwritten_on_disk:
            seen.reasons.append("Reports wait on its machine's disk for the tracking Redis.")
        if not told.keeps_on_disk and worker.pool == "prefork":
            seen.unavailable.append(
                "reports that wait in its pool's processes: they are not kept on disk, see REPORT_SPOOL_DIR"
            )
        if told.opaque and told.in_pool is None:
            seen.unavailable.append(
                f"messages of {', '.join(told.opaque[:3])}: their requests are of a class that is not tracked"
            )

    def _compare_with_store(self, seen: _Seen) -> None:
        """Add the jobs that are recorded as running on a worker that has nothing: their ends are not stored."""
        queries, incarnation = self._tracking.queries, seen.worker.incarnation
        left, looked_at = 0, set[str]()
        try:
            before_ms = queries.server_ms() + _CLOCK_MS
            for status in UNDER_WAY:
                since_ms, is_left = 0, True
                while is_left:  # it goes on by time: others settle meanwhile, so a place in the list is none any more
                    found = queries.entered_between(status, since_ms, before_ms, 0, _BATCH)
                    new = [job for job, _ in found if job not in looked_at]
                    leases = queries.fields(new, JobRecord.lease) if new else []
                    left += sum(lease == incarnation for lease in leases)
                    looked_at.update(new)
                    is_left = len(found) == _BATCH
                    if is_left and (found[-1][1] == since_ms or len(looked_at) >= _MOST_LOOKED_AT):
                        seen.unavailable.append(
                            f"whether all ends are stored: there are more than {len(looked_at):,} jobs under way"
                        )
                        return
                    since_ms = found[-1][1] if found else since_ms
        except RedisError as error:
            seen.unavailable.append(f"whether all ends are stored: {error}")
            return
        if left:
            jobs = "1 job is" if left == 1 else f"{left} jobs are"
            seen.reasons.append(f"{jobs} recorded as running there: the reports of their ends are not stored yet.")

    def _answer(self, seen: _Seen, tasks: list[HeldTask]) -> Drain:
        worker, told, mark = seen.worker, seen.told, seen.mark
        state = _state_of(seen)
        running = sum(task.where == "active" for task in told.tasks) if told else None
        return Drain(
            worker=worker.name,
            incarnation=worker.incarnation,
            pool=worker.pool,
            state=state,
            summary=_summary(seen, state),
            drained_since=from_ms(mark.since_ms) if mark else None,
            queues=told.queues if told else None,
            queues_before=mark.queues if mark else [],
            running=running,
            waiting=told.count - (running or 0) if told else None,
            tasks=tasks,
            tasks_left_out=told.count - len(tasks) if told else 0,
            finish_at=_finish_of(tasks),
            if_stopped=self._if_stopped(worker),
            if_killed=f"Messages that are not acknowledged come back {self._held.return_of_messages()}.",
            reasons=seen.reasons,
            unavailable=seen.unavailable,
        )

    def _if_stopped(self, worker: Worker) -> str:
        broker = "RabbitMQ" if is_amqp(self._tracking.app) else "Redis"
        text = f"Running tasks end first. Messages that wait go back to their queues on {broker} when the worker ends"
        return f"{text}." if worker.pool == "prefork" else f"{text}; those that get a free slot before run first."


def _state_of(seen: _Seen) -> DrainState:
    if not seen.is_drained:
        return DrainState.CONSUMING
    if seen.unavailable:
        return DrainState.UNKNOWN
    return DrainState.DRAINING if seen.reasons else DrainState.SAFE


def _summary(seen: _Seen, state: DrainState) -> str:
    match state:
        case DrainState.CONSUMING if seen.told is None:
            return f"It was not drained. Not known: {'; '.join(seen.unavailable)}."
        case DrainState.CONSUMING:
            return f"It is not safe to stop: it was not drained. {' '.join(seen.reasons)}".rstrip()
        case DrainState.SAFE:
            return "It is safe to stop: it consumes nothing, has nothing left, and all its reports are stored."
        case DrainState.UNKNOWN:
            return f"Whether it is safe to stop is not known: {'; '.join(seen.unavailable)}."
    return f"It is not safe to stop yet. {' '.join(seen.reasons)}"


def _why_silent(worker: Worker) -> str:
    if worker.pool == "solo":
        return (
            "a solo worker does not answer while it runs a task. It reads commands after the task. Before that it "
            "may begin one more fetched message"
        )
    return "it does not answer: it hangs, or runs an older release of jobtracker"


def _finish_of(tasks: Iterable[HeldTask]) -> datetime | None:
    running = [task.finish.late_at if task.finish else None for task in tasks if task.where == "active"]
    known = [at for at in running if at]
    return max(known) if known and len(known) == len(running) else None


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"
