"""`jobtracker stats`."""

from typing import Annotated, Literal

import typer

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import Column, print_json, print_table
from jobtracker.client import Client
from jobtracker.core.lifecycle import Status


def stats(
    by: Annotated[
        Literal["type", "priority"], typer.Option(help="Show one line for each type, or for each priority.")
    ] = "type",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Count the jobs of each status, per type or per priority. The counts are exact."""
    with Client(url) as client:
        groups = client.stats_by_type() if by == "type" else client.stats_by_priority()
    if as_json:
        print_json(groups)
        return
    rows = {
        str(name): [group.total, *(group.by_status[status] for status in Status)] for name, group in groups.items()
    }
    rows["all"] = [sum(counts) for counts in zip(*rows.values(), strict=True)]
    columns = [
        Column(by.upper(), may_shrink=True, keeps_end=True),
        *(Column(t.upper(), is_number=True) for t in ("total", *Status)),
    ]
    print_table(output_console(), columns, [[name, *counts] for name, counts in rows.items()])
