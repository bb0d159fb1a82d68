"""Why a job is not done: each of the answers, from real brokers and workers."""

import contextlib
import functools
import re
import signal
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from support.sample_jobs import a_worker, create_job
from support.workers_under_test import Project, eventually, job, new_project

from jobtracker import Status
from jobtracker.broker.message_search import SCAN_LIMIT
from jobtracker.core.clock import now_ms
from jobtracker.core.job import REASON_CHARS
from jobtracker.core.lifecycle import Event
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import ArgumentsUnavailableError, JobNotFoundError
from jobtracker.local.ports import free_port
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.schemas.bulk import BulkRequest
from jobtracker.schemas.explanation import Code, Explanation, Location
from jobtracker.schemas.requests import JobUpdate, ProgressUpdate
from jobtracker.store.keys import LET_GO

pytestmark = [pytest.mark.long, pytest.mark.thorough]

QUICK_S = 5
"""A second look at most, and a worker that does not answer, on a machine that is busy."""
ON_RABBITMQ = pytest.mark.parametrize("single", ["rabbitmq-classic", "rabbitmq-quorum"], indirect=True)
ON_BOTH = pytest.mark.parametrize("single", ["redis", "rabbitmq-classic"], indirect=True)


@functools.cache
def explainer_of(project: Project) -> Explainer:
    return Explainer(project.tracking, Inspector(project.tracking, cache_s=0.5))


def explain(project: Project, job_id: str) -> Explanation:
    """The explanation of a job; it must be a quick one."""
    began = time.monotonic()
    found = explainer_of(project).explain(job_id)
    assert time.monotonic() - began < QUICK_S
    assert found.summary.endswith(".")
    assert "  " not in found.summary
    return found


def expect(project: Project, job_id: str, code: Code) -> Explanation:
    """Wait until a job is explained so."""
    found: list[Explanation] = []

    def is_so() -> bool:
        found[:] = [explain(project, job_id)]
        return found[0].code is code

    eventually(is_so, lambda: repr(found))
    return found[0]


@contextlib.contextmanager
def gate_of(project: Project) -> Iterator[str]:
    """A gate that is open in the end, so that no task waits at it for long."""
    name = uuid.uuid4().hex
    try:
        yield name
    finally:
        project.diary.open_gate(name)


def broker_of(project: Project) -> Redis:
    return Redis.from_url(project.settings.broker_url)


def keys_of_queue(project: Project, queue: str) -> list[bytes]:
    return sorted(broker_of(project).keys(f"{project.name}:{queue}*"))


# -- no message yet, or none at all --------------------------------------------------------------------------------


def test_a_job_that_nobody_has_started(own_project):
    own_project.announce()
    tree = own_project.create("collect", sub_jobs=[job("ok")])
    found = explain(own_project, tree)
    assert (found.code, found.status, found.sub_jobs_open) == (Code.NOT_STARTED, Status.PENDING, 1)
    assert "start it" in found.summary
    [sub] = found.sub_jobs
    assert (sub.code, tree in sub.summary) == (Code.NOT_STARTED, True)
    assert (found.message, found.queue, found.worker, found.unavailable) == (None, None, None, [])


def test_a_job_that_an_outside_worker_drives(own_project):
    own_project.announce()
    job_id = own_project.create("ok")
    progress = ProgressUpdate(done=1, total=4, note="a quarter")
    own_project.jobs.update(job_id, JobUpdate(status="running", progress=progress))
    found = explain(own_project, job_id)
    assert found.code is Code.OUTSIDE_WORKER
    assert "25% are done, a quarter" in found.summary


def test_a_bulk_run_is_done_by_the_api(own_project):
    run = own_project.jobs.bulk.begin(BulkRequest(action="cancel", all=True))
    found = explain(own_project, run.id)
    assert (found.code, found.summary) == (
        Code.OUTSIDE_WORKER,
        "The processes of the API do this bulk run in turn with others.",
    )
    own_project.tracking.store.apply(Event.START, run.id, run=0)
    assert "; it began" in explain(own_project, run.id).summary


