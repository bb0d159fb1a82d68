"""`jobtracker jobs cancel`."""

from typing import Annotated

import typer

from jobtracker.cli.jobs.each import confirm, for_each, print_status
from jobtracker.cli.options import AsJson, JobIds, Url, Yes
from jobtracker.client import Client


def cancel(
    job_ids: JobIds,
    reason: Annotated[str | None, typer.Option(help="For those who wonder later.", show_default=False)] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Kill running tasks instead of asking them to stop.")
    ] = False,
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs and their sub-jobs. What waits is cancelled at once, what runs when its task looks."""
    if len(job_ids) > 1:
        confirm(f"Cancel {len(job_ids)} jobs?", yes=yes)
    with Client(url) as client:
        for_each(
            job_ids,
            lambda job_id: client.cancel(job_id, reason=reason, force=force),
            print_status,
            as_json=as_json,
        )
