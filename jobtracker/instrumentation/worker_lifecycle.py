"""The tracker's work in a worker, from the time before its pool forks until it has shut down.

It uses signals, not a bootstep. A bootstep would not be simpler (measured with Celery 5.7):

* A worker's step can't be placed before or after the pool; without a dependency their order differs from start to
  start. A step that stops before the pool gives the lease back while tasks run. These would then count as lost.
* It starts before the consumer is connected: worker_ready would still be needed.
* SIGQUIT after SIGTERM calls its `stop`, not its `terminate`.
"""

import logging
import os
import socket
import uuid
import weakref
from collections.abc import Collection
from typing import Any

from celery import Celery, signals

from jobtracker.connection.client import connect
from jobtracker.connection.urls import without_passwords
from jobtracker.core.clock import now_ms
from jobtracker.core.periodic import Repeater
from jobtracker.core.version import package_version
from jobtracker.instrumentation.held_messages import HeldMessages, register, unregister
from jobtracker.instrumentation.job_types import job_types_of
from jobtracker.instrumentation.process_usage import UsageMeter
from jobtracker.instrumentation.signal_handlers import SignalHandlers
from jobtracker.instrumentation.task_guard import TaskGuard
from jobtracker.instrumentation.task_signals import TaskSignals
from jobtracker.instrumentation.unfinished import unfinished_of
from jobtracker.jobs.signatures import SEND
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.runtime import Tracking
from jobtracker.schemas.drains import Unfinished
from jobtracker.schemas.workers import Holding, Worker
from jobtracker.store.job_types import Registry
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.releases import ReleaseLog
from jobtracker.tracing.export import flush_at_end

logger = logging.getLogger(__name__)

_TAKE_OVER_S = 1.0
"""How often a worker looks for reports of processes that have ended."""

_POOLS = {"thread": "threads"}
"""What `celery worker -P` calls a pool, where that is not the name of its module."""

_in_workers: "weakref.WeakKeyDictionary[Celery, WorkerLifecycle]" = weakref.WeakKeyDictionary()


