"""`explain` says all times in UTC, whatever zone the task used."""

import re

from jobtracker import Status
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector


def test_a_retry_at_a_time_in_another_zone_is_explained_in_utc(project):
    job_id = project.send("asks_again")
    job = project.expect_status(job_id, Status.RETRYING)
    found = Explainer(project.tracking, Inspector(project.tracking, cache_s=0.5)).explain(job_id)
    assert job.reason == "the task asked to be retried"
    assert re.findall(r"\d\d:\d\d:\d\d[^)]*", found.summary) == [f"{job.not_before:%H:%M:%S} UTC"]
    project.jobs.cancel(job_id)