def test_what_reports_its_progress_is_done_when_that_says(own_project):
    began = now_ms() - 10_000
    own_project.leases.renew(a_worker("here"))
    job_id = create_job(own_project.tracking.store, at_ms=began, run=1, queued=began)
    known = {"run": 1, "attempt": 0, "execution": f"{began}-here-1"}
    store = own_project.tracking.store
    store.apply(Event.START, job_id, at_ms=began, fields={"worker": "w@test", "lease": "here"}, **known)
    assert explain(own_project, job_id).finish is None
    store.apply(Event.PROGRESS, job_id, fields={"progress_done": 1, "progress_total": 4}, **known)
    found = explain(own_project, job_id)
    assert (found.code, found.finish.by, found.finish.based_on) == (Code.RUNNING, "progress", 1)
    now = found.at.timestamp() * 1000
    assert found.finish.at.timestamp() * 1000 == pytest.approx(began + 4 * (now - began), abs=2)


def test_what_is_no_job_is_not_explained(own_project):
    with pytest.raises(JobNotFoundError):
        explain(own_project, "nothing")


# -- in a queue ----------------------------------------------------------------------------------------------------


def test_a_message_has_its_place_among_those_of_all_priorities(own_project):
    own_project.announce()
    jobs = {
        p: [own_project.launch("ok", priority=p) for _ in range(2)] for p in ("normal", "critical", "low", "high")
    }
    in_order = [each for p in ("critical", "high", "normal", "low") for each in jobs[p]]
    found: list[Explanation] = []

    def all_have_a_place() -> bool:  # a look at the broker that its time limit cuts short finds none
        found[:] = [explain(own_project, each) for each in in_order]
        return all(each.message and each.message.position for each in found)

    eventually(all_have_a_place, lambda: repr(found))
    assert [each.message.position for each in found if each.message] == list(range(1, 9))
    assert {each.code for each in found} == {Code.NO_CONSUMER}
    last = found[-1]
    assert last.queue is not None
    assert (last.queue.name, last.queue.messages, last.queue.consumers) == (own_project.queue, 8, [])
    assert f"start a worker with --queues {own_project.queue}" in last.summary


def test_a_long_queue_is_not_searched_to_its_end(own_project):
    with own_project.app.pool.acquire(block=True) as connection, connection.SimpleQueue("long") as queue:
        for _ in range(SCAN_LIMIT + 50):
            queue.put({}, headers={"id": uuid.uuid4().hex, "task": "ok"}, priority=6)
    job_id = own_project.send("ok", queue="long", priority=6)
    found = explain(own_project, job_id)
    assert found.message is not None
    assert (found.code, found.message.where) == (Code.NO_CONSUMER, Location.QUEUE)
    assert (found.message.position, found.message.further_back_than) == (None, SCAN_LIMIT)


def test_an_id_in_another_tasks_message_is_not_taken_for_the_message(own_project, client):
    job_id = own_project.send("ok")
    other = own_project.send("ok", headers={"about": job_id})
    found = [explain(own_project, each).message for each in (job_id, other)]
    assert [place.position for place in found if place] == [1, 2]


@ON_BOTH
def test_a_task_that_was_replaced_by_one_that_goes_elsewhere_is_looked_for_there(single, other_queue_of_single):
    job_id = single.send("replaced", "task elsewhere", other_queue_of_single)
    single.expect_did(job_id, "replaced by task elsewhere")
    single.expect_status(job_id, Status.PENDING)
    eventually(lambda: explain(single, job_id).code is Code.NO_CONSUMER)


def test_a_queue_that_nobody_consumes_beside_one_that_is(single, other_queue_of_single):
    job_id = single.send("ok", queue=other_queue_of_single)
    found = explain(single, job_id)
    assert found.queue is not None
    assert (found.code, found.queue.messages, found.queue.consumers) == (Code.NO_CONSUMER, 1, [])
    assert found.queue.consumer_count in {None, 0}


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_task_that_was_delivered_again_began_when_that_did(own_project, attempt):
    own_project.announce()
    own_project.leases.renew(a_worker("second"))
    job_id = own_project.create("ok")
    store, now = own_project.tracking.store, now_ms()
    store.apply(Event.ENQUEUE, job_id, at_ms=now - 1_300_000)
    for execution, ago_ms in (("first", 1_300_000), ("second", 30_000)):
        store.apply(Event.REQUEUE, job_id)
        store.apply(
            Event.START,
            job_id,
            run=1,
            attempt=attempt,
            execution=f"{now - ago_ms}-{execution}-1",
            fields={"worker": f"{execution}@h", "lease": execution},
            at_ms=now - ago_ms,
        )
    found = explain(own_project, job_id)
    task = "attempt 2 of its task" if attempt else "its task"
    assert found.code is Code.RUNNING
    assert re.match(f"second@h runs {task}, which began 3[0-9] s ago [^;]*$", found.summary)
    store.apply(Event.COMPLETE, job_id, run=1, attempt=attempt, execution=f"{now - 30_000}-second-1", at_ms=now)
    assert "30 s after it began" in explain(own_project, job_id).summary


