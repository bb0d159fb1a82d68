"""Celery code may send a task id again: of a settled job that is a new run, and no report is taken for another's."""

import dataclasses
import json

import pytest
from celery import Celery
from celery.canvas import chain, chord, group
from redis import Redis
from support.recount import recount
from support.sample_jobs import START_MS
from support.workers_under_test import eventually, every_broker

from jobtracker import Status
from jobtracker.broker.headers import SENT_HEADER, sent
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.instrumentation.message_parser import is_body_of
from jobtracker.store.changes import NewJob
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]


def steps(project, job_id):
    return [(entry.step, entry.run) for entry in project.queries.history(job_id) if entry.step != "created"]


def settled(project, job_id, status, run):
    """Wait until a run of a job has ended, as such."""
    eventually(
        lambda: project.queries.state(job_id) == (run, status),
        lambda: f"{project.job(job_id)} {steps(project, job_id)}",
    )
    return project.job(job_id)


@every_broker
def test_a_settled_job_whose_id_is_sent_again_runs_again(project):
    one, two = f"{project.name}-order-1", f"{project.name}-order-2"
    project.send("fail", task_id=one)
    project.send("ok", 1, task_id=two)
    settled(project, one, Status.FAILED, 1)
    settled(project, two, Status.COMPLETED, 1)
    project.send("ok", 7, task_id=one)
    project.send("fail", task_id=two)
    done, failed = settled(project, one, Status.COMPLETED, 2), settled(project, two, Status.FAILED, 2)
    assert (done.result, done.error, done.task_id, done.task, done.deliveries) == (7, None, one, "ok", 2)
    assert (failed.result, failed.error.type, failed.double_runs, failed.redeliveries) == (None, "ValueError", 0, 0)
    assert project.app.AsyncResult(one).get(timeout=10) == 7
    expected = [("queued", 1), ("started", 1), ("failed", 1), ("queued", 2), ("started", 2), ("completed", 2)]
    assert steps(project, one) == expected
    project.send("flaky", 1, 1, task_id=one)  # a whole second, for a quorum queue
    assert settled(project, one, Status.COMPLETED, 3).attempt == 1
    assert project.did(one) == ["began", *RAN, "began attempt 0", "began attempt 1", "returned"]
    project.jobs.retry(two)
    settled(project, two, Status.FAILED, 3)
    project.send("ok", 4, task_id=two)
    assert settled(project, two, Status.COMPLETED, 4).result == 4


@pytest.mark.parametrize("fields", [{"link": "sent"}, {"parent": "p"}, {"link": "sent", "parent": "p"}])
def test_what_a_job_sends_twice_whose_task_ran_twice_is_a_double_run(store, queries, client, keys, fields):
    told = {"type": "t", "task": "t", "priority": "normal", "sent_by": "before", "run": 1, **fields}
    message = NewJob(id="next", fields={**told, "queued": START_MS}, data={}, published=True)
    store.create(message, at_ms=START_MS)
    first, second = ({"run": 1, "attempt": 0, "execution": f"{START_MS + n}-w-{n}"} for n in (1, 50))
    store.apply(Event.START, "next", **first, at_ms=START_MS + 1, sent=START_MS)
    store.apply(Event.COMPLETE, "next", **first, at_ms=START_MS + 2, sent=START_MS)
    again = dataclasses.replace(message, fields={**told, "queued": START_MS + 40})
    assert store.create(again, at_ms=START_MS + 40) == [Outcome.DUPLICATE]
    assert (
        store.apply(Event.START, "next", **second, at_ms=START_MS + 50, sent=START_MS + 40).outcome is Outcome.STALE
    )
    store.apply(Event.FAIL, "next", **second, at_ms=START_MS + 51, sent=START_MS + 40)
    job = queries.get("next")
    assert (job.status, job.run, job.deliveries, job.double_runs) == (Status.COMPLETED, 1, 2, 1)
    assert recount(client, keys) == []


