"""Asks the API: first as much as it can be asked, then at a rate, each request at its own time."""

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from soak.orders import CREATES, READS, Expected, Json, Order, Orders, checksum

CHAINS_EVERY_S = 15
"""Chains are sent by plain Celery code, so often."""

_MOST_OPEN = 40
"""While it is measured how much can be done, no more jobs than these are created beyond those that have settled."""
_WARM_UP_S = 10
_STEP_S = 10
_CLIENTS = (4, 8, 16)
_REPEAT_S = 240
"""So long a request without an answer is sent again; and a job is waited for before it is retried."""
_ANSWER_S = 60
"""So long an answer may take: how long they took, the report says."""
_QUIET_S = 15
"""So long the stream of events may be silent: it sends a comment every 5 seconds."""
_IDLE_S = 1
"""How long a connection is kept: an API that stops ends one that has been idle for two seconds."""
_LISTS = ("status=completed&page_size=50", "status=failed&page_size=50", "page_size=100", "q=type:custom", "page=3")

_LATER = {408, 409, 429}
"""With one of these, the same request may be answered later."""

Chain = list[tuple[str, str]]


class Refusal(NamedTuple):
    """A request that was not answered as it must be."""

    asked_s: float
    """Seconds since the epoch."""
    failed_s: float
    what: str
    problem: str
    is_cut: bool
    """There was no answer at all."""