def test_an_attempt_says_when_it_began_and_when_the_first_one_did(own_project):
    own_project.announce()
    own_project.leases.renew(a_worker("w"))
    job_id = own_project.create("ok")
    store, now = own_project.tracking.store, now_ms()
    store.apply(Event.ENQUEUE, job_id, at_ms=now - 900_000)
    fields = {"worker": "w@h", "lease": "w"}
    for attempt, ago_ms in ((0, 900_000), (1, 30_000)):
        by = {"run": 1, "attempt": attempt, "execution": f"{now - ago_ms}-w-{attempt}", "at_ms": now - ago_ms}
        store.apply(Event.START, job_id, fields=fields, **by)
        if attempt == 0:
            store.apply(Event.RETRY, job_id, **by)
    sentence = explain(own_project, job_id).summary
    assert re.search(r"attempt 2 of its task, which began 3[0-9] s ago .*; the first began 15 min ago", sentence)


@pytest.fixture
def other_queue_of_single(single: Project) -> str:
    return f"{single.name}-{uuid.uuid4().hex[:6]}"


@ON_BOTH
def test_what_runs_what_is_fetched_and_what_waits_behind_it(single):
    with gate_of(single) as gate:
        running = single.send("hold", gate)
        single.expect_status(running, Status.RUNNING)
        fetched = single.send("ok")
        single.expect_reserved(fetched)
        waiting = [single.send("ok") for _ in range(3)]
        [lease] = single.leases.live()
        found = explain(single, running)
        assert found.worker is not None
        assert (found.code, found.worker.name, found.worker.alive) == (Code.RUNNING, lease.name, True)
        assert (found.worker.pool, found.message) == ("prefork", None)

        eventually(lambda: explain(single, fetched).worker is not None)  # it may have taken too long to answer
        found = expect(single, fetched, Code.PREFETCHED)
        assert found.worker is not None
        assert found.message is not None
        assert (found.worker.name, found.message.where) == (lease.name, Location.WORKER)
        if not single.settings.broker_is_amqp:
            assert found.message.taken_at is not None
            assert found.message.redelivered_at is not None
            assert (found.message.redelivered_at - found.message.taken_at).total_seconds() == 3600
        eventually(lambda: explain(single, waiting[2]).queue.messages == 3)
        for position, each in enumerate(waiting, 1):
            found = explain(single, each)
            assert found.queue is not None
            assert found.message is not None
            assert (found.code, found.message.where) == (Code.QUEUED, Location.QUEUE)
            assert (found.queue.messages, found.queue.consumers) == (3, [lease.name])
            if single.settings.broker_is_amqp:
                assert (found.message.position, found.queue.consumer_count) == (None, 1)
                assert "one of 3" in found.summary
            else:
                assert found.message.position == position
    single.expect_settled(running, fetched, *waiting)
    assert explain(single, waiting[0]).code is Code.SETTLED


# -- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("single", ["redis", "rabbitmq-classic", "rabbitmq-quorum"], indirect=True)
def test_an_eta(single):
    job_id = single.send("ok", countdown=50)
    found = expect(single, job_id, Code.WAITING_FOR_ETA)
    assert found.not_before is not None
    assert 40 < (found.not_before - found.at).total_seconds() <= 50
    if single.settings.celery_queue_type == "classic":
        eventually(lambda: explain(single, job_id).worker is not None)
    single.jobs.cancel(job_id)


