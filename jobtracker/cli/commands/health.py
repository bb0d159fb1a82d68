"""`jobtracker health`."""

import typer
from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import Column, print_json, print_table
from jobtracker.client import Client

_COLUMNS = [Column("PART"), Column("STATE"), Column("LATENCY", is_number=True), Column("DETAIL", may_shrink=True)]


def health(url: Url = None, as_json: AsJson = False) -> None:
    """Say whether jobs get done: Redis, the broker, and workers that consume. If not, the exit status is 1."""
    with Client(url) as client:
        found = client.health()
    if as_json:
        print_json(found)
    else:
        rows = [
            (
                name,
                Text("healthy", "green") if part.healthy else Text("unhealthy", "bold red"),
                "" if part.latency_ms is None else f"{part.latency_ms:.1f} ms",
                part.detail,
            )
            for name, part in found.components.items()
        ]
        print_table(output_console(), _COLUMNS, rows)
    if found.status != "healthy":
        raise typer.Exit(ExitStatus.FAILED)
