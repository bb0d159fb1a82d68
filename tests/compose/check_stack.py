"""Docker Compose for real: `make test-compose`, wherever an engine is. No other run of the tests collects this file.

Image, containers, network, volume and ports are of its own, by name, and gone in the end. The base images are what
PYTHON_IMAGE and REDIS_IMAGE say.
"""

import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from support.askers import Asker
from support.compose_stack import Stack
from support.documented_examples import DOCUMENT, ENTITIES, PAGE, PENDING, STATS, TREE, send
from support.liveness import wait_until
from support.serving import ROOT, waiting

from jobtracker import Client, Status
from jobtracker.core.version import package_version
from jobtracker.local.ports import free_port
from jobtracker.schemas.jobs import Job
from jobtracker.store.keys import Keys

pytestmark = pytest.mark.timeout(1200)

GRACE_S = 10
LAYER_BYTES = 5_000_000
SUBNET = os.environ.get("COMPOSE_SUBNET", "172.31.249.0/24")
SETTINGS_S = 30
"""A wrong setting is told in some seconds; without the check it takes one and a half minutes."""
AGAIN_WITHIN_S = 60
"""So soon runs again what was lost with its worker: LEASE_LOST_S, MAINTENANCE_INTERVAL_S and some more."""
WORKERS = 4
API_BYTES, WORKER_BYTES = 200_000_000, 640_000_000
"""The most that the images may add to their base."""


@contextmanager
def slow_client(stack: Stack) -> Iterator[None]:
    """Somebody who sends a request to the API and does not come to its end."""
    with socket.create_connection(("127.0.0.1", stack.api_port)) as connection:
        connection.sendall(b"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        yield


def finished(stack: Stack, job_id: str) -> Job:
    """A job once it has completed."""
    job = stack.client.wait(job_id, timeout_s=120)
    assert job.status is Status.COMPLETED, job
    return job


def created(stack: Stack, command: str) -> str:
    """The id of the job that an example of the documentation makes."""
    response = send(stack.http, command)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_nothing_starts_before_redis_is_healthy(stack):
    started = stack.started()  # asked for at once: the engine remembers its latest events only
    redis_is_healthy = started.index("health_status: healthy redis")
    assert all(started.index(f"start {name}") > redis_is_healthy for name in ("api", "worker", "flower"))


def test_redis_is_redis_8_and_writes_down_what_it_is_told(stack):
    redis = stack.http.get("/api/health").json()["components"]["redis"]["facts"]
    assert (redis["version"].partition(".")[0], redis["append_only"]) == ("8", True)


def test_the_documented_document_job_waits_to_be_started_and_completes(stack):
    job_id = created(stack, DOCUMENT)
    assert job_id in {job["id"] for job in send(stack.http, PENDING).json()["jobs"]}
    stack.client.start(job_id)
    result = finished(stack, job_id).result
    assert (result["document_id"], result["language"]["code"]) == ("doc123", "en")


def test_the_documented_tree_runs_to_its_end_and_is_counted(stack):
    root = created(stack, TREE)
    stack.client.start(root)
    findings = finished(stack, root).result["findings"]
    assert findings["entities"]
    assert findings["medications"]
    entities, medications = stack.client.tree(root).sub_jobs
    assert (entities.status, medications.status) == (Status.COMPLETED, Status.COMPLETED)
    assert entities.id in {job["id"] for job in send(stack.http, ENTITIES).json()["jobs"]}
    assert send(stack.http, STATS).json()["by_status"]["completed"] >= 3
    assert send(stack.http, PAGE).json()["page_size"] == 10


def test_the_api_and_flower_agree_on_what_runs_where_without_task_events(stack):
    stack.make("run", f"--scale worker={WORKERS}")
    told = {worker.name: worker for worker in stack.client.workers()}
    assert len(told) == WORKERS

    def shown() -> dict[str, Any]:
        return dict(stack.flower("/api/workers?refresh=1", stack.user).json())

    wait_until(lambda: shown().keys() == told.keys(), timeout_s=30)
    for name, worker in shown().items():
        assert worker["conf"]["worker_send_task_events"] is False
        assert [queue["name"] for queue in worker["active_queues"]] == told[name].queues == ["jobtracker"]
        assert worker["stats"]["pool"]["processes"] == told[name].stats["pool"]["processes"]
        assert worker["stats"]["pool"]["implementation"].startswith("celery.concurrency.prefork:")


def test_flower_opens_with_its_password_only(stack):
    assert [stack.flower(path).status_code for path in ("/", "/workers", "/api/workers")] == [401] * 3
    assert stack.flower("/workers", (stack.user[0], "guess")).status_code == 401
    assert "celery@" in stack.flower("/workers", stack.user).text


def test_a_wrong_setting_is_told_before_anything_waits(stack):
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"Bad settings in the environment\. MAX_LOG_LINES: Input should be"):
        stack.make("run", MAX_LOG_LINES="0")
    assert time.monotonic() - began < SETTINGS_S
    with pytest.raises(AssertionError, match=r'service "settings" didn.t complete successfully'):
        stack.compose("up", "--detach", "--wait", FLOWER_BASIC_AUTH="")
    said = stack.compose("logs", "--tail", "1", "settings")
    assert "FLOWER_BASIC_AUTH: must be user:password where others can reach Flower" in said


