"""What is asked for, and what must become of it."""

import hashlib
import random
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

CREATES = {
    "small": 26,
    "wait": 5,
    "large": 3,
    "tree": 4,
    "deep tree": 1,
    "documents": 0.3,
    "fails": 2,
    "fails again": 1,
    "mended": 1,
    "cancelled": 0.8,
}
"""Weights of what is created. *mended* fails for a document that is not there, and is retried when it is."""
READS = {"job": 20, "list": 12, "stats": 6, "tree": 4, "attention": 2, "page": 1}
"""Weights of what is read."""

_LARGE_BYTES = (20_000, 300_000)
_SMALL_BYTES = (50, 2_000)
_CANCELLED_WAIT_S = 60


@dataclass(frozen=True)
class Expected:
    """What must become of a job.

    Attributes:
        kind: What it is of.
        status: How it ends.
        result: What its task returns, or a part of that.
        run: The last one that was asked for; jobtracker may add some where a worker or a message is lost.
    """

    kind: str
    status: str = "completed"
    result: Json | None = None
    run: int = 1


@dataclass(frozen=True)
class Order:
    """A job, or a tree of jobs, to create and to start.

    Attributes:
        kind: Of `CREATES`.
        body: Of the request.
        expected: What must become of each of its jobs, by name.
    """

    kind: str
    body: Json
    expected: dict[str, Expected]

    @property
    def path(self) -> str:
        """Where it is created."""
        return "/api/jobs/with-subjobs" if "sub_jobs" in self.body else "/api/jobs/"


class Orders:
    """Makes them.

    Args:
        seed: Decides what they are.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.made = 0

    def kind(self, weights: dict[str, float]) -> str:
        """Which one comes next."""
        return self.dice.choices([*weights], [*weights.values()])[0]

    def order(self, kind: str) -> Order:
        """One of that kind."""
        self.made += 1
        expected: dict[str, Expected] = {}
        body: Json
        match kind:
            case "wait":
                body = self._custom(
                    kind, expected, "workers.wait", {"seconds": self.dice.uniform(0.1, 0.5), "steps": 2}
                )
            case "cancelled":
                body = self._custom(
                    kind, expected, "workers.wait", {"seconds": _CANCELLED_WAIT_S}, status="cancelled"
                )
            case "fails" | "fails again" | "mended":
                document = {"document_id": self.late_document}
                body = self._custom(kind, expected, "workers.checksum", document, status="failed")
            case "large":
                body = self._checksum(kind, expected, _LARGE_BYTES)
            case "tree":
                body = self._tree(kind, expected, [[]] * self.dice.randint(2, 6))
            case "deep tree":
                body = self._tree(kind, expected, [[[[], []]], []])
            case "documents":
                body = self._documents(kind, expected)
            case _:
                body = self._checksum(kind, expected, _SMALL_BYTES)
        return Order(kind, body | {"start": True}, expected)

    @property
    def late_document(self) -> str:
        """The document of the latest order, which is not there yet."""
        return f"late-{self.made}"

    def chain(self) -> list[tuple[str, str]]:
        """The ids and texts of a chain's jobs."""
        return [(self.id(), self._text(_SMALL_BYTES)) for _ in range(self.dice.randint(2, 4))]

    def id(self) -> str:
        """An id."""
        return f"{self.dice.getrandbits(128):032x}"

    def _text(self, between: tuple[int, int]) -> str:
        words = self.dice.choices(
            ["harbour", "ferry", "tide", "Möwe", "stone", "42"], k=self.dice.randint(*between) // 6
        )
        return " ".join(words) or "tide"

    def _custom(self, kind: str, expected: dict[str, Expected], task: str, kwargs: Json, **how: Any) -> Json:
        name = f"{kind} {self.made}.{len(expected)}"
        expected[name] = Expected(kind, **how)
        return {"name": name, "job_type": "custom", "payload": {"task": task, "kwargs": kwargs}}

    def _checksum(self, kind: str, expected: dict[str, Expected], between: tuple[int, int]) -> Json:
        text = self._text(between)
        return self._custom(kind, expected, "workers.checksum", {"text": text}, result=checksum(text))

    def _tree(self, kind: str, expected: dict[str, Expected], below: list[Any]) -> Json:
        """A job, or a parent whose task is given the results of those below it."""
        if not below:
            return self._checksum(kind, expected, _SMALL_BYTES)
        text, name = self._text(_SMALL_BYTES), f"{kind} {self.made}.{len(expected)}"
        kinds = ["document_analysis" if each else "checksum" for each in below]
        given = [{"position": n, "kind": each, "completed": True} for n, each in enumerate(kinds)]
        expected[name] = Expected(
            kind, result={"statistics": {"characters": len(text)}, "findings": {"sub_jobs": given}}
        )
        body: Json = {"name": name, "job_type": "document_analysis", "payload": {"text": text}}
        return body | {"sub_jobs": [self._tree(kind, expected, each) for each in below]}

    def _documents(self, kind: str, expected: dict[str, Expected]) -> Json:
        def job(job_type: str) -> Json:
            name = f"{kind} {self.made}.{len(expected)}"
            expected[name] = Expected(kind)
            return {"name": name, "job_type": job_type, "payload": {"document_id": "doc456"}}

        sub_jobs = ("entity_extraction", "medication_extraction")
        return job("document_analysis") | {"sub_jobs": [job(each) for each in sub_jobs]}


def checksum(text: str) -> Json:
    """What `workers.checksum` returns of a text."""
    return {"kind": "checksum", "digest": hashlib.sha256(text.encode()).hexdigest(), "characters": len(text)}
