"""Tasks that can't be published: nothing is left behind, or where others are there that wait for it, a failure is."""

import pytest
from celery.canvas import chain, chord
from kombu.exceptions import EncodeError, OperationalError
from support.workers_under_test import eventually, every_broker, job, new_project

from jobtracker import Status
from jobtracker.errors import BrokerUnavailableError
from jobtracker.local.ports import free_port
from jobtracker.schemas.filters import JobFilter

AT_ONCE = {"retry_policy": {"max_retries": 0}}


@pytest.fixture(params=["redis", "amqp"])
def unplugged(redis_server, worker_log_dir, request):
    """A project whose broker does not answer."""
    url = f"{request.param}://127.0.0.1:{free_port()}/1"
    with new_project(redis_server, worker_log_dir, celery_broker_url=url) as project:
        yield project


def stored(project):
    return project.queries.page(JobFilter()).total


def test_of_a_task_that_the_broker_does_not_take_nothing_is_left(unplugged):
    with pytest.raises(OperationalError):
        unplugged.send("ok", **AT_ONCE)
    assert stored(unplugged) == 0


def test_of_a_chain_that_the_broker_does_not_take_nothing_is_left(unplugged):
    with pytest.raises(OperationalError):
        chain(unplugged.signature("ok", n) for n in range(3)).apply_async(**AT_ONCE)
    assert stored(unplugged) == 0


def test_of_a_chord_that_the_broker_does_not_take_nothing_is_left(unplugged):
    header = [unplugged.signature("ok", n, **AT_ONCE) for n in range(2)]
    with pytest.raises(OperationalError):
        chord(header, unplugged.signature("collect"), app=unplugged.app).apply_async()
    assert stored(unplugged) == 0


def test_of_an_argument_that_can_not_be_serialised_nothing_is_left(own_project):
    with pytest.raises(EncodeError):
        own_project.send("ok", object())
    assert stored(own_project) == 0


def test_an_unpublished_task_can_be_published_later_under_the_same_id(own_project):
    header = [own_project.signature("ok", object()), own_project.signature("ok", 1)]
    body = own_project.signature("collect")
    tasks = chord(header, body, app=own_project.app)
    tasks.freeze()
    with pytest.raises(EncodeError):
        tasks.apply_async()
    assert stored(own_project) == 0
    header[0].args = (0,)
    parent = chord(header, body, app=own_project.app).apply_async().id
    own_project.jobs.empty_trash()
    assert len(own_project.queries.tree(parent).sub_jobs) == 2


@every_broker
def test_a_sub_job_that_can_not_be_published_fails_its_parent(project):
    header = [project.signature("ok", 1), project.signature("ok", object()), project.signature("ok", 3)]
    body = project.signature("collect").set(task_id=f"{project.name}-half-a-chord")
    with pytest.raises(EncodeError):
        chord(header, body, app=project.app).apply_async()
    project.expect(body.id, Status.FAILED, "PENDING", [])
    eventually(lambda: "could not be sent" in project.job(body.id).error.message)
    first, second = (project.job(sub) for sub in project.subs(body.id))
    project.expect(first.id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    project.expect(second.id, Status.FAILED, "PENDING", [])


def test_an_inner_chord_that_can_not_be_published_fails_its_parent(project):
    inner = chord([project.signature("ok", object())], project.signature("collect"), app=project.app)
    body = project.signature("collect").set(task_id=f"{project.name}-half-a-nested-chord")
    with pytest.raises(EncodeError):
        chord([project.signature("ok", 1), inner], body, app=project.app).apply_async()
    project.expect(body.id, Status.FAILED, "PENDING", [])
    first, second = (project.job(sub) for sub in project.subs(body.id))
    project.expect(first.id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    project.expect(second.id, Status.FAILED, "PENDING", [])


@every_broker
def test_a_parent_that_its_worker_can_not_publish_is_failed(project):
    body = project.signature("collect").set(serializer="no such serializer")
    parent = project.chord([project.signature("ok", 1)], body)
    assert "could not be sent" in project.expect(parent, Status.FAILED, "FAILURE", []).reason


@every_broker
def test_a_task_fails_whose_worker_can_not_publish_the_next_of_its_chain(project):
    tasks = [project.signature("ok", 1), project.signature("ok").set(serializer="no such serializer")]
    result = chain(tasks).apply_async()
    first = project.expect(result.parent.id, Status.FAILED, "FAILURE", ["began", "returned"])
    assert "no such serializer" in first.error.message
    # Celery calls the rest of a broken chain failed; it was called off.
    project.expect(result.id, Status.CANCELLED, "FAILURE", [])


def test_a_start_without_an_answer_from_the_broker_is_taken_back(unplugged):
    unplugged.announce()
    tree = unplugged.create("collect", sub_jobs=[job("ok"), job("collect", sub_jobs=[job("ok")])])
    with pytest.raises(BrokerUnavailableError):
        unplugged.jobs.start(tree)
    for job_id in unplugged.queries.families(tree):
        assert unplugged.expect(job_id, Status.PENDING, "PENDING", []).run == 0
