"""The project's default for `store_arguments`: what of a plain call is stored, and who may differ."""

import json

import pytest
from celery import Celery
from pydantic import ValidationError
from support.workers_under_test import Project

from jobtracker import Settings, Tracker, tracked
from jobtracker.errors import ArgumentsUnavailableError
from jobtracker.settings import SettingsError
from jobtracker.testing.apps import disconnect


@pytest.fixture
def full(redis_server, worker_log_dir):
    """A project that stores all arguments, and only sends."""
    project = Project(redis_server, worker_log_dir, store_arguments="full")
    yield project
    project.close()


def stored(project, job_id):
    job = project.job(job_id)
    return job.args, job.payload, job.arguments_repr


def test_the_default_stores_what_a_task_that_declares_nothing_is_called_with(full):
    assert stored(full, full.send("ok", [1, {"a": None}])) == ([[1, {"a": None}]], {}, None)


def test_what_is_masked_stays_masked_and_can_not_be_sent_again(full):
    job_id = full.send("pay", 5, "4111-1111")
    assert "4111-1111" not in json.dumps(full.job(job_id).model_dump(mode="json"))
    full.jobs.cancel(job_id)
    with pytest.raises(ArgumentsUnavailableError, match="masks card"):
        full.jobs.retry(job_id)


def test_a_type_that_declares_it_differs(full):
    assert stored(full, full.send("silent", "hush")) == (None, None, None)

    @full.app.task(shared=False)
    @tracked(store_arguments="repr")
    def shortened(value): ...

    assert full.tracker.signals.task_filter.find(shortened.name).arguments.keep == "repr"


def test_a_job_that_was_sent_with_it_can_be_retried_without_a_change_of_its_task(full):
    job_id = full.send("ok", 7)
    full.jobs.cancel(job_id)
    full.jobs.retry(job_id)
    assert full.job(job_id).run == 2


def test_workers_announce_the_default_so_that_who_only_knows_the_name_keeps_to_it(full):
    types = {each.name: each.arguments.keep for each in full.tracker.job_types()}
    assert (types["ok"], types["silent"]) == ("full", "none")


def test_an_argument_of_the_tracker_counts_more_than_the_environment(monkeypatch):
    monkeypatch.setenv("STORE_ARGUMENTS", "none")
    monkeypatch.delenv("REDIS_URL", raising=False)
    app = Celery("a shop", set_as_current=False)
    tracker = Tracker(app, store_arguments="full")
    assert tracker.settings.store_arguments == "full"
    assert Settings.from_env().store_arguments == "none"
    assert not tracker.settings.names_redis
    tracker.detach()
    disconnect(app)
    app.close()


def test_another_word_is_refused():
    with pytest.raises(SettingsError, match="STORE_ARGUMENTS"):
        Settings.from_env({"STORE_ARGUMENTS": "all"})
    with pytest.raises(ValidationError, match="store_arguments"):
        Tracker(Celery("a shop", set_as_current=False), store_arguments="all")
