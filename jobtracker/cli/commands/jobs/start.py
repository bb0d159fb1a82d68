"""`jobtracker jobs start`."""

from jobtracker.cli.bulk import for_each, print_status
from jobtracker.cli.options import AsJson, JobIds, Url
from jobtracker.client import Client


def start(job_ids: JobIds, url: Url = None, as_json: AsJson = False) -> None:
    """Send jobs, with their sub-jobs, to Celery."""
    with Client(url) as client:
        for_each(job_ids, client.start, print_status, as_json=as_json)
