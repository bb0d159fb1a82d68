"""The time series of settled jobs, as they stand in Redis and as they follow from the jobs."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jobtracker.connection.client import RedisClient
from jobtracker.store.histograms import GAMMA
from jobtracker.store.keys import PREFIXES, Keys
from support.recount import keys_of

TOTALS = (
    "completed", "failed", "cancelled", "deliveries", "redeliveries", "double_runs", "wasted_ms",
    "wait_sum", "run_sum", "wait_max", "run_max", "folded",
)  # fmt: skip
AMOUNTS = ("deliveries", "redeliveries", "double_runs", "wasted_ms")


class Settled(NamedTuple):
    """What a job enters into the time series when it settles; times in milliseconds."""

    status: str
    job_type: str
    finished: int
    started: int | None
    began: int | None
    """Of what took the place of the first execution."""
    queued: int | None
    inferred: str | None
    surplus: tuple[int, ...]
    """Deliveries beyond one, redeliveries, double runs, milliseconds in vain: of this verdict."""
    release: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, str]) -> "Settled":
        """The entry of a settled record."""
        started, began, queued = (
            int(record[name]) if name in record else None for name in ("started", "began", "queued")
        )
        counted = f"{record.get('deliveries', 0)} {record.get('ledger', '')}", record.get("ledger_before", "0")
        now, before = ([int(amount) for amount in text.split()] + [0] * 3 for text in counted)
        surplus = tuple(a - b - (n == 0) for n, (a, b) in enumerate(zip(now[:4], before[:4], strict=True)))
        finished, inferred = int(record["finished"]), record.get("inferred")
        times = (finished, started, began, queued)
        return cls(record["status"], record["type"], *times, inferred, surplus, record.get("release"))


def counters(client: RedisClient, key: str) -> dict[str, int]:
    """The counters of a string of the store by their names, buckets as "wait:<n>" and "run:<n>" or "…:zero"."""
    text: bytes = client.execute_command("GET", key, NEVER_DECODE=True) or b""
    found = {}
    for n, name in enumerate(TOTALS):
        found[name] = int.from_bytes(text[8 * n : 8 * n + 8].ljust(8, b"\0"), "big", signed=True)
    for n in range(8 * len(TOTALS), len(text), 4):
        bucket, side = divmod(n // 4 - 2 * len(TOTALS), 2)
        name = f"{('wait', 'run')[side]}:{bucket - 1 if bucket else 'zero'}"
        found[name] = int.from_bytes(text[n : n + 4].ljust(4, b"\0"), "big")
    return {name: n for name, n in found.items() if n}


def flow(client: RedisClient, key: str) -> dict[str, int]:
    """The counters of a string of `flow`, as "<minute>:<what>"."""
    text: bytes = client.execute_command("GET", key, NEVER_DECODE=True) or b""
    what = ("created", "completed", "failed", "cancelled")
    counted = [int.from_bytes(text[n : n + 4], "big", signed=True) for n in range(0, len(text), 4)]
    return {f"{n // 4}:{what[n % 4]}": count for n, count in enumerate(counted)}


def stored_series(client: RedisClient, keys: Keys) -> dict[str, dict[str, int]]:
    """All `flow`, `settled` and `released` series but for zeros and maxima, which a correction does not take back."""
    found: dict[str, Counter[str]] = {}
    for key in keys_of(client, keys):
        name = key.partition("}:")[2]
        if name.startswith((PREFIXES["flow"], PREFIXES["settled"], PREFIXES["released"])):
            is_flow = name.startswith(PREFIXES["flow"])
            series = flow(client, key) if is_flow else counters(client, key)
            counts = {f: n for f, n in series.items() if not f.endswith(("_max", "folded"))}
            found.setdefault(name, Counter()).update(counts)
    nonzero = {name: {field: n for field, n in series.items() if n} for name, series in found.items()}
    return {name: series for name, series in nonzero.items() if series}


def expected_series(created: Iterable[int], settled: Iterable[Settled]) -> dict[str, dict[str, int]]:
    """The same, from the times (ms) at which jobs were created, and from how they settled."""
    found: dict[str, Counter[str]] = {}

    def add(name: str, field: str, n: int) -> None:
        found.setdefault(name, Counter())[field] += n

    def tally(what: str, at: int) -> None:
        hour, minute = divmod(at // 60_000, 60)
        add(f"flow:{hour}", f"{minute}:{what}", 1)

    def observe(name: str, what: str, ms: int) -> None:
        ms = max(ms, 0)
        add(name, f"{what}:{math.ceil(math.log(ms) / math.log(GAMMA)) if ms else 'zero'}", 1)
        add(name, f"{what}_sum", ms)

    for at in created:
        tally("created", at)
    for job in settled:
        tally(job.status, job.finished)
        name = f"settled:{job.finished // 3_600_000}:{job.job_type}"
        add(name, job.status, 1)
        for field, amount in zip(AMOUNTS, job.surplus, strict=True):
            add(name, field, amount)
        released = None
        if job.release:
            size = len(job.release.encode())
            released = f"released:{job.finished // 86_400_000}:{size}:{job.release}:{job.job_type}"
            add(released, job.status, 1)
        if job.status != "cancelled" and job.started is not None:
            if job.queued is not None:
                observe(name, "wait", job.started - job.queued)
            if job.inferred not in {"lose", "quarantine"}:
                for each in filter(None, (name, released)):
                    observe(each, "run", job.finished - (job.began or job.started))
    nonzero = {name: {field: n for field, n in series.items() if n} for name, series in found.items()}
    return {name: series for name, series in nonzero.items() if series}