def test_the_images_hold_what_runs_and_not_more(stack):
    for name, application, limit in (("", "api", API_BYTES), ("-worker", "workers", WORKER_BYTES)):
        image = f"{stack.name}{name}"
        in_it = "id -u; ls /app; cd /opt/jobtracker/lib/python3*/site-packages; ls -d pip uv pytest mypy hatchling; "
        in_it += "command -v cc gcc; ls -A /tmp; touch /app/x /opt/library/x && echo it can be written to"
        script = f"({in_it}) 2> /dev/null; true"
        assert stack.docker("run", "--rm", "--entrypoint", "sh", image, "-c", script) == ["10001", application]
        base = os.environ.get("PYTHON_IMAGE", "python:3.13-slim-trixie")
        own, of_base = map(int, stack.docker("image", "inspect", "--format", "{{.Size}}", image, base))
        assert own - of_base < limit


def test_the_images_say_what_they_are(stack):
    for name in (stack.name, f"{stack.name}-worker"):
        labels = json.loads(" ".join(stack.docker("image", "inspect", "--format", "{{json .Config.Labels}}", name)))
        assert labels["org.opencontainers.image.version"] == package_version()
        assert labels["org.opencontainers.image.licenses"] == "MIT"
        assert stack.docker("image", "ls", "--quiet", f"{name}:{package_version()}")


