"""Each trap, laid in a store, a broker, a server or a worker's settings, is named; where none is laid, none is."""

from collections.abc import Iterator

import pytest
from redis import Redis
from sample_jobs import create_job, new_job
from workers_under_test import Project, broker_settings, new_project

from jobtracker.doctor.answers import TaskInfo, seconds
from jobtracker.doctor.examine import examine
from jobtracker.doctor.findings import Examination
from jobtracker.embedded import EmbeddedRedis
from jobtracker.inspection import Inspection
from jobtracker.lifecycle import Event
from jobtracker.reports import JobType, Worker
from jobtracker.store import now_ms

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server whose settings may be changed."""
    with EmbeddedRedis(tmp_path_factory.mktemp("doctor")) as server:
        yield server


@pytest.fixture
def idle(server: EmbeddedRedis, worker_log_dir) -> Iterator[Project]:
    """A project without a worker."""
    with new_project(server, worker_log_dir) as project:
        yield project


@pytest.fixture
def config(server: EmbeddedRedis) -> Iterator[Redis]:
    """A client to change the server's settings with; they are as before when the test is done."""
    with Redis.from_url(server.url, decode_responses=True) as client:
        names = ("maxmemory", "maxmemory-policy", "appendonly", "save")
        before = {name: client.config_get(name)[name] for name in names}
        yield client
        for name, value in before.items():
            client.config_set(name, value)


def examined(project: Project) -> Examination:
    return examine(project.tracking, Inspection(project.tracking, timeout_s=0.3))


def traps(project: Project) -> dict[str, str]:
    """The names of the traps, each with what it is about."""
    return {trap.name: trap.where for trap in examined(project).traps}


def ran(project: Project, job_type: str, run_ms: int) -> None:
    """Record a job that has just ended, and how long it took."""
    store, began = project.tracking.store, now_ms() - run_ms
    job = create_job(store, type=job_type, at_ms=began, run=1, queued=began)
    store.apply(Event.START, job, at_ms=began)
    store.apply(Event.COMPLETE, job)


def waits(project: Project, eta_ms: int) -> str:
    """Record a job that waits for a time."""
    now = now_ms()
    return create_job(project.tracking.store, at_ms=now, run=1, queued=now, eta=now + eta_ms)


def test_a_sound_server_without_jobs_or_workers_is_healthy_and_says_what_it_could_not_check(idle):
    found = examined(idle)
    assert found.healthy
    assert (found.traps, found.differences, found.jobs) == ([], [], 0)
    assert found.unchecked == ["the workers' settings: no worker runs"]


# -- servers --------------------------------------------------------------------------------------------------------


def test_a_memory_policy_that_evicts_is_a_trap_where_memory_is_limited(idle, config):
    config.config_set("maxmemory-policy", "allkeys-lru")
    assert traps(idle) == {}
    config.config_set("maxmemory", "1gb")
    found = examined(idle)
    assert [trap.name for trap in found.traps] == ["evicting_memory_policy"]
    assert found.traps[0].where == "the tracking Redis, the broker and the result backend"
    assert "noeviction" in found.traps[0].change
    assert not found.healthy


@pytest.mark.parametrize(("save", "said"), [("", "nothing to disk"), ("3600 1", "snapshots only")])
def test_a_server_that_forgets_what_it_holds_is_a_trap(idle, config, save, said):
    config.config_set("appendonly", "no")
    config.config_set("save", save)
    found = examined(idle)
    assert [trap.name for trap in found.traps] == ["no_persistence"]
    assert said in found.traps[0].problem


def test_a_server_that_does_not_tell_its_settings_is_said_to_be_unchecked(server, worker_log_dir, config):
    config.config_set("appendonly", "no")
    config.execute_command("ACL", "SETUSER", "guest", "on", ">guest", "~*", "&*", "+@all", "-config")
    url = server.url.replace("redis://", "redis://guest:guest@")
    with new_project(server, worker_log_dir, redis_url=url) as project:
        found = examined(project)
    assert any("whether the tracking Redis writes snapshots" in line for line in found.unchecked)


def test_a_clock_that_is_wrong_is_a_trap(idle):
    worker = Worker(
        incarnation="i",
        name="w@h",
        host="h",
        pid=1,
        pool="solo",
        concurrency=1,
        queues=[],
        version="1",
        started_at_ms=1,
    )
    idle.leases.renew(worker)
    assert "clock_skew" not in traps(idle)
    idle.client.zincrby(idle.keys("leases"), -30_000, "i")
    assert traps(idle)["clock_skew"] == "w@h"
    idle.leases.release("i")


