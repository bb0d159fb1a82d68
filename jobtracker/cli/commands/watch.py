"""`jobtracker watch`."""

from jobtracker.cli.options import AsJson, JobId, TimeoutS, Url
from jobtracker.cli.wait import wait_for
from jobtracker.client import Client


def watch(job_id: JobId, timeout_s: TimeoutS = None, url: Url = None, as_json: AsJson = False) -> None:
    """Show a job with all below it until it has settled.

    The exit status is 0 when it completed, 1 when it failed, 3 when it was cancelled, 124 when the timeout came
    first, 130 after Ctrl-C. --json prints the tree as one line of JSON whenever it has changed.
    """
    with Client(url) as client:
        client.get(job_id)  # an API that is not there is told at once, one that goes away later is waited for
        wait_for(client, job_id, timeout_s, as_json=as_json)
