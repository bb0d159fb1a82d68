"""GET /api/tracking/queue-depth, worker-stats, health, and /api/health."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from support.serving import SHIPPED_DOCUMENTS, Api, Json, eventually, job, running_api, running_worker, waiting
from typer.testing import CliRunner

from jobtracker import Tracker
from jobtracker.broker.config import SHIPPED_QUEUE
from jobtracker.cli.app import app
from jobtracker.local.child_process import ChildProcess
from jobtracker.schemas.job_types import JobType
from jobtracker.store.job_types import Registry

pytestmark = pytest.mark.thorough

SOLO_DB = 13
"""Database of the API whose worker is solo."""

PARKED = "parked"
"""A queue that nobody consumes."""
UNTRACKED_WORKER = """
import sys, time, celery
app = celery.Celery(broker=sys.argv[1])
app.conf.worker_prefetch_multiplier = 1
@app.task(name="tests.parking")
def parking():
    time.sleep(60)
app.worker_main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def parked(api: Api) -> str:
    """A job type whose queue nobody consumes."""
    Registry(api.client, api.keys).announce(JobType(name="parking", task="tests.parking", queue=PARKED))
    eventually(lambda: "parking" in api.get("/api/tracking/stats/by-type"))
    return "parking"


@pytest.fixture
def parked_messages(api: Api, parked: str) -> Iterator[Callable[[], list[Json]]]:
    """The messages at the broker in the queue that nobody consumes; it is emptied in the end."""

    def read() -> list[Json]:
        keys = sorted(api.client.scan_iter(match=f"{PARKED}*"))
        return [json.loads(message) for key in keys for message in api.client.lrange(key, 0, -1)]

    yield read
    api.client.delete(PARKED, *api.client.scan_iter(match=f"{PARKED}*"))


def depth_of(api: Api, queue: str) -> Json:
    [found] = [depth for depth in api.get("/api/tracking/queue-depth")["queues"] if depth["queue"] == queue]
    return dict(found)


def the_worker(api: Api) -> Json:
    [found] = api.get("/api/tracking/worker-stats")
    return dict(found)


def test_a_backlog_of_all_priorities_is_counted(api, parked, parked_messages):
    nothing = {"queue": PARKED, "messages": 0, "consumers": [], "consumer_count": None, "exists": True, "slots": 0}
    assert nothing.items() <= depth_of(api, PARKED).items()
    jobs = [api.launch(job(parked, priority=priority)) for priority in ("low", "normal", "high", "critical", "low")]
    found = depth_of(api, PARKED)
    assert {**nothing, "messages": 5}.items() <= found.items()
    assert (found["oldest_job_id"], found["last_hour"]["sent"] >= 5, found["drained_in_s"]) == (jobs[0], True, None)
    assert found["oldest_at"] == api.job(jobs[0])["queued_at"]
    report = api.get("/api/tracking/queue-depth")
    assert report["pending"] == api.get("/api/tracking/stats/by-status")["pending"]
    assert {message["headers"]["id"] for message in parked_messages()} == set(jobs)


def test_each_priority_has_a_number_of_the_brokers_own(api, parked, parked_messages):
    jobs = {
        priority: api.launch(job(parked, priority=priority)) for priority in ("low", "normal", "high", "critical")
    }
    numbers = {message["headers"]["id"]: message["properties"]["priority"] for message in parked_messages()}
    assert {name: numbers[job_id] for name, job_id in jobs.items()} == {
        "critical": 0,
        "high": 3,
        "normal": 6,
        "low": 9,
    }


def test_a_consumed_queue_names_its_consumers(api):
    assert depth_of(api, SHIPPED_QUEUE)["consumers"] == [the_worker(api)["name"]]


def test_unacknowledged_messages_are_told_apart_from_waiting_ones(api):
    job_id = api.launch(payload=waiting(30, steps=600))
    api.expect(job_id, "running")
    report = api.get("/api/tracking/queue-depth")
    assert report["unacknowledged"] == 1
    assert {depth["messages"] for depth in report["queues"] if depth["queue"] == SHIPPED_QUEUE} == {0}
    api.post(job_id, "cancel")
    eventually(lambda: api.get("/api/tracking/queue-depth")["unacknowledged"] == 0)


