"""Each trap, laid in a store, a broker, a server or a worker's settings, is named; where none is laid, none is."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis
from support.sample_jobs import a_worker, create_job, new_job
from support.workers_under_test import Project, broker_settings, eventually, new_project

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.doctor.collect import Evidence, Server
from jobtracker.doctor.config_checks import visibility_timeouts_differ
from jobtracker.doctor.examine import examine
from jobtracker.doctor.inspect_parsing import TaskInfo, seconds
from jobtracker.doctor.server_checks import persistence_fails
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.examination import Examination
from jobtracker.schemas.job_types import JobType

pytestmark = pytest.mark.thorough

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
    return examine(project.tracking, Inspector(project.tracking, timeout_s=0.3))


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


def lease(project: Project, skew_ms: int) -> None:
    """A worker's lease, renewed by a clock that is wrong by that much."""
    worker = a_worker()
    project.leases.renew(worker)
    told = worker.model_copy(update={"clock_ahead_ms": skew_ms}).model_dump_json()
    project.client.set(project.keys("lease", "i"), told, keepttl=True)


# To ask workers that are not there takes a second, so one examination judges several things.


def test_what_keeps_within_the_limits_is_healthy_and_what_could_not_be_checked_is_said(idle, config):
    config.config_set("maxmemory-policy", "allkeys-lru")  # there is no limit to the memory
    types = [JobType(name="late", task="late", acks_late=True), JobType(name="early", task="early")]
    idle.tracking.registry.announce(*types)
    ran(idle, "early", 2 * HOUR_MS)
    ran(idle, "late", HOUR_MS // 2)
    waits(idle, HOUR_MS - 1000)
    found = examined(idle)
    assert found.healthy
    assert (found.traps, found.differences, found.jobs) == ([], [], 3)
    assert found.unchecked == ["the workers' settings: no worker runs"]


# -- servers ---------------------------------------------------------------------------------------------------------


def test_a_server_that_evicts_or_keeps_nothing_on_disk_is_a_trap(idle, config):
    config.config_set("maxmemory-policy", "allkeys-lru")
    config.config_set("maxmemory", "1gb")
    config.config_set("appendonly", "no")
    found = examined(idle)
    evicts, forgets = found.traps
    assert (evicts.name, forgets.name) == ("evicting_memory_policy", "no_persistence")
    assert evicts.where == "the tracking Redis, the broker and the result backend"
    assert "noeviction" in evicts.change
    assert "nothing to disk" in forgets.problem
    assert not found.healthy


def test_a_server_that_writes_snapshots_only_is_a_trap(idle, config):
    config.config_set("appendonly", "no")
    config.config_set("save", "3600 1")
    [trap] = examined(idle).traps
    assert (trap.name, "snapshots only" in trap.problem) == ("no_persistence", True)


def test_a_server_that_does_not_tell_its_settings_is_said_to_be_unchecked(server, worker_log_dir, config):
    config.config_set("appendonly", "no")
    config.execute_command("ACL", "SETUSER", "guest", "on", ">guest", "~*", "&*", "+@all", "-config")
    url = server.url.replace("redis://", "redis://guest:guest@")
    with new_project(server, worker_log_dir, redis_url=url) as project:
        found = examined(project)
    assert any("whether the tracking Redis writes snapshots" in line for line in found.unchecked)


# -- jobs, queues and clocks -----------------------------------------------------------------------------------------


def test_what_goes_beyond_the_visibility_timeout_is_a_trap_and_so_is_a_clock_that_is_wrong(idle):
    idle.tracking.registry.announce(JobType(name="late", task="late", acks_late=True))
    ran(idle, "late", 2 * HOUR_MS)
    waits(idle, 2 * HOUR_MS - 1000)
    longest = waits(idle, 2 * HOUR_MS)
    lease(idle, -30_000)
    eta, run_time, clock = examined(idle).traps
    assert (eta.name, run_time.name, clock.name) == (
        "eta_beyond_visibility_timeout",
        "run_time_beyond_visibility_timeout",
        "clock_skew",
    )
    assert f"2 jobs wait for a time further away than the visibility timeout of 3,600 s; {longest}" in eta.problem
    assert eta.change == (
        'broker_transport_options = {"visibility_timeout": 10800} in all workers '
        "(CELERY_VISIBILITY_TIMEOUT_S=10800 for the shipped workers and the API)"
    )
    assert (run_time.where, clock.where) == ("late", "w@test")
    idle.leases.release("i")


def test_what_waits_or_is_held_where_no_worker_runs_is_a_trap(idle):
    idle.announce()
    idle.send("ok")
    taken = [{"headers": {"id": task_id}} for task_id in ("untracked", "untracked too", "gone", "new")]
    create_job(idle.tracking.store, job_id="gone", run=2)
    times = dict(zip("abcd", [now_ms() / 1000 - age_s for age_s in (60, 3000, 60, 0)], strict=True))
    with Redis.from_url(idle.settings.broker_url) as broker:
        entries = {tag: json.dumps([message, "", "orders"]) for tag, message in zip("abcd", taken, strict=True)}
        broker.hset(f"{idle.name}:unacked", mapping=entries)
        broker.zadd(f"{idle.name}:unacked_index", times)
        found = {trap.name: trap for trap in examined(idle).traps}
        broker.delete(f"{idle.name}:unacked", f"{idle.name}:unacked_index")
    assert {name: trap.where for name, trap in found.items()} == {
        "queue_without_consumer": idle.queue,
        "unacknowledged_without_worker": "the broker",
    }
    held = found["unacknowledged_without_worker"]
    assert held.problem == "2 messages are with workers that are gone: 2 of queue 'orders'."
    assert f"{datetime.fromtimestamp(times['a'] + 3600, UTC):%H:%M:%S} UTC; no worker runs" in held.consequence
    assert held.change.startswith("start a worker; what a worker had begun goes back to its queue")


def test_what_a_killed_worker_holds_is_a_trap_while_another_one_lives(server, worker_log_dir):
    with (
        new_project(server, worker_log_dir, lease_lost_s=1, lease_renew_s=0.2) as project,
        project.worker("dying", concurrency=1) as dying,
        project.worker("beside", queues=["other"], maintenance_interval_s=3600),
    ):
        begun = project.send("hold_late", "shut")
        project.expect_did(begun, "began")
        eventually(lambda: Inspector(project.tracking).queue_depths().unacknowledged == 1)
        time.sleep(3.1)  # what was fetched a moment ago is not judged
        assert "unacknowledged_without_worker" not in traps(project)
        dying.kill()
        eventually(lambda: "unacknowledged_without_worker" in traps(project))
        [trap] = [t for t in examined(project).traps if t.name == "unacknowledged_without_worker"]
        assert trap.problem == f"1 message is with workers that are gone: 1 of queue {project.queue!r}."
        assert trap.change.startswith("what a worker had begun goes back to its queue")
        assert "no worker runs" not in trap.consequence


def test_rabbitmq_has_a_limit_of_its_own(redis_server, rabbitmq, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **broker_settings("rabbitmq-classic", rabbitmq)) as project:
        project.tracking.registry.announce(JobType(name="late", task="late", acks_late=True))
        ran(project, "late", HOUR_MS // 2 + 1000)
        waits(project, HOUR_MS)
        names = set(traps(project))
        assert {"eta_beyond_consumer_timeout", "run_time_beyond_consumer_timeout"} <= names


# -- what the workers say --------------------------------------------------------------------------------------------


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


# -- judging alone: what is hard to bring about ----------------------------------------------------------------------


def test_workers_that_don_t_agree_on_the_visibility_timeout_are_a_trap():
    workers = {"one": 600.0, "other": 3600.0}
    found = Evidence(now_ms(), broker_is_amqp=False, settings={name: {} for name in workers}, visibility_s=workers)
    [trap] = visibility_timeouts_differ(found)
    assert "one 600 s, other 3,600 s" in trap.problem
    alike = {"one": 600.0, "other": 600.0, "this process": 3600.0}
    found = Evidence(now_ms(), broker_is_amqp=False, settings={"one": {}, "other": {}}, visibility_s=alike)
    assert list(visibility_timeouts_differ(found)) == []


@pytest.mark.parametrize("name", ["aof_last_write_status", "rdb_last_bgsave_status"])
def test_a_server_that_could_not_write_to_its_disk_is_a_trap(name):
    server = Server(("the broker",), {"aof_enabled": 1, name: "err"}, save="")
    [trap] = persistence_fails(Evidence(now_ms(), broker_is_amqp=False, servers=[server]))
    assert (trap.where, name in trap.problem) == ("the broker", True)


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
