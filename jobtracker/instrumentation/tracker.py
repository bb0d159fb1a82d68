"""Tracker(app): attaches jobtracker to a Celery app."""

import functools
import logging
import os
import socket
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from celery import Celery, Task, signals
from celery.local import Proxy
from pydantic import BaseModel

from jobtracker.broker.queues import queue_of_route
from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.declarations import (
    DEFAULT,
    declaration_of,
    needs_results,
    payload_schema,
    takes_results,
    tracked,
)
from jobtracker.core.masking import Keep
from jobtracker.core.periodic import Repeater
from jobtracker.core.version import package_version
from jobtracker.instrumentation.beat import Beat
from jobtracker.instrumentation.held_messages import Holds, register, unregister
from jobtracker.instrumentation.task_signals import Hooks
from jobtracker.instrumentation.worker_requests import telling_losses
from jobtracker.jobs.signatures import SEND
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.runtime import Tracking
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.workers import Holding, Worker
from jobtracker.settings import Settings
from jobtracker.store.job_types import Registry
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import expect_partitions

logger = logging.getLogger(__name__)

_attached: "weakref.WeakKeyDictionary[Celery, Tracker]" = weakref.WeakKeyDictionary()

_GUARD = "__jobtracker_guard__"

_TAKE_OVER_S = 1.0
"""How often a worker looks for reports that processes have left which have ended."""

_POOLS = {"thread": "threads"}
"""What `celery worker -P` calls a pool, where that is not the name of its module."""