def test_a_chords_body_that_celery_sends_twice_is_a_double_run(own_project):
    """Its header's message is delivered twice while the result backend counts its chord: each end brings the body."""
    name, header = own_project.name, [own_project.signature("ok", 1).set(task_id=f"{own_project.name}-part")]
    chord(header, own_project.signature("collect").set(task_id=f"{name}-whole"), app=own_project.app).apply_async()
    with own_project.app.pool.acquire(block=True) as connection:
        client = Redis(connection_pool=connection.default_channel.pool)
        [queue] = [key for key in client.scan_iter(f"*{own_project.queue}*") if client.type(key) == b"list"]
        [message] = client.lrange(queue, 0, -1)
        with own_project.worker(concurrency=1):
            eventually(lambda: own_project.did(f"{name}-whole") == RAN)
            own_project.app.backend.set_chord_size(json.loads(message)["headers"]["group"], 1)
            client.lpush(queue, message)
            eventually(lambda: own_project.job(f"{name}-whole").double_runs == 1)
    whole = own_project.job(f"{name}-whole")
    assert (whole.status, whole.run, whole.deliveries, whole.result) == (Status.COMPLETED, 1, 2, [1])
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize(("task_id", "is_body"), [("whole", True), ("other", False)])
def test_the_body_of_the_chord_that_a_task_is_in_is_told_by_its_id(own_project, task_id, is_body):
    whole = own_project.signature("collect").set(task_id="whole")
    for following, found in ((whole, is_body), (group([whole, whole], app=own_project.app), False), (None, False)):
        task = own_project.app.tasks["ok"]
        task.push_request(id="part", chord=following)
        try:
            assert is_body_of(task, task_id) == found
        finally:
            task.pop_request()


def test_an_id_that_is_sent_twice_before_it_runs_runs_twice_and_says_so(own_project):
    job_id = f"{own_project.name}-twice"
    own_project.send("ok", 1, task_id=job_id)
    own_project.send("fail", task_id=job_id)
    assert steps(own_project, job_id) == [("queued", 1), ("sent_again", 1)]
    with own_project.worker(concurrency=1):
        failed = settled(own_project, job_id, Status.FAILED, 2)
    assert own_project.did(job_id) == ["began", "returned", "began"]
    assert (failed.deliveries, failed.double_runs) == (2, 0)
    # Celery does not store another outcome in the place of a success: only the tracker knows.
    assert own_project.app.AsyncResult(job_id).state == "SUCCESS"
    assert recount(own_project.client, own_project.keys) == []


def test_what_a_publisher_sends_that_is_not_tracked_is_a_new_run_too(own_project):
    stranger = Celery("stranger", broker=own_project.settings.broker_url)
    stranger.conf.task_default_queue = own_project.queue
    stranger.conf.broker_transport_options = own_project.app.conf.broker_transport_options
    job_id = f"{own_project.name}-strange"
    with own_project.worker():
        stranger.send_task("ok", [1], task_id=job_id)
        assert settled(own_project, job_id, Status.COMPLETED, 1).result == 1
        stranger.send_task("kept", [2], task_id=job_id)
        done = settled(own_project, job_id, Status.COMPLETED, 2)
        assert (done.result, done.args) == (2, [2])
        stranger.send_task("fail", task_id=job_id)
        failed = settled(own_project, job_id, Status.FAILED, 3)
        assert (failed.result, failed.args, failed.deliveries) == (None, None, 3)
    stranger.close()


def test_a_chord_and_a_chain_with_fixed_ids_can_be_sent_again(project):
    name = project.name

    def send(value):
        header = [project.signature("ok", value + n).set(task_id=f"{name}-part-{n}") for n in range(2)]
        chord(header, project.signature("collect").set(task_id=f"{name}-whole"), app=project.app).apply_async()
        links = [project.signature("ok", value), project.signature("add", 1)]
        chain(*[link.set(task_id=f"{name}-link-{n}") for n, link in enumerate(links)]).apply_async()

    for run in (1, 2):
        send(run)
        whole = settled(project, f"{name}-whole", Status.COMPLETED, run)
        assert whole.result == [run, run + 1]
        eventually(
            lambda: project.queries.get(f"{name}-whole").sub_job_counts.completed == 2
        )  # told after Celery calls
        assert "sent_again" not in [step for step, _ in steps(project, whole.id)]  # it was announced, and called once
        assert project.queries.field(whole.id, JobRecord.also_sent) is None
        assert settled(project, f"{name}-link-1", Status.COMPLETED, run).result == run + 1


