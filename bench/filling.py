"""Fills a store with jobs as they come from plain Celery code, through the store's own verbs.

The same seed gives the same jobs. Their times go up to the time of the filling, so nothing of it has expired.
"""

import contextlib
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.pipelining import NotSentError, Packer, send
from bench.serving import Connection, serving_api
from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

TYPES = {
    "shop.tasks.send_invoice": 30,
    "shop.tasks.resize_image": 25,
    "shop.tasks.sync_inventory": 15,
    "shop.tasks.charge_customer": 10,
    "reports.tasks.build_monthly_report": 8,
    "reports.tasks.export_csv": 6,
    "search.tasks.reindex_product": 5,
    "crm.tasks.import_contacts": 1,
}
"""Job types, which are the tasks' names, and how many of a hundred jobs are of each."""

PRIORITIES = {"normal": 80, "high": 10, "low": 8, "critical": 2}
ENDS = {Event.COMPLETE: 94, Event.FAIL: 5, Event.CANCELLED: 1}
OPEN = {"pending": 70, "running": 30}
AT_ONCE = 1000
"""Jobs whose calls are sent together."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the jobs are like.

    Attributes:
        jobs: How many.
        open_share: Which part of them has not settled: the last ones, pending and running.
        span_ms: From the first one's creation to now, in milliseconds.
        seed: Other jobs for each.
        releases: Of the workers, one after the other; "" for none.
    """

    jobs: int
    open_share: float = 0.01
    span_ms: int = 3 * 86_400_000
    seed: int = 0
    releases: tuple[str, ...] = ("2026.11.1", "2026.11.2", "2026.11.3")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a verb: an event, or with none the record of a new job."""

    job_id: str
    at_ms: int
    event: Event | None
    arguments: dict[str, Any]

    def make(self, store: JobStore) -> None:
        """Make it."""
        if self.event is None:
            store.create(NewJob(id=self.job_id, **self.arguments), at_ms=self.at_ms)
        else:
            store.apply(self.event, self.job_id, at_ms=self.at_ms, **self.arguments)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A store with jobs in it, and the API of it.

    Attributes:
        api: A connection to the API.
        server: The store's server.
        keys: Where in it the jobs are.
        ids: Theirs, in the order of their creation.
    """

    api: Connection
    server: EmbeddedRedis
    keys: Keys
    ids: list[str]


@contextlib.contextmanager
def serving_filled(jobs: int, folder: Path) -> Iterator[Filled]:
    """A store with so many jobs, behind an API of its own."""
    keys = Keys("bench")
    with EmbeddedRedis(folder / "redis", config={"appendonly": "no"}) as server:
        ids = fill(server.port, keys, Plan(jobs=jobs))
        with serving_api(server, "bench", folder) as api:
            yield Filled(api=api, server=server, keys=keys, ids=ids)


def fill(port: int, keys: Keys, plan: Plan) -> list[str]:
    """Fill a store on a server of the loopback interface; returns the jobs' ids, in the order of their creation."""
    with connect(f"redis://127.0.0.1:{port}", timeout_s=60) as client:
        JobStore(client, keys).append_log("none", [])  # the verbs are there then
    packer, ids = Packer(), []
    store = JobStore(packer, keys)
    for n, calls in enumerate(courses(plan), start=1):
        ids.append(calls[0].job_id)
        for call in calls:
            with contextlib.suppress(NotSentError):
                call.make(store)
        if n % AT_ONCE == 0 or n == plan.jobs:
            send(port, packer.take())
    return ids


def courses(plan: Plan) -> Iterator[list[Call]]:
    """The calls for each job, in the order of creation: recorded, started, ended."""
    dice = random.Random(plan.seed)
    until_ms = now_ms()
    step_ms = plan.span_ms / plan.jobs
    settled = plan.jobs - round(plan.jobs * plan.open_share)
    workers = [(f"celery@worker-{n}", f"{dice.getrandbits(48):012x}") for n in range(8)]
    for n in range(plan.jobs):
        created_ms = int(until_ms - plan.span_ms + n * step_ms)
        release = plan.releases[n * len(plan.releases) // plan.jobs]
        yield _course(dice, created_ms, until_ms, workers, release, is_settled=n < settled)


def _course(
    dice: random.Random,
    created_ms: int,
    until_ms: int,
    workers: list[tuple[str, str]],
    release: str,
    *,
    is_settled: bool,
) -> list[Call]:
    job_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    name, priority = _one_of(dice, TYPES), _one_of(dice, PRIORITIES)
    fields = {"name": name, "type": name, "task": name, "queue": "celery", "priority": priority, "run": 1}
    number = dice.randrange(10**8, 10**9)
    payload = f'{{"order_id": {number}, "customer": "c-{number % 10**6:06d}", "copies": 1}}'
    sender = f"gen{1000 + number % 9000}@web-{number % 4}"
    assert len(payload) == 60
    data = {"payload": payload, "sent_from": sender}
    calls = [
        Call(
            job_id=job_id,
            at_ms=created_ms,
            event=None,
            arguments={"fields": {**fields, "queued": created_ms}, "data": data},
        )
    ]
    if not is_settled and _one_of(dice, OPEN) == "pending":
        return calls
    started_ms = min(created_ms + int(dice.expovariate(1 / 400)), until_ms)
    worker, lease = dice.choice(workers)
    known = {"run": 1, "attempt": 0, "execution": f"{started_ms}-{lease}-{dice.getrandbits(32):08x}"}
    started = {**known, "fields": {"worker": worker, "lease": lease, **({"release": release} if release else {})}}
    calls.append(Call(job_id=job_id, at_ms=started_ms, event=Event.START, arguments=started))
    if is_settled:
        ended_ms = min(started_ms + int(dice.lognormvariate(6, 1)), until_ms)
        event = _one_of(dice, ENDS)
        calls.append(Call(job_id=job_id, at_ms=ended_ms, event=event, arguments={**known, **_end(event, number)}))
    return calls


def _end(event: Event, number: int) -> dict[str, Any]:
    match event:
        case Event.COMPLETE:
            result = f'{{"saved": {number}}}'
            assert len(result) == 20
            return {"data": {"result": result}}
        case Event.FAIL:
            message = f"ConnectionError: customer {number % 10**6} can't be reached"
            error = f'{{"type": "ConnectionError", "message": "{message}", "traceback": "Traceback …"}}'
            return {"fields": {"reason": message}, "data": {"error": error}}
        case _:
            return {"fields": {"reason": "the task raised Ignore"}}


def _one_of(dice: random.Random, shares: dict[Any, int]) -> Any:
    return dice.choices(list(shares), list(shares.values()))[0]
