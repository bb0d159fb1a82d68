"""`jobtracker jobs retry`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk_run import run_bulk, which_jobs
from jobtracker.cli.for_each import for_each, print_status
from jobtracker.cli.options import AllJobs, AsJson, DryRun, JobsOrQuery, Url, Yes, Zone
from jobtracker.client import Client
from jobtracker.schemas.bulk import BulkAction
from jobtracker.schemas.jobs import Job


def retry(
    jobs: JobsOrQuery = None,
    from_failed: Annotated[
        bool,
        typer.Option("--from-failed", help="Run the rest of a chain again, from the job that did not complete."),
    ] = False,
    is_all: AllJobs = False,
    dry_run: DryRun = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run failed or cancelled jobs again. Of a parent, only the sub-jobs that did not complete run again.

    Jobs that a query finds are counted, and it is asked before they run again; --yes skips the question. A bulk run
    changes them: `jobs bulk` shows it.
    """
    named: dict[str, str] = {}
    with Client(url) as client:
        which = which_jobs(client, jobs or [], is_all=is_all, tz=tz)

        def retry_one(job_id: str) -> Job:
            job = client.retry(job_id, from_failed=from_failed)
            named[job.id] = job_id
            return job

        if dry_run or not (ids := which.get("ids")):
            which |= {"from_failed": True} if from_failed else {}
            run_bulk(client, BulkAction.RETRY, which, yes=yes, dry_run=dry_run, as_json=as_json)
            return
        for_each(ids, retry_one, lambda job: print_status(job, _note(job, named[job.id])), as_json=as_json)


def _note(job: Job, named: str) -> str:
    """A note if another job runs again than the one that was named."""
    return f"the rest of its chain runs after it, and so {named}" if job.id != named else ""
