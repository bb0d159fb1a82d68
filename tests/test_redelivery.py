"""What a worker that is gone had fetched and not begun, on Redis, which would deliver it again in an hour."""

import signal
from collections.abc import Iterator

import pytest
from workers_under_test import Project, age, eventually, new_project

from jobtracker import Status
from jobtracker.embedded import free_port
from jobtracker.explain import Explainer
from jobtracker.explanations import Code, Explanation
from jobtracker.history import Step
from jobtracker.inspection import Inspection
from jobtracker.reaper import Reaper

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1, "lease_renew_s": 0.2, "reap_interval_s": 0.2}
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
    return explain(project, job_id).sentence


def explain(project: Project, job_id: str) -> Explanation:
    return Explainer(project.tracking, Inspection(project.tracking, cache_s=0.1)).explain(job_id)


def steps(project: Project, job_id: str) -> list[tuple[Step, int | None]]:
    return [(entry.step, entry.run) for entry in project.queries.history(job_id)]


def test_what_a_killed_worker_had_only_fetched_is_sent_again_where_that_can_be(reaped, request):
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
            reaped.expect_status(begun, Status.PENDING)
            for each in (begun, not_stored):
                sentence = explained(reaped, each, Code.WAITING_FOR_REDELIVERY)
                assert "It can't be retried (its arguments are not stored" in sentence
                assert "a cancel would be final" in sentence
                assert (reaped.job(each).status, reaped.job(each).run) == (Status.PENDING, 1)


def test_a_job_that_had_begun_waits_and_can_be_run_sooner_by_hand(reaped, request):
    gate = request.node.name
    with reaped.worker("dying", concurrency=1) as dying, reaped.worker("beside", queues=["b"]):
        begun = reaped.launch("hold_late", {"gate": gate})
        reaped.expect_status(begun, Status.RUNNING)
        dying.kill()
        reaped.expect_status(begun, Status.PENDING)
        reaped.consume(reaped.queue)
        reaped.diary.open_gate(gate)
        assert "To have it run sooner, cancel it, then retry it." in explained(
            reaped, begun, Code.WAITING_FOR_REDELIVERY
        )
        assert reaped.job(begun).run == 1
        reaped.launcher.cancel(begun)
        reaped.launcher.retry(begun)
        assert reaped.expect(begun, Status.COMPLETED, "SUCCESS", RAN).run == 2


def test_a_worker_that_stood_still_does_not_begin_what_another_one_has_run(reaped, request):
    gate = request.node.name
    with reaped.worker("stopped", concurrency=1) as stopped:
        begun = reaped.send("hold_late", gate)
        reaped.expect_status(begun, Status.RUNNING)
        fetched = reaped.launch("ok", {"value": 7})
        reaped.expect_reserved(fetched)
        with reaped.worker("beside"):
            stopped.signal(signal.SIGSTOP)
            assert reaped.expect(fetched, Status.COMPLETED, "SUCCESS", RAN).run == 2
            stopped.signal(signal.SIGCONT)
            reaped.diary.open_gate(gate)
            eventually(lambda: (Step.REFUSED, 1) in steps(reaped, fetched))
        assert reaped.did(fetched, run=1) == []
        reaped.expect(begun, Status.COMPLETED, "SUCCESS", RAN)


def test_a_message_with_a_time_is_sent_again_when_that_has_come(reaped):
    with reaped.worker("dying", concurrency=1) as dying, reaped.worker("beside", queues=["other"]):
        job_id = reaped.send("kept", 7, countdown=5)
        eventually(lambda: explain(reaped, job_id).worker is not None)
        due_ms = int(reaped.queries.record(job_id)["eta"])
        dying.kill()
        reaped.consume(reaped.queue)
        assert reaped.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 2
        assert int(reaped.queries.record(job_id)["started"]) >= due_ms


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
        with project.worker("beside", reap_interval_s=3600):
            explained(project, fetched, Code.UNKNOWN)
            reaper = Reaper(project.tracking)
            assert [look(reaper) for _ in range(3)] == [0, 0, 0]
            apart.kill()
            apart.wait_for_exit()
            # It had no lease, so nobody knows that it is gone: the broker delivers its message again.
            assert [look(Reaper(project.tracking)) for _ in range(2)] == [0, 0]
            assert project.job(fetched).status is Status.PENDING


def look(reaper: Reaper) -> int:
    """A round of a reaper; returns how many jobs it sent again."""
    reaper.settle_finished()
    return reaper.settle_missing()
