"""The history of a job names who started, cancelled, retried and changed it."""

import contextlib

import pytest
from celery import Celery

from jobtracker.broker.config import configure
from jobtracker.core.access import Principal, Scope, acting
from jobtracker.runtime import Tracking
from jobtracker.schemas.requests import JobUpdate, SubJobCreate
from jobtracker.settings import Settings

DB = 9


class WithType(Settings):
    expected_job_types = ("mine",)


@pytest.fixture
def tracking(redis_server, keys):
    settings = WithType(redis_url=redis_server.url, redis_db=DB, tracking_namespace=keys.namespace)
    app = Celery("who-asked", set_as_current=False)
    configure(app, settings)
    found = Tracking.connect(settings, app)
    with found.client as client:
        yield found
        client.unlink(*client.keys(f"{keys.namespace}:*"), "celery")
    app.close()


@contextlib.contextmanager
def asking(name):
    token = acting.set(Principal(name, frozenset(Scope)))
    try:
        yield
    finally:
        acting.reset(token)


def test_each_step_that_somebody_asked_for_names_them(tracking):
    jobs, wanted = tracking.jobs, SubJobCreate(name="n", job_type="mine", payload={"x": 1})
    with asking("maker"):
        job_id = jobs.create(wanted)
    with asking("editor"):
        jobs.update(job_id, JobUpdate(name="other", tags=["a"]))
    with asking("starter"):
        jobs.start(job_id)
    with asking("stopper"):
        jobs.cancel(job_id)
    with asking("retrier"):
        jobs.retry(job_id)
    jobs.cancel(job_id)  # as the maintenance does: nobody asks
    found = [(str(each.step), each.run, each.by) for each in tracking.queries.history(job_id)]
    assert found == [
        ("created", None, None),
        ("updated", None, "editor"),
        ("queued", 1, "starter"),
        ("cancelled", 1, "stopper"),
        ("queued", 2, "retrier"),
        ("cancelled", 2, None),
    ]
    [updated] = [each for each in tracking.queries.history(job_id) if each.step == "updated"]
    assert updated.reason == "changed: name, tags"
    with asking("other"):
        started, _ = jobs.create_one(wanted, start=True)
    assert [each.by for each in tracking.queries.history(started.id)] == [None, "other"]


def test_a_cancel_of_a_job_that_runs_names_who_asked_for_it(tracking):
    job_id = tracking.jobs.submit(SubJobCreate(name="n", job_type="mine", payload={"x": 1}))
    tracking.store.apply("start", job_id, run=1, attempt=0)
    with asking("stopper"):
        tracking.jobs.cancel(job_id, reason="because")
    [asked] = [each for each in tracking.queries.history(job_id) if each.step == "cancel_requested"]
    assert (asked.by, asked.reason) == ("stopper", "because")
    tracking.store.apply("cancelled", job_id, run=1, attempt=0)
    assert [each.by for each in tracking.queries.history(job_id) if each.step == "cancelled"] == ["stopper"]