def test_the_next_attempt(single):
    job_id = single.send("flaky", 1, 50)
    single.expect_status(job_id, Status.RETRYING)
    found = expect(single, job_id, Code.WAITING_FOR_RETRY)
    assert found.not_before is not None
    assert "Attempt 1 did not succeed" in found.summary
    assert "not yet" in found.summary
    single.jobs.cancel(job_id)


def test_an_estimate_comes_from_the_times_of_its_type(own_project):
    own_project.announce()
    with own_project.worker("estimating", concurrency=1), gate_of(own_project) as gate:
        before = own_project.send("hold_and_look", gate)
        began_at = own_project.expect_status(before, Status.RUNNING).started_at
        assert began_at is not None
        eventually(lambda: datetime.now(UTC) > began_at + timedelta(milliseconds=100))
        assert explain(own_project, before).finish is None
        own_project.diary.open_gate(gate)
        own_project.expect_settled(before, *[own_project.send("hold_and_look", gate) for _ in range(4)])
        store, now = own_project.tracking.store, now_ms()
        for _ in range(5):  # so that what has the slot is not over its time
            long = create_job(store, type=own_project.queries.record(before).type, at_ms=now - 700_000)
            for event, at_ms in ((Event.ENQUEUE, now - 700_000), (Event.START, now - 600_000), (Event.COMPLETE, now)):
                store.apply(event, long, at_ms=at_ms)
        with gate_of(own_project) as closed:
            running = own_project.send("hold_and_look", closed)
            own_project.expect_status(running, Status.RUNNING)
            waiting = [own_project.send("hold_and_look", closed) for _ in range(4)]
            own_project.expect_reserved(waiting[0])
            found = explain(own_project, waiting[-1])
            assert found.message is not None
            assert found.finish is not None
            assert found.finish.started_at is not None
            assert (found.message.position, found.finish.based_on) == (3, 10)
            # The slot is free in up to ten minutes, and two are ahead of it that take five on average.
            assert timedelta(minutes=10) <= found.finish.started_at - found.at <= timedelta(minutes=21)
            assert found.finish.started_at <= found.finish.at
        own_project.expect_settled(running, *waiting)


# -- sub-jobs and chains ------------------------------------------------------------------------------------------


def test_a_parent_names_the_sub_jobs_that_it_waits_for_and_what_each_waits_for(single):
    single.announce()
    with gate_of(single) as gate:
        subs = [job("ok", name="done"), job("hold", {"gate": gate}, name="held"), job("ok", name="behind")]
        tree = single.launch("collect", sub_jobs=[*subs, *[job("ok") for _ in range(12)]])
        single.expect_status(single.subs(tree)[1], Status.RUNNING)
        single.expect_reserved(single.subs(tree)[2])
        found = expect(single, tree, Code.WAITING_FOR_SUB_JOBS)
        assert (found.sub_jobs_open, len(found.sub_jobs)) == (14, 10)
        assert [(sub.name, sub.code) for sub in found.sub_jobs[:2]] == [
            ("held", Code.RUNNING),
            ("behind", Code.PREFETCHED),
        ]
        assert {sub.code for sub in found.sub_jobs[2:]} == {Code.QUEUED}
        assert "14 of its 15 sub-jobs" in found.summary
    single.expect_settled(tree)


def test_a_parent_that_failed_names_what_did_not_complete(single):
    single.announce()
    tree = single.launch("collect", sub_jobs=[job("ok"), job("fail", name="culprit")])
    single.expect_settled(tree)
    found = explain(single, tree)
    assert (found.code, found.status) == (Code.SETTLED, Status.FAILED)
    assert [(sub.name, sub.status) for sub in found.sub_jobs] == [("culprit", Status.FAILED)]
    assert "ValueError: as asked" in found.sub_jobs[0].summary
    assert "culprit" in found.summary


def test_the_next_of_a_chain_names_the_job_before_it(single):
    with gate_of(single) as gate:
        last = (single.signature("hold", gate, 1) | single.signature("ok")).apply_async()
        found = explain(single, last.id)
        assert (found.code, found.previous_job_id) == (Code.WAITING_FOR_PREVIOUS_JOB, last.parent.id)
        assert last.parent.id in found.summary
    single.expect_settled(last.id)


