"""`jobtracker queues`."""

from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import Column, print_json, print_table
from jobtracker.client import Client
from jobtracker.schemas.workers import QueueDepth

_COLUMNS = [Column("QUEUE", may_shrink=True), Column("MESSAGES", is_number=True), Column("WORKERS", may_shrink=True)]


def queues(url: Url = None, as_json: AsJson = False) -> None:
    """List the queues: how many messages wait in each at the broker, and which workers consume it."""
    with Client(url) as client:
        found = client.queues()
    if as_json:
        print_json(found)
        return
    console = output_console()
    print_table(
        console,
        _COLUMNS,
        [(depth.queue, depth.messages, _consumers(depth)) for depth in found.queues],
    )
    console.print()
    if found.some_left_out:
        console.print("There are more queues than are kept: messages may wait in others.", soft_wrap=True)
    console.print(f"Pending jobs, the ones that were not started included: {found.pending:,}", soft_wrap=True)
    if found.unacknowledged is not None:
        console.print(f"Messages that workers hold: {found.unacknowledged:,}", soft_wrap=True)


def _consumers(depth: QueueDepth) -> Text:
    """The names of its workers; without any, how many consumers the broker counts."""
    if not depth.exists:
        return Text("no queue of that name at the broker", "bold red")
    if depth.consumers:
        return Text(", ".join(depth.consumers))
    if depth.consumer_count:
        return Text(f"{depth.consumer_count} not tracked")
    return Text("none" if depth.consumer_count == 0 else "no tracked worker", "bold red")
