"""What is recorded is sent, once, whenever its sender dies; and what could not be sent is as it was."""

import time

import pytest
from support.sample_jobs import create_parent, report
from support.servers import Relay
from support.workers_under_test import eventually, job, new_project

from jobtracker import Status
from jobtracker.core.job import new_execution
from jobtracker.core.lifecycle import Event
from jobtracker.errors import BrokerUnavailableError, PartialDispatchError
from jobtracker.local.ports import free_port
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.schemas.requests import SubJobCreate
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
LONG_AGO_MS = 60_000


@pytest.fixture
def store(project):
    return project.tracking.store


def let_time_pass(project):
    """Make all that is unconfirmed look as if it had been so for long."""
    key = project.keys("unconfirmed")
    long_ago = time.time_ns() // 1_000_000 - LONG_AGO_MS
    if task_ids := project.client.zrange(key, 0, -1):
        project.client.zadd(key, dict.fromkeys(task_ids, long_ago), xx=True)


def send_unconfirmed(project):
    """As leaders do once the time is over, until nothing is left; this may be one of several at it."""

    def nothing_left():
        let_time_pass(project)
        OutboxRelay(project.tracking).send()
        return not project.client.exists(project.keys("unconfirmed"))

    eventually(nothing_left)


def test_a_job_whose_sender_died_before_it_sent_runs_once(project, store):
    job_id = project.create("ok", {"value": 7})
    store.apply(Event.ENQUEUE, job_id)
    send_unconfirmed(project)
    done = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.run, done.result, project.did(job_id, run=1)) == (2, 7, [])


def test_a_job_whose_sender_died_after_it_sent_runs_once(single):
    blocker = single.send("hold", "outbox")
    single.expect(blocker, Status.RUNNING, "STARTED", RAN[:1])
    job_id = single.launch("ok")
    single.client.zadd(single.keys("unconfirmed"), {job_id: 1})  # as if it had died then
    send_unconfirmed(single)
    single.diary.open_gate("outbox")
    single.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert single.did(job_id, run=1) == []


def test_a_job_that_has_begun_is_left_alone(project, request):
    job_id = project.launch("hold", {"gate": request.node.name})
    project.expect(job_id, Status.RUNNING, "STARTED", RAN[:1])
    project.client.zadd(project.keys("unconfirmed"), {job_id: 1})
    send_unconfirmed(project)
    project.diary.open_gate(request.node.name)
    assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 1


def test_a_job_that_begins_while_it_is_looked_at_is_left_alone(own_project, monkeypatch):
    store, queries = own_project.tracking.store, own_project.queries
    own_project.announce()
    job_id = own_project.create("ok")
    store.apply(Event.ENQUEUE, job_id)
    let_time_pass(own_project)
    load = queries.load

    def load_and_begin(*args, **options):
        found = load(*args, **options)
        store.apply(Event.START, job_id, run=1, attempt=0, fields={"lease": "a worker"})
        return found

    monkeypatch.setattr(queries, "load", load_and_begin)
    assert OutboxRelay(own_project.tracking).send() == 0
    assert (own_project.job(job_id).status, own_project.job(job_id).run) == (Status.RUNNING, 1)


def test_a_parent_whose_task_waits_for_its_next_attempt_is_left_alone(own_project):
    store = own_project.tracking.store
    root, (sub,) = create_parent(store, 1, policy="continue")
    assert report(store, root, sub, Event.FAIL).verdict == "due"  # and who has sent it died before it could say so
    for event in (Event.START, Event.RETRY):
        store.apply(event, root, run=1, attempt=0, execution=new_execution("worker"))
    let_time_pass(own_project)
    assert OutboxRelay(own_project.tracking).send() == 0
    assert (own_project.job(root).status, own_project.job(root).run) == (Status.RETRYING, 1)
    assert own_project.queries.are_unconfirmed([root]) == set()


def test_what_was_sent_in_time_is_not_sent_again(project):
    job_id = project.launch("ok")
    assert project.client.zscore(project.keys("unconfirmed"), job_id) is None
    assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 1


def test_several_relays_send_a_job_once(project, store, other_queue):
    job_id = project.create("ok")
    store.apply(Event.ENQUEUE, job_id)
    store.update(job_id, fields={"queue": other_queue})
    let_time_pass(project)
    outboxes = [OutboxRelay(project.tracking) for _ in range(2)]
    assert sum(outbox.send() for outbox in outboxes) <= 1  # the project's own worker has a relay too
    eventually(lambda: not project.queries.are_unconfirmed([job_id, f"{job_id}~2"]))
    assert project.job(job_id).run == 2


