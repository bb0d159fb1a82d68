"""`jobtracker watch`."""

from jobtracker.cli.options import AsJson, JobId, TimeoutS, Url
from jobtracker.cli.wait import wait_for
from jobtracker.client import Client


def watch(job_id: JobId, timeout_s: TimeoutS = None, url: Url = None, as_json: AsJson = False) -> None:
    """Show a job and everything below it, live, until it has ended.

    The exit status is 0 if it completed, 1 if it failed, 3 if it was cancelled, 124 after the timeout, and 130 after
    Ctrl-C. --json prints the tree as one line of JSON after each change.
    """
    with Client(url) as client:
        client.get(job_id)  # an API that is not there is told at once, one that goes away later is waited for
        wait_for(client, job_id, timeout_s, as_json=as_json)
