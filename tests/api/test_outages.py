"""Redis away, the broker away, and both back again."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from support.recount import recount
from support.serving import Api, Json, eventually, job, parent, problem_of, running_api, waiting

from jobtracker import ApiUnavailableError, Client
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import BrokerUnavailableError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.runtime import Tracking
from jobtracker.server.celery_app import celery_app
from jobtracker.server.settings import ApiSettings

pytestmark = [pytest.mark.long, pytest.mark.thorough]

QUICK_S = 2.0

READS = [
    "/api/jobs/",
    "/api/jobs/some-job",
    "/api/jobs/some-job/with-subjobs",
    "/api/jobs/some-job/logs",
    "/api/jobs/some-job/explain",
    "/api/jobs/some-job/history",
    "/api/tracking/stats",
    "/api/tracking/stats/by-status",
    "/api/tracking/stats/by-type",
    "/api/tracking/stats/by-priority",
    "/api/tracking/performance",
    "/api/tracking/throughput",
    "/api/tracking/active-jobs",
    "/api/tracking/failed-jobs",
    "/api/tracking/queue-depth",
    "/api/tracking/worker-stats",
    "/api/tracking/job-types",
    "/api/tracking/job-tree/some-job",
]
WRITES = [
    ("POST", "/api/jobs/", job("document_analysis", {"text": "x"})),
    ("POST", "/api/jobs/with-subjobs", parent(job("document_analysis", {"text": "x"}))),
    ("PUT", "/api/jobs/some-job", {"name": "x"}),
    ("DELETE", "/api/jobs/some-job", None),
    ("POST", "/api/jobs/some-job/start", None),
    ("POST", "/api/jobs/some-job/cancel", None),
    ("POST", "/api/jobs/some-job/retry", None),
]
ROUTES = [*(("GET", path, None) for path in READS), *WRITES]


@pytest.fixture(scope="module")
def own_server(tmp_path_factory) -> Iterator[EmbeddedRedis]:
    """A server that tests may stop."""
    with EmbeddedRedis(tmp_path_factory.mktemp("own-redis")) as server:
        yield server


@pytest.fixture(scope="module")
def own_api(own_server, api_log_dir) -> Iterator[Api]:
    """An API on that server."""
    with running_api(api_log_dir, redis_url=own_server.url) as api:
        yield api


@pytest.fixture(scope="module")
def brokerless(api, api_log_dir) -> Iterator[Api]:
    """A second API for the jobs of the one with workers, whose broker is away."""
    shared = {name: getattr(api.settings, name) for name in ("redis_url", "redis_db", "tracking_namespace")}
    broker = f"redis://127.0.0.1:{free_port()}/0"
    with running_api(api_log_dir, celery_broker_url=broker, **shared) as second:
        yield second


@pytest.fixture(scope="module")
def backendless(api, api_log_dir) -> Iterator[Api]:
    """Another one, whose result backend is away."""
    shared = {name: getattr(api.settings, name) for name in ("redis_url", "redis_db", "tracking_namespace")}
    backend = f"redis://127.0.0.1:{free_port()}/0"
    with running_api(api_log_dir, celery_result_backend=backend, **shared) as third:
        yield third


@contextmanager
def stopped(server: EmbeddedRedis) -> Iterator[None]:
    server.stop()
    yield
    server.start()


def unavailable(api: Api, method: str, path: str, body: Json | None = None) -> Json:
    """The problem of a request that can't be answered now."""
    began = time.monotonic()
    response = api.http.request(method, path, json=body)
    took_s = time.monotonic() - began
    problem = problem_of(response, 503)
    assert int(response.headers["retry-after"]) > 0
    assert took_s < QUICK_S, f"{method} {path} took {took_s:.1f} s"
    return problem


def health(api: Api, path: str) -> tuple[int, dict[str, bool]]:
    """The status, and which components are healthy."""
    response = api.http.get(path)
    return response.status_code, {name: part["healthy"] for name, part in response.json()["components"].items()}


@contextmanager
def hung(server: EmbeddedRedis) -> Iterator[None]:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a server to which no connection comes about."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole, ExitStack() as waiting:
        for _ in range(4):  # what the kernel takes without anybody's help; it drops the others
            connection = waiting.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(hole.getsockname())
        with pytest.raises(TimeoutError):
            socket.create_connection(hole.getsockname(), timeout=0.3)
        yield f"redis://127.0.0.1:{hole.getsockname()[1]}"


