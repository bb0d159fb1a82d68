"""`jobtracker workers`."""

from datetime import UTC, datetime

from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table
from jobtracker.client import Client
from jobtracker.schemas.workers import WorkerStats

_COLUMNS = [
    Column("NAME", may_shrink=True),
    Column("STATE"),
    Column("POOL"),
    Column("SLOTS", is_number=True),
    Column("RUNS", is_number=True),
    Column("HOLDS", is_number=True),
    Column("UP", is_number=True),
    Column("QUEUES", may_shrink=True),
    Column("RELEASE", may_shrink=True),
]


def workers(url: Url = None, as_json: AsJson = False) -> None:
    """List the workers: how many tasks each can run at a time, runs now, and holds for later."""
    with Client(url) as client:
        found = client.workers()
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _COLUMNS, [_row(worker) for worker in found])
    if any(map(_is_busy_solo, found)):
        error_console().print("A solo worker that runs a task answers nobody; its lease says that it lives.")
    if not found:
        error_console().print("No worker answers or holds a lease: start one with `jobtracker worker`.")


def _is_busy_solo(worker: WorkerStats) -> bool:
    return not worker.online and worker.lease is not None and worker.lease.pool == "solo"


def _state(worker: WorkerStats) -> Text:
    if worker.drain:
        return Text("drained", "yellow")
    if worker.online:
        return Text("online", "green")
    return Text("silent", "yellow" if _is_busy_solo(worker) else "bold red")


def _row(worker: WorkerStats) -> list[Cell]:
    lease = worker.lease
    pool = (worker.stats or {}).get("pool") or {}
    return [
        worker.name,
        _state(worker),
        lease.pool if lease else str(pool.get("implementation", "")).rpartition(".")[2].partition(":")[0],
        lease.concurrency if lease else pool.get("max-concurrency"),
        len(worker.active) if worker.online else None,  # what it has not said is not nothing
        len(worker.reserved) + len(worker.scheduled) if worker.online else None,
        age(datetime.fromtimestamp(lease.started_at_ms / 1000, UTC)) if lease else "",
        ", ".join(worker.queues or (lease.queues if lease else [])),
        lease.release if lease else "",
    ]
