"""What is asked for: single jobs, trees and chains, and what is done to them later; all by the seed."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from chaos.application import CALLED_QUEUE, NOBODYS_QUEUE
from jobtracker.core.lifecycle import FailurePolicy

Way = Literal["api", "api in two steps", "celery"]
Shape = Literal["single", "tree", "chain", "burst"]

LEAVES = {
    "early": 30,
    "late": 30,
    "again": 15,
    "failing": 5,
    "mended": 5,
    "flaky": 8,
    "flaky_late": 8,
    "deadly": 1,
    "deadly_late": 2,
    "deadly_again": 2,
    "replaced": 7,
}
"""The tasks without sub-jobs, and how often each is asked for compared with the others."""


@dataclass
class Node:
    """A job that is asked for.

    Attributes:
        task: Its task, which is its type too.
        kwargs: What that is called with.
        subs: Its sub-jobs.
        policy: A parent's failure policy.
        id: Its id, as soon as that is known.
        before: The one before it in its chain.
    """

    task: str
    kwargs: dict[str, Any]
    subs: list["Node"] = field(default_factory=list)
    policy: FailurePolicy = FailurePolicy.FAIL
    id: str | None = None
    before: "Node | None" = None

    def all(self) -> Iterator["Node"]:
        """It and all below it."""
        yield self
        for sub in self.subs:
            yield from sub.all()

    @property
    def value(self) -> Any:
        """What it returns where it completes, and all below and before it does."""
        if self.subs:
            return [sub.value for sub in self.subs]
        own = self.kwargs.get("value")
        return [self.before.value, own] if self.before else own


@dataclass
class Order:
    """One request: a job, a tree or a chain; or some jobs at once.

    Attributes:
        number: Its place among all orders; its jobs bear it in their names.
        way: By what it is sent.
        shape: A single job, a tree, a chain, a burst of single jobs.
        nodes: The job, the root of the tree, or all jobs of the chain or the burst.
        countdown_s: Not before so many seconds have passed; plain Celery only.
        expires_s: Not later, likewise.
        queue: Where it is sent to, likewise; None: where its task's route leads.
        cancel_after_s: It is cancelled after so many seconds; None: not.
        terminate: It is killed then, if it runs.
        retries: How often it is run again where it has not completed.
        from_failed: Of a chain its last job is retried, from the one on that has failed; else that one is.
        acknowledged: Somebody was told that it was accepted.
    """

    number: int
    way: Way
    shape: Shape
    nodes: list[Node]
    countdown_s: float | None = None
    expires_s: float | None = None
    queue: str | None = None
    cancel_after_s: float | None = None
    terminate: bool = False
    retries: int = 0
    from_failed: bool = False
    acknowledged: bool = False

    @property
    def name(self) -> str:
        """What its first job is called where it goes through the API."""
        return f"order {self.number}"

    @property
    def target(self) -> Node:
        """The job that is cancelled, or run again: the one that, in a chain, comes first."""
        return self.nodes[0]

    def all(self) -> Iterator[Node]:
        """All its jobs."""
        for node in self.nodes:
            yield from node.all()


class Orders:
    """All the orders of a run, one after the other without end: the same for the same seed.

    Args:
        seed: Decides.
        leaves: The tasks that there are, by `LEAVES`.
    """

    def __init__(self, seed: int, leaves: dict[str, int] | None = None) -> None:
        self.seed = seed
        self._dice = random.Random(seed)
        self._leaves = leaves or LEAVES
        self._number = 0

    def next(self) -> Order:
        """The next order."""
        dice = self._dice
        self._number += 1
        way: Way = dice.choices(("api", "api in two steps", "celery"), (40, 10, 50))[0]
        shape: Shape = dice.choices(("single", "tree", "chain"), (70, 22, 8))[0]
        if shape == "chain":
            way = "celery"
        order = Order(self._number, way, shape, self._nodes(shape))
        if way == "celery":
            self._name(order)
        if way == "celery" and shape == "single":
            self._call(order)
        if order.expires_s is not None:  # a retry would run it after its time, as asked
            return order
        if dice.random() < 0.12:
            order.cancel_after_s = round(dice.uniform(0, 1.5), 2)
            order.terminate = dice.random() < 0.3
        if dice.random() < 0.7:
            order.retries = dice.randint(1, 2)
            order.from_failed = dice.random() < 0.5
        return order

    def burst(self, number: int) -> Order:
        """So many tasks with a rate limit at once."""
        self._number += 1
        nodes = [Node("limited", {"value": self._dice.getrandbits(32)}) for _ in range(number)]
        return self._name(Order(self._number, "celery", "burst", nodes))

    def large(self, number: int) -> Order:
        """A tree with so many sub-jobs, which goes through the API."""
        self._number += 1
        subs = [Node("small", {"value": self._number * 10_000 + position}) for position in range(number)]
        return Order(self._number, "api", "tree", [Node("collect_late", {}, subs)])

    def nobodys(self) -> Order:
        """A job for a queue that nobody consumes."""
        self._number += 1
        nodes = [Node("early", {"value": self._dice.getrandbits(32)})]
        return self._name(Order(self._number, "celery", "single", nodes, queue=NOBODYS_QUEUE))

    def _name(self, order: Order) -> Order:
        for node in order.all():
            node.id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        return order

    def _call(self, order: Order) -> None:
        """Decide with what options it is sent."""
        dice = self._dice
        if dice.random() < 0.15:
            order.countdown_s = round(dice.uniform(0.5, 3), 2)
        if order.target.task in {"early", "late"}:
            if dice.random() < 0.2:
                order.expires_s = round((order.countdown_s or 0) + dice.choice((0.1, 0.5, 1, 2, 60)), 2)
            if dice.random() < 0.15:
                order.queue = CALLED_QUEUE

    def _nodes(self, shape: Shape) -> list[Node]:
        if shape == "single":
            return [self._leaf()]
        if shape == "tree":
            return [self._tree(0)]
        nodes = [self._leaf()]
        for other in range(self._dice.randint(1, 3)):
            task = self._dice.choices(("join", "link", "link_mended"), (4, 4, 2))[0]
            nodes.append(Node(task, {"value": self._number * 1000 + other}, before=nodes[-1]))
        return nodes

    def _tree(self, depth: int) -> Node:
        dice = self._dice
        subs = [
            self._tree(depth + 1) if depth < 2 and dice.random() < 0.15 else self._leaf()
            for _ in range(dice.randint(1, 5))
        ]
        seconds = round(dice.uniform(0, 0.2), 2)
        policy = dice.choices(list(FailurePolicy), (6, 2, 2))[0]
        return Node(dice.choice(("collect", "collect_late", "collect_again")), {"seconds": seconds}, subs, policy)

    def _leaf(self) -> Node:
        dice = self._dice
        task = dice.choices(list(self._leaves), list(self._leaves.values()))[0]
        kwargs: dict[str, Any] = {"value": dice.getrandbits(32)}
        if task in {"early", "late", "again"} and dice.random() < 0.4:
            kwargs["seconds"] = round(dice.uniform(0.05, 0.4) if dice.random() < 0.9 else dice.uniform(1, 2.5), 2)
        elif task.startswith("flaky"):
            kwargs["failures"] = dice.randint(1, 2)
        elif task.startswith("deadly"):
            kwargs["times"] = dice.choices((1, 2, 99), (6, 3, 1))[0]
        elif task == "replaced":
            kwargs["by"] = dice.choice(("task", "chain", "chord"))
        return Node(task, kwargs)
