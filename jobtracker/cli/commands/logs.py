"""`jobtracker logs`."""

from collections.abc import Iterable
from datetime import UTC
from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, JobId, Url
from jobtracker.cli.sanitize import plain
from jobtracker.cli.tables import print_json, print_json_line
from jobtracker.client import Client
from jobtracker.schemas.jobs import LogLine

_STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}
_LEVEL_WIDTH = len("warning")


def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until the job has ended.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1000, help="How many of the last lines to print.")
    ] = 1000,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print a job's own log: what its task wrote with `current_job().log(…)`.

    With --follow, --json prints one line of JSON for each line.
    """
    with Client(url) as client:
        if as_json and not follow:
            print_json(client.logs(job_id, limit=limit))
            return
        if follow:
            client.get(job_id)  # an API that is not there is told at once, one that goes away later is waited for
        lines: Iterable[LogLine] = client.follow(job_id, last=limit) if follow else client.logs(job_id, limit=limit)
        console = output_console()
        for line in lines:
            if as_json:
                print_json_line(line)
            else:
                text = Text(f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC", "dim")
                text.append(f"  {line.level.ljust(_LEVEL_WIDTH)}", _STYLES.get(line.level, ""))
                console.print(text.append(f"  {plain(line.message)}", "not dim"), soft_wrap=True)