@pytest.mark.parametrize("recorded", [1, 2, 5])
def test_a_tree_whose_sender_died_while_it_was_recorded_runs_whole(project, store, recorded):
    inner = job("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    root = project.create("collect", sub_jobs=[inner, job("ok", {"value": 3})])
    for each in list(project.queries.families(root))[:recorded]:
        store.apply(Event.ENQUEUE, each)
    send_unconfirmed(project)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [[1, 2], 3]
    for each in project.queries.families(root):
        project.expect(each, Status.COMPLETED, "SUCCESS", RAN)


def test_a_tree_whose_sender_died_when_it_had_submitted_it_runs_whole(project, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(project.tracking.dispatcher, "publish", die)
    inner = job("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    tree = SubJobCreate.model_validate(job("collect", sub_jobs=[inner, job("ok", {"value": 3})]))
    before = set(project.queries.unconfirmed(2**53, 100))
    with pytest.raises(KeyboardInterrupt):
        project.jobs.submit(tree)
    recorded = {*project.queries.unconfirmed(2**53, 100)} - before
    [root] = (each for each in recorded if project.queries.field(each, JobRecord.parent) is None)
    assert recorded == {*project.queries.families(root)}
    send_unconfirmed(project)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [[1, 2], 3]
    for each in recorded:
        project.expect(each, Status.COMPLETED, "SUCCESS", RAN)


def test_a_tree_of_which_a_part_was_sent_runs_whole_and_its_part_once(project, store):
    root = project.create("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    first, second = project.subs(root)
    runs = {each: store.apply(Event.ENQUEUE, each).run for each in (root, first, second)}
    project.tracking.dispatcher.publish_alone(first, runs[first])
    project.expect(first, Status.COMPLETED, "SUCCESS", RAN)
    send_unconfirmed(project)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [1, 2]
    assert (project.job(first).run, project.job(second).run) == (1, 2)


def test_a_retry_whose_sender_died_runs_what_it_has_recorded(project, store, request):
    root = project.launch("collect", sub_jobs=[job("mended", {"name": request.node.name, "value": 1}), job("ok")])
    bad, _ = project.subs(root)
    project.expect_settled(root, *project.subs(root))
    project.diary.open_gate(request.node.name)
    store.apply(Event.RERUN, root, fields={"callback_mode": "own"})
    store.apply(Event.RERUN, bad)
    send_unconfirmed(project)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [1, None]
    assert project.did(bad, run=2) == []


def test_what_is_left_of_a_tree_that_was_cancelled_meanwhile_is_cancelled(project, store):
    root = project.create("collect", sub_jobs=[job("ok"), job("ok")])
    for each in project.queries.families(root):
        store.apply(Event.ENQUEUE, each)
    store.apply(Event.CANCEL, root)  # and then that process died too
    send_unconfirmed(project)
    assert {project.job(sub).status for sub in project.subs(root)} == {Status.CANCELLED}


def test_what_is_unconfirmed_waits_for_the_broker(redis_server, worker_log_dir):
    away = f"redis://127.0.0.1:{free_port()}/1"
    with new_project(redis_server, worker_log_dir, celery_broker_url=away) as project:
        project.announce()
        job_id = project.create("ok")
        project.tracking.store.apply(Event.ENQUEUE, job_id)
        let_time_pass(project)
        assert OutboxRelay(project.tracking).send() == 0
        assert project.queries.are_unconfirmed([job_id]) == {job_id}
        assert project.job(job_id).run == 1


# -- sent or not: nobody knows -------------------------------------------------------------------------------------


@pytest.fixture
def unsure(redis_server, worker_log_dir):
    """A project, and the relay on its way to the broker."""
    with (
        Relay(redis_server.port) as relay,
        new_project(redis_server, worker_log_dir, celery_broker_url=f"redis://127.0.0.1:{relay.port}/1") as project,
    ):
        project.announce()
        yield project, relay


def test_a_job_whose_sender_did_not_hear_of_its_sending_does_not_run(unsure):
    project, relay = unsure
    job_id = project.create("ok")
    relay.loses = job_id.encode()
    with pytest.raises(BrokerUnavailableError):
        project.jobs.start(job_id)
    relay.loses = None
    assert (project.job(job_id).status, project.job(job_id).run) == (Status.PENDING, 0)
    with project.worker(concurrency=1):
        project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)  # behind it in the queue
        assert project.did(job_id) == []
        assert (project.job(job_id).status, project.job(job_id).run) == (Status.PENDING, 0)
        assert project.state(job_id) == "REVOKED"  # so it was there
        project.jobs.start(job_id)
        assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 2


def test_of_a_tree_that_was_sent_in_part_nothing_runs_until_it_is_retried(unsure):
    project, relay = unsure
    root = project.create("collect", sub_jobs=[job("ok", {"value": n}) for n in range(3)])
    relay.loses = project.subs(root)[1].encode()
    with pytest.raises(PartialDispatchError):
        project.jobs.start(root)
    relay.loses = None
    assert {project.job(each).status for each in project.queries.families(root)} == {Status.CANCELLED}
    with project.worker(concurrency=1):
        project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
        assert [project.did(each) for each in project.queries.families(root)] == [[]] * 4
        project.jobs.retry(root)
        assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2]


def test_a_retry_whose_sender_did_not_hear_of_it_does_not_run(unsure):
    project, relay = unsure
    job_id = project.create("ok")
    project.jobs.cancel(job_id)
    relay.loses = job_id.encode()
    with pytest.raises(BrokerUnavailableError):
        project.jobs.retry(job_id)
    relay.loses = None
    failed = project.job(job_id)
    assert (failed.status, "could not be sent again" in failed.reason) == (Status.FAILED, True)
    with project.worker(concurrency=1):
        project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
        assert (project.did(job_id), project.state(job_id)) == ([], "REVOKED")
        project.jobs.retry(job_id)
        assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == failed.run + 1
