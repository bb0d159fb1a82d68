"""`jobtracker jobs retry`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk import for_each, print_status
from jobtracker.cli.options import AsJson, JobIds, Url
from jobtracker.client import Client
from jobtracker.schemas.jobs import Job


def retry(
    job_ids: JobIds,
    from_failed: Annotated[
        bool,
        typer.Option("--from-failed", help="Run the rest of a chain again, from the job that did not complete."),
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run failed or cancelled jobs again. Of a parent, only the sub-jobs that did not complete run again."""
    named: dict[str, str] = {}
    with Client(url) as client:

        def retry_one(job_id: str) -> Job:
            job = client.retry(job_id, from_failed=from_failed)
            named[job.id] = job_id
            return job

        for_each(job_ids, retry_one, lambda job: print_status(job, _note(job, named[job.id])), as_json=as_json)


def _note(job: Job, named: str) -> str:
    """A note if another job runs again than the one that was named."""
    return f"the rest of its chain runs after it, and so {named}" if job.id != named else ""
