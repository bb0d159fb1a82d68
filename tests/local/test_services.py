"""The local stack: the embedded Redis, the real API, the worker of a small Celery project in the current folder."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from support.liveness import is_alive, wait_until

from jobtracker.local import stack as services
from jobtracker.local.child_process import ProcessError
from jobtracker.local.ports import free_port
from jobtracker.local.stack import LocalStack, find_sample_project
from jobtracker.local.supervisor import StopRequestedError

pytestmark = pytest.mark.thorough

SHOP = '''
"""A project that names servers of its own, which are not there, and knows jobtracker by two lines."""
import os
import time
import redis
from celery import Celery
from jobtracker import Tracker

app = Celery("shop", broker="redis://127.0.0.1:1", backend="redis://127.0.0.1:1")
app.conf.broker_connection_retry_on_startup = False
Tracker(app)

@app.task(name="take_time")
def take_time(duration_s):
    """Note who runs it, take that time, and note that it is done."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.mset({"pid:worker": os.getppid(), "pid:child": os.getpid()})
    time.sleep(duration_s)
    client.set("finished", 1)
'''


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The project's folder, which is the current one."""
    folder = tmp_path / "project with a space"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def stack(tmp_path, project) -> Iterator[LocalStack]:
    stack = LocalStack(tmp_path / "data with a space", app="shop")
    yield stack
    stack.stop()


def connect(stack: LocalStack) -> redis.Redis:
    return redis.Redis.from_url(stack.redis.url, decode_responses=True)


def start_task(stack: LocalStack, duration_s: float) -> str:
    """Start a job, and wait until a pool child runs it; returns its id."""
    body = {"name": "a nap", "job_type": "take_time", "payload": {"duration_s": duration_s}, "start": True}
    job_id = httpx.post(f"{stack.api_url}/api/jobs/", json=body).raise_for_status().json()["id"]
    with connect(stack) as client:
        wait_until(lambda: bool(client.exists("pid:child")))
    return str(job_id)


def status_of(stack: LocalStack, job_id: str) -> str:
    return str(httpx.get(f"{stack.api_url}/api/jobs/{job_id}").raise_for_status().json()["status"])


def api_pid(stack: LocalStack) -> int:
    """The process that listens on the API's port."""
    port = httpx.URL(stack.api_url).port
    [entry] = [
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
    ]
    links = (link for link in Path("/proc").glob("[0-9]*/fd/*") if link.is_symlink())
    return next(int(link.parts[2]) for link in links if _target(link) == f"socket:[{entry}]")


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # it is closed by now
        return ""


def read_pids(stack: LocalStack) -> dict[str, int]:
    with connect(stack) as client:
        of_worker = {name: int(client.get(f"pid:{name}")) for name in ("worker", "child")}
        return {"API": api_pid(stack), "embedded Redis": client.info("server")["process_id"], **of_worker}


def test_a_project_of_ones_own_runs_on_the_embedded_redis_and_leaves_no_process(stack):
    with stack:
        job_id = start_task(stack, 0)
        wait_until(lambda: status_of(stack, job_id) == "completed")
        pids = read_pids(stack)
        assert all(is_alive(pid) for pid in pids.values())
    assert [name for name, pid in pids.items() if is_alive(pid)] == []
    assert {path.name for path in (stack.data_dir / "logs").iterdir()} == {"redis.log", "api.log", "worker.log"}
    assert [path for path in stack.data_dir.rglob("*") if path.stat().st_mode & 0o077] == []


def test_the_worker_consumes_the_queues_that_are_named(tmp_path, project):
    stack = LocalStack(tmp_path / "data", app="shop", queues="parcels,letters")
    with stack:
        [worker] = httpx.get(f"{stack.api_url}/api/tracking/worker-stats").raise_for_status().json()
        assert sorted(worker["queues"]) == ["letters", "parcels"]


def test_a_publisher_with_the_stacks_settings_sends_tracked_tasks_to_it(stack, project):
    code = "import shop; print(shop.take_time.delay(0).id)"
    with stack:
        sent = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env={**os.environ, **stack.settings},
            check=True,
            capture_output=True,
            text=True,
        )
        wait_until(lambda: status_of(stack, sent.stdout.strip()) == "completed")


def test_a_running_task_is_finished_first_and_stored_for_the_next_stack(stack):
    with stack:
        job_id = start_task(stack, 1)
    with stack:
        assert status_of(stack, job_id) == "completed"


def test_flower_is_there_when_it_is_asked_for_and_lists_the_worker(tmp_path, project, monkeypatch):
    for name in ("FLOWER_BASIC_AUTH", "FLOWER_AUTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")  # which is for a Flower that stands alone
    stack = LocalStack(tmp_path / "data", app="shop", flower_port=free_port())
    with stack:
        assert httpx.get(f"{stack.flower_url}/healthcheck").status_code == 200
        wait_until(lambda: "local@" in httpx.get(f"{stack.flower_url}/workers?json=1").text)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{stack.flower_url}/healthcheck")


def test_a_task_that_takes_too_long_is_cut_off(tmp_path, project):
    stack = LocalStack(tmp_path / "data", app="shop", worker_timeout_s=0.5)
    with stack:
        start_task(stack, 100)
        pids = read_pids(stack)
    assert [name for name, pid in pids.items() if is_alive(pid)] == []
    with stack.redis, connect(stack) as client:
        assert not client.exists("finished")


@pytest.mark.parametrize("name", ["embedded Redis", "API", "worker"])
def test_when_one_dies_the_reason_is_told_and_the_others_end(stack, name):
    with stack:
        start_task(stack, 0)
        pids = read_pids(stack)
        os.kill(pids[name], signal.SIGKILL)
        with pytest.raises(ProcessError, match=f"^The {name} was killed by SIGKILL"):
            stack.supervisor.watch(timeout_s=10)
    wait_until(lambda: not any(is_alive(pid) for pid in pids.values()))


def test_a_taken_api_port_is_refused_before_anything_starts(tmp_path, project):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        stack = LocalStack(tmp_path / "data", app="shop", api_port=port)
        with pytest.raises(ProcessError, match=f"Port {port} on 127.0.0.1 is taken.*API_PORT"):
            stack.start()
    assert not (tmp_path / "data").exists()


def test_a_worker_that_fails_at_once_is_reported_with_its_last_words(stack, project):
    (project / "shop.py").write_text("raise RuntimeError('no ink')")
    with pytest.raises(ProcessError, match=r"(?s)^The worker ended with status .*no ink"):
        stack.start()
    assert stack.redis.pid is None


def test_an_app_that_is_not_tracked_is_named_with_what_to_add(stack, project):
    (project / "shop.py").write_text("from celery import Celery\napp = Celery('shop')")
    with pytest.raises(ProcessError, match=r"worker of shop runs and is not tracked: add `Tracker\(app\)`"):
        stack.start()
    assert stack.redis.pid is None


def test_a_stack_that_does_not_become_healthy_is_reported_with_the_logs(tmp_path, project):
    (project / "shop.py").write_text("import time\ntime.sleep(60)")
    stack = LocalStack(tmp_path / "data", app="shop", start_timeout_s=4)
    with pytest.raises(ProcessError, match=r"(?s)healthy after 4 s.*no worker consumes.*api\.log.*worker\.log"):
        stack.start()
    assert stack.redis.pid is None


def test_a_start_can_be_called_off(stack):
    stack.supervisor.request_stop()
    with pytest.raises(StopRequestedError):
        stack.start()
    assert stack.redis.pid is None


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8"), ("0.0.0.0", "http://127.0.0.1:8"), ("::", "http://[::1]:8")],
)
def test_the_api_url_leads_there_from_this_machine(tmp_path, host, url):
    assert LocalStack(tmp_path, api_host=host, api_port=8).api_url == url


@pytest.fixture
def installed(tmp_path, monkeypatch) -> None:
    """The library as it is installed: in a folder of its own, without a checkout around it."""
    monkeypatch.setattr(services, "__file__", str(tmp_path / "site-packages/jobtracker/local/stack.py"))


@pytest.mark.usefixtures("installed")
def test_without_an_app_and_a_checkout_it_says_that_the_sample_is_in_one_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProcessError, match=r"sample project workers/ is not here: it is in a checkout.*-A"):
        LocalStack(tmp_path / "data").start()
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("installed")
def test_the_sample_project_of_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "app.py").touch()
    monkeypatch.chdir(tmp_path)
    assert find_sample_project() == tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_outlives_a_killed_parent(tmp_path, project):
    program = (
        "import sys; from jobtracker.local.stack import LocalStack\n"
        "stack = LocalStack(sys.argv[1], app='shop', api_port=int(sys.argv[2]), redis_port=int(sys.argv[3]))\n"
        "stack.start(); print('up', flush=True); stack.supervisor.watch()"
    )
    seen = LocalStack(tmp_path / "data", app="shop", api_port=free_port(), redis_port=free_port())
    ports = [str(seen.redis.port), str(httpx.URL(seen.api_url).port)]
    argv = [sys.executable, "-c", program, str(tmp_path / "data"), ports[1], ports[0]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        start_task(seen, 100)
        pids = read_pids(seen)
        parent.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in pids.values()))
