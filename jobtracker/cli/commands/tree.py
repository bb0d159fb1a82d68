"""`jobtracker tree`."""

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, JobId, Url
from jobtracker.cli.tables import print_json
from jobtracker.cli.tree_view import print_tree
from jobtracker.client import Client


def tree(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Draw a job and everything below it, with the outcome of each job."""
    with Client(url) as client:
        found = client.tree(job_id)
    if as_json:
        print_json(found)
    else:
        print_tree(output_console(), found)
