"""`jobtracker jobs tag` and `jobtracker jobs untag`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk_run import run_bulk, which_jobs
from jobtracker.cli.options import AllJobs, AsJson, DryRun, JobsOrQuery, Url, Yes, Zone
from jobtracker.client import Client
from jobtracker.schemas.bulk import BulkAction

Tags = Annotated[list[str], typer.Option("--tag", help="The tag. May be given several times.", show_default=False)]


def tag(
    tags: Tags,
    jobs: JobsOrQuery = None,
    is_all: AllJobs = False,
    dry_run: DryRun = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Add tags to jobs.

    The jobs are counted first, and changed by a bulk run: `jobs bulk` shows it.
    """
    with Client(url) as client:
        which = which_jobs(client, jobs or [], is_all=is_all, tz=tz) | {"tags": tags}
        run_bulk(client, BulkAction.TAG, which, yes=yes, dry_run=dry_run, as_json=as_json)


def untag(
    tags: Tags,
    jobs: JobsOrQuery = None,
    is_all: AllJobs = False,
    dry_run: DryRun = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take tags from jobs.

    The jobs are counted first, and changed by a bulk run: `jobs bulk` shows it.
    """
    with Client(url) as client:
        which = which_jobs(client, jobs or [], is_all=is_all, tz=tz) | {"tags": tags}
        run_bulk(client, BulkAction.UNTAG, which, yes=yes, dry_run=dry_run, as_json=as_json)
