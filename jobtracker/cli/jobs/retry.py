"""`jobtracker jobs retry`."""

from jobtracker.cli.jobs.each import for_each, print_status
from jobtracker.cli.options import AsJson, JobIds, Url
from jobtracker.client import Client


def retry(job_ids: JobIds, url: Url = None, as_json: AsJson = False) -> None:
    """Run failed or cancelled jobs again; of a parent only the sub-jobs that did not complete."""
    with Client(url) as client:
        for_each(job_ids, client.retry, print_status, as_json=as_json)