def test_the_request_id_is_a_header_of_the_message(api, parked, parked_messages):
    response = api.http.post(
        "/api/jobs/", json=job(parked, start=True), headers={"X-Request-ID": "from-the-caller:1"}
    )
    [message] = parked_messages()
    assert message["headers"]["id"] == response.json()["id"]
    assert message["headers"]["jobtracker_request_id"] == "from-the-caller:1"


def test_worker_stats_show_who_the_workers_are(api):
    found = the_worker(api)
    assert found["online"] is True
    assert found["queues"] == [SHIPPED_QUEUE]
    assert found["lease"]["name"] == found["name"]
    assert (found["lease"]["pool"], found["lease"]["concurrency"]) == ("prefork", 2)
    assert found["lease"]["release"] == "shop-2.1"
    assert found["stats"]["pid"] == found["lease"]["pid"]
    assert set(found["registered"]) >= {
        "data_processing",
        "document_analysis",
        "entity_extraction",
        "medication_extraction",
        "workers.checksum",
        "workers.wait",
    }


def test_worker_stats_show_the_task_that_runs_while_it_runs(api):
    job_id = api.launch(payload=waiting(60, steps=600))
    api.expect(job_id, "running")
    eventually(lambda: [task["id"] for task in the_worker(api)["active"]] == [job_id])
    [task] = the_worker(api)["active"]
    assert task["name"] == "workers.wait"
    assert task["kwargs"] == {"seconds": 60, "steps": 600}
    assert the_worker(api)["name"] == api.job(job_id)["worker"]
    api.post(job_id, "cancel")
    eventually(lambda: the_worker(api)["active"] == [])


def test_worker_stats_are_kept_for_a_moment_and_quick(api):
    began = time.monotonic()
    answers = [api.get("/api/tracking/worker-stats") for _ in range(3)]
    assert answers[0] == answers[1] or answers[1] == answers[2]  # what is kept may have run out once
    assert time.monotonic() - began < 2  # without the workers' names each of six questions would wait for a second


def test_a_worker_that_does_not_answer_is_not_online_and_not_healthy(api, worker):
    name = the_worker(api)["name"]
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        eventually(lambda: not the_worker(api)["online"])
        response = api.http.get("/api/tracking/health")
        assert response.status_code == 503
        workers = response.json()["components"]["workers"]
        assert workers["facts"] == {"consuming": [], "silent": [name], "unconsumed": {}}
        assert f"{name} renew their leases" in workers["detail"] or "start one" in workers["detail"]
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    eventually(lambda: api.http.get("/api/tracking/health").status_code == 200)


def test_a_busy_solo_worker_is_healthy_though_it_can_not_answer(redis_server, api_log_dir):
    with (
        running_api(api_log_dir, redis_url=redis_server.url, redis_db=SOLO_DB, inspect_cache_s=0) as api,
        running_worker(api, SHIPPED_DOCUMENTS, "--pool", "solo"),
    ):
        job_id = api.launch(payload=waiting(60))
        api.expect(job_id, "running")
        eventually(lambda: not the_worker(api)["online"])
        assert api.get("/api/tracking/health")["components"]["workers"]["facts"]["silent"] == []
        assert the_worker(api)["lease"]["concurrency"] == 1
        listed = CliRunner().invoke(app, ["workers", "--url", str(api.http.base_url)])
        _, state, pool, slots, runs, up, *_ = listed.stdout.splitlines()[1].split()
        assert (state, pool, slots, runs) == ("silent", "solo", "1", "1")  # what it runs the records say
        assert up.endswith("s")  # what it holds it has not said
        assert "A solo worker that runs a task does not answer" in listed.stderr
        api.post(job_id, "cancel")
        api.expect(job_id, "cancelled")


def test_health_tells_that_redis_the_broker_and_a_worker_are_there(api):
    health = api.get("/api/tracking/health")
    assert (health["status"], health["service"]) == ("healthy", "distributed_job_tracking")
    components = health["components"]
    assert set(components) == {"redis", "broker", "workers"}
    assert all(component["healthy"] for component in components.values())
    assert components["redis"]["latency_ms"] > 0
    assert components["redis"]["facts"]["used_memory_bytes"] > 0
    assert components["redis"]["facts"]["append_only"] is True
    assert components["redis"]["facts"]["eviction_policy"] == "noeviction"
    assert components["broker"]["facts"]["transport"] == "redis"
    facts = components["workers"]["facts"]
    assert facts == {"consuming": [the_worker(api)["name"]], "silent": [], "unconsumed": {}}


