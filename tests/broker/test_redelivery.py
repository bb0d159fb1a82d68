"""What a worker that is gone had fetched and not begun, on Redis, which would deliver it again in an hour."""

import signal
import time
from collections.abc import Iterator

import pytest
from support.workers_under_test import BROKERS, Project, age, broker_settings, eventually, new_project

from jobtracker import Status
from jobtracker.broker.message_search import UnackedMessage, find_unacked
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.local.ports import free_port
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.schemas.explanation import Code, Explanation
from jobtracker.schemas.history import Step

pytestmark = [pytest.mark.long, pytest.mark.thorough]

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}
AHEAD = {"worker_prefetch_multiplier": 8}


@pytest.fixture
def reaped(redis_server, worker_log_dir) -> Iterator[Project]:
    """A project whose workers fetch eight messages ahead, and look after what is lost soon."""
    with new_project(redis_server, worker_log_dir, conf=AHEAD, **SOON) as project:
        project.announce()
        yield project


def explained(project: Project, job_id: str, code: Code) -> str:
    """The sentence that explains a job, once it is explained so."""
    eventually(lambda: explain(project, job_id).code is code, lambda: repr(explain(project, job_id)))
    return explain(project, job_id).summary


def explain(project: Project, job_id: str) -> Explanation:
    return Explainer(project.tracking, Inspector(project.tracking, cache_s=0.1)).explain(job_id)


def steps(project: Project, job_id: str) -> list[tuple[Step, int | None]]:
    return [(entry.step, entry.run) for entry in project.queries.history(job_id)]


def test_messages_that_a_killed_worker_had_only_fetched_are_resent(reaped, request):
    gate = request.node.name
    with reaped.worker("dying", concurrency=1) as dying:
        begun = reaped.send("hold_late", gate)
        reaped.expect_status(begun, Status.RUNNING)
        fetched, stored, not_stored = reaped.launch("ok", {"value": 7}), reaped.send("kept", 8), reaped.send("ok", 9)
        for each in (fetched, stored, not_stored):
            reaped.expect_reserved(each)
        with reaped.worker("beside") as beside:
            assert beside.lease
            dying.kill()
            for each, value in ((fetched, 7), (stored, 8)):
                done = reaped.expect(each, Status.COMPLETED, "SUCCESS", RAN)
                assert (done.run, done.result, done.worker) == (2, value, beside.lease.name)
            assert {entry.reason for entry in reaped.queries.history(fetched) if entry.step is Step.RELAUNCHED} == {
                "the worker that had fetched its message is gone: it was sent again"
            }
            again = reaped.expect_status(begun, Status.RUNNING)
            assert (again.run, again.deliveries, again.worker) == (1, 2, beside.lease.name)
            sentence = explained(reaped, not_stored, Code.WAITING_FOR_REDELIVERY)
            assert "It can't be retried (its arguments are not stored" in sentence
            assert "a cancel would be final" in sentence
            assert (reaped.job(not_stored).status, reaped.job(not_stored).run) == (Status.PENDING, 1)
            reaped.diary.open_gate(gate)
            reaped.expect(begun, Status.COMPLETED, "SUCCESS", ["began", *RAN])


@pytest.mark.parametrize("broker", BROKERS[:2])
def test_what_a_killed_worker_ran_runs_once_more_within_seconds(
    broker, redis_server, rabbitmq, worker_log_dir, request
):
    gate = request.node.name
    with (
        new_project(redis_server, worker_log_dir, **SOON, **broker_settings(broker, rabbitmq)) as project,
        project.worker("dying", concurrency=3) as dying,
        project.worker("beside", queues=["b"], concurrency=3),
    ):
        linked = project.send("hold_late", gate, link=project.signature("ok", immutable=True))
        to_rerun = project.send("hold_late_rerun", gate)
        launched = project.launch("hold_late", {"gate": gate})
        jobs = [linked, to_rerun, launched]
        for each in jobs:
            project.expect_did(each, "began")
        dying.kill()
        killed_at = time.monotonic()
        project.consume(project.queue)
        for each in jobs:
            project.expect_did(each, "began", "began")
        assert time.monotonic() - killed_at < 20  # Redis by itself would take an hour
        project.diary.open_gate(gate)
        for each in jobs:
            done = project.expect(each, Status.COMPLETED, "SUCCESS", ["began", *RAN])
            assert (done.run, done.deliveries, done.redeliveries, done.double_runs) == (1, 2, 1, 0)
            assert broker != "redis" or (Step.REQUEUED, 1) in steps(project, each)
        did = 3 * 3 + 2  # those of the linked task too
        eventually(lambda: project.diary.client.llen(project.diary.key) == did)