def expect_every_route_to_say_that_redis_is_away(api: Api, *, knows_who_asks: bool = True) -> None:
    """Fifty requests at once, while nobody knows it yet; then each alone.

    Args:
        api: The API.
        knows_who_asks: It has seen the store before. Otherwise it can't say whether there are keys.
    """
    with ThreadPoolExecutor(50) as threads:
        began = time.monotonic()
        list(threads.map(lambda route: unavailable(api, *route), (ROUTES * 3)[:50]))
        assert time.monotonic() - began < QUICK_S
    for route in ROUTES:
        unavailable(api, *route)
    for path, parts in (("/api/health", 2), ("/api/tracking/health", 3)):
        if not knows_who_asks and path != "/api/health":
            unavailable(api, "GET", path)
            continue
        began = time.monotonic()
        status, components = health(api, path)
        assert (status, list(components.values())) == (503, [False] * parts)
        assert time.monotonic() - began < QUICK_S, path
    api.problem("GET", "/nowhere", 404)


@pytest.mark.parametrize("away", [stopped, hung], ids=["it refuses", "it hangs"])
def test_while_redis_is_away_every_route_says_so_at_once_and_recovers_by_itself(own_api, own_server, away):
    before = own_api.get("/api/tracking/stats")["total"]
    job_id = own_api.create(job("document_analysis", {"text": "x"}))["id"]
    own_api.launch(parent(job("document_analysis", {"text": "x"})))
    with away(own_server):
        expect_every_route_to_say_that_redis_is_away(own_api)
        with Client(str(own_api.http.base_url)) as client, pytest.raises(ApiUnavailableError, match="Redis"):
            client.get(job_id)
    eventually(lambda: own_api.http.get(f"/api/jobs/{job_id}").status_code == 200, patience_s=3)
    assert own_api.job(job_id)["status"] == "pending"
    assert own_api.get("/api/tracking/stats")["total"] == before + 3
    eventually(lambda: health(own_api, "/api/health") == (200, {"redis": True, "broker": True}), patience_s=3)
    own_api.launch(parent(job("document_analysis", {"text": "x"})))


def test_where_redis_is_a_black_hole_every_route_says_so_at_once(api_log_dir):
    with black_hole() as url, running_api(api_log_dir, redis_url=url) as api:
        expect_every_route_to_say_that_redis_is_away(api, knows_who_asks=False)


def test_an_api_that_takes_the_store_to_have_other_partitions_is_not_healthy_and_says_why(own_api, api_log_dir):
    own_api.create(job("document_analysis", {"text": "x"}))
    shared = {name: getattr(own_api.settings, name) for name in ("redis_url", "redis_db", "tracking_namespace")}
    what_to_do = "TRACKING_PARTITIONS is 2 here. Set it to 1"
    with running_api(api_log_dir, tracking_partitions=2, **shared) as wrong:
        for route in [("GET", "/api/jobs/"), ("GET", "/api/tracking/stats"), WRITES[0]]:
            assert what_to_do in unavailable(wrong, *route)["detail"]
        for path in ("/api/health", "/api/tracking/health"):
            assert health(wrong, path)[0] == 503
            assert what_to_do in wrong.http.get(path).json()["components"]["redis"]["detail"]


def test_while_the_broker_is_away_health_says_which_part_it_is(brokerless):
    assert health(brokerless, "/api/health") == (503, {"redis": True, "broker": False})
    status, parts = health(brokerless, "/api/tracking/health")
    assert (status, parts["redis"], parts["broker"]) == (503, True, False)


@pytest.mark.parametrize("path", ["/api/tracking/queue-depth", "/api/tracking/worker-stats"])
def test_what_only_the_broker_knows_is_not_available_without_it(brokerless, path):
    assert "broker" in unavailable(brokerless, "GET", path)["title"]