class Tracker:
    """Tracks the tasks of a Celery app, in every process that publishes or runs them.

        app = Celery("shop", broker="redis://…")
        tracker = Tracker(app)

    A second tracker for the same app joins the first one. Tasks that run eagerly are not tracked.

    Args:
        app: The app.
        settings: Where and how to track; default: from the environment (`REDIS_URL` and so on).
        track: "all" tasks of the app, or only the "declared" ones (`@tracked`, `@tracker.task`).
    """

    def __init__(
        self, app: Celery, settings: Settings | None = None, *, track: Literal["all", "declared"] = "all"
    ) -> None:
        app = _unwrapped(app)
        self.app = app
        self.track = track
        self.tracking, self.hooks = self._connect(settings or Settings.from_env())
        self._beat = Beat(app)
        self._worker: Worker | None = None
        self._holds = Holds()
        self._repeaters: list[Repeater] = []
        self._guarded: list[tuple[type[Task], str, Any]] = []  # with what it had of its own by that name
        self._signals = {
            signals.worker_init: self._on_worker_init,
            signals.worker_ready: self._on_worker_ready,
            signals.worker_shutting_down: self._on_worker_shutting_down,
            signals.worker_shutdown: self._on_worker_shutdown,
            signals.worker_process_shutdown: self._on_process_shutdown,
        }
        self.attach()

    @staticmethod
    def of(app: Celery) -> "Tracker | None":
        """The tracker that is attached to an app."""
        return _attached.get(_unwrapped(app))

    @contextmanager
    def redirected(self, settings: Settings) -> Iterator[None]:
        """Track into another store meanwhile, for tests. No worker may run in this process."""
        usual = self.tracking, self.hooks
        self._detach()
        self.tracking, self.hooks = self._connect(settings)
        self._attach()
        try:
            yield
        finally:
            self._detach()
            self.tracking.client.close()
            self.tracking, self.hooks = usual
            self._attach()

    def attach(self) -> None:
        """Begin to track. Does nothing where the app is tracked already."""
        if self.app in _attached:
            self.tracking, self.hooks = _attached[self.app].tracking, _attached[self.app].hooks
            return
        _attached[self.app] = self
        self._attach()

    def _connect(self, settings: Settings) -> tuple[Tracking, Hooks]:
        tracking = Tracking.connect(settings, self.app)
        return tracking, Hooks(tracking, only_declared=self.track == "declared")

    def _attach(self) -> None:
        self.hooks.install()
        self._beat.install()
        for signal, handler in self._signals.items():
            signal.connect(handler, weak=False, dispatch_uid=self._uid(signal))
        self._wrap_send_task()

    def detach(self) -> None:
        """Stop tracking the app, and leave nothing behind in Celery."""
        tracker = _attached.pop(self.app, None)
        if tracker is not None:
            tracker._detach()  # noqa: SLF001 (the one that did attach)

    def _detach(self) -> None:
        self.hooks.uninstall()
        self._beat.uninstall()
        for signal in self._signals:
            signal.disconnect(dispatch_uid=self._uid(signal))
        del self.app.send_task
        self._unguard()
        self.tracking.reporting.close()
        self._stop()

    def task(
        self,
        job_type: str | None = None,
        *,
        payload: type[BaseModel] | None = None,
        store_arguments: Keep = "repr",
        mask: Collection[str] = (),
        store_result: bool = True,
        on_lost: Literal["fail", "rerun"] = "fail",
        max_deliveries: int = 3,
        **options: Any,
    ) -> Callable[[Callable[..., Any]], Task]:
        """Make a function a Celery task and declare its job type: `@app.task` and `@tracked` in one.

        Args:
            job_type: The type's name, and the task's unless `options` name it otherwise.
            payload: A pydantic model of its keyword arguments.
            store_arguments: See `Declaration`.
            mask: See `Declaration`.
            store_result: See `Declaration`.
            on_lost: See `Declaration`.
            max_deliveries: See `Declaration`.
            options: Celery's own options of a task.
        """
        if job_type:
            options.setdefault("name", job_type)
        declare = tracked(
            job_type,
            payload=payload,
            store_arguments=store_arguments,
            mask=mask,
            store_result=store_result,
            on_lost=on_lost,
            max_deliveries=max_deliveries,
        )
        return lambda function: self.app.task(**options)(declare(function))

    def job_types(self) -> list[JobType]:
        """The app's tracked tasks as job types."""
        types = []
        for name, task in sorted(self.app.tasks.items()):
            known = self.hooks.scope.know(name)
            if known is None:
                continue
            declared = declaration_of(task)
            types.append(
                JobType(
                    name=known.job_type,
                    task=name,
                    queue=queue_of_route(self.app, name),
                    payload_schema=payload_schema(task),
                    description=(task.__doc__ or "").strip().partition("\n")[0],
                    needs_results=needs_results(task),
                    takes_results=takes_results(task),
                    acks_late=bool(task.acks_late),
                    store_result=(declared or DEFAULT).store_result,
                    on_lost=(declared or DEFAULT).on_lost,
                    max_deliveries=(declared or DEFAULT).max_deliveries,
                    arguments=known.arguments,
                )
            )
        return types

    # -- publishing -------------------------------------------------------------------------------------------------

    def _wrap_send_task(self) -> None:
        # No signal says that publishing failed (before_task_publish has come by then), so the sender itself is asked.
        send = self.app.send_task

        @functools.wraps(send)
        def send_task(name: str, args: Any = None, kwargs: Any = None, *further: Any, **options: Any) -> Any:
            publishing = self.hooks.publishing
            publishing.hide(name, args, kwargs, options)
            with publishing.sending(options):
                return send(name, args, kwargs, *further, **options)

        self.app.send_task = send_task

    # -- workers ----------------------------------------------------------------------------------------------------

    def _on_worker_init(self, sender: Any, **_: Any) -> None:
        """Before the pool forks: what the children need to know."""
        if sender.app is not self.app:
            return
        self.hooks.lease, self.hooks.main_pid = uuid.uuid4().hex[:12], os.getpid()
        self.tracking.reporting.takes_over = False  # its children need not: a thread of this process does
        self._add_task()
        register(_answer)
        for task in self.app.tasks.values():
            if not hasattr(type(task).before_start, _GUARD):
                self._guard(type(task))

    def _add_task(self) -> None:
        """Give the worker the task that sends what was handed over: of large trees."""

        def send(task_ids: list[str]) -> None:
            OutboxRelay(self.tracking).send_claimed(task_ids)

        if SEND not in self.app.tasks:
            self.app.task(send, name=SEND, shared=False, ignore_result=True)

    def _on_worker_ready(self, sender: Any, **_: Any) -> None:
        """The worker consumes: announce its types, take its lease, look after the store."""
        if sender.app is not self.app:
            return
        settings, controller = self.tracking.settings, sender.controller
        module = controller.pool_cls.__module__.rpartition(".")[2]
        pool = _POOLS.get(module, module)
        self._worker = Worker(
            incarnation=self.hooks.lease,
            name=sender.hostname,
            host=socket.gethostname(),
            pid=os.getpid(),
            pool=pool,
            concurrency=1 if pool == "solo" else controller.concurrency,  # which solo pays no heed to
            queues=sorted(self.app.amqp.queues.consume_from),
            version=package_version(),
            release=settings.release_label,
            tells_holds=True,
            started_at_ms=now_ms(),
        )
        # Connections of their own: children that fork meanwhile must not inherit a lock that is held.
        client, keys = connect(settings.tracking_url, settings.tracking_timeout_s), self.tracking.keys
        registry, leases = Registry(client, keys), Leases(client, keys, settings.lease_lost_s)
        types = self.job_types()
        worker = self._worker

        def renew() -> None:
            expect_partitions(client, keys)  # its lease would be seen, and not its jobs
            registry.announce(*types)
            leases.renew(worker)

        lease = Repeater("lease", settings.lease_renew_s, renew, system_thread=True)
        runner = MaintenanceRunner(Tracking.connect(settings, self.app))
        maintenance = Repeater("maintenance", settings.reap_interval_s, runner.step)
        reporting = self.tracking.reporting
        if pool == "prefork":
            reporting.most *= controller.concurrency  # its children leave to it what they have not written
        spool = Repeater("spool", _TAKE_OVER_S, reporting.take_over)
        self._repeaters = [lease, maintenance, spool]
        lease.start(settings.tracking_timeout_s)  # Celery says "ready" after this: the types are known by then
        maintenance.start()
        spool.start()

    def _on_worker_shutting_down(self, sender: str, how: str, **_: Any) -> None:
        """In a signal handler: a cold shutdown has ended the pool, and no worker_shutdown comes after it."""
        if how == "Cold" and self._worker is not None and sender == self._worker.name:
            self._stop()

    def _on_worker_shutdown(self, sender: Any, **_: Any) -> None:
        if sender.app is self.app:
            self.tracking.reporting.take_over()
            self.tracking.reporting.close()
            self._stop()

    def _on_process_shutdown(self, **_: Any) -> None:
        """In a pool's child: its worker's main process goes on with what it has not written."""
        self.tracking.reporting.close(is_followed=os.getpid() != self.hooks.main_pid)

    def _stop(self) -> None:
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

    def _guard(self, task_class: type[Task]) -> None:
        inherited, hooks, holds = task_class.before_start, self.hooks, self._holds

        def before_start(task: Task, task_id: str, args: Any, kwargs: Any) -> None:
            Hooks.refuse(task)
            inherited(task, task_id, args, kwargs)

        setattr(before_start, _GUARD, True)
        for name, value in (
            ("before_start", before_start),
            ("Request", telling_losses(task_class.Request, hooks.on_requeue, hooks.on_untold, hooks.mask, holds)),
        ):
            self._guarded.append((task_class, name, vars(task_class).get(name)))
            setattr(task_class, name, value)

    def _unguard(self) -> None:
        if self._guarded:
            self.app.tasks.pop(SEND, None)
            if not any(other._guarded for other in _attached.values() if other is not self):  # noqa: SLF001 (its own)
                unregister()
        for task_class, name, own in reversed(self._guarded):
            if own is None:
                delattr(task_class, name)
            else:
                setattr(task_class, name, own)
        self._guarded = []

    def holding(self, consumer: Any, task_ids: Collection[str]) -> Holding:
        """What the worker of this process says of tasks (`holds.Holds.answer`)."""
        return self._holds.answer(self.hooks.lease, consumer, task_ids)

    def _uid(self, signal: Any) -> str:
        return f"jobtracker:{id(self)}:{signal.name}"


def _answer(state: Any, task_ids: Collection[str]) -> Holding:
    """What the worker whose panel has this state says of tasks."""
    tracker = Tracker.of(state.app)
    if tracker is None:
        raise LookupError("this worker is not tracked any more")
    return tracker.holding(state.consumer, task_ids)


def _unwrapped(app: Celery) -> Celery:
    """The app behind a proxy such as `celery.current_app`; signals and tasks name the app itself."""
    return app._get_current_object() if isinstance(app, Proxy) else app  # noqa: SLF001 (as celery/fixups/django.py)