class WorkerLifecycle:
    """The tracker's part of the worker that runs in this process, if one does.

    Args:
        tracking: Where it writes.
        task_signals: The handlers of task signals.
    """

    def __init__(self, tracking: Tracking, task_signals: TaskSignals) -> None:
        self.tracking = tracking
        self.app = tracking.app
        self._task_signals = task_signals
        self._this_worker = task_signals.worker
        self._held = HeldMessages()
        self._guard = TaskGuard(self.app, task_signals, self._held)
        self._worker: Worker | None = None
        self._repeaters: list[Repeater] = []
        self._handlers = SignalHandlers(
            {
                signals.worker_init: self.on_init,
                signals.worker_ready: self.on_ready,
                signals.worker_shutting_down: self.on_shutting_down,
                signals.worker_shutdown: self.on_shutdown,
                signals.worker_process_shutdown: self.on_process_shutdown,
            }
        )

    def install(self) -> None:
        """Connect the signals."""
        self._handlers.connect()

    def uninstall(self) -> None:
        """Disconnect them, and leave the app's tasks and Celery's remote control as they were."""
        self._handlers.disconnect()
        self._guard.uninstall()
        if _in_workers.pop(self.app, None) is not None:
            self.app.tasks.pop(SEND, None)
            if not _in_workers:
                unregister()

    def on_init(self, sender: Any, **_: Any) -> None:
        """worker_init, before the pool forks: what the children need to know."""
        if sender.app is not self.app:
            return
        self._this_worker.incarnation, self._this_worker.main_pid = uuid.uuid4().hex[:12], os.getpid()
        self.tracking.reporter.outage.takes_over = False  # its children need not: a thread of this process does
        self._add_task()
        _in_workers[self.app] = self
        register(_holding, _unfinished)
        self._guard.install()

    def _add_task(self) -> None:
        """Give the worker the task that sends what was handed over: of large trees."""

        def send(task_ids: list[str]) -> None:
            OutboxRelay(self.tracking).send_claimed(task_ids)

        if SEND not in self.app.tasks:
            self.app.task(send, name=SEND, shared=False, ignore_result=True)

    def on_ready(self, sender: Any, **_: Any) -> None:
        """worker_ready, the worker consumes: announce its types, take its lease, begin with maintenance."""
        if sender.app is not self.app:
            return
        settings, controller = self.tracking.settings, sender.controller
        logger.info("Jobs are tracked in %s", without_passwords(settings.tracking_url))
        self._worker = worker = self._describe(sender.hostname, controller)
        # Connections of their own: children that fork meanwhile must not inherit a lock that is held.
        client, keys = connect(settings.tracking_url, settings.tracking_timeout_s), self.tracking.keys
        registry, leases = Registry(client, keys), Leases(client, keys, settings.lease_lost_s)
        releases = ReleaseLog(client, keys, settings.series_s)
        types, meter = job_types_of(self.app, self._task_signals.task_filter), UsageMeter(worker.pid)

        def renew() -> None:
            expect_partitions(client, keys)  # its lease would be seen, and not its jobs
            registry.announce(*types)
            leases.renew(worker.model_copy(update=meter.measure()))
            releases.note(worker)

        lease = Repeater("lease", settings.lease_renew_s, renew, system_thread=True)
        runner = MaintenanceRunner(Tracking.connect(settings, self.app))
        maintenance = Repeater("maintenance", settings.maintenance_interval_s, runner.step)
        reporter = self.tracking.reporter
        if worker.pool == "prefork":
            reporter.buffer.most *= controller.concurrency  # its children leave to it what they have not written
        spool = Repeater("spool", _TAKE_OVER_S, reporter.take_over)
        self._repeaters = [lease, maintenance, spool]
        lease.start(settings.tracking_timeout_s)  # Celery says "ready" after this: the types are known by then
        maintenance.start()
        spool.start()

    def _describe(self, name: str, controller: Any) -> Worker:
        module = controller.pool_cls.__module__.rpartition(".")[2]
        pool = _POOLS.get(module, module)
        return Worker(
            incarnation=self._this_worker.incarnation,
            name=name,
            host=socket.gethostname(),
            pid=os.getpid(),
            pool=pool,
            concurrency=1 if pool == "solo" else controller.concurrency,  # which solo pays no heed to
            queues=sorted(self.app.amqp.queues.consume_from),
            version=package_version(),
            release=self.tracking.settings.release_label,
            tells_holds=True,
            started_at_ms=now_ms(),
        )

    def on_shutting_down(self, sender: str, how: str, **_: Any) -> None:
        """worker_shutting_down, in a signal handler.

        A cold shutdown has ended the pool, and no worker_shutdown follows.
        """
        if how == "Cold" and self._worker is not None and sender == self._worker.name:
            self.stop()

    def on_shutdown(self, sender: Any, **_: Any) -> None:
        """worker_shutdown: a warm shutdown is done."""
        if sender.app is self.app:
            self.tracking.reporter.take_over()
            self.tracking.reporter.close()
            self.stop()

    def on_process_shutdown(self, **_: Any) -> None:
        """worker_process_shutdown, in a pool's child: the main process goes on with what it has not written."""
        self.tracking.reporter.close(is_followed=not self._this_worker.is_main)
        flush_at_end()  # of any SDK: a child of the pool ends without what Python does at the end

    def stop(self) -> None:
        """End what `on_ready` began, settle the jobs that the worker leaves, and give its lease back."""
        worker, self._worker = self._worker, None  # a cold shutdown may interrupt this, and begin it again
        for repeater in self._repeaters:
            repeater.stop()
        self._repeaters = []
        if worker is None:
            return
        try:
            # The connections of this process may be held by what a signal has interrupted.
            own = Tracking.connect(self.tracking.settings, self.app)
            with own.client:
                MaintenanceRunner(own).rescuer.rescue_stopped(worker.incarnation)
                own.leases.release(worker.incarnation)
        except Exception as error:  # noqa: BLE001 (the lease runs out by itself, and somebody else settles the rest)
            logger.warning("jobtracker: the worker's lease was not given back: %s", error)

    def holding(self, consumer: Any, task_ids: Collection[str]) -> Holding:
        """What this worker says of tasks (`HeldMessages.answer`)."""
        return self._held.answer(self._this_worker.incarnation, consumer, task_ids)

    def unfinished(self, consumer: Any) -> Unfinished:
        """All that this worker has (`unfinished_of`)."""
        return unfinished_of(self._this_worker.incarnation, consumer, self._held, self.tracking.reporter)


def _holding(state: Any, task_ids: Collection[str]) -> Holding:
    """What the worker whose panel has this state says of tasks."""
    return _lifecycle_of(state).holding(state.consumer, task_ids)


def _unfinished(state: Any) -> Unfinished:
    """All that the worker whose panel has this state has."""
    return _lifecycle_of(state).unfinished(state.consumer)


def _lifecycle_of(state: Any) -> WorkerLifecycle:
    lifecycle = _in_workers.get(state.app)
    if lifecycle is None:
        raise LookupError("this worker is not tracked any more")
    return lifecycle