# -- cancelled, and ended -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pooled", "can_be_killed"), [("prefork", True), ("threads", False)], indirect=["pooled"])
def test_a_cancel_that_the_task_has_not_seen_yet(pooled, can_be_killed):
    with gate_of(pooled) as gate:
        job_id = pooled.send("hold", gate)
        pooled.expect_status(job_id, Status.RUNNING)
        pooled.jobs.cancel(job_id, reason="no longer wanted")
        found = explain(pooled, job_id)
        assert found.cancel is not None
        assert (found.code, found.status) == (Code.CANCEL_REQUESTED, Status.RUNNING)
        assert (found.cancel.reason, found.cancel.can_be_killed) == ("no longer wanted", can_be_killed)
        assert ("can't kill" in found.summary) is not can_be_killed
    pooled.expect_settled(job_id)


def test_what_has_ended_says_when_and_why(single):
    failed, done = single.send("fail", "on purpose"), single.send("ok")
    single.expect_settled(failed, done)
    assert "ValueError: on purpose" in explain(single, failed).summary
    found = explain(single, done)
    assert (found.code, found.status, found.finish) == (Code.SETTLED, Status.COMPLETED, None)
    assert found.summary.startswith("It completed at 2")


QUARANTINED = "will be taken for failed and not run again, for its worker or process was lost with it 3 times."
NO_NEW_RUN = "will be taken for failed; it can't run again: in its chain other waits for it"


@pytest.mark.parametrize(
    ("kind", "fields", "fate", "becomes"),
    [
        ("hold", {}, "will be taken for failed.", (Status.FAILED, 1)),
        ("hold", {"acks_late": "1"}, "will wait for its message to come back.", (Status.PENDING, 1)),
        ("hold", {"acks_late": "1", "losses": 2}, QUARANTINED, (Status.FAILED, 1)),
        ("hold_rerun", {}, "will run again, in a new run.", (Status.PENDING, 2)),
        ("hold_rerun", {"cancel": 1}, "will be cancelled, as was asked for.", (Status.CANCELLED, 1)),
        ("hold_rerun", {"next": "other"}, NO_NEW_RUN, (Status.FAILED, 1)),
    ],
)
def test_what_will_become_of_a_job_whose_worker_is_lost_is_said_before(own_project, kind, fields, fate, becomes):
    own_project.announce()
    job_id = own_project.create(kind, {"gate": "none"})
    own_project.tracking.store.apply(Event.ENQUEUE, job_id)
    begun = {"worker": "w@h", "lease": "lost", **fields}
    own_project.tracking.store.apply(Event.START, job_id, run=1, attempt=0, fields=begun)
    found = explain(own_project, job_id)
    assert found.code is Code.WORKER_LOST
    assert f"the job {fate}" in found.summary
    [record] = own_project.queries.records([job_id])
    own_project.tracking.lost_executions.settle(
        record, "w@h was lost", "WorkerLost", comes_back="acks_late" in fields
    )
    job = own_project.job(job_id)
    assert (job.status, job.run) == becomes


def test_a_worker_that_has_let_a_job_go_is_not_said_to_be_dead(own_project):
    own_project.announce()
    job_id = own_project.create("hold", {"gate": "none"})
    own_project.tracking.store.apply(Event.ENQUEUE, job_id)
    fields = {"worker": "w@h", "lease": LET_GO, "reason": "Celery could not store how it ended"}
    own_project.tracking.store.apply(Event.START, job_id, run=1, attempt=0, fields=fields)
    found = explain(own_project, job_id)
    assert (found.code, found.worker.alive) == (Code.WORKER_LOST, None)
    assert found.summary.startswith("w@h ran it, and let it go (Celery could not store how it ended): the job will")


