"""Those who use it: they place orders, cancel jobs and run them again, and keep what they were told."""

import functools
import heapq
import itertools
import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from celery import Celery, Signature, chain, chord

from chaos.application import CALLED_QUEUE, DEADLY_QUEUE, NOBODYS_QUEUE, QUEUE
from chaos.orders import Node, Order, Orders
from jobtracker import Client
from jobtracker.broker.connection import ask_broker
from jobtracker.broker.queues import backlog
from jobtracker.client import ApiError, ApiUnavailableError
from jobtracker.client.calls import Call, job_path
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.errors import BrokerUnavailableError, JobNotFoundError
from jobtracker.schemas.jobs import Job, JobTree
from jobtracker.schemas.requests import SubJobCreate

T = TypeVar("T")

_PATIENCE_S = 30.0
_MOST_WAITING = 60
"""Messages in the queues; where there are more nobody places orders."""
_PAUSE_S = 0.05
_RETRY_LOOK_S = 0.7
_RETRY_LOOKS = 20

_BURST_EVERY_S, _BURST = 12.0, 9
"""So often so many tasks with a rate limit are sent at once: the last of them waits longer than a lease."""
_LARGE_EVERY_S, _LARGE = 20.0, (51, 150)
"""So often a tree with so many sub-jobs, about which the API's answer does not wait until all are sent."""
_NOBODYS_EVERY_S, _MOST_NOBODYS = 10.0, 5
_KILLED_WITHIN = (800, 1200)
"""Sub-jobs of a tree while which is asked for the API is killed."""


@dataclass(frozen=True)
class Act:
    """A request about a job that was there, and what was answered.

    Attributes:
        verb: start, cancel, retry.
        job_id: Which job.
        asked_s: When, in seconds since the epoch.
        answered_s: When the answer came, likewise.
        status: The job's status by the answer; None where there was no answer, or a refusal.
        run: Its run, likewise.
        refused: It was refused.
        terminate: It was asked to kill the task.
    """

    verb: str
    job_id: str
    asked_s: float
    answered_s: float
    status: Status | None = None
    run: int | None = None
    refused: bool = False
    terminate: bool = False

    @property
    def may_have_been_done(self) -> bool:
        """It was done, or nobody knows."""
        return not self.refused


@dataclass
class Book:
    """What was asked for and what was answered.

    Attributes:
        orders: All that were placed, whether they were accepted or not.
        acts: All that was asked of jobs that were there.
        unexpected: Answers that nobody should ever get.
    """

    orders: list[Order] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


