"""Flower beside the API: both say the same of what runs where, and nobody sends task events for it."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.serving import PATIENCE_S, ROOT, Api, Json, environment, eventually, job, running, running_api
from support.workers_under_test import broker_settings

from jobtracker.broker.config import SHIPPED_QUEUE
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.flower import FlowerSettings
from jobtracker.local.ports import free_port
from jobtracker.schemas.job_types import JobType
from jobtracker.settings import SettingsError
from jobtracker.store.job_types import Registry

pytestmark = pytest.mark.thorough

USER = ("operator", "a password")
POOLS = {"celery.concurrency.thread:TaskPool": "threads", "celery.concurrency.prefork:TaskPool": "prefork"}
THREADS, PREFORK = "threads@test", "prefork@test"
QUEUES = {THREADS: {SHIPPED_QUEUE}, PREFORK: {"slow", "other"}}
JOB_TYPES = {
    THREADS: JobType(name="quick", task="workers.wait"),
    PREFORK: JobType(name="slow", task="workers.wait", queue="slow"),
}
"""What each of the workers does."""
TASK_EVENTS_SWITCH_S = 5.0
"""How often Flower switches task events on, where it may (flower/events.py, events_enable_interval)."""


def shared(api: Api) -> Json:
    """The settings that all processes of a project have in common."""
    names = {"redis_url", "redis_db", "tracking_namespace", "celery_broker_url", "celery_queue_type", "task_events"}
    return api.settings.model_dump(include=names, exclude_none=True)


@contextlib.contextmanager
def running_flower(api: Api) -> Iterator[httpx.Client]:
    """Flower for the API's broker, with a password; spoken to by who knows it."""
    port = free_port()
    settings = {**shared(api), "flower_port": port, "flower_basic_auth": ":".join(USER)}
    log_path = api.process.log_path.with_name(f"flower-{port}.log")
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=USER, timeout=PATIENCE_S) as http,
        running("Flower", ["jobtracker.local.flower"], log_path, settings) as process,
    ):

        def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return http.get("/healthcheck").is_success
            return False

        process.wait_until_ready(answers, timeout_s=PATIENCE_S)
        yield http


@contextlib.contextmanager
def running_worker(api: Api, hostname: str, *options: str) -> Iterator[ChildProcess]:
    """A worker of the shipped tasks that the API knows to consume."""
    command = ["celery", "-A", "workers.app", "worker", "-n", hostname, "--without-mingle", "--without-gossip"]
    log_path = api.process.log_path.with_name(f"{hostname}.log")
    with running("worker", [*command, *options], log_path, shared(api)) as process:
        process.wait_until_ready(lambda: hostname in by_api(api), timeout_s=PATIENCE_S)
        yield process


def running_prefork_worker(api: Api) -> contextlib.AbstractContextManager[ChildProcess]:
    queues = ",".join(QUEUES[PREFORK])
    return running_worker(api, PREFORK, "--pool", "prefork", "--concurrency", "1", "--queues", queues)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server of the module's own: events have no namespace."""
    with EmbeddedRedis(tmp_path_factory.mktemp("flower-redis"), config={"appendfsync": "no"}) as server:
        yield server


@pytest.fixture(scope="module")
def api(server: EmbeddedRedis, api_log_dir: Path) -> Iterator[Api]:
    """An API with a worker of threads."""
    with running_api(api_log_dir, redis_url=server.url, inspect_cache_s=0.1) as api:
        Registry(api.client, api.keys).announce(*JOB_TYPES.values())
        with running_worker(api, THREADS, "--pool", "threads", "--concurrency", "3"):
            yield api


@pytest.fixture(scope="module")
def flower(api: Api) -> Iterator[httpx.Client]:
    """Flower, which starts after the one worker and before the other."""
    with running_flower(api) as http:
        yield http


@pytest.fixture(scope="module")
def flower_started_s(flower: httpx.Client) -> float:
    return time.monotonic()


@pytest.fixture(scope="module")
def workers(api: Api, flower: httpx.Client, flower_started_s: float) -> Iterator[None]:
    """A second worker, with another pool and other queues."""
    with running_prefork_worker(api):
        yield


def launch(api: Api, worker: str, seconds: float) -> str:
    """Start a job that this worker does, and that is done after some time or soon after a cancel; returns its id."""
    return api.launch(job(JOB_TYPES[worker].name, {"seconds": seconds, "steps": 600}))


def by_api(api: Api) -> dict[str, Json]:
    """The workers that answer, as the API describes them."""
    return {worker["name"]: worker for worker in api.get("/api/tracking/worker-stats") if worker["online"]}


def by_flower(flower: httpx.Client, **params: str) -> dict[str, Json]:
    """The workers as Flower describes them, asked anew."""
    found: dict[str, Json] = flower.get("/api/workers", params={"refresh": "1", **params}).raise_for_status().json()
    return found


def listed(flower: httpx.Client) -> dict[str, Json]:
    """The lines of Flower's first page: workers with the number of their events by type."""
    return {line["hostname"]: line for line in flower.get("/workers", params={"json": "1"}).json()["data"]}


def heartbeats(flower: httpx.Client) -> dict[str, int]:
    return {name: line.get("worker-heartbeat", 0) for name, line in listed(flower).items()}


def online(flower: httpx.Client) -> dict[str, bool]:
    return {name: line["status"] for name, line in listed(flower).items()}


def test_a_worker_that_leaves_is_offline_in_flower_and_gone_from_the_api(api, flower):
    eventually(lambda: online(flower) == {THREADS: True})
    with running_prefork_worker(api):
        eventually(lambda: online(flower) == {THREADS: True, PREFORK: True})
    eventually(lambda: online(flower) == {THREADS: True, PREFORK: False})
    assert set(by_api(api)) == {THREADS}