def test_a_failed_chain_that_is_sent_again_with_its_ids_completes(project):
    name = project.name
    for run, first in ((1, "fail"), (2, "ok")):
        links = [project.signature(first, 5), project.signature("add", 1)]
        chain(*[link.set(task_id=f"{name}-again-{n}") for n, link in enumerate(links)]).apply_async()
        ends = Status.FAILED if run == 1 else Status.COMPLETED
        settled(project, f"{name}-again-0", ends, run)
        last = settled(project, f"{name}-again-1", Status.CANCELLED if run == 1 else ends, run)
    assert (last.result, last.reason) == (6, None)


@pytest.fixture
def message(store):
    """Records that a message under the id "x" was sent at a time; returns what became of that."""

    def sent(at_ms, **fields):
        named = {"type": "custom", "priority": "normal", "run": 1, "queued": at_ms, **fields}
        return store.create(NewJob(id="x", fields=named, published=True), at_ms=at_ms)[0]

    return sent


FIRST, SECOND, THIRD = START_MS, START_MS + 1000, START_MS + 2000


def report(store, event, sent, execution=None, at_ms=THIRD, **more):
    return store.apply(event, "x", run=1, attempt=0, sent=sent, execution=execution, at_ms=at_ms, **more)


def test_late_reports_of_the_run_before_do_not_touch_the_new_one(client, keys, store, queries, message):
    first, second = f"{FIRST}-w1-a", f"{SECOND}-w2-b"
    message(FIRST)
    report(store, Event.START, FIRST, first, FIRST)
    report(store, Event.FAIL, FIRST, first, FIRST + 1)
    assert message(FIRST) is Outcome.DUPLICATE
    assert message(SECOND) is Outcome.SENT_AGAIN
    assert message(SECOND) is Outcome.DUPLICATE
    assert message(FIRST) is Outcome.DUPLICATE  # its report was late
    for event in (Event.COMPLETE, Event.FAIL, Event.RETRY, Event.CANCELLED, Event.PROGRESS):
        assert report(store, event, FIRST, first).outcome is Outcome.STALE
    again = report(store, Event.START, FIRST, f"{THIRD}-w3-c")  # delivered again: it runs, as with Celery alone
    assert (again.outcome, again.run) == (Outcome.STALE, 1)
    assert report(store, Event.START, SECOND, second).applied
    assert report(store, Event.COMPLETE, FIRST, first).outcome is Outcome.STALE
    assert report(store, Event.COMPLETE, SECOND, second).after is Status.COMPLETED
    assert report(store, Event.START, SECOND, f"{THIRD}-w3-d").outcome is Outcome.STALE  # the same message once more
    record = queries.record("x").as_texts()
    assert (record["run"], record["status"], queries.record("x").task_id) == ("2", "completed", "x")
    assert recount(client, keys) == []


def test_of_two_messages_each_counts_for_what_its_own_task_did(client, keys, store, queries, message):
    message(FIRST)
    message(SECOND)
    report(store, Event.START, SECOND, f"{SECOND}-w1-a")
    report(store, Event.FAIL, SECOND, f"{SECOND}-w1-a")
    assert queries.record("x").as_texts()["also_sent"] == str(FIRST)
    assert report(store, Event.START, FIRST, f"{THIRD}-w1-b").run == 2
    assert report(store, Event.COMPLETE, FIRST, f"{THIRD}-w1-b").after is Status.COMPLETED
    assert "also_sent" not in queries.record("x").as_texts()
    assert recount(client, keys) == []


def test_what_has_replaced_a_task_is_of_its_run_whichever_is_told_first(client, keys, store, queries, message):
    message(FIRST)
    second = f"{SECOND}-w2-b"
    replacing = sent({SENT_HEADER: SECOND, "replaced_task_nesting": 1})
    assert report(store, Event.START, replacing, second, SECOND).applied
    assert report(store, Event.COMPLETE, replacing, second).after is Status.COMPLETED
    assert report(store, Event.START, FIRST, f"{FIRST}-w1-a", FIRST).outcome is Outcome.STALE
    assert report(store, Event.REPLACE, FIRST, f"{FIRST}-w1-a", FIRST + 1).outcome is Outcome.STALE
    record = queries.record("x").as_texts()
    assert (record["run"], record["status"], recount(client, keys)) == ("1", "completed", [])