class Load:
    """Threads that place orders, and one that cancels and retries; they end when the context does.

    Args:
        orders: What to ask for.
        app: The tracked app that plain Celery orders are sent by.
        api_url: Where the API is.
        senders: How many place orders at once.
    """

    def __init__(self, orders: Orders, app: Celery, api_url: str, senders: int = 3) -> None:
        self.book = Book()
        self._orders = orders
        self._app = app
        self._client = Client(api_url, timeout_s=10)
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._send, name=f"sender {n}") for n in range(senders)]
        self._threads.append(threading.Thread(target=self._operate, name="operator"))
        self._dice = random.Random(orders.seed)
        self._nobodys = 0
        self._every(_BURST_EVERY_S, lambda: self._orders.burst(_BURST))
        self._every(_LARGE_EVERY_S, lambda: self._orders.large(self._dice.randint(*_LARGE)))
        self._every(_NOBODYS_EVERY_S, self._orders.nobodys, most=_MOST_NOBODYS)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._client.close()

    def post_large(self) -> None:
        """Ask the API for a large tree; returns at once. Whoever kills the API then does so while it is at it."""
        thread = threading.Thread(
            target=self._place_next, args=[lambda: self._orders.large(self._dice.randint(*_KILLED_WITHIN))]
        )
        self._threads.append(thread)
        thread.start()

    def close_nobodys(self) -> None:
        """See that what waits where nobody consumes is told, then cancel it; all else must be well."""
        waiting = _patiently(lambda: ask_broker(self._app, lambda connection: backlog(connection, NOBODYS_QUEUE)))
        told = {depth.queue: depth.messages for depth in _patiently(self._client.queues).queues}
        if waiting and waiting.messages:
            if told.get(NOBODYS_QUEUE) != waiting.messages:
                self.book.unexpected.append(
                    f"{waiting.messages} messages wait in queue {NOBODYS_QUEUE}, and queue-depth says "
                    f"{told.get(NOBODYS_QUEUE, 'that there is no such queue')}"
                )
            if self._client.health().status == "healthy":
                self.book.unexpected.append(f"all is healthy, and nobody consumes queue {NOBODYS_QUEUE}")
        for order in self.book.orders:
            if order.queue == NOBODYS_QUEUE and order.acknowledged:
                job_id = str(order.target.id)
                with suppress(JobNotFoundError):
                    if _patiently(functools.partial(self._client.get, job_id)).status not in SETTLED:
                        self._act("cancel", job_id, in_the_end=True)

    def stop(self) -> None:
        """Place no more orders; returns when all that was asked for is answered, or given up."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    # -- orders -----------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        while not self._is_over.is_set():
            if self._too_much_waits():
                self._is_over.wait(_PAUSE_S)
                continue
            self._place_next(self._orders.next)

    def _place_next(self, make: Callable[[], Order]) -> None:
        with self._lock:
            order = make()
            self.book.orders.append(order)
        try:
            order.acknowledged = self._place(order)
        except Exception as error:  # noqa: BLE001 (it is kept, and the run has failed)
            self.book.unexpected.append(f"{order.name}: {type(error).__name__}: {error}")
            return
        if order.acknowledged:
            self._plan(order)

    def _every(self, seconds: float, make: Callable[[], Order], most: float = math.inf) -> None:
        """Place such an order again and again."""

        def place(left: float) -> None:
            self._place_next(make)
            if left > 1:
                self._after(seconds, lambda: place(left - 1))

        self._after(self._dice.uniform(0.1, 0.5) * seconds, lambda: place(most))

    def _too_much_waits(self) -> bool:
        try:
            depths = ask_broker(self._app, lambda connection: [backlog(connection, queue) for queue in _QUEUES])
        except BrokerUnavailableError:
            return False
        return sum(depth.messages for depth in depths if depth) > _MOST_WAITING

    def _place(self, order: Order) -> bool:
        """Send an order; returns whether it was accepted."""
        if order.way == "celery":
            return self._publish(order)
        root, start = order.nodes[0], order.way == "api"
        try:
            job = self._create(order, root, start=start)
        except ApiUnavailableError:
            self._is_over.wait(_PAUSE_S)
            return False
        _adopt(root, job)
        return start or self._act("start", str(root.id))

    def _create(self, order: Order, root: Node, *, start: bool) -> Any:
        if not root.subs:
            return self._client.create(root.task, root.kwargs, name=order.name, start=start)
        return self._client.create_tree(
            root.task,
            root.kwargs,
            name=order.name,
            failure_policy=root.policy,
            sub_jobs=[_wanted(sub, order.name) for sub in root.subs],
            start=start,
        )

    def _publish(self, order: Order) -> bool:
        signatures = [self._signature(node) for node in order.nodes]
        given = {"countdown": order.countdown_s, "expires": order.expires_s, "queue": order.queue}
        options = {name: value for name, value in given.items() if value is not None}
        try:
            for whole in [chain(signatures, app=self._app)] if order.shape == "chain" else signatures:
                whole.apply_async(**options)
        except Exception:  # noqa: BLE001 (whatever it raises where the broker or the result backend is away)
            self._is_over.wait(_PAUSE_S)
            return False
        return True

    def _signature(self, node: Node) -> Signature:
        by_position = node.task in {"link", "link_mended"}
        given = {"args": list(node.kwargs.values())} if by_position else {"kwargs": node.kwargs}
        signature = self._app.signature(node.task, **given).set(task_id=node.id)
        if not node.subs:
            return signature
        header = [self._signature(sub) for sub in node.subs]
        return chord(header, signature, app=self._app).set(task_id=node.id)

    # -- later ------------------------------------------------------------------------------------------------------

    def _plan(self, order: Order) -> None:
        job_id = str(order.target.id)
        if order.cancel_after_s is not None:
            self._after(order.cancel_after_s, lambda: self._act("cancel", job_id, terminate=order.terminate))
        if order.retries:
            self._after(_RETRY_LOOK_S, lambda: self._retry(order, order.retries, _RETRY_LOOKS))

    def _after(self, seconds: float, do: Callable[[], object]) -> None:
        with self._lock:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), do))

    def _operate(self) -> None:
        while not self._is_over.is_set():
            with self._lock:
                do = heapq.heappop(self._due)[2] if self._due and self._due[0][0] <= time.monotonic() else None
            if do is None:
                self._is_over.wait(_PAUSE_S)
                continue
            try:
                do()
            except Exception as error:  # noqa: BLE001 (it is kept, and the run has failed)
                self.book.unexpected.append(f"{type(error).__name__}: {error}")

    def _retry(self, order: Order, times: int, looks: int) -> None:
        """Run a job again where it has failed or was cancelled; look again later where it has not settled.

        Of a chain the first one that has not completed, or the last, from there on.
        """
        statuses = []
        with suppress(ApiUnavailableError, JobNotFoundError):  # its record may wait for a store that is away
            statuses = [self._client.get(str(node.id)).status for node in order.nodes]
        unfinished = [place for place, status in enumerate(statuses) if status is not Status.COMPLETED]
        if not looks or (statuses and not unfinished):
            return
        if unfinished and statuses[unfinished[0]] in SETTLED:
            if order.from_failed and statuses[-1] in SETTLED and len(unfinished) > 1:
                self._act("retry", str(order.nodes[-1].id), from_failed=True)
            else:
                self._act("retry", str(order.nodes[unfinished[0]].id))
            times -= 1
        if times:
            self._after(_RETRY_LOOK_S, lambda: self._retry(order, times, looks - 1))

    def _act(self, verb: str, job_id: str, *, in_the_end: bool = False, **options: Any) -> bool:
        """Ask something of a job, again and again until there is an answer; returns whether it was done."""
        terminate = bool(options.get("terminate"))
        for _ in range(100):
            asked_s = time.time()
            try:
                job = self._client.send(Call("POST", job_path(job_id, f"/{verb}"), Job, body=options or None))
            except ApiUnavailableError:
                self.book.acts.append(Act(verb, job_id, asked_s, time.time(), terminate=terminate))
                if in_the_end:
                    time.sleep(4 * _PAUSE_S)
                elif self._is_over.wait(4 * _PAUSE_S):
                    return False
            except ApiError as error:
                if not error.problem or error.problem.status not in _REFUSALS:
                    raise
                self.book.acts.append(Act(verb, job_id, asked_s, time.time(), refused=True))
                return False
            else:
                self.book.acts.append(
                    Act(verb, job.id, asked_s, time.time(), job.status, job.run, terminate=terminate)
                )
                return True
        return False


def _patiently(ask: Callable[[], T]) -> T:
    """What is answered in the end, where all has just been started again."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except (ApiUnavailableError, BrokerUnavailableError):
            if time.monotonic() > until_s:
                raise
        time.sleep(_PAUSE_S)


_REFUSALS = {404, 409}

_QUEUES = (QUEUE, DEADLY_QUEUE, CALLED_QUEUE)


def _wanted(node: Node, name: str) -> SubJobCreate:
    return SubJobCreate(
        name=name,
        job_type=node.task,
        payload=node.kwargs,
        failure_policy=node.policy,
        sub_jobs=[_wanted(sub, name) for sub in node.subs],
    )


def _adopt(node: Node, job: Any) -> None:
    """Note the ids that the API has given to an order's jobs."""
    node.id = job.id
    if isinstance(job, JobTree) and node.subs:  # one without may have put a chord into its place by now
        for sub, made in zip(node.subs, job.sub_jobs, strict=True):
            _adopt(sub, made)
