"""`jobtracker jobs delete`."""

from jobtracker.cli.bulk_run import run_bulk, which_jobs
from jobtracker.cli.console import output_console
from jobtracker.cli.for_each import confirm, for_each
from jobtracker.cli.options import AllJobs, AsJson, DryRun, JobsOrQuery, Url, Yes, Zone
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tree_view import walk
from jobtracker.client import Client
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.bulk import BulkAction
from jobtracker.schemas.jobs import JobTree


def delete(
    jobs: JobsOrQuery = None,
    is_all: AllJobs = False,
    dry_run: DryRun = False,
    tz: Zone = "UTC",
    yes: Yes = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Remove jobs with their sub-jobs, after they have ended or before they are started.

    Jobs that a query finds are counted first, and removed by a bulk run: `jobs bulk` shows it. Of jobs that are named
    by their ids, --json prints the trees that were removed: one as an object, several as an array.
    """
    with Client(url) as client:
        which = which_jobs(client, jobs or [], is_all=is_all, tz=tz)

        def remove(job_id: str) -> JobTree:
            tree = client.tree(job_id)
            client.delete(job_id)
            return tree

        if dry_run or not (ids := which.get("ids")):
            run_bulk(client, BulkAction.DELETE, which, yes=yes, dry_run=dry_run, as_json=as_json)
            return
        if not yes:
            count = sum(_count(client, job_id) for job_id in dict.fromkeys(ids))
            if count > 1:
                confirm(f"Delete {count} jobs, the sub-jobs included?", yes=yes)
        for_each(ids, remove, _print_removed, as_json=as_json)


def _count(client: Client, job_id: str) -> int:
    try:
        return sum(1 for _ in walk(client.tree(job_id)))
    except JobNotFoundError:
        return 0


def _print_removed(tree: JobTree) -> None:
    below = sum(1 for _ in walk(tree)) - 1
    sub_jobs = f", and {below} sub-job{'s' * (below > 1)}" if below else ""
    output_console().print(f"{tree.id}  deleted  {one_line(tree.name)}{sub_jobs}", soft_wrap=True, markup=False)
