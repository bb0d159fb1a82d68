"""Compares every job with what must have become of it."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from jobtracker.core.lifecycle import SETTLED
from soak.load import Load
from soak.orders import Expected, Json

SETTLE_S = 240
"""So long after the end the last job may take."""
_ASKERS = 8


@dataclass
class Account:
    """What came of all jobs.

    Attributes:
        jobs: How many there are, by kind and by how they ended.
        findings: How many are not as they must be: lost, stuck, wrong, created twice.
        examples: Of these, some.
        again: How many were delivered again, run anew because their worker or message was lost, or ran twice.
        settled_s: How long after the end all had settled; None: not in time.
    """

    jobs: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    again: Counter[str] = field(default_factory=Counter)
    settled_s: float | None = None

    def finding(self, kind: str, text: str) -> None:
        """Note something that must not be."""
        self.findings[kind] += 1
        if self.findings[kind] <= 20:
            self.examples.append(f"{kind}: {text}")


async def account(load: Load) -> Account:
    """Wait until all jobs have settled, then look at each one."""
    made = Account()
    began = asyncio.get_running_loop().time()
    while (took_s := asyncio.get_running_loop().time() - began) < SETTLE_S:
        if await _unsettled(load) == 0:
            made.settled_s = round(took_s, 1)
            break
        await asyncio.sleep(1)
    ids = iter([*load.jobs.items(), *load.perhaps.items()])

    async def asker() -> None:
        for job_id, expected in ids:
            _compare(made, job_id, expected, await load.look(job_id), is_certain=job_id in load.jobs)

    await asyncio.gather(*(asker() for _ in range(_ASKERS)))
    there = sum((await load.get("/api/tracking/stats"))["by_status"].values())
    if there != made.jobs.total():
        made.finding("created twice", f"there are {there} jobs, and {made.jobs.total()} were asked for")
    return made


async def _unsettled(load: Load) -> int:
    counts = (await load.get("/api/tracking/stats"))["by_status"]
    return sum(number for status, number in counts.items() if status not in SETTLED)


def _compare(made: Account, job_id: str, expected: Expected, job: Json | None, *, is_certain: bool) -> None:
    if job is None:
        if is_certain:
            made.finding("lost", f"{job_id}, {expected}")
        return
    made.jobs[f"{expected.kind}, {job['status']}"] += 1
    made.again["delivered again"] += job["redeliveries"]
    made.again["lost with a worker"] += job["losses"]
    made.again["ran twice"] += job["double_runs"]
    made.again["run anew"] += max(job["run"] - expected.run, 0)
    said = f"{job_id}, {expected}: {job['status']}, run {job['run']}, {job['reason']}"
    if job["status"] not in SETTLED:
        made.finding("stuck", said)
    elif job["status"] != expected.status or job["run"] < expected.run:
        made.finding("wrong", said)
    elif expected.result and not is_part(expected.result, job["result"]):
        made.finding("wrong", f"{said}, {job['result']}")


def is_part(part: Any, whole: Any) -> bool:
    """Whether a value has all that a part of it says."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(is_part, part, whole))
    return bool(part == whole)
