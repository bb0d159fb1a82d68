"""What traces cost: no-op tasks that are tracked, as in `overhead`, without and with spans.

* `tracked`: OpenTelemetry is not imported.
* `api`: its API is, as FastAPI does it, and no SDK is configured.
* `traced`: the SDK makes two spans of each task, and exports them by OTLP to a server that throws them away.
* `unsampled`: the SDK's sampler takes none.

And of the spans alone (`spans.py`), beside bare ones of the SDK.

The CPU time of a process has that of the thread that exports in it.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from bench.overhead import CPU_TIMES, LABELS, PARTS, measure, median
from jobtracker.local.embedded_redis import EmbeddedRedis

TITLE = "no-op tasks, tracked, without and with traces: what a task costs each process"
SIZE = 4000
VARIANTS = ("tracked", "api", "traced", "unsampled")


def run(tasks: int, rounds: int) -> dict[str, Any]:
    """Measure; rates in tasks per second, CPU times in microseconds a task, and what is added to `tracked`."""
    with TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server, _sink() as url:
        measured = [{v: _measured(server, v, tasks, n, url) for v in _order(n)} for n in range(rounds)]
    return {
        "medians": {v: {p: median(found[v][p] for found in measured) for p in PARTS} for v in VARIANTS},
        "added_us": {
            v: {p: median(found[v][p] - found["tracked"][p] for found in measured) for p in CPU_TIMES}
            for v in VARIANTS[1:]
        },
        "spans_us": {v: _spans(sampler) for v, sampler in (("traced", "always_on"), ("unsampled", "always_off"))},
    }


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    medians, added = figures["medians"], figures["added_us"]
    head = ["no-op tasks per second, CPU µs a task", "tracked"]
    body = [[LABELS[part], f"{medians['tracked'][part]:.0f}"] for part in PARTS]
    for variant in VARIANTS[1:]:
        head += [variant, "added µs"]
        for part, row in zip(PARTS, body, strict=True):
            row += [f"{medians[variant][part]:.0f}", f"{added[variant][part]:+.0f}" if part in CPU_TIMES else ""]
    for part in figures["spans_us"]["traced"]:
        row = [f"spans alone: {part}, µs", ""]
        for variant in VARIANTS[1:]:
            row += [f"{figures['spans_us'].get(variant, {}).get(part, '')}", ""]
        body.append(row)
    return [tuple(row) for row in (head, *body)]


def _spans(sampler: str) -> dict[str, float]:
    environ = {**os.environ, "OTEL_TRACES_SAMPLER": sampler}
    done = subprocess.run([sys.executable, "-m", "bench.spans"], env=environ, capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measured(server: EmbeddedRedis, variant: str, tasks: int, number: int, url: str) -> dict[str, float]:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url} if variant in {"traced", "unsampled"} else {}
    if variant == "unsampled":
        environ["OTEL_TRACES_SAMPLER"] = "always_off"
    with patch.dict("os.environ", environ):
        return measure(server, variant, tasks, number)


def _order(number: int) -> tuple[str, ...]:
    first = number % len(VARIANTS)
    return VARIANTS[first:] + VARIANTS[:first]


@contextmanager
def _sink() -> Iterator[str]:
    """A server that takes all that is exported to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