def test_nothing_can_be_written_and_everything_is_limited(stack):
    for container in stack.containers():
        facts = json.loads(stack.run("docker", "inspect", container))[0]
        host = facts["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["PidsLimit"] > 0) == (True, ["ALL"], True)
        assert host["Memory"] > 0 or "settings" in facts["Name"]
        assert host["Privileged"] is False


def test_what_is_stopped_stops_in_time_gives_its_tasks_back_and_goes_on_later(stack):
    stack.make("run", f"--scale worker={WORKERS}")
    done = created(stack, DOCUMENT)
    stack.client.start(done)
    finished(stack, done)
    payload = waiting(2 * GRACE_S)
    jobs = [stack.client.create("custom", payload, start=True).id for _ in range(WORKERS)]
    wait_until(lambda: all(stack.client.get(job_id).status is Status.RUNNING for job_id in jobs))
    with slow_client(stack):
        stack.stop()

    stack.compose("up", "--detach", "--wait", "api")  # without a worker
    for job_id in jobs:
        job = stack.client.get(job_id)
        assert (job.status, job.deliveries) == (Status.PENDING, 1)
        assert "has shut down; the broker will deliver the message again" in job.reason
    assert stack.client.get(done).status is Status.COMPLETED

    stack.make("run", f"--scale worker={WORKERS}")
    assert [finished(stack, job_id).deliveries for job_id in jobs] == [2] * WORKERS


def started_job(stack: Stack) -> Job:
    """A job that a worker runs, for a while."""
    job_id = stack.client.create("custom", waiting(2 * GRACE_S), start=True).id
    wait_until(lambda: stack.client.get(job_id).status is Status.RUNNING)
    return stack.client.get(job_id)


def expect_one_more_run(stack: Stack, job_id: str) -> None:
    """A job whose worker has just died begins once more within a minute, and completes."""
    wait_until(lambda: stack.client.get(job_id).deliveries == 2, timeout_s=AGAIN_WITHIN_S)
    done = finished(stack, job_id)
    assert (done.run, done.deliveries, done.double_runs) == (1, 2, 0)


def test_what_a_killed_worker_ran_runs_once_more_within_a_minute(stack):
    stack.make("run", "--scale worker=2")
    job = started_job(stack)
    stack.docker("kill", "--signal", "KILL", job.worker.partition("@")[2])
    expect_one_more_run(stack, job.id)


def test_what_ran_when_all_containers_ended_at_once_runs_once_more_within_a_minute(stack):
    stack.make("run")
    job = started_job(stack)
    containers = stack.docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={stack.name}")
    # As an engine that is restarted: SIGTERM to all of them at once, Redis too, and SIGKILL to what is left.
    stack.docker("stop", "--time", str(GRACE_S), *containers)
    stack.docker("start", *containers)
    stack.make("run")  # waits until all is healthy
    expect_one_more_run(stack, job.id)


def test_an_api_of_several_processes_and_a_store_of_several_partitions_do_the_same(stack):
    stack.make("clean")
    stack.make("run", API_WORKERS="2", TRACKING_PARTITIONS="3")
    root = created(stack, TREE)
    stack.client.start(root)
    finished(stack, root)
    key = Keys("jobtracker", 3)("partitions")
    assert stack.compose("exec", "-T", "redis", "redis-cli", "get", key).strip() == "3"
    assert stack.compose("top", "api").count("multiprocessing.spawn") == 2
    with slow_client(stack):
        stack.stop()
    stack.make("clean")  # the next one takes a store of one partition


def asked(stack: Stack, path: str, key: str | None = None, *, host: str = "127.0.0.1") -> httpx.Response:
    """The API's answer to somebody with that key."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(f"http://{host}:{stack.api_port}{path}", headers=headers, timeout=20, trust_env=False)


def made_key(stack: Stack, role: str) -> dict[str, str]:
    """A new API key."""
    create = ("jobtracker", "keys", "create", "--owner", "ada", "--role", role, "--json")
    return dict(json.loads(stack.compose("exec", "-T", "api", *create)))


def test_once_there_is_a_key_nobody_is_let_in_without_one_and_all_else_goes_on(stack):
    stack.make("run")
    assert asked(stack, "/api/jobs/").status_code == 200
    made = made_key(stack, "operator")
    wait_until(lambda: asked(stack, "/api/jobs/").status_code == 401, timeout_s=30)
    assert "Send an API key" in asked(stack, "/api/jobs/").json()["detail"]
    assert asked(stack, "/api/jobs/", made["key"]).status_code == 200
    assert asked(stack, "/api/health").status_code == 200
    with Client(str(stack.http.base_url), api_key=made["key"]) as client:
        job_id = client.create("custom", waiting(0.1), start=True).id
        assert client.wait(job_id, timeout_s=60).status is Status.COMPLETED
    assert stack.flower("/workers").status_code == 401
    assert "celery@" in stack.flower("/workers", stack.user).text
    stack.compose("exec", "-T", "api", "jobtracker", "keys", "revoke", "--forget", made["id"])
    wait_until(lambda: asked(stack, "/api/jobs/").status_code == 200, timeout_s=30)


def test_who_is_not_of_the_network_needs_a_key_before_there_is_one(stack):
    stack.make("run", API_OPEN_TO="")
    refused = asked(stack, "/api/jobs/")
    assert refused.status_code == 401
    assert "No API key was made yet: until then only this machine may ask" in refused.json()["detail"]
    assert "jobtracker keys create --owner NAME" in refused.json()["detail"]
    stack.make("run")


@contextmanager
def asking(stack: Stack) -> Iterator[list[Asker]]:
    """Clients that ask meanwhile."""
    askers = [Asker(stack.api_port, "/api/jobs/?page_size=1", keeps=keeps) for keeps in (True, True, False)]
    for each in askers:
        each.start()
    try:
        yield askers
    finally:
        for each in askers:
            each.done.set()
        for each in askers:
            each.join()


def test_an_upgrade_refuses_no_request_and_runs_nothing_twice(stack):
    stack.make("run", WORKERS="2", API_REPLICAS="2")
    before = {service: set(stack.containers(service)) for service in ("api", "worker", "redis", "listener")}
    image = stack.docker("image", "inspect", "--format", "{{.Id}}", stack.name)
    jobs = [stack.client.create("custom", waiting(20), start=True).id for _ in range(4)]
    wait_until(lambda: all(stack.client.get(job_id).status is Status.RUNNING for job_id in jobs))
    with asking(stack) as askers:
        stack.make("upgrade", WORKERS="2", API_REPLICAS="2", JOBTRACKER_SOURCE="https://git.example/next")
    assert [each.errors for each in askers] == [[], [], []]
    assert all(each.answered > 50 for each in askers)
    now = {service: set(stack.containers(service)) for service in before}
    assert {service: len(ids) for service, ids in now.items()} == {"api": 2, "worker": 2, "redis": 1, "listener": 1}
    assert not now["api"] & before["api"]
    assert not now["worker"] & before["worker"]
    assert (now["redis"], now["listener"]) == (before["redis"], before["listener"])
    for job_id in jobs:
        job = finished(stack, job_id)
        assert (job.run, job.deliveries, job.double_runs) == (1, 1, 0)

    assert stack.docker("image", "inspect", "--format", "{{.Id}}", f"{stack.name}:previous") == image
    with asking(stack) as askers:
        stack.make("rollback", WORKERS="2", API_REPLICAS="2")
    assert [each.errors for each in askers] == [[], [], []]
    running = {stack.docker("inspect", "--format", "{{.Image}}", each)[0] for each in stack.containers("api")}
    assert running == set(image)
    assert (
        stack.docker("image", "ls", "--quiet", "--filter", "dangling=true", "--filter", "label=jobtracker.image")
        == []
    )


def test_an_upgrade_to_what_does_not_run_leaves_what_runs(stack):
    stack.make("run")
    before = stack.containers("api")
    with asking(stack) as askers, pytest.raises(AssertionError, match="is not healthy"):
        stack.run("deploy/upgrade.sh", REDIS_URL="redis://nobody.invalid:6379")
    assert [each.errors for each in askers] == [[], [], []]
    assert stack.containers("api") == before


def test_an_upgrade_needs_no_key_of_who_runs_it(stack):
    stack.make("run")
    made = made_key(stack, "viewer")
    wait_until(lambda: asked(stack, "/api/jobs/").status_code == 401, timeout_s=30)
    said = stack.run("deploy/upgrade.sh")
    assert "is stopped although" not in said
    assert asked(stack, "/api/jobs/", made["key"]).status_code == 200
    [key] = json.loads(stack.compose("exec", "-T", "api", "jobtracker", "keys", "list", "--json"))
    assert key["id"] == made["id"]
    stack.compose("exec", "-T", "api", "jobtracker", "keys", "revoke", "--forget", made["id"])
    wait_until(lambda: asked(stack, "/api/jobs/").status_code == 200, timeout_s=30)


def test_a_worker_that_hangs_is_started_again_and_its_task_runs_once_more(stack):
    stack.make("run", WORKER_HUNG_S="10")
    job = started_job(stack)
    container = job.worker.partition("@")[2]
    began = stack.docker("inspect", "--format", "{{.State.StartedAt}}", container)
    main = 'tr "\\0" " " < $each/cmdline | grep -q "^/opt.*m workers --" && kill -STOP ${each#/proc/}'
    stop = f"for each in /proc/[0-9]*; do {main}; done 2> /dev/null; true"
    stack.docker("exec", container, "sh", "-c", stop)
    wait_until(lambda: stack.docker("inspect", "--format", "{{.State.StartedAt}}", container) != began, timeout_s=60)
    expect_one_more_run(stack, job.id)


def test_a_redis_of_somebody_else_is_used_by_a_password_that_is_in_a_file_only(stack, tmp_path):
    stack.make("clean")
    name, password = f"{stack.name}-outside", secrets.token_hex(8)
    (tmp_path / "redis_url").write_text(f"redis://:{password}@{name}:6379/3\n")
    (tmp_path / "flower_basic_auth").write_text(":".join(stack.user))
    for each in tmp_path.iterdir():
        each.chmod(0o444)
    tmp_path.chmod(0o755)
    files = ["docker-compose.yml", "deploy/compose.own-redis.yml", "deploy/compose.secrets.yml"]
    env = {"COMPOSE_FILE": ":".join(files), "SECRETS_DIR": str(tmp_path), "FLOWER_BASIC_AUTH": ""}
    env["FLOWER_BASIC_AUTH_FILE"] = "/run/secrets/flower_basic_auth"
    image = os.environ.get("REDIS_IMAGE", "redis:8")
    stack.docker("run", "--detach", "--name", name, image, "redis-server", "--requirepass", password)
    try:
        stack.compose("up", "--no-start", **env)
        for network in ("default", "workers"):
            stack.docker("network", "connect", f"{stack.name}_{network}", name)
        stack.make("run", **env)
        assert stack.containers("redis") == []
        finished(stack, stack.client.create("custom", waiting(0.1), start=True).id)
        assert "celery@" in stack.flower("/workers", stack.user).text
        for container in stack.containers():
            assert password not in stack.run("docker", "inspect", container)
            assert stack.user[1] not in stack.run("docker", "inspect", container)
    finally:
        stack.docker("rm", "--force", "--volumes", name)
        stack.make("clean", **env)


def test_nginx_shows_all_below_paths_as_documented(stack, tmp_path):
    page = (ROOT / "docs" / "how-to" / "behind-a-proxy.md").read_text()
    [block] = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    block = re.sub(r"listen 443 ssl;|ssl_.*\n", "", block).replace("server {", "server { listen 8080;", 1)
    block = block.replace("127.0.0.1:19000", "listener:19000").replace("127.0.0.1:5555", "flower:5555")
    config = tmp_path / "nginx.conf"
    config.write_text(f"events {{}}\nhttp {{ access_log /dev/stdout; {block} }}\n")
    config.chmod(0o644)
    settings = dict(re.findall(r"^    ([A-Z_]+)=(.*)$", page, re.MULTILINE))
    port, name = free_port(), f"{stack.name}-nginx"
    host, proxy = (".".join([*SUBNET.split(".")[:3], last]) for last in ("1", "250"))
    settings["API_TRUSTED_PROXIES"] = proxy
    stack.make("run", **settings)
    image = os.environ.get("NGINX_IMAGE", "nginx:1")
    where = ["--network", f"{stack.name}_default", "--ip", proxy, "--publish", f"127.0.0.1:{port}:8080"]
    volume = ["--volume", f"{config}:/etc/nginx/nginx.conf:ro"]
    stack.docker("run", "--detach", "--name", name, *where, *volume, image, "nginx", "-g", "daemon off;")
    key = made_key(stack, "admin")
    try:
        site = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={
                "Host": "tools.example",
                "Authorization": f"Bearer {key['key']}",
                "X-Forwarded-For": "192.0.2.1",
            },
            trust_env=False,
            timeout=20,
        )
        with site:
            wait_until(lambda: site.get("/jobtracker/api/health").status_code == 200)
            docs = site.get("/jobtracker/docs")
            assert docs.status_code == 200
            for asset in re.findall(r'(?:src|href)="(/[^"]+)"', docs.text):
                assert asset.startswith("/jobtracker/")
                assert site.get(asset).status_code == 200
            assert '<base href="/jobtracker/"' in site.get("/jobtracker/").text
            made = site.post("/jobtracker/api/jobs/", json={"job_type": "custom", "payload": waiting(0.1)})
            assert made.headers["Location"] == f"/jobtracker/api/jobs/{made.json()['id']}"
            assert site.get(made.headers["Location"]).status_code == 200
            [entry] = [
                each for each in site.get("/jobtracker/api/audit").json()["entries"] if each["action"] == "create_job"
            ]
            assert entry["peer"] == host  # whatever the client claimed
            with site.stream("GET", "/jobtracker/api/events") as events:
                assert events.status_code == 200
                assert next(events.iter_lines())
            user = httpx.BasicAuth(*stack.user)
            assert site.get("/flower/workers", headers={"Authorization": ""}).status_code == 401
            workers = site.get("/flower/workers", auth=user)
            assert "celery@" in workers.text
            for asset in re.findall(r'(?:src|href)="(/[^"]+)"', workers.text):
                assert asset.startswith("/flower")
    finally:
        stack.docker("rm", "--force", "--volumes", name)
        stack.make("clean")


def test_one_changed_line_makes_a_small_layer(stack, tmp_path):
    named = ["pyproject.toml", "requirements.txt", "Dockerfile", ".dockerignore"]
    for each in ["LICENSE", "NOTICE", "README.md", *named]:
        shutil.copy2(ROOT / each, tmp_path)
    for each in ("api", "jobtracker", "web", "workers"):
        shutil.copytree(ROOT / each, tmp_path / each, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    of_build = {"PYTHON_IMAGE", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY"} & os.environ.keys()
    arguments = [f"--build-arg={name}" for name in of_build]

    def layers(tag: str) -> list[tuple[str, int]]:
        """The layers of an image that is built here, with their sizes in bytes, the last one first."""
        image = f"{stack.name}:{tag}"
        stack.run("docker", "build", "--quiet", "--target", "api", "--tag", image, *arguments, str(tmp_path))
        digests = json.loads("".join(stack.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)))
        sizes = stack.docker("history", "--human=false", "--format", "{{.Size}}", image)
        return list(zip(reversed(digests), [int(size) for size in sizes if size != "0"], strict=False))

    before = layers("same")
    with (tmp_path / "jobtracker" / "jobs" / "start.py").open("a") as file:
        file.write("# one line more\n")
    began = time.monotonic()
    new = [size for digest, size in layers("changed") if digest not in dict(before)]
    print(f"one changed line: {time.monotonic() - began:.1f} s, {new} bytes")  # noqa: T201 (read in the log)
    assert 1 <= len(new) <= 2
    assert max(new) < LAYER_BYTES