def test_health_names_the_queues_where_messages_wait_and_no_worker_consumes(api, parked, parked_messages):
    for _ in range(2):
        api.launch(job(parked))
    response = api.http.get("/api/tracking/health")
    assert response.status_code == 503
    workers = response.json()["components"]["workers"]
    assert workers["facts"]["consuming"] == [the_worker(api)["name"]]
    assert workers["facts"]["unconsumed"] == {PARKED: 2}
    assert f"{PARKED} (2)" in workers["detail"]
    assert f"--queues {PARKED}, or purge them where their jobs are cancelled" in workers["detail"]
    assert api.get("/api/health")["status"] == "healthy"
    api.client.delete(*api.client.scan_iter(match=f"{PARKED}*"))
    assert api.get("/api/tracking/health")["components"]["workers"]["facts"]["unconsumed"] == {}


def test_a_queue_that_a_worker_consumes_which_is_not_tracked_is_no_trouble(api, parked, parked_messages, tmp_path):
    for _ in range(4):
        api.launch(job(parked))
    assert api.http.get("/api/tracking/health").status_code == 503
    options = ["--pool", "threads", "--concurrency", "1", "--queues", PARKED, "--without-mingle", "--without-gossip"]
    worker = ChildProcess(
        "worker that is not tracked",
        [sys.executable, "-c", UNTRACKED_WORKER, api.settings.broker_url, "worker", *options],
        log_path=tmp_path / "log",
        stop_steps=[],
    )
    worker.start()
    try:
        eventually(lambda: api.http.get("/api/tracking/health").status_code == 200, worker.log_tail)
        assert depth_of(api, PARKED)["messages"] > 0
    finally:
        worker.stop()


def test_a_queue_that_only_a_call_names_makes_the_health_and_the_command_line_say_so(api):
    sender = Celery("shop", broker=api.settings.broker_url, set_as_current=False)
    tracker = Tracker(sender, api.settings)
    mail = "mail-of-nobody"

    def send_mail() -> None:
        """Sent, and not run by anybody."""

    try:
        sender.task(send_mail, name="tests.mail", shared=False).apply_async(queue=mail)
        assert depth_of(api, mail)["messages"] == 1
        response = api.http.get("/api/tracking/health")
        assert response.status_code == 503
        assert response.json()["components"]["workers"]["facts"]["unconsumed"] == {mail: 1}
        told = CliRunner().invoke(app, ["health", "--json", "--url", str(api.http.base_url)])
        assert (told.exit_code, f"{mail} (1)" in told.stdout) == (1, True)
        listed = CliRunner().invoke(app, ["queues", "--url", str(api.http.base_url)])
        [row] = [line for line in listed.stdout.splitlines() if mail in line]
        assert row.split()[:2] == [mail, "1"]
        assert "no tracked worker" in row or row.rstrip().endswith("none")
    finally:
        tracker.detach()
        sender.close()
        api.client.delete(mail, *api.client.scan_iter(match=f"{mail}*"))
    assert depth_of(api, mail)["messages"] == 0


def test_the_apis_own_health_does_not_ask_for_workers(quiet_api):
    health = quiet_api.get("/api/health")
    assert (health["status"], set(health["components"])) == ("healthy", {"redis", "broker"})
    assert health["version"]


def test_without_a_worker_the_tracking_is_not_healthy(quiet_api):
    response = quiet_api.http.get("/api/tracking/health")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    health: dict[str, Any] = response.json()
    assert health["status"] == "unhealthy"
    assert health["components"]["redis"]["healthy"]
    assert health["components"]["broker"]["healthy"]
    assert "no worker" in health["components"]["workers"]["detail"]
    assert quiet_api.get("/api/tracking/worker-stats") == []


def test_a_job_says_why_it_is_not_done(api, parked, parked_messages):
    api.launch(job(parked))
    found = api.get(f"/api/jobs/{api.launch(job(parked))}/explain")
    assert (found["code"], found["status"]) == ("no_consumer", "pending")
    assert (found["message"]["where"], found["message"]["position"]) == ("queue", 2)
    assert found["queue"] == {"name": PARKED, "messages": 2, "consumers": [], "consumer_count": None}
    api.problem("GET", "/api/jobs/nothing/explain", 404)
