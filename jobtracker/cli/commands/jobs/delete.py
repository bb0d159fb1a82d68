"""`jobtracker jobs delete`."""

from jobtracker.cli.bulk import confirm, for_each
from jobtracker.cli.chosen import Verb, for_query, is_query
from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, JobsOrQuery, Url, Yes, Zone
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tree_view import walk
from jobtracker.client import Client
from jobtracker.core.lifecycle import SETTLED
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.jobs import JobTree

_DELETE = Verb(
    "delete",
    "Deleted",
    lambda job: job.status in SETTLED or job.queued_at is None,
    "one that has ended or is not started",
)


def delete(jobs: JobsOrQuery, tz: Zone = "UTC", yes: Yes = False, url: Url = None, as_json: AsJson = False) -> None:
    """Remove jobs with their sub-jobs, after they have ended or before they are started.

    Jobs that a query finds are counted first. --json prints the trees that were removed: one as an object, several
    as an array.
    """
    with Client(url) as client:

        def remove(job_id: str) -> JobTree:
            tree = client.tree(job_id)
            client.delete(job_id)
            return tree

        if is_query(client, jobs):
            for_query(client, jobs, _DELETE, remove, tz=tz, yes=yes, as_json=as_json)
            return
        if not yes:
            count = sum(_count(client, job_id) for job_id in dict.fromkeys(jobs))
            if count > 1:
                confirm(f"Delete {count} jobs, the sub-jobs included?", yes=yes)
        for_each(jobs, remove, _print_removed, as_json=as_json)


def _count(client: Client, job_id: str) -> int:
    try:
        return sum(1 for _ in walk(client.tree(job_id)))
    except JobNotFoundError:
        return 0


def _print_removed(tree: JobTree) -> None:
    below = sum(1 for _ in walk(tree)) - 1
    sub_jobs = f", and {below} sub-job{'s' * (below > 1)}" if below else ""
    output_console().print(f"{tree.id}  deleted  {one_line(tree.name)}{sub_jobs}", soft_wrap=True, markup=False)