def test_a_worker_that_falls_silent_is_said_to_be_before_it_is_taken_for_lost(redis_server, worker_log_dir):
    with (
        new_project(redis_server, worker_log_dir, lease_lost_s=60, lease_renew_s=1) as project,
        project.worker("silent", concurrency=1) as worker,
        gate_of(project) as gate,
    ):
        running = project.send("hold", gate)
        project.expect_status(running, Status.RUNNING)
        found = explain(project, running)
        assert (found.worker.alive, found.worker.last_heard_at) == (True, None)
        assert "last heard of" not in found.summary
        worker.signal(signal.SIGSTOP)
        try:
            eventually(lambda: "; the worker was last heard of 2." in explain(project, running).summary)
            found = explain(project, running)
            assert (found.code, found.worker.alive) == (Code.RUNNING, True)
            assert timedelta(seconds=2) < found.at - found.worker.last_heard_at < timedelta(seconds=10)
        finally:
            worker.signal(signal.SIGCONT)
        eventually(lambda: "last heard of" not in explain(project, running).summary)
        project.diary.open_gate(gate)
        project.expect_settled(running)


@pytest.mark.parametrize(
    ("event", "fields", "inferred"),
    [
        (Event.LOSE, {}, True),
        (Event.LOSE, {"inferred": Event.FAIL}, False),
        (Event.FAIL, {"inferred": Event.FAIL}, False),
        (Event.QUARANTINE, {}, False),
    ],
)
def test_only_what_its_worker_has_not_told_is_said_to_be_inferred(own_project, event, fields, inferred):
    own_project.announce()
    job_id = own_project.create("ok")
    store = own_project.tracking.store
    for each in (Event.ENQUEUE, Event.START):
        store.apply(each, job_id)
    store.apply(event, job_id, run=1, fields={"reason": "it was lost", **fields})
    assert ("inferred" in explain(own_project, job_id).summary) is inferred


def test_a_reason_that_is_cut_does_not_end_like_a_sentence(single):
    job_id = single.send("fail", "on and on " * 100)
    single.expect_settled(job_id)
    assert len(single.job(job_id).reason) <= REASON_CHARS
    assert explainer_of(single).explain(job_id).summary.endswith("…")


# -- trouble ------------------------------------------------------------------------------------------------------


def test_the_message_of_a_lost_worker_comes_back_at_a_time_that_is_known(redis_server, worker_log_dir):
    conf = {"broker_transport_options": {"visibility_timeout": 300}}
    with new_project(redis_server, worker_log_dir, conf=conf, lease_lost_s=2, lease_renew_s=0.5) as project:
        with project.worker("lost") as worker, gate_of(project) as gate:
            late, early = project.send("hold_late", gate), project.send("hold", gate)
            for each in (late, early):
                project.expect_status(each, Status.RUNNING)
            fetched = project.send("ok")
            project.expect_reserved(fetched)
            with new_project(redis_server, worker_log_dir, like=project) as sender:  # which knows of no such setting
                place = expect(sender, fetched, Code.PREFETCHED).message
                assert place is not None
                assert place.redelivered_at is not None
                assert place.taken_at is not None
                assert (place.redelivered_at - place.taken_at).total_seconds() == 300
            worker.kill()
            worker.wait_for_exit()
            for each in (late, early):
                found = expect(project, each, Code.WORKER_LOST)
                assert found.worker is not None
                assert worker.lease is not None
                assert (found.worker.name, found.worker.alive) == (worker.lease.name, False)
                assert found.worker.lease_ended_at is not None
                assert found.worker.lease_ended_at <= found.at
        settled: list[int] = []
        eventually(
            lambda: settled.append(MaintenanceRunner(project.tracking).rescuer.rescue_lost()) or sum(settled) == 2
        )
        found = expect(project, late, Code.WAITING_FOR_REDELIVERY)
        assert found.message is not None
        assert found.message.where is Location.UNACKNOWLEDGED
        assert found.message.taken_at is not None
        assert found.message.redelivered_at is not None
        assert (found.message.redelivered_at - found.message.taken_at).total_seconds() == 300
        assert "none lives" in found.summary
        assert "Before that it is given back to its queue" in found.summary
        assert explain(project, fetched).code is Code.WAITING_FOR_REDELIVERY
        found = explain(project, early)
        assert (found.code, found.status) == (Code.SETTLED, Status.FAILED)
        assert "inferred" in found.summary


