"""`jobtracker events`."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import print_json_line
from jobtracker.cli.tree_view import STATUS_WIDTH, STYLES
from jobtracker.client import Client
from jobtracker.core.lifecycle import Status
from jobtracker.schemas.events import JobHint, LiveEvent


def events(
    job_id: Annotated[str | None, typer.Option("--job", metavar="ID", help="This job only.")] = None,
    tree: Annotated[str | None, typer.Option("--tree", metavar="ID", help="This job and all below it.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Jobs of this type.")] = None,
    status: Annotated[Status | None, typer.Option(help="Jobs that come to this status, or leave it.")] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="EVENT", help="Go on after the event with this id.")
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="End after this time.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print which jobs change, as they do, until Ctrl-C.

    If the connection is lost, it goes on where it was. --json prints one line of JSON for each event.
    """
    console = output_console()
    with Client(url) as client:
        client.health()  # an API that is not there is told at once, one that goes away later is waited for
        found = client.events(
            job_id=job_id, tree=tree, job_type=job_type, status=status, last_event_id=after, timeout_s=timeout_s
        )
        for event in found:
            if as_json:
                print_json_line(event)
            else:
                _print(console, event)


def _print(console: Console, event: LiveEvent) -> None:
    at = f"{datetime.now(UTC):%H:%M:%S} UTC"
    for hint in event.jobs:
        console.print(_line(at, hint), soft_wrap=True)
    if event.many:
        console.print(Text(f"{at}  ").append(f"{event.many} changes, too many to name", "bold"), soft_wrap=True)
    if event.event == "reset" or event.event == "away":
        text = "Events are missing" if event.event == "reset" else "Redis is away"
        error_console().print(Text(f"{text}: {one_line(event.detail or '')}", "dim"), soft_wrap=True)


def _line(at: str, hint: JobHint) -> Text:
    status = one_line(str(hint.status or ""))
    styles: dict[str, str] = {str(known): style for known, style in STYLES.items()}  # a newer release may have others
    line = Text(f"{at}  ").append(status.ljust(STATUS_WIDTH), styles.get(status, ""))
    line.append(f"  {one_line(hint.id)}  {one_line(hint.job_type or '')}")
    return line.append(f"  {', '.join(map(one_line, hint.what))}", "dim")
