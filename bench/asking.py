"""Asks the API a mixture of questions: `python -m bench.asking PORT REQUESTS RATE JOB_IDS CREATES`, and prints JSON.

With a RATE each request has its time, whatever became of those before, and its latency counts from when it is asked:
no answer can hold that up, but who asks may come late itself. Without one (0) sixteen clients ask as fast as they are
answered. Forty requests look at a job, forty at a list and ten at the figures, for every CREATES requests that create
and start one.

Before that the clients ask some, which do not count: they open connections. It never stops to collect garbage: who
asks is not what is measured.
"""

import asyncio
import gc
import json
import random
import sys
import time
from collections import deque
from pathlib import Path

import uvloop

CLIENTS = 16
FIRST = 10
"""Requests of each client that do not count."""
MOST_CONNECTIONS = 200
IDLE_S = 2
"""How long a connection is kept: uvicorn ends one after five seconds."""
JOB_TYPE = "bench.noop"

_CREATE = json.dumps({"name": "asked for", "job_type": JOB_TYPE, "start": True}).encode()
_LIST = "/api/jobs/?status=completed&page_size=50"
_STATS = "/api/tracking/stats"


def main() -> None:
    port, requests, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    job_ids, creates = Path(sys.argv[4]).read_text().split(), int(sys.argv[5])
    mixture = _mixture(CLIENTS * FIRST + requests, job_ids, creates)
    gc.disable()
    print(json.dumps(uvloop.run(_ask(port, mixture[: CLIENTS * FIRST], mixture[CLIENTS * FIRST :], rate))))


def _mixture(requests: int, job_ids: list[str], creates: int) -> list[bytes]:
    dice = random.Random(1)
    found = []
    for what in dice.choices(["get", "list", "stats", "create"], [40, 40, 10, creates], k=requests):
        if what == "create":
            head = f"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(_CREATE)}\r\n"
            found.append(f"{head}Content-Type: application/json\r\n\r\n".encode() + _CREATE)
        else:
            path = {"get": f"/api/jobs/{dice.choice(job_ids)}", "list": _LIST, "stats": _STATS}[what]
            found.append(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return found


async def _ask(port: int, first: list[bytes], requests: list[bytes], rate: float) -> dict[str, float]:
    pool = _Pool(port)
    latencies: list[float] = []
    others = 0

    async def ask(request: bytes, asked: float) -> None:
        nonlocal others
        others += not await pool.ask(request)
        latencies.append(time.perf_counter() - asked)

    async def client(share: list[bytes]) -> None:
        for request in share:
            await ask(request, time.perf_counter())

    async def as_fast_as_answered(some: list[bytes]) -> None:
        await asyncio.gather(*(client(some[n::CLIENTS]) for n in range(CLIENTS)))

    await as_fast_as_answered(first)
    latencies.clear()
    began = time.perf_counter()
    if rate:
        under_way = []
        for n, request in enumerate(requests):
            await asyncio.sleep(max(began + n / rate - time.perf_counter(), 0))
            under_way.append(asyncio.create_task(ask(request, time.perf_counter())))
        await asyncio.gather(*under_way)
    else:
        await as_fast_as_answered(requests)
    elapsed_s = time.perf_counter() - began
    latencies.sort()
    return {
        "per_second": len(requests) / elapsed_s,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "not_2xx": others,
    }


class _Pool:
    """Connections that are kept open, as many as requests are under way."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: deque[_Kept] = deque()
        self._allowed = asyncio.Semaphore(MOST_CONNECTIONS)

    async def ask(self, request: bytes) -> bool:
        """Whether the answer is a 2xx."""
        async with self._allowed:
            reader, writer = self._kept() or await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            self._idle.append((time.monotonic(), reader, writer))
        return head.startswith(b"http/1.1 2")

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The one that was used last; those that nobody has used for long are ended."""
        while self._idle and self._idle[0][0] < time.monotonic() - IDLE_S:
            self._idle.popleft()[2].close()
        return self._idle.pop()[1:] if self._idle else None


_Kept = tuple[float, asyncio.StreamReader, asyncio.StreamWriter]
"""When a connection was used, and the connection."""


if __name__ == "__main__":
    main()
