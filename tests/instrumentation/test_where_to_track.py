"""Where a tracker tracks: the Redis that is named, the app's own broker, or nowhere; and when it is turned off."""

import logging
import os
import subprocess
import sys
import uuid

import pytest
from celery import Celery
from support.recount import keys_of
from support.workers_under_test import eventually

from jobtracker import Settings, Tracker
from jobtracker.connection.client import connect
from jobtracker.errors import TrackingDisabledError
from jobtracker.store.keys import Keys

NOWHERE = "REDIS_URL is not set, and the Celery app's broker is no Redis"


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """None of our settings in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def namespace(client):
    name = f"test-{uuid.uuid4().hex}"
    yield name
    if leftover := keys_of(client, Keys(name)):
        client.unlink(*leftover)


@pytest.fixture
def app(redis_server, namespace):
    """An app whose broker is a Redis, with keys of its own."""
    app = Celery("shop", broker=f"{redis_server.url}/0", set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": f"{namespace}:{{broker}}:"}
    yield app
    app.close()


def test_without_redis_url_the_apps_own_broker_is_used_and_said(app, client, namespace, caplog):
    caplog.set_level(logging.INFO, logger="jobtracker")
    tracker = Tracker(app, Settings(tracking_namespace=namespace))
    try:
        job_id = app.send_task("shop.anything").id
        assert tracker.tracking.queries.get(job_id).task == "shop.anything"
        assert tracker.settings.tracking_url == app.conf.broker_url
        [line] = [record.getMessage() for record in caplog.records if "is not set" in record.getMessage()]
        assert line == f"jobtracker: REDIS_URL is not set, jobs are kept in the broker: {app.conf.broker_url}"
    finally:
        tracker.detach()


def test_an_app_that_is_configured_later_keeps_what_waits_for_its_configuration(redis_server, namespace):
    app = Celery("late", set_as_current=False)
    tracker = Tracker(app, Settings(tracking_namespace=namespace))
    heard = []
    app.on_after_configure.connect(lambda **_: heard.append("configured"), weak=False)
    app.config_from_object({"broker_url": f"{redis_server.url}/5", "task_default_queue": namespace})
    try:
        job_id = app.send_task("late.anything").id
        assert tracker.tracking.queries.get(job_id).queue == namespace
        assert heard == ["configured"]
    finally:
        tracker.detach()
        with connect(f"{redis_server.url}/5", 5) as own:
            own.flushdb()


@pytest.mark.parametrize("broker", ["memory://", None])
def test_an_app_without_any_redis_works_untracked_and_says_what_to_set(broker, caplog):
    app = Celery("nowhere", broker=broker, set_as_current=False)
    before = dict(vars(app)).keys()
    tracker = Tracker(app)
    if broker:
        app.send_task("nowhere.anything")
    with pytest.raises(TrackingDisabledError, match=NOWHERE):
        _ = tracker.tracking
    [line] = [record for record in caplog.records if record.name.startswith("jobtracker")]
    assert line.levelno == logging.WARNING
    assert line.getMessage() == f"jobtracker: {NOWHERE}. Set REDIS_URL to the Redis that is to keep the jobs."
    assert "send_task" not in vars(app)
    tracker.detach()
    assert before <= vars(app).keys()


@pytest.mark.parametrize("explicit", [False, True])
def test_where_tracking_is_turned_off_nothing_is_attached(
    app, client, namespace, monkeypatch, redis_server, explicit
):
    if not explicit:
        monkeypatch.setenv("JOBTRACKER_ENABLED", "false")
    off = {"jobtracker_enabled": False} if explicit else {}
    tracker = Tracker(app, Settings(redis_url=redis_server.url, tracking_namespace=namespace, **off))
    assert "send_task" not in vars(app)
    app.send_task("shop.anything")
    assert [key for key in keys_of(client, Keys(namespace)) if "{broker}" not in key] == []
    with pytest.raises(TrackingDisabledError, match="JOBTRACKER_ENABLED is false"):
        _ = tracker.tracking
    tracker.detach()


OFF = """
import socket
from celery import Celery
from jobtracker import Tracker, current_job

app = Celery("off", broker="memory://", backend="cache+memory://")
app.conf.task_always_eager = False
tracker = Tracker(app)

@tracker.task("off.add")
def add(x: int, y: int) -> int:
    job = current_job()
    for _ in job.track(range(2)):
        job.log("adding")
        job.raise_if_cancelled()
    return x + y
"""
RUN = """
import threading, time
from celery.contrib.testing.worker import start_worker
import off

with start_worker(off.app, perform_ping_check=False, pool="solo", loglevel="INFO"):
    print(off.add.delay(1, 2).get(timeout=20))
"""


def test_a_worker_with_tracking_turned_off_runs_tasks_and_connects_nowhere(tmp_path):
    (tmp_path / "off.py").write_text(OFF)
    nowhere = "redis://192.0.2.1:1"  # of a network that is never there: to connect would take its time
    environment = {**os.environ, "JOBTRACKER_ENABLED": "false", "REDIS_URL": nowhere}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.pathsep.join(filter(None, sys.path))}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["3"], done.stderr
    assert "jobtracker" not in done.stderr


def test_a_worker_says_where_jobs_are_kept(own_project):
    with own_project.worker() as worker:
        said = f"Jobs are tracked in {own_project.settings.tracking_url}"
        eventually(lambda: said in worker.process.log_path.read_text())
