"""`jobtracker workers`."""

from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table, short_duration
from jobtracker.client import Client
from jobtracker.schemas.worker_figures import WorkerFigures, WorkerReport, WorkerStateName

_COLUMNS = [
    Column("NAME", may_shrink=True),
    Column("STATE"),
    Column("POOL"),
    Column("SLOTS", is_number=True),
    Column("RUNS", is_number=True),
    Column("HOLDS", is_number=True),
    Column("UP", is_number=True),
    Column("MEM", is_number=True),
    Column("CPU", is_number=True),
    Column("JOBS/MIN", is_number=True),
    Column("FAILED", is_number=True),
    Column("QUEUES", may_shrink=True),
    Column("RELEASE", may_shrink=True),
]
_STYLES = {
    WorkerStateName.ONLINE: "green",
    WorkerStateName.SILENT: "bold red",
    WorkerStateName.LOST: "bold red",
    WorkerStateName.STOPPED: "dim",
    WorkerStateName.NOT_TRACKED: "yellow",
}


def workers(
    url: Url = None,
    as_json: AsJson = False,
    answers: Annotated[
        bool, typer.Option("--answers", help="Print as JSON what the workers themselves answer.")
    ] = False,
) -> None:
    """List the workers that live or went within a day: what each runs, uses and has done, and which are slow.

    JOBS/MIN and FAILED are of the jobs that settled last: of an hour, and of 5,000 jobs at most. CPU is in cores.
    """
    with Client(url) as client:
        if answers:
            print_json(client.workers())
            return
        found = client.worker_report()
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _COLUMNS, [_row(worker) for worker in found.workers])
    for line in _slow(found):
        output_console().print(Text(line, "yellow"), soft_wrap=True)
    for what in found.unavailable:
        error_console().print(f"Not known: {what}", soft_wrap=True)
    if any(map(_is_busy_solo, found.workers)):
        error_console().print("A solo worker that runs a task does not answer; its lease says that it lives.")
    if not found.workers:
        error_console().print("No worker answers or holds a lease: start one with `jobtracker worker`.")


def _is_busy_solo(worker: WorkerFigures) -> bool:
    return worker.state is WorkerStateName.SILENT and worker.pool == "solo"


def _slow(found: WorkerReport) -> list[str]:
    """A line for each type that takes longer on one worker."""
    lines = []
    for worker in found.workers:
        for job_type in worker.slow_types:
            times = worker.by_type[job_type]
            if times.elsewhere:
                lines.append(
                    f"{worker.name} is slow: {job_type} takes {short_duration(times.here.p50_s)} there (median of "
                    f"{times.here.count:,} jobs), {short_duration(times.elsewhere.p50_s)} on the others "
                    f"({times.elsewhere.count:,} jobs), p = {times.p_value:.2g}"
                )
    return lines


def _state(worker: WorkerFigures) -> Text:
    if worker.ended_at is not None:
        return Text(f"{worker.state} {age(worker.ended_at)}", _STYLES[worker.state])
    if worker.is_drained:
        return Text("drained", "yellow")
    style = "yellow" if _is_busy_solo(worker) else _STYLES[worker.state]
    return Text(str(worker.state).replace("_", " "), style)


def _row(worker: WorkerFigures) -> list[Cell]:
    is_gone = worker.ended_at is not None
    memory = worker.memory_bytes
    return [
        worker.name,
        _state(worker),
        worker.pool or "",
        worker.concurrency,
        worker.running_total,
        worker.prefetched,  # what it has not said is not nothing
        "" if is_gone else age(worker.started_at),
        "" if memory is None or is_gone else f"{memory / 2**20:,.0f}M",
        "" if worker.cpu_cores is None or is_gone else f"{worker.cpu_cores:.2f}",
        f"{worker.jobs_per_minute:,.1f}",
        worker.failed,
        ", ".join(worker.queues),
        worker.release or "",
    ]
