"""A Redis that answers and takes no writes: its memory is full, or it is a replica. Reads go on."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from support.commands import run
from support.serving import Api, Json, eventually, job, problem_of, running_api

from jobtracker.connection.write_rejection import find_write_rejection, write_rejection_of
from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.thorough

FULL = r"its memory is full: \d\.\d of 1\.0 MB; raise maxmemory"
REPLICA = r"it is a read-only replica; name the primary"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedRedis, EmbeddedRedis]]:
    """Two servers of which one may get into trouble."""
    folder = tmp_path_factory.mktemp("refusing")
    with EmbeddedRedis(folder / "one") as one, EmbeddedRedis(folder / "other") as other:
        yield one, other


@contextmanager
def full(server: EmbeddedRedis, _: EmbeddedRedis) -> Iterator[None]:
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1mb")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def replica(server: EmbeddedRedis, primary: EmbeddedRedis) -> Iterator[None]:
    with Redis.from_url(server.url) as client, Redis.from_url(primary.url) as source:
        # As after a failover: what was there is there.
        source.replicaof("127.0.0.1", server.port)
        eventually(lambda: source.info("replication")["master_link_status"] == "up")
        source.replicaof("NO", "ONE")
        client.replicaof("127.0.0.1", primary.port)
        eventually(lambda: client.info("replication")["master_link_status"] == "up")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


def component(api: Api, path: str, name: str) -> tuple[int, Json]:
    response = api.http.get(path)
    return response.status_code, response.json()["components"][name]


@pytest.mark.parametrize(("trouble", "told"), [(full, FULL), (replica, REPLICA)])
def test_health_and_doctor_say_why_redis_takes_no_writes_and_reads_go_on(
    servers, api_log_dir, monkeypatch, trouble, told
):
    with running_api(api_log_dir, redis_url=servers[0].url, inspect_cache_s=0) as api:
        monkeypatch.setenv("REDIS_URL", servers[0].url)
        monkeypatch.setenv("TRACKING_NAMESPACE", api.settings.tracking_namespace)
        job_id = api.create(job("document_analysis", {"text": "x"}))["id"]
        assert [each["id"] for each in api.get("/api/jobs/")["jobs"]] == [job_id]
        with trouble(*servers):
            for path in ("/api/health", "/api/tracking/health"):
                status, redis = component(api, path, "redis")
                assert (status, redis["healthy"]) == (503, False)
                assert re.match(told, redis["detail"])
            _, workers = component(api, "/api/tracking/health", "workers")
            assert "script" not in workers["detail"]
            refused = api.http.post("/api/jobs/", json=job("document_analysis", {"text": "x"}))
            assert problem_of(refused, 503)["title"] == "Redis takes no writes"
            assert [each["id"] for each in api.get("/api/jobs/")["jobs"]] == [job_id]
            found = run("http://127.0.0.1:9", "doctor", "--json")
            assert found.exit_code == 1, found.stderr
            document = json.loads(found.stdout)
            [trap] = [trap for trap in document["traps"] if trap["name"] == "writes_refused"]
            assert trap["where"] == "the tracking Redis, the broker and the result backend"
            assert re.search(told, f"{trap['problem'].removeprefix('It takes no writes: ')[:-1]}; {trap['change']}")
            assert document["jobs"] is None
            assert any(line.startswith("indexes:") for line in document["unchecked"])
            said = run("http://127.0.0.1:9", "doctor").stdout
            assert "Not recounted." in said
            assert ".." not in said
            assert "user_script" not in said
        assert api.http.get("/api/health").status_code == 200
        assert json.loads(run("http://127.0.0.1:9", "doctor", "--json").stdout)["jobs"] == 1


def test_a_broker_that_takes_no_messages_is_named_and_the_job_is_as_before(servers, redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, celery_broker_url=servers[0].url) as api:
        job_id = api.create(job("document_analysis", {"text": "x"}))["id"]
        with full(*servers):
            status, broker = component(api, "/api/health", "broker")
            assert (status, broker["healthy"]) == (503, False)
            assert "its memory is full" in broker["detail"]
            problem = problem_of(api.http.post(f"/api/jobs/{job_id}/start"), 503)
            assert "its memory is full" in problem["detail"]
            assert api.job(job_id)["status"] == "pending"
            assert api.job(job_id)["queued_at"] is None
        api.post(job_id, "start")


@pytest.mark.parametrize("is_of_pipeline", [False, True])
def test_a_server_that_lacks_replicas_says_so(servers, is_of_pipeline):
    with Redis.from_url(servers[0].url) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            with client.pipeline() as pipe:
                pipe.sadd("key", 1)
                with pytest.raises(ResponseError) as caught:
                    _ = pipe.execute() if is_of_pipeline else client.sadd("key", 1)
            assert "too few replicas; bring them back" in str(write_rejection_of(caught.value))
            assert "too few replicas" in str(find_write_rejection(client, "probe", {}))
        finally:
            client.config_set("min-replicas-to-write", 0)
        assert find_write_rejection(client, "probe", {}) is None
        assert not client.exists("probe")