class Load:
    """What is asked, and what came of it.

    Args:
        url: Where the API is.
        orders: What is created.
        documents: The folder with the workers' documents.
        send_chains: Sends chains by plain Celery code; returns whether they were sent for certain.

    Attributes:
        jobs: What must become of each job, by id.
        perhaps: The same of those of which nobody knows whether they were sent.
        refusals: What was not answered.
        unanswered: What was not answered in several minutes, however often it was asked.
        answered: How many answers came, by what was asked.
        took_s: When each of these was asked, and how long the answer took, while it was asked at a rate.
        events: What came by the stream of events, by name; `reconnects`, and `silent` if nothing came for too long.
    """

    def __init__(self, url: str, orders: Orders, documents: Path, send_chains: Callable[[list[Chain]], bool]) -> None:
        self.jobs: dict[str, Expected] = {}
        self.perhaps: dict[str, Expected] = {}
        self.refusals: list[Refusal] = []
        self.unanswered: list[str] = []
        self.answered: Counter[str] = Counter()
        self.took_s: list[tuple[float, float]] = []
        self.events: Counter[str] = Counter()
        self._orders, self._documents, self._send_chains = orders, documents, send_chains
        self._dice = orders.dice
        self._ids: list[str] = []
        self._trees: list[str] = []
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=_IDLE_S)
        self._http = httpx.AsyncClient(base_url=url, timeout=_ANSWER_S, limits=limits, trust_env=False)

    async def most(self) -> float:
        """How many operations a second can be done, at the most."""
        watch = asyncio.create_task(self._watch_open())
        found = 0.0
        try:
            await self._as_fast_as_answered(_CLIENTS[0], _WARM_UP_S)
            for clients in _CLIENTS:
                found = max(found, await self._as_fast_as_answered(clients, _STEP_S))
        finally:
            watch.cancel()
        await self._all_followed()
        return found

    async def at_rate(self, rate: float, stop: asyncio.Event) -> None:
        """Do so many operations a second until it is told to stop, and all that follows from them."""
        self.took_s.clear()
        view = asyncio.create_task(self._view())
        chains = asyncio.create_task(self._chains(stop))
        began = time.perf_counter()
        for n in itertools.count():
            if stop.is_set():
                break
            await asyncio.sleep(max(began + n / rate - time.perf_counter(), 0))
            self._go(self._operation())
        await chains
        await self._all_followed()
        view.cancel()
        await asyncio.gather(view, return_exceptions=True)

    async def look(self, job_id: str) -> Json | None:
        """A job, or None if there is none."""
        response = await self._until_answered("GET", f"/api/jobs/{job_id}", {200, 404})
        return response.json() if response and response.status_code == httpx.codes.OK else None

    async def get(self, path: str) -> Json:
        """An answer, as JSON."""
        response = await self._until_answered("GET", path, {200})
        return response.json() if response else {}

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    # -- operations -------------------------------------------------------------------------------------------------

    async def _operation(self) -> None:
        kind = self._orders.kind(CREATES | READS)
        if kind in CREATES:
            await self._create(self._orders.order(kind), self._orders.late_document)
        else:
            await self._read(kind)

    async def _read(self, kind: str) -> None:
        match kind:
            case "job" if self._ids:
                path = f"/api/jobs/{self._dice.choice(self._ids)}"
            case "tree" if self._trees:
                path = f"/api/jobs/{self._dice.choice(self._trees)}/with-subjobs"
            case "list":
                path = f"/api/jobs/?{self._dice.choice(_LISTS)}"
            case "attention":
                path = "/api/tracking/attention"
            case "page":
                path = "/"
            case _:
                path = "/api/tracking/stats"
        await self._ask("GET", path, {200})

    async def _create(self, order: Order, document: str) -> None:
        response = await self._until_answered("POST", order.path, {201}, order.body)
        if response is None:
            return
        made = response.json()
        self._note(made, order)
        if "sub_jobs" in order.body:
            self._trees.append(made["id"])
        match order.kind:
            case "cancelled":
                self._go(self._cancel(made["id"]))
            case "fails again":
                self._go(self._retry(made["id"], None))
            case "mended":
                self._go(self._retry(made["id"], document))

    def _note(self, made: Json, order: Order) -> None:
        self.jobs[made["id"]] = order.expected[made["name"]]
        self._ids.append(made["id"])
        for sub in made.get("sub_jobs", []):
            self._note(sub, order)

    async def _cancel(self, job_id: str) -> None:
        await asyncio.sleep(self._dice.uniform(0.5, 4))
        await self._until_answered("POST", f"/api/jobs/{job_id}/cancel", {200, 202}, {"reason": "soak"})

    async def _retry(self, job_id: str, document: str | None) -> None:
        """Retry a job when it has failed, perhaps with its document."""
        until = time.monotonic() + _REPEAT_S
        while (job := await self.look(job_id)) is None or job["status"] != "failed":
            if time.monotonic() > until:
                return  # the account finds it
            await asyncio.sleep(1)
        expected = replace(self.jobs[job_id], run=2)
        if document:
            (self._documents / f"{document}.txt").write_text(document)
            expected = replace(expected, status="completed", result=checksum(document))
        self.jobs[job_id] = expected
        await self._until_answered("POST", f"/api/jobs/{job_id}/retry", {200, 202})

    async def _chains(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CHAINS_EVERY_S)
            chains = [self._orders.chain() for _ in range(3)]
            expected = {
                job_id: Expected("chain", result=checksum(text)) for chain in chains for job_id, text in chain
            }
            is_sent = await asyncio.to_thread(self._send_chains, chains)
            (self.jobs if is_sent else self.perhaps).update(expected)

    # -- requests ---------------------------------------------------------------------------------------------------

    async def _until_answered(self, method: str, path: str, right: set[int], body: Json | None = None) -> Any:
        """Ask again until there is an answer, each time with the same key; None if there was none for long."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        until = time.monotonic() + _REPEAT_S
        is_first = True
        while time.monotonic() < until:
            # Sent again, it may still be answered elsewhere.
            busy = set() if is_first or method == "GET" else {409}
            response = await self._ask(method, path, right | busy, body, headers)
            status = response.status_code if response is not None else 0
            if status in right:
                return response
            if 400 <= status < 500 and status not in _LATER:
                break
            is_first = False
            await asyncio.sleep(1)
        self.unanswered.append(f"{method} {path}")
        return None

    async def _ask(
        self,
        method: str,
        path: str,
        right: set[int],
        body: Json | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        asked_s, began = time.time(), time.perf_counter()
        content = None if body is None else json.dumps(body)
        head = {**(headers or {}), **({"Content-Type": "application/json"} if content else {})}
        try:
            response = await self._http.request(method, path, content=content, headers=head)
        except httpx.TransportError as error:
            self._refused(asked_s, f"{method} {path}", repr(error), is_cut=True)
            return None
        if response.status_code not in right:
            self._refused(asked_s, f"{method} {path}", f"{response.status_code} {response.text[:300]}")
        else:
            self.answered[method] += 1
            self.took_s.append((asked_s, time.perf_counter() - began))
        return response

    def _refused(self, asked_s: float, what: str, problem: str, *, is_cut: bool = False) -> None:
        self.refusals.append(Refusal(asked_s, time.time(), what, problem, is_cut))

    # -- what goes on beside ----------------------------------------------------------------------------------------

    async def _view(self) -> None:
        """Follow the live events, by one stream after the other."""
        last: dict[str, str] = {}
        while True:
            asked_s, is_open = time.time(), False
            try:
                async with self._http.stream(
                    "GET", "/api/events", headers=last, timeout=httpx.Timeout(_ANSWER_S, read=_QUIET_S)
                ) as response:
                    is_open = response.status_code == httpx.codes.OK
                    if not is_open:
                        self._refused(asked_s, "GET /api/events", str(response.status_code))
                    async for line in response.aiter_lines():
                        name, _, value = line.partition(": ")
                        if name == "id":
                            last = {"Last-Event-ID": value}
                        elif name == "event":
                            self.events[value] += 1
            except httpx.ReadTimeout:
                self.events["silent"] += 1
            except httpx.TransportError as error:
                if not is_open:
                    self._refused(asked_s, "GET /api/events", repr(error), is_cut=True)
            self.events["reconnects"] += 1
            await asyncio.sleep(0.2 if is_open else 1)

    async def _watch_open(self) -> None:
        while True:
            counts = (await self.get("/api/tracking/stats")).get("by_status", {})
            self._open = sum(counts.get(each, 0) for each in ("pending", "running", "retrying"))
            await asyncio.sleep(0.3)

    async def _as_fast_as_answered(self, clients: int, seconds: float) -> float:
        until, done = time.monotonic() + seconds, 0

        async def client() -> None:
            nonlocal done
            while time.monotonic() < until:
                if self._open > _MOST_OPEN:
                    await asyncio.sleep(0.02)
                    continue
                await self._operation()
                done += 1

        await asyncio.gather(*(client() for _ in range(clients)))
        return done / seconds

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.unanswered.append(repr(error))

    async def _all_followed(self) -> None:
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
