"""Those who use it: they place orders, cancel jobs and run them again, and keep what they were told."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from celery import Celery, Signature, chain, chord
from redis import Redis, RedisError

from chaos.application import DEADLY_QUEUE, QUEUE
from chaos.orders import Node, Order, Orders
from jobtracker import Client
from jobtracker.client import ApiError, ApiUnavailableError
from jobtracker.errors import JobNotFoundError
from jobtracker.lifecycle import Status
from jobtracker.models import JobTree, SubJobCreate

_MOST_WAITING = 60
"""Messages in the queues; where there are more nobody places orders."""
_PAUSE_S = 0.05
_RETRY_LOOK_S = 0.7
_RETRY_LOOKS = 20


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
    """

    verb: str
    job_id: str
    asked_s: float
    answered_s: float
    status: Status | None = None
    run: int | None = None
    refused: bool = False

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
        broker: The broker, to see how much waits.
        senders: How many place orders at once.
    """

    def __init__(self, orders: Orders, app: Celery, api_url: str, broker: Redis, senders: int = 3) -> None:
        self.book = Book()
        self._orders = orders
        self._app = app
        self._client = Client(api_url, timeout_s=10)
        self._broker = broker
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._send, name=f"sender {n}") for n in range(senders)]
        self._threads.append(threading.Thread(target=self._operate, name="operator"))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._client.close()

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
            with self._lock:
                order = self._orders.next()
                self.book.orders.append(order)
            try:
                order.acknowledged = self._place(order)
            except Exception as error:  # noqa: BLE001 (it is kept, and the run has failed)
                self.book.unexpected.append(f"{order.name}: {type(error).__name__}: {error}")
                continue
            if order.acknowledged:
                self._plan(order)

    def _too_much_waits(self) -> bool:
        try:
            return sum(int(self._broker.llen(f"{queue}{suffix}")) for queue in _QUEUES for suffix in _STEPS) > (
                _MOST_WAITING
            )
        except RedisError:
            return False

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
        whole = signatures[0] if len(signatures) == 1 else chain(signatures, app=self._app)
        options = {} if order.countdown_s is None else {"countdown": order.countdown_s}
        try:
            whole.apply_async(**options)
        except Exception:  # noqa: BLE001 (whatever it raises where the broker or the result backend is away)
            self._is_over.wait(_PAUSE_S)
            return False
        return True

    def _signature(self, node: Node) -> Signature:
        signature = self._app.signature(node.task, kwargs=node.kwargs).set(task_id=node.id)
        if not node.subs:
            return signature
        header = [self._signature(sub) for sub in node.subs]
        return chord(header, signature, app=self._app).set(task_id=node.id)

    # -- later ------------------------------------------------------------------------------------------------------

    def _plan(self, order: Order) -> None:
        job_id = str(order.target.id)
        if order.cancel_after_s is not None:
            self._after(order.cancel_after_s, lambda: self._act("cancel", job_id, force=order.force))
        if order.retries:
            self._after(_RETRY_LOOK_S, lambda: self._retry(job_id, order.retries, _RETRY_LOOKS))

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

    def _retry(self, job_id: str, times: int, looks: int) -> None:
        """Run a job again where it has failed or was cancelled; look again later where it has not settled."""
        status = None
        with suppress(ApiUnavailableError, JobNotFoundError):  # its record may wait for a store that is away
            status = self._client.get(job_id).status
        if status is Status.COMPLETED or not looks:
            return
        if status in {Status.FAILED, Status.CANCELLED}:
            self._act("retry", job_id)
            times -= 1
        if times:
            self._after(_RETRY_LOOK_S, lambda: self._retry(job_id, times, looks - 1))

    def _act(self, verb: str, job_id: str, **options: Any) -> bool:
        """Ask something of a job, again and again until there is an answer; returns whether it was done."""
        for _ in range(100):
            asked_s = time.time()
            try:
                job = getattr(self._client, verb)(job_id, **options)
            except ApiUnavailableError:
                self.book.acts.append(Act(verb, job_id, asked_s, time.time()))
                if self._is_over.wait(4 * _PAUSE_S):
                    return False
            except ApiError as error:
                if not error.problem or error.problem.status not in _REFUSALS:
                    raise
                self.book.acts.append(Act(verb, job_id, asked_s, time.time(), refused=True))
                return False
            else:
                self.book.acts.append(Act(verb, job_id, asked_s, time.time(), job.status, job.run))
                return True
        return False


_REFUSALS = {404, 409}

_QUEUES = (QUEUE, DEADLY_QUEUE)
_STEPS = ("", "\x06\x163", "\x06\x166", "\x06\x169")
"""How kombu names the lists of a queue's priorities (kombu/transport/redis.py)."""


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
