"""Celery's result backend goes away while workers, broker and tracking live: what is known, and what is done then."""

import contextlib
import threading
import time

import pytest
from celery.backends.redis import RedisBackend
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import begin, create_parent, kept, new_job
from support.servers import Relay, away
from support.workers_under_test import eventually, job, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import Event, OnLost
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import ResultUnavailableError
from jobtracker.jobs import result_backend as asking
from jobtracker.jobs.lost_executions import UNANSWERED
from jobtracker.jobs.result_backend import AskingThread, ResultBackend, Silence, Turns
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.schemas.job_types import JobType
from jobtracker.store.keys import LET_GO
from jobtracker.store.schema import JobRecord
from jobtracker.testing.apps import disconnect

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
LEASE = {"lease_lost_s": 2, "lease_renew_s": 0.3, "maintenance_interval_s": 0.2}
IMPATIENT = {
    "redis_socket_timeout": 0.5,
    "result_backend_transport_options": {"retry_policy": {"max_retries": 0}},
    "task_track_started": False,  # that needs the backend too
}
UNSTORED = "its result could not be stored in Celery's result backend: "


class Results:
    """A server for results alone."""

    def __init__(self, server):
        self.server = server

    def away(self, how="stopped"):
        """Have it refuse connections, or not answer."""
        return away(self.server, how)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    with EmbeddedRedis(tmp_path_factory.mktemp("results"), config={"appendfsync": "always"}) as server:
        yield Results(server)


@contextlib.contextmanager
def project_with(redis_server, log_dir, results_url, **settings):
    own = {**LEASE, "celery_result_backend": results_url, **settings}
    with new_project(redis_server, log_dir, conf=dict(IMPATIENT), **own) as project:
        yield project


@pytest.fixture(scope="module", params=["prefork", "threads"])
def project(results, redis_server, worker_log_dir, request):
    with (
        project_with(redis_server, worker_log_dir, results.server.url) as project,
        project.worker(pool=request.param, concurrency=4),
    ):
        project.pool = request.param
        yield project


def expect_rounds(project):
    """Wait until the runner has looked at all that nobody runs: it has settled a job of a worker that is gone."""
    long_ago_ms = time.time_ns() // 1_000_000 - 60_000
    project.expect_status(begin(project.tracking.store, "dead", long_ago_ms), Status.FAILED)


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_a_task_whose_end_cannot_be_stored_has_ended_and_runs_once(project, results, how):
    gate = f"{project.name} {how}"
    names = ("hold_late", "hold_rerun", "hold_and_look", "hold_and_fail")
    jobs = {name: project.send(name, gate) for name in names}
    for job_id in jobs.values():
        project.expect_did(job_id, "began")
    not_begun = project.send("begun_aloud")  # behind them
    with results.away(how):
        project.jobs.cancel(jobs["hold_and_look"])
        project.expect_status(jobs["hold_and_look"], Status.CANCELLED)
        project.diary.open_gate(gate)
        for name in ("hold_late", "hold_rerun"):
            found = project.expect_status(jobs[name], Status.COMPLETED)
            assert found.reason.startswith(UNSTORED)
        assert found.result == gate
        found = project.expect_status(jobs["hold_and_fail"], Status.FAILED)
        assert (found.error.type, found.error.message) == ("ValueError", "as asked")
        assert found.reason.startswith("ValueError: as asked; that could not be stored in Celery's result backend: ")
        assert "hold_and_fail" in found.error.traceback
        found = project.expect_status(not_begun, Status.FAILED)
        assert found.reason.startswith("Celery could not begin its task: ")
    expect_rounds(project)
    for name, job_id in [*jobs.items(), ("begun_aloud", not_begun)]:
        wanted = {"hold_and_fail": ["began"], "hold_and_look": ["began", "stopped"], "begun_aloud": []}
        assert (project.did(job_id), project.job(job_id).run) == (wanted.get(name, RAN), 1)
        assert project.job(job_id).double_runs == 0


def test_a_retry_that_can_not_be_stored_goes_on(project, results):
    gate = f"{project.name} retry"
    job_id = project.send("hold_and_retry", gate)
    project.expect_did(job_id, "began attempt 0")
    with results.away():
        project.diary.open_gate(gate)
        waiting = project.expect_status(job_id, Status.RETRYING)
        assert waiting.reason == "ConnectionError: not yet"
    found = project.expect_status(job_id, Status.COMPLETED)
    assert (found.attempt, found.deliveries, found.reason) == (1, 2, None)
    assert project.did(job_id) == ["began attempt 0", "began attempt 1", "returned"]


@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_a_parent_gets_results_though_its_chord_could_not_be_stored(project, results, policy):
    gate = f"{project.name} chord {policy}"
    bad = [job("hold_and_fail", {"gate": gate})] if policy == "continue" else []
    held = [job("hold", {"gate": gate, "value": n}) for n in range(2)]
    root = project.launch("collect", sub_jobs=[*held, *bad], failure_policy=policy)
    for sub in project.subs(root):
        project.expect_did(sub, "began")
    with results.away():
        project.diary.open_gate(gate)
        found = project.expect_status(root, Status.COMPLETED)
    assert found.result == [0, 1, None][: len(held) + len(bad)]
    expect_rounds(project)
    assert [project.did(root, run) for run in (1, 2)].count(RAN) == 1
    assert project.job(root).run == 2


