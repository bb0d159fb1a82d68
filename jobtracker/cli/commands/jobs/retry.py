"""`jobtracker jobs retry`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk import for_each, print_status
from jobtracker.cli.chosen import Verb, for_query, is_query
from jobtracker.cli.options import AsJson, JobsOrQuery, Url, Yes, Zone
from jobtracker.client import Client
from jobtracker.core.lifecycle import Status
from jobtracker.schemas.jobs import Job

_RETRY = Verb("retry", "Retried", lambda job: job.status in (Status.FAILED, Status.CANCELLED), "failed or cancelled")


def retry(
    jobs: JobsOrQuery,
    from_failed: Annotated[
        bool,
        typer.Option("--from-failed", help="Run the rest of a chain again, from the job that did not complete."),
    ] = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run failed or cancelled jobs again. Of a parent, only the sub-jobs that did not complete run again.

    Jobs that a query finds are counted, and it is asked before they run again; --yes skips the question.
    """
    named: dict[str, str] = {}
    with Client(url) as client:

        def retry_one(job_id: str) -> Job:
            job = client.retry(job_id, from_failed=from_failed)
            named[job.id] = job_id
            return job

        if is_query(client, jobs):
            for_query(client, jobs, _RETRY, retry_one, tz=tz, yes=yes, as_json=as_json)
            return
        for_each(jobs, retry_one, lambda job: print_status(job, _note(job, named[job.id])), as_json=as_json)


def _note(job: Job, named: str) -> str:
    """A note if another job runs again than the one that was named."""
    return f"the rest of its chain runs after it, and so {named}" if job.id != named else ""