def test_those_who_wait_for_a_silent_broker_do_not_wait_one_after_the_other(own_server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings = ApiSettings(redis_url=own_server.url, celery_broker_url=broker)
        inspector = Inspector(Tracking.connect(settings, celery_app(settings)), cache_s=60)
        with pytest.raises(BrokerUnavailableError):
            inspector.workers()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            inspector.workers()
        assert time.monotonic() - began < 1
        inspector.tracking.client.close()


def test_jobs_can_be_created_read_and_deleted_without_the_broker(brokerless):
    job_id = brokerless.create()["id"]
    assert brokerless.job(job_id)["status"] == "pending"
    brokerless.request("DELETE", f"/api/jobs/{job_id}", 204)


@pytest.mark.parametrize("body", [job(), parent(job(), parent(job()))], ids=["job", "tree"])
def test_a_job_that_could_not_be_sent_is_as_before_and_can_be_started_later(api, brokerless, body):
    created = brokerless.create(body)
    before = api.tree(created["id"])
    assert "broker" in unavailable(brokerless, "POST", f"/api/jobs/{created['id']}/start")["title"]
    assert api.tree(created["id"]) == before
    api.post(created["id"], "start")
    api.expect(created["id"], "completed")


def test_a_tree_that_could_not_be_sent_whole_is_cancelled_says_so_and_can_be_retried(api, backendless):
    tree = backendless.create(parent(job(), parent(job()), job()))
    unavailable(backendless, "POST", f"/api/jobs/{tree['id']}/start")
    assert "could not be sent whole" in api.expect(tree["id"], "cancelled")["reason"]
    eventually(lambda: {sub["status"] for sub in api.tree(tree["id"])["sub_jobs"]} <= {"completed", "cancelled"})
    api.post(tree["id"], "retry")
    api.expect(tree["id"], "completed")


def test_a_job_that_was_to_be_started_at_once_and_could_not_be_sent_is_not_created(api, brokerless):
    for body, path in ((job(), "/api/jobs/"), (parent(job(), job()), "/api/jobs/with-subjobs")):
        problem_of(brokerless.http.post(path, json={**body, "start": True, "tags": ["unsent"]}), 503)
    assert api.get("/api/jobs/", tag="unsent")["jobs"] == []


@pytest.mark.parametrize("size", [3, 60])
def test_of_a_batch_that_could_not_be_sent_nothing_stays(api, brokerless, size):
    before = api.get("/api/jobs/", page_size=1)["total"]
    unavailable(brokerless, "POST", "/api/jobs/batch", {"jobs": [job()] * size, "start": True})
    assert api.get("/api/jobs/", page_size=1)["total"] == before


def test_a_retry_that_could_not_be_sent_leaves_the_job_failed(api, brokerless):
    job_id = api.launch(job("workers.checksum", {"document_id": "not-there"}))
    api.expect(job_id, "failed")
    unavailable(brokerless, "POST", f"/api/jobs/{job_id}/retry")
    assert api.job(job_id)["status"] == "failed"
    api.post(job_id, "retry")
    api.expect(job_id, "failed")


def test_a_cancel_that_reaches_no_worker_is_carried_out_all_the_same(api, brokerless):
    job_id = api.launch(payload=waiting(60, steps=600))
    api.expect(job_id, "running")
    by_force = brokerless.problem("POST", f"/api/jobs/{job_id}/cancel", 503, json={"terminate": True})
    assert f"The cancel of job {job_id} is recorded" in by_force["detail"]
    assert brokerless.post(job_id, "cancel")["cancel_requested_at"]  # recorded, so it is a success
    api.expect(job_id, "cancelled")


def test_a_trees_cancel_that_reaches_no_worker_is_carried_out_all_the_same(api, brokerless):
    endless = [job(payload=waiting(60, steps=600), priority="critical") for _ in range(2)]
    tree = api.launch(parent(*endless, job(), job()))
    eventually(lambda: [sub["status"] for sub in api.tree(tree)["sub_jobs"]].count("running") == 2)
    brokerless.post(tree, "cancel")
    eventually(lambda: api.job(tree)["status"] == "cancelled", patience_s=4)
    assert {sub["status"] for sub in api.tree(tree)["sub_jobs"]} == {"cancelled"}


def test_after_all_that_the_counters_equal_a_recount(api, own_api, brokerless):
    assert recount(api.client, api.keys) == []
    assert recount(own_api.client, own_api.keys) == []


def test_an_api_without_redis_starts_and_waits_for_it(api_log_dir, tmp_path):
    server = EmbeddedRedis(tmp_path, port=free_port())
    with running_api(api_log_dir, redis_url=server.url) as early:
        assert early.http.get("/api/jobs/").status_code == 503
        with server:
            eventually(lambda: early.http.get("/api/jobs/").status_code == 200)
