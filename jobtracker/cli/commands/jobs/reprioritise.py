"""`jobtracker jobs reprioritise`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk_run import run_bulk, which_jobs
from jobtracker.cli.options import AllJobs, AsJson, DryRun, JobsOrQuery, Url, Yes, Zone
from jobtracker.client import Client
from jobtracker.core.lifecycle import Priority
from jobtracker.schemas.bulk import BulkAction


def reprioritise(
    priority: Annotated[Priority, typer.Option("--priority", help="The new priority.", show_default=False)],
    jobs: JobsOrQuery = None,
    is_all: AllJobs = False,
    dry_run: DryRun = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Give jobs another priority, before they are started.

    The jobs are counted first, and changed by a bulk run: `jobs bulk` shows it.
    """
    with Client(url) as client:
        which = which_jobs(client, jobs or [], is_all=is_all, tz=tz) | {"priority": priority}
        run_bulk(client, BulkAction.REPRIORITISE, which, yes=yes, dry_run=dry_run, as_json=as_json)