def test_a_message_that_is_lost_is_missed_once_it_is_not_new_any_more(own_project):
    own_project.announce()
    job_id = own_project.launch("ok")
    broker_of(own_project).delete(*keys_of_queue(own_project, own_project.queue))
    assert explain(own_project, job_id).code is Code.BEING_SENT
    found = expect(own_project, job_id, Code.MESSAGE_MISSING)
    assert found.message is not None
    assert found.message.where is Location.NOWHERE
    assert "cancel it, then retry it" in found.summary
    own_project.jobs.cancel(job_id)
    own_project.jobs.retry(job_id)
    assert explain(own_project, job_id).message.position == 1


def test_what_helps_a_job_without_a_message_is_what_a_retry_would_do(own_project):
    own_project.announce()
    plain, stored = own_project.send("ok", 7), own_project.send("kept", 7)
    header = [own_project.signature("kept", 7), own_project.signature("ok", 7)]
    parent = own_project.chord(header, own_project.signature("collect"))
    of_chord, not_of_chord = own_project.subs(parent)
    secret = own_project.chord([own_project.signature("kept", 7)], own_project.signature("ok", 7))
    [below_secret] = own_project.subs(secret)
    tree = own_project.launch("collect", sub_jobs=[job("ok")])
    [sub] = own_project.subs(tree)
    broker_of(own_project).delete(*keys_of_queue(own_project, own_project.queue))
    helps = {
        plain: "It can't be retried (its arguments are not stored",
        stored: "else cancel it, then retry it.",
        of_chord: f"cancel it, then retry it, or its parent {parent} where that has ended too.",
        not_of_chord: f"Send {parent} anew.",
        below_secret: f"the arguments of its parent {secret} are not stored",
        sub: f"else cancel it, then retry it, or its parent {tree} where that has ended too.",
    }
    for job_id, words in helps.items():
        assert words in expect(own_project, job_id, Code.MESSAGE_MISSING).summary
    for job_id in (stored, sub, of_chord):
        own_project.jobs.cancel(job_id)
    own_project.jobs.retry(stored)
    own_project.jobs.retry(tree)
    own_project.jobs.retry(of_chord)
    assert {own_project.job(each).run for each in (stored, tree, sub, of_chord)} == {2}
    own_project.jobs.cancel(plain)
    with pytest.raises(ArgumentsUnavailableError):
        own_project.jobs.retry(plain)


@ON_RABBITMQ
def test_a_message_that_is_purged_is_missed_on_rabbitmq_too(single, other_queue_of_single):
    job_id = single.send("ok", queue=other_queue_of_single)
    eventually(lambda: explain(single, job_id).queue.messages == 1)
    with single.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(other_queue_of_single)
    expect(single, job_id, Code.MESSAGE_MISSING)
    with single.app.connection_for_write() as connection:
        connection.default_channel.queue_delete(other_queue_of_single)
    assert f"no queue '{other_queue_of_single}'" in expect(single, job_id, Code.MESSAGE_MISSING).summary


def test_a_worker_that_does_not_answer_may_hold_what_was_fetched(redis_server, worker_log_dir):
    with (
        new_project(redis_server, worker_log_dir, lease_lost_s=60) as project,
        project.worker("silent", concurrency=1) as worker,
        gate_of(project) as gate,
    ):
        running = project.send("hold", gate)
        project.expect_status(running, Status.RUNNING)
        fetched = project.send("ok")
        project.expect_reserved(fetched)
        worker.signal(signal.SIGSTOP)
        try:
            assert worker.lease is not None
            eventually(lambda: worker.lease.name in str(explain(project, fetched).unavailable))
            found = expect(project, fetched, Code.PREFETCHED)
            assert found.message is not None
            assert (found.message.where, found.worker) == (Location.UNACKNOWLEDGED, None)
        finally:
            worker.signal(signal.SIGCONT)
        project.diary.open_gate(gate)
        project.expect_settled(running, fetched)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_said_and_no_error(redis_server, worker_log_dir, scheme):
    settings = {"celery_broker_url": f"{scheme}://127.0.0.1:{free_port()}"}
    with new_project(redis_server, worker_log_dir, **settings) as project:
        project.announce()
        job_id = project.create("ok")
        project.tracking.store.apply("enqueue", job_id)
        found = explain(project, job_id)
        assert found.message is not None
        assert (found.code, found.message.where) == (Code.UNKNOWN, Location.UNKNOWN)
        assert "The broker does not answer" in found.unavailable[0]
        assert "the broker does not answer" in found.summary