def test_a_worker_that_comes_back_is_online_again(flower, workers):
    eventually(lambda: online(flower) == {THREADS: True, PREFORK: True})


def test_flower_and_the_api_agree_on_pools_concurrency_queues_and_tasks(api, flower, workers):
    expected = {THREADS: ("threads", 3, QUEUES[THREADS]), PREFORK: ("prefork", 1, QUEUES[PREFORK])}
    api_says = by_api(api)
    assert {
        name: (worker["lease"]["pool"], worker["lease"]["concurrency"], set(worker["queues"]))
        for name, worker in api_says.items()
    } == expected
    eventually(lambda: set(by_flower(flower)) == set(expected))
    flower_says = by_flower(flower)
    assert {
        name: (
            POOLS[worker["stats"]["pool"]["implementation"]],
            worker["stats"]["pool"]["max-concurrency"],
            {queue["name"] for queue in worker["active_queues"]},
        )
        for name, worker in flower_says.items()
    } == expected
    for name, worker in api_says.items():
        assert sorted(worker["registered"]) == sorted(flower_says[name]["registered"])
        assert worker["stats"]["pid"] == flower_says[name]["stats"]["pid"]


def test_flower_and_the_api_agree_on_the_tasks_that_run(api, flower, workers):
    jobs = {name: {launch(api, name, 60) for _ in range(number)} for name, number in ((THREADS, 2), (PREFORK, 1))}

    def ids(worker: Json) -> set[str]:
        return {task["id"] for task in worker["active"]}

    eventually(lambda: {name: ids(worker) for name, worker in by_api(api).items()} == jobs)
    for name, expected in jobs.items():
        eventually(lambda name=name, expected=expected: ids(by_flower(flower, workername=name)[name]) == expected)
    for job_id in set().union(*jobs.values()):
        api.post(job_id, "cancel")
    for name in jobs:
        eventually(lambda name=name: ids(by_flower(flower, workername=name)[name]) == set())


def test_no_task_event_is_sent_because_flower_runs(api, flower, flower_started_s, workers):
    eventually(lambda: time.monotonic() - flower_started_s > TASK_EVENTS_SWITCH_S + 0.5)
    before = heartbeats(flower)
    for name in (THREADS, PREFORK):
        api.expect(launch(api, name, 0), "completed")
    # A worker's events come in order: with its next heartbeats, what it would have sent of its tasks were there too.
    eventually(lambda: all(number > before[name] + 1 for name, number in heartbeats(flower).items()))
    types = {key for line in listed(flower).values() for key in line if key.startswith(("worker-", "task-"))}
    assert types - {"worker-offline"} == {"worker-online", "worker-heartbeat"}
    assert flower.get("/api/tasks").json() == {}


def test_flower_asks_for_the_password(flower):
    for path in ("/workers", "/api/workers"):
        assert httpx.get(f"{flower.base_url}{path}").status_code == 401
        assert httpx.get(f"{flower.base_url}{path}", auth=(USER[0], "a guess")).status_code == 401
        assert flower.get(path).status_code == 200


@pytest.mark.parametrize("broker", ["redis", "rabbitmq-classic"])
def test_with_task_events_on_flower_sees_each_task_from_its_sending_to_its_end(broker, server, rabbitmq, api_log_dir):
    settings = {"redis_url": server.url, "redis_db": 1, "task_events": True, **broker_settings(broker, rabbitmq)}
    with (
        running_api(api_log_dir, inspect_cache_s=0.1, **settings) as api,
        running_flower(api) as flower,
        running_worker(api, "talkative@test", "--pool", "threads", "--concurrency", "1"),
    ):
        job_id = api.launch()
        api.expect(job_id, "completed")

        def task() -> Json:
            return dict(flower.get("/api/tasks").json().get(job_id, {}))

        # The publisher says that it has sent a message once it has: the worker may have begun by then.
        eventually(lambda: task().get("state") == "SUCCESS" and task()["sent"])
        assert (task()["name"], task()["worker"]) == ("workers.wait", "talkative@test")
        assert 0 < task()["started"] < task()["succeeded"]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::"])
def test_without_a_password_flower_listens_to_this_machine_only(address):
    with pytest.raises(SettingsError, match=r"FLOWER_BASIC_AUTH: .*must be user:password"):
        FlowerSettings.from_env({"FLOWER_ADDRESS": address, "FLOWER_BASIC_AUTH": ""})
    assert FlowerSettings.from_env({"FLOWER_ADDRESS": address, "FLOWER_BASIC_AUTH": "me:secret"})
    assert FlowerSettings.from_env({"FLOWER_ADDRESS": address, "FLOWER_AUTH": "me@example.org"})


@pytest.mark.parametrize("users", ["me", ":secret", "me:", "me:secret,you", "me:ünsecret"])
def test_a_password_that_flower_can_not_use_is_refused_and_not_shown(users):
    with pytest.raises(SettingsError, match="FLOWER_BASIC_AUTH") as caught:
        FlowerSettings.from_env({"FLOWER_BASIC_AUTH": users})
    assert "secret" not in str(caught.value)


def test_a_taken_port_is_a_message_and_no_traceback(server):
    ended = subprocess.run(
        [sys.executable, "-m", "jobtracker.local.flower"],
        cwd=ROOT,
        env={**environment({"redis_url": server.url}), "FLOWER_PORT": str(server.port)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.strip().startswith(f"Port {server.port} on 127.0.0.1 is taken")