def test_a_hard_time_limit_that_can_not_be_stored_is_a_failure_and_no_loss(project, results):
    if project.pool != "prefork":
        pytest.skip("only processes can be killed")
    job_id = project.send("hold_rerun", "never opened", time_limit=2)
    project.expect_did(job_id, "began")
    with results.away():
        assert project.expect_status(job_id, Status.FAILED).error.type == "TimeLimitExceeded"
    expect_rounds(project)
    assert project.job(job_id).run == 1


def test_what_a_lost_worker_ran_waits_until_the_backend_answers(project, results):
    queue = f"{project.name}-victim"
    with project.worker("victim", queues=[queue]) as victim:
        jobs = [project.send(name, "never", queue=queue) for name in ("hold", "hold_rerun")]
        for job_id in jobs:
            project.expect_did(job_id, "began")
        with results.away():
            victim.kill()
            eventually(lambda: all(UNANSWERED in (project.job(job_id).reason or "") for job_id in jobs))
            explained = Explainer(project.tracking, Inspector(project.tracking)).explain(jobs[0])
            assert explained.summary.endswith(f"the job stays as it is: {UNANSWERED}.")
            assert [project.job(job_id).status for job_id in jobs] == [Status.RUNNING] * 2
        assert project.expect_status(jobs[0], Status.FAILED).error.type == "WorkerLost"
        again = project.expect_status(jobs[1], Status.PENDING)
        assert (again.run, again.losses) == (2, 1)
    project.jobs.cancel(jobs[1])


# -- a chord that was told after all --------------------------------------------------------------------------------


def test_a_body_that_celery_calls_after_all_runs_once(results, redis_server, worker_log_dir):
    with (
        Relay(results.server.port) as relay,
        project_with(redis_server, worker_log_dir, f"redis://127.0.0.1:{relay.port}") as project,
        project.worker(concurrency=2),
    ):
        queue = f"{project.name}-bodies"
        project.expect_settled(project.chord([project.signature("ok", 1)] * 2, project.signature("collect")))
        header = [project.signature("hold", gate, gate) for gate in ("first", "second")]
        root = project.chord(header, project.signature("collect").set(queue=queue))
        first, second = project.subs(root)
        for sub in (first, second):
            project.expect_did(sub, "began")
        relay.loses = b"EVALSHA"  # the part is counted, and nobody gets to know
        project.diary.open_gate("first")
        assert project.expect_status(first, Status.COMPLETED).reason.startswith(UNSTORED)
        eventually(lambda: stored(project.client, project.keys, root)["callback_mode"] == "anew")
        relay.loses = None
        project.diary.open_gate("second")
        eventually(lambda: project.queries.field(root, JobRecord.run) == 2)
        project.consume(queue)
        found = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
        assert found.result == ["first", "second"]
        eventually(lambda: "refused" in [entry.step for entry in project.queries.history(root)])
        assert project.did(root) == []


def test_a_parent_whose_value_is_nowhere_says_which(own_project):
    store = own_project.tracking.store
    root, (sub,) = create_parent(store, 1, callback_mode="own", type="collect", task="collect")
    reason = f"{UNSTORED}ConnectionError: refused"
    change = store.apply(Event.COMPLETE, sub, run=1, fields={"reason": reason})
    own_project.tracking.propagation.propagate(sub, change)
    found = own_project.job(root)
    assert found.reason == f"The result of job {sub} is gone: {reason}. Create the job anew."
    with pytest.raises(ResultUnavailableError, match=sub):
        own_project.jobs.retry(root)


# -- what a lost worker's job waits for -----------------------------------------------------------------------------


@pytest.fixture
def lost_project(results, redis_server, worker_log_dir):
    """Makes a project without a worker."""

    @contextlib.contextmanager
    def make(**settings):
        with new_project(
            redis_server,
            worker_log_dir,
            conf=dict(IMPATIENT),
            celery_result_backend=results.server.url,
            **settings,
        ) as project:
            project.announce()
            yield project

    return make


@pytest.fixture
def long_ago_ms():
    return time.time_ns() // 1_000_000 - 60_000


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_a_lost_workers_job_is_not_settled_before_the_backend_answers(lost_project, results, long_ago_ms, how):
    with lost_project() as project:
        runner, store = MaintenanceRunner(project.tracking), project.tracking.store
        done, unknown = (begin(store, "dead", long_ago_ms, task="ok") for _ in range(2))
        let_go = begin(store, LET_GO, long_ago_ms, reason="Celery could not store how it ended: OSError")
        late = begin(store, "dead", long_ago_ms, acks_late="1")
        kept(project, done, 7, "SUCCESS")
        disconnect(project.app)
        with results.away(how):
            began = time.monotonic()
            assert [runner.rescuer.rescue_lost() for _ in range(2)] == [1, 0]
            assert time.monotonic() - began < 5
            assert project.job(done).reason == f"w@test was lost; {UNANSWERED}"
            assert project.job(let_go).reason == f"Celery could not store how it ended: OSError; {UNANSWERED}"
            assert project.job(late).status is Status.PENDING
        eventually(lambda: runner.rescuer.rescue_lost() + (project.job(done).status is Status.COMPLETED))
        eventually(lambda: runner.rescuer.rescue_lost() + (project.job(unknown).status is Status.FAILED))
        assert (project.job(done).status, project.job(done).result) == (Status.COMPLETED, 7)
        assert project.job(unknown).reason == "w@test was lost while it ran the task"
        assert "let it go (Celery could not store how it ended: OSError) while" in project.job(let_go).reason
        assert recount(project.client, project.keys) == []


