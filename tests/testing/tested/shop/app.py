"""Its app: servers that are not there, eager tasks, routes, a tracker; and its tasks."""

import time
from pathlib import Path

from celery import Celery

from jobtracker import Tracker, current_job, tracked

app = Celery("shop", broker="amqp://nowhere.invalid//", backend="redis://nowhere.invalid/5")
app.conf.task_always_eager = True
app.conf.task_routes = {"shop.app.report": {"queue": "reports"}}
tracker = Tracker(app)


@app.task
@tracked("invoice")
def invoice(customer: str, lines: list[int]) -> int:
    """Add up the lines."""
    for line in current_job().track(lines, note=customer):
        current_job().log(f"line {line}")
    return sum(lines)


@app.task
@tracked("report")
def report(results: list[int], title: str = "") -> dict[str, object]:
    """Add up invoices."""
    return {"title": title, "total": sum(results)}


@app.task
@tracked("wait")
def wait(looks: bool = True) -> None:
    """Wait for a cancel, or for ten seconds."""
    current_job().progress(1, 3, "waiting")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if looks:
            current_job().raise_if_cancelled()
        time.sleep(0.01)


@app.task
@tracked("read")
def read(path: str) -> str:
    """Read a file."""
    current_job().log("looking for it")
    return Path(path).read_text()


@app.task
def passes_on(queue: str) -> None:
    """Send another task to a queue that nobody has announced."""
    report.apply_async([[1, 2]], queue=queue)


def order() -> str:
    """Code under test that sends a task by itself."""
    return str(invoice.delay("ACME", [4]).id)
