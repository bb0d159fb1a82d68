"""`jobtracker jobs start`."""

from jobtracker.cli.for_each import for_each, print_status
from jobtracker.cli.options import AsJson, Countdown, Eta, Expires, JobIds, ToQueue, Url, sending_options
from jobtracker.client import Client


def start(
    job_ids: JobIds,
    eta: Eta = None,
    countdown: Countdown = None,
    expires: Expires = None,
    queue: ToQueue = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Send jobs, with their sub-jobs, to Celery."""
    sending = sending_options(eta, countdown, expires, queue)
    with Client(url) as client:
        for_each(
            job_ids,
            lambda job_id: client.start(job_id, **sending),
            print_status,
            as_json=as_json,
        )
