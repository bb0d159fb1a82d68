"""`jobtracker queues`."""

from datetime import UTC, datetime

from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table, short_duration
from jobtracker.client import Client
from jobtracker.schemas.workers import QueueDepth, QueueFigures

_COLUMNS = [
    Column("QUEUE", may_shrink=True),
    Column("MESSAGES", is_number=True),
    Column("OLDEST", is_number=True),
    Column("WAIT P95", is_number=True),
    Column("IN/MIN", is_number=True),
    Column("OUT/MIN", is_number=True),
    Column("EMPTY IN", is_number=True),
    Column("WORKERS", may_shrink=True),
]


def queues(url: Url = None, as_json: AsJson = False) -> None:
    """List the queues: what waits in each and since when, how fast it is taken, and which workers consume it.

    The queue whose oldest message waits the longest comes first, and those where nothing waits last.
    WAIT P95, IN/MIN and OUT/MIN (sent and taken) are of the last five to ten minutes. EMPTY IN is how long it takes
    until nothing waits, if nothing more comes.
    """
    with Client(url) as client:
        found = client.queues()
    if as_json:
        print_json(found)
        return
    console = output_console()
    print_table(
        console,
        _COLUMNS,
        [_row(depth) for depth in sorted(found.queues, key=_is_behind)],
    )
    console.print()
    if found.some_left_out:
        console.print("There are more queues than the store remembers: messages may wait in others.", soft_wrap=True)
    console.print(f"Pending jobs, including jobs that were not started: {found.pending:,}", soft_wrap=True)
    if found.unacknowledged is not None:
        console.print(f"Unacknowledged messages at workers: {found.unacknowledged:,}", soft_wrap=True)


def _is_behind(queue: QueueFigures) -> tuple[bool, datetime, int, str]:
    """Sorts queues: those where messages wait, by since when, or where that is not known; then the others."""
    return not queue.messages, queue.oldest_at or datetime.max.replace(tzinfo=UTC), -queue.messages, queue.queue


def _row(queue: QueueFigures) -> list[Cell]:
    recent = queue.last_5_min
    return [
        queue.queue,
        queue.messages,
        age(queue.oldest_at) if queue.oldest_is_known else "?",
        short_duration(recent.wait_p95_s),
        f"{recent.sent_per_minute:,.1f}",
        f"{recent.started_per_minute:,.1f}",
        _empty_in(queue),
        _consumers(queue),
    ]


def _empty_in(queue: QueueFigures) -> str:
    recent = queue.last_5_min
    if queue.messages and recent.sent_per_minute > recent.started_per_minute:
        return "it grows"
    return short_duration(queue.drained_in_s) if queue.messages else ""


def _consumers(depth: QueueDepth) -> Text:
    """The names of its workers; without any, how many consumers the broker counts."""
    if not depth.exists:
        return Text("no queue of that name at the broker", "bold red")
    if depth.consumers:
        return Text(", ".join(depth.consumers))
    if depth.consumer_count:
        return Text(f"{depth.consumer_count} not tracked")
    return Text("none" if depth.consumer_count == 0 else "no tracked worker", "bold red")
