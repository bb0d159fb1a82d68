"""`jobtracker jobs cancel`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk import confirm, for_each, print_status
from jobtracker.cli.chosen import Verb, for_query, is_query
from jobtracker.cli.options import AsJson, JobsOrQuery, Url, Yes, Zone
from jobtracker.client import Client
from jobtracker.core.lifecycle import SETTLED
from jobtracker.schemas.jobs import Job

_CANCEL = Verb(
    "cancel", "Cancelled or asked to stop:", lambda job: job.status not in SETTLED, "one that has not ended"
)


def cancel(
    jobs: JobsOrQuery,
    reason: Annotated[str, typer.Option(help="Why; shown in the job and its history.")] = "cancelled by request",
    terminate: Annotated[
        bool, typer.Option("--terminate", help="Kill running tasks instead of asking them to stop.")
    ] = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs and their sub-jobs. Waiting jobs are cancelled at once. Running tasks are asked to stop.

    Jobs that a query finds are counted first.
    """
    with Client(url) as client:

        def cancel_one(job_id: str) -> Job:
            return client.cancel(job_id, reason=reason, terminate=terminate)

        if is_query(client, jobs):
            for_query(client, jobs, _CANCEL, cancel_one, tz=tz, yes=yes, as_json=as_json)
            return
        if len(jobs) > 1:
            confirm(f"Cancel {len(jobs)} jobs?", yes=yes)
        for_each(
            jobs,
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