def test_a_verdict_without_the_backend_is_corrected_when_it_is_back(lost_project, results, long_ago_ms):
    with lost_project(result_backend_wait_s=0) as project:
        runner, store = MaintenanceRunner(project.tracking), project.tracking.store
        root, (sub,) = create_parent(store, 1)
        fields = {"lease": "dead", "worker": "w@test"}
        store.apply(Event.START, sub, at_ms=long_ago_ms, fields=fields)
        again = new_job(type="hold_rerun", task="hold_rerun", run=1)
        store.create(again)
        store.apply(Event.START, again.id, at_ms=long_ago_ms, fields=fields)
        kept(project, sub, 7, "SUCCESS")
        with results.away():
            eventually(lambda: runner.rescuer.rescue_lost() and project.job(sub).status is Status.FAILED)
            eventually(lambda: runner.rescuer.rescue_lost() or project.job(again.id).status is Status.FAILED)
            assert [project.job(each).status for each in (root, sub, again.id)] == [Status.FAILED] * 3
            assert project.job(again.id).run == 1  # it may have completed
            assert "Celery's result backend did not answer" in project.job(sub).reason
            assert runner.rescuer.correct_unanswered() == 0
            assert set(project.queries.unanswered(10)) == {sub, again.id}
        eventually(runner.rescuer.correct_unanswered)
        assert project.job(sub).status is Status.COMPLETED
        assert project.job(root).status is not Status.FAILED  # Celery's chord calls it
        assert project.job(again.id).status is Status.FAILED
        assert project.queries.unanswered(10) == []
        assert recount(project.client, project.keys) == []


def test_a_backend_that_retries_for_ever_holds_nobody_up(lost_project, results):
    with lost_project() as project:
        project.app.conf.result_backend_always_retry = True
        asker = ResultBackend(project.app)
        with results.away():
            began = time.monotonic()
            assert [asker.kept_of("x") for _ in range(3)] == [Silence.NO_ANSWER] * 3
            assert time.monotonic() - began < 4
        eventually(lambda: asker.kept_of("x") is not Silence.NO_ANSWER)
        assert asker.silent_s == 0


def test_a_silent_backend_of_one_task_leaves_the_others_alone(lost_project):
    with lost_project() as project:
        asker, task = ResultBackend(project.app), project.app.tasks["silent"]
        task.backend = RedisBackend(app=project.app, url=f"redis://127.0.0.1:{free_port()}/0")
        assert asker.kept_of("x", task) is Silence.NO_ANSWER
        assert asker.kept_of("x", project.app.tasks["ok"]) is not Silence.NO_ANSWER
        assert asker.silent_s == 0


def test_a_job_that_its_worker_lets_go_again_and_again_is_not_run_for_ever(own_project, long_ago_ms):
    runner, store = MaintenanceRunner(own_project.tracking), own_project.tracking.store
    own_project.tracking.registry.announce(JobType(name="again", task="kept", on_lost=OnLost.RERUN, max_deliveries=3))
    new = new_job(type="again", task="kept", run=1)
    store.create(new)
    for run in (1, 2, 3):
        fields = {"lease": LET_GO, "worker": "w@test", "reason": "it has not said how it ended", "acks_late": "1"}
        store.apply(Event.START, new.id, run=run, at_ms=long_ago_ms, fields=fields)
        runner.rescuer.rescue_lost()
    found = own_project.job(new.id)
    assert (found.status, found.run, found.losses) == (Status.FAILED, 3, 3)
    assert found.error.type == "JobQuarantinedError"


def test_a_question_that_hangs_does_not_keep_the_next_one_from_its_answer(monkeypatch):
    monkeypatch.setattr(asking, "_STUCK_S", 0.0)
    thread, returns = AskingThread("test"), threading.Event()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            thread.ask(returns.wait, 0.02)
    assert thread.ask(lambda: 7, 5) == 7
    returns.set()


def test_who_asked_first_is_answered_first():
    turns, order, threads = Turns(), [], []

    def take(name):
        assert turns.acquire(30)
        order.append(name)
        turns.release()

    assert turns.acquire(0)
    for name in range(5):
        threads.append(threading.Thread(target=take, args=(name,)))
        threads[-1].start()
        eventually(lambda name=name: turns.waiting == name + 1)
    assert not turns.acquire(0)  # its place is free again
    turns.release()
    for thread in threads:
        thread.join(30)
    assert order == [0, 1, 2, 3, 4]