def test_the_id_of_a_deleted_job_can_be_used_again(client, keys, store, queries, message):
    now = queries.server_ms()
    message(now - 2000)
    report(store, Event.START, now - 2000, f"{now}-w1-a")
    report(store, Event.COMPLETE, now - 2000, f"{now}-w1-a")
    store.delete("x")
    assert message(now - 1000) is Outcome.DELETED  # it was told late
    assert message(now + 60_000) is Outcome.APPLIED
    assert report(store, Event.START, now + 60_000, f"{now}-w1-b").applied
    assert (queries.record("x").as_texts()["run"], recount(client, keys)) == ("1", [])


def test_a_run_of_the_trackers_own_and_a_message_of_celery_code_both_run(store, queries, message):
    message(FIRST)
    report(store, Event.START, FIRST, f"{FIRST}-w1-a")
    report(store, Event.FAIL, FIRST, f"{FIRST}-w1-a")
    assert store.apply(Event.RERUN, "x", at_ms=SECOND).run == 2
    late, new = report(store, Event.START, FIRST, f"{THIRD}-w1-b"), report(store, Event.START, THIRD, f"{THIRD}-w1-c")
    assert (late.outcome, late.run) == (Outcome.STALE, 2)  # refused, as ever
    assert (new.outcome, new.run) == (Outcome.STALE, 1)  # it runs, and does not count
    assert queries.record("x").as_texts()["status"] == "pending"


LINK = {"type": "custom", "priority": "normal", "task": "ok", "run": 1, "sent_by": "first"}
"""The next of a chain, as its first message and its own tell of it."""


def test_a_cancelled_step_of_a_chain_stays_cancelled_when_it_is_sent(store, queries):
    store.create(NewJob(id="x", fields={**LINK, "link": "announced"}), at_ms=FIRST)
    store.apply(Event.CANCEL, "x", at_ms=FIRST)
    sent = NewJob(id="x", fields={**LINK, "queued": SECOND}, published=True)
    assert store.create(sent, at_ms=SECOND) == [Outcome.DUPLICATE]
    start = report(store, Event.START, SECOND, f"{SECOND}-w1-a")
    assert (start.after, queries.record("x").as_texts()["run"]) == (Status.CANCELLED, "1")
    # Nor where that was by the end of the job before it, which was told late.
    store.create(NewJob(id="y", fields={**LINK, "link": "announced"}), at_ms=FIRST)
    store.apply(Event.CANCELLED, "y", at_ms=FIRST)
    assert store.create(dataclasses.replace(sent, id="y"), at_ms=SECOND) == [Outcome.DUPLICATE]
    # But where the chain was sent again, and whoever did so has not said it yet.
    assert store.create(dataclasses.replace(sent, id="y", chained_anew=True), at_ms=SECOND) == [Outcome.SENT_AGAIN]
    alone = {name: value for name, value in LINK.items() if name != "sent_by"}
    by_itself = NewJob(id="x", fields={**alone, "queued": THIRD}, published=True)
    assert store.create(by_itself, at_ms=THIRD) == [Outcome.SENT_AGAIN]  # by somebody's own call
    assert ("link" in queries.record("x").as_texts(), report(store, Event.START, THIRD, f"{THIRD}-w1-b").applied) == (
        False,
        True,
    )


def test_a_chain_that_is_sent_again_runs_with_its_new_arguments(client, keys, store, queries):
    link, old, new = {**LINK, "link": "announced"}, {"args": "[1, 2]"}, {"args": "[3, 2]"}
    store.create(NewJob(id="x", fields=link, data={"args": "[2]"}), at_ms=FIRST)
    store.create(NewJob(id="x", fields={**LINK, "queued": FIRST}, data=old, published=True), at_ms=FIRST)
    report(store, Event.START, FIRST, f"{FIRST}-w1-a")
    report(store, Event.COMPLETE, FIRST, f"{FIRST}-w1-a")
    assert store.apply(Event.SEND_AGAIN, "x", at_ms=SECOND).applied  # with the first of its chain
    record = queries.record("x").as_texts()
    assert (record["run"], record["link"], "queued" in record) == ("2", "outdated", False)
    message = NewJob(id="x", fields={**LINK, "queued": THIRD}, data=new, published=True)
    assert store.create(message, at_ms=THIRD) == [Outcome.DUPLICATE]
    [(record, data)] = queries.load(["x"])
    assert (record.link, record.queued, data["args"]) == ("sent", THIRD, "[3, 2]")
    assert report(store, Event.START, THIRD, f"{THIRD}-w1-b").applied
    assert recount(client, keys) == []