# -- jobs and queues ------------------------------------------------------------------------------------------------


def test_a_time_beyond_the_visibility_timeout_is_a_trap(idle):
    waits(idle, HOUR_MS - 1000)
    assert traps(idle) == {}
    late = waits(idle, 2 * HOUR_MS)
    [trap] = examined(idle).traps
    assert trap.name == "eta_beyond_visibility_timeout"
    assert late in trap.problem
    assert trap.change == 'broker_transport_options = {"visibility_timeout": 10800} in all workers'


def test_a_run_time_beyond_the_visibility_timeout_is_a_trap_of_types_that_are_acknowledged_late(idle):
    idle.tracking.registry.announce(
        JobType(name="late", task="late", acks_late=True), JobType(name="early", task="early")
    )
    ran(idle, "early", 2 * HOUR_MS)
    ran(idle, "late", HOUR_MS // 2)
    assert traps(idle) == {}
    ran(idle, "late", 2 * HOUR_MS)
    assert traps(idle) == {"run_time_beyond_visibility_timeout": "late"}


def test_what_waits_or_is_held_where_no_worker_runs_is_a_trap(idle):
    idle.announce()
    idle.send("ok")
    with Redis.from_url(idle.settings.broker_url) as broker:
        broker.hset(f"{idle.name}:unacked", "tag", "[]")
        assert traps(idle) == {"queue_without_consumer": idle.queue, "unacknowledged_without_worker": "the broker"}
        broker.delete(f"{idle.name}:unacked")


def test_rabbitmq_has_a_limit_of_its_own(redis_server, rabbitmq, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **broker_settings("rabbitmq-classic", rabbitmq)) as project:
        project.tracking.registry.announce(JobType(name="late", task="late", acks_late=True))
        ran(project, "late", HOUR_MS // 2 + 1000)
        waits(project, HOUR_MS)
        names = set(traps(project))
        assert {"eta_beyond_consumer_timeout", "run_time_beyond_consumer_timeout"} <= names


# -- what the workers say -------------------------------------------------------------------------------------------


def test_the_settings_and_tasks_of_a_worker_are_judged(server, worker_log_dir):
    conf = {
        "broker_transport_options": {"visibility_timeout": 600},
        "result_expires": 1000,
        "task_ignore_result": True,
        "task_default_queue_type": "quorum",
    }
    with new_project(server, worker_log_dir, track="declared", conf=conf) as project:
        now = now_ms()
        subs = [new_job(type="payment", parent="tree", run=1) for _ in range(2)]
        tree = new_job("tree", type="declared_type", run=1, queued=now - 800_000, subs=[sub.id for sub in subs])
        project.tracking.store.create(*subs, tree, at_ms=now - 800_000)
        project.tracking.store.apply(Event.SUB_START, "tree", at_ms=now)
        waits(project, 700_000)
        with project.worker() as worker:
            assert worker.lease
            found = {trap.name: trap for trap in examined(project).traps}
            assert {name: trap.where for name, trap in found.items()} == {
                "eta_beyond_visibility_timeout": "the broker",
                "results_expire_before_chord": worker.lease.name,
                "ignored_result_in_chord": "payment",
                "reject_on_worker_lost_without_cap": worker.lease.name,
                "quorum_queue_with_direct_exchange": worker.lease.name,
            }
            assert "tree" in found["results_expire_before_chord"].problem
            assert "lost_once_rejected" in found["reject_on_worker_lost_without_cap"].problem
            assert "600 s" in found["eta_beyond_visibility_timeout"].problem


@pytest.mark.parametrize(
    ("told", "expected"),
    [(60, 60), ("1 day, 0:00:00", 86400), ("0:01:30", 90), ("2 days, 1:00:00", 176400), (None, None)],
)
def test_durations_are_read_as_workers_tell_them(told, expected):
    assert seconds(told) == expected


def test_tasks_are_read_as_workers_tell_them():
    told = ["a [acks_late=True ignore_result=False]", "b", "c [reject_on_worker_lost=True acks_late=True]"]
    assert [(t.name, sorted(t.flags)) for t in TaskInfo.read(told)] == [
        ("a", ["acks_late"]),
        ("b", []),
        ("c", ["acks_late", "reject_on_worker_lost"]),
    ]