def test_what_a_cut_off_worker_runs_is_left_to_it(redis_server, worker_log_dir, request):
    gate = request.node.name
    silent = {"lease_renew_s": 3600, "lease_lost_s": 7200, "maintenance_interval_s": 3600}
    with (
        new_project(redis_server, worker_log_dir, **SOON) as project,
        project.worker("beside", queues=["b"]) as beside,
        project.worker("cut-off", **silent) as cut_off,
    ):
        job_id = project.send("hold_late", gate)
        project.expect_did(job_id, "began")
        project.leases.release(cut_off.lease.incarnation)
        project.expect_status(job_id, Status.PENDING)  # its worker's lease is over
        project.consume(project.queue)
        assert MaintenanceRunner(project.tracking).abandoned.give_back(project.keys.parts) == 0
        project.diary.open_gate(gate)
        done = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
        assert (done.deliveries, done.worker != beside.lease.name) == (1, True)


def test_what_a_worker_could_not_give_back_when_it_stopped_goes_back(reaped, request):
    gate = request.node.name
    with reaped.worker("stopping", concurrency=1) as stopping, reaped.worker("beside", queues=["b"]):
        job_id = reaped.send("hold_late", gate)
        reaped.expect_did(job_id, "began")
        stopping.kill()
        MaintenanceRunner(reaped.tracking).rescuer.rescue_stopped(
            stopping.lease.incarnation
        )  # as it does before it gives back
        reaped.leases.release(stopping.lease.incarnation)
        reaped.consume(reaped.queue)
        reaped.expect_did(job_id, "began", "began")
        reaped.diary.open_gate(gate)
        reaped.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", *RAN])


def test_a_worker_that_stood_still_does_not_begin_what_another_one_has_run(reaped, request):
    gate = request.node.name
    with reaped.worker("stopped", concurrency=1) as stopped, reaped.worker("beside", queues=["b"]):
        begun = reaped.send("hold_late", gate)
        reaped.expect_did(begun, "began")
        fetched = reaped.launch("ok", {"value": 7})
        reaped.expect_reserved(fetched)
        stopped.signal(signal.SIGSTOP)
        reaped.consume(reaped.queue)
        assert reaped.expect(fetched, Status.COMPLETED, "SUCCESS", RAN).run == 2
        reaped.expect_did(begun, "began", "began")
        stopped.signal(signal.SIGCONT)
        reaped.diary.open_gate(gate)
        eventually(lambda: (Step.REFUSED, 1) in steps(reaped, fetched))
        assert reaped.did(fetched, run=1) == []
        reaped.expect(begun, Status.COMPLETED, "SUCCESS", ["began", "began", "returned", "returned"])
        eventually(lambda: reaped.job(begun).double_runs == 1)
        twice = reaped.job(begun)
        assert (twice.run, twice.deliveries, twice.redeliveries) == (1, 2, 1)
        eventually(lambda: unacknowledged(reaped) == [])


def test_a_message_with_a_time_is_sent_again_when_that_has_come(reaped):
    with reaped.worker("dying", concurrency=1) as dying, reaped.worker("beside", queues=["other"]):
        job_id = reaped.send("kept", 7, countdown=5)
        eventually(lambda: explain(reaped, job_id).worker is not None)
        due_ms = int(reaped.queries.record(job_id).as_texts()["eta"])
        dying.kill()
        reaped.consume(reaped.queue)
        assert reaped.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 2
        assert int(reaped.queries.record(job_id).as_texts()["started"]) >= due_ms


def test_what_a_worker_without_a_lease_holds_is_left_to_it(redis_server, worker_log_dir, request):
    away = {"blind": True, "redis_url": f"redis://127.0.0.1:{free_port()}", "tracking_timeout_s": 0.1}
    with (
        new_project(redis_server, worker_log_dir, conf=AHEAD) as project,
        project.worker("apart", concurrency=1, **away) as apart,
    ):
        project.announce()
        blocker = project.send("hold_late", request.node.name)
        project.expect_did(blocker, "began")
        fetched = project.launch("ok", {"value": 7})
        eventually(lambda: explain(project, fetched).message.taken_at is not None)
        age(project, fetched)
        with project.worker("beside", maintenance_interval_s=3600):
            explained(project, fetched, Code.UNKNOWN)
            runner = MaintenanceRunner(project.tracking)
            assert [look(runner) for _ in range(3)] == [0, 0, 0]
            apart.kill()
            apart.wait_for_exit()
            # It had no lease, so nobody knows that it is gone: the broker delivers its message again.
            assert [look(MaintenanceRunner(project.tracking)) for _ in range(2)] == [0, 0]
            assert project.job(fetched).status is Status.PENDING


def unacknowledged(project: Project) -> list[UnackedMessage]:
    """What the workers of a project have fetched and not acknowledged."""
    with project.app.connection_for_read() as connection:
        return find_unacked(connection)


def look(runner: MaintenanceRunner) -> int:
    """A round of a runner; returns how many jobs it sent again."""
    runner.overdue.settle_finished()
    return runner.overdue.rescue_missing()
