"""`jobtracker jobs cancel`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk_run import run_bulk, which_jobs
from jobtracker.cli.for_each import confirm, for_each, print_status
from jobtracker.cli.options import AllJobs, AsJson, DryRun, JobsOrQuery, Url, Yes, Zone
from jobtracker.client import Client
from jobtracker.schemas.bulk import BulkAction
from jobtracker.schemas.jobs import Job


def cancel(
    jobs: JobsOrQuery = None,
    reason: Annotated[str, typer.Option(help="Why; shown in the job and its history.")] = "cancelled by request",
    terminate: Annotated[
        bool, typer.Option("--terminate", help="Kill running tasks instead of asking them to stop.")
    ] = False,
    is_all: AllJobs = False,
    dry_run: DryRun = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs and their sub-jobs. Waiting jobs are cancelled at once. Running tasks are asked to stop.

    Jobs that a query finds are counted first, and changed by a bulk run: `jobs bulk` shows it.
    """
    with Client(url) as client:
        which = which_jobs(client, jobs or [], is_all=is_all, tz=tz)

        def cancel_one(job_id: str) -> Job:
            return client.cancel(job_id, reason=reason, terminate=terminate)

        if dry_run or not (ids := which.get("ids")):
            action = BulkAction.TERMINATE if terminate else BulkAction.CANCEL
            run_bulk(client, action, {**which, "reason": reason}, yes=yes, dry_run=dry_run, as_json=as_json)
            return
        if len(ids) > 1:
            confirm(f"Cancel {len(ids)} jobs?", yes=yes)
        for_each(
            ids,
            cancel_one,
            lambda job: print_status(job, _what_happens(job, reason, terminate=terminate)),
            as_json=as_json,
        )


def _what_happens(job: Job, reason: str, *, terminate: bool) -> str:
    """What happens to a job that still runs."""
    if job.cancel_requested_at is None or job.finished_at is not None:
        return ""
    if not terminate:
        return "asked to stop: its task looks now and then; --terminate kills it"
    # What follows the reason that was given is why it can't be killed: the pool is one of threads, or solo.
    told = job.reason or ""
    return told if "; " in told.removeprefix(reason) else "its worker was told to kill it"
