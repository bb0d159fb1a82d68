"""A store with all that a store can have, and all that can be asked of it."""

from typing import Any

from jobtracker.connection.client import RedisClient
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.job_types import JobType
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore
from support.sample_jobs import START_MS, new_job
from support.totals import numbers, sum_up

HOUR_MS = 3_600_000
LATER_MS = 2**53


def fill(client: RedisClient, keys: Keys) -> None:
    """A store with all that a store can have."""
    store = JobStore(client, keys)
    for n in range(40):
        store.create(new_job(f"j{n}", type=f"t{n % 3}"), at_ms=START_MS + n)
        store.apply(Event.ENQUEUE, f"j{n}", at_ms=START_MS + n)
        store.append_log(f"j{n}", [(1, "info", "hello")])
        if n % 2:
            store.apply(Event.START, f"j{n}", at_ms=START_MS + 1000)
            store.apply(Event.COMPLETE, f"j{n}", at_ms=START_MS + 1000 + 300 * n, data={"result": str(n)})
    subs = [f"s{n}" for n in range(12)]
    store.create(*(new_job(sub, parent="p", run=1) for sub in subs), new_job("p", run=1, subs=subs))
    for sub in subs[:6]:
        store.apply(Event.FAIL, sub, run=1, fields={"reason": "broke"})
    for sub in subs[:3]:
        store.notify_parent("p", sub, 1, Status.FAILED)
    store.confirm(*(f"j{n}" for n in range(10)))
    store.hand_over(["j20", "j22"])
    store.create(*(new_job(sub, parent="gone") for sub in ("g1", "g2")), new_job("gone", subs=["g1", "g2"]))
    store.delete("gone")
    store.count_dropped(3)
    store.create(*(new_job(f"q{n}", run=1, queue=f"queue-{n % 3}") for n in range(9)), at_ms=START_MS)
    Registry(client, keys).announce(JobType(name="t0", task="t0"))


def all_of(client: RedisClient, keys: Keys) -> dict[str, Any]:
    """What can be asked of a store."""
    queries = JobQueries(client, keys)
    performance = queries.performance(START_MS, START_MS + HOUR_MS, ["t0", "t1", "t2"])
    jobs = [f"j{n}" for n in range(40)] + ["p", *queries.sub_ids("p")]
    return {
        "jobs": queries.get_many(jobs),
        "logs": [[(line.at, line.message) for line in queries.log(job)] for job in jobs[:9]],
        "history": [queries.history(job) for job in jobs[-9:]],
        "tree": queries.tree("p"),
        "page": queries.page(JobFilter(), size=100),
        "status": [queries.page(JobFilter(status=status), size=100) for status in ("failed", "completed")],
        "counts": sorted(queries.counts(), key=str),
        "performance": performance,
        "flow": queries.throughput(START_MS, START_MS + HOUR_MS, 1),
        "unnotified": sorted(queries.unnotified(LATER_MS, 100)),
        "unconfirmed": sorted(queries.unconfirmed(LATER_MS, 100)),
        "unsent": sorted(queries.unsent(LATER_MS, 100)),
        "queues": queries.queues(),
        "trash": sorted(queries.trash(100)),
        "dropped": queries.dropped(),
        "totals": sum_up(numbers(queries)),
        "types": Registry(client, keys).all(fresh=True),
        "is deleted": JobStore(client, keys).create(new_job("gone")),
    }
