"""The local stack, with a small API and a small Celery app of its own in place of the real ones."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from support.liveness import is_alive, wait_until

import workers
from jobtracker.local import stack as services
from jobtracker.local.child_process import ProcessError
from jobtracker.local.ports import free_port
from jobtracker.local.stack import LocalStack, find_applications_dir
from jobtracker.local.supervisor import StopRequestedError

API = '''
"""Says that the worker consumes once it is ready."""
import json
import os
import redis

def create_app():
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.set("pid:API", os.getpid())

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        facts = {"consuming": ["local@here"] if client.exists("pid:worker") else []}
        health = {"components": {"workers": {"detail": "waiting for the worker", "facts": facts}}}
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(health).encode()})

    return app

if __name__ == "__main__":
    import uvicorn
    uvicorn.run(create_app(), host=os.environ["API_HOST"], port=int(os.environ["API_PORT"]))
'''
WORKERS = '''
"""One task that takes its time."""
import os
import time
import redis
from celery import Celery
from celery.signals import worker_ready

url = os.environ["REDIS_URL"]
app = Celery("workers", broker=os.environ.get("CELERY_BROKER_URL", url), backend=url)
app.conf.broker_connection_retry_on_startup = False

@worker_ready.connect
def note_ready(**_):
    client = redis.Redis.from_url(url)
    client.rpush("broker", app.conf.broker_url)
    client.set("pid:worker", os.getpid())

@app.task(name="take_time")
def take_time(duration_s):
    client = redis.Redis.from_url(url)
    client.set("pid:child", os.getpid())
    time.sleep(duration_s)
    client.set("finished", 1)
'''


@pytest.fixture
def applications_dir(tmp_path) -> Path:
    folder = tmp_path / "applications with a space"
    for path, text in {"api/main.py": API, "workers/app.py": WORKERS}.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text)
        (folder / path).with_name("__init__.py").touch()
    (folder / "workers" / "__main__.py").write_text(Path(workers.__file__).with_name("__main__.py").read_text())
    return folder


@pytest.fixture
def stack(tmp_path, applications_dir) -> Iterator[LocalStack]:
    stack = LocalStack(tmp_path / "data with a space", applications_dir=applications_dir)
    yield stack
    stack.stop()


def connect(stack: LocalStack) -> redis.Redis:
    return redis.Redis.from_url(stack.redis.url, decode_responses=True)


def read_pids(client: redis.Redis) -> dict[str, int]:
    wait_until(lambda: len(list(client.scan_iter("pid:*"))) == 3)
    names = ("API", "worker", "child")
    return {name: int(client.get(f"pid:{name}")) for name in names} | {
        "embedded Redis": client.info("server")["process_id"]
    }


def take_time(client: redis.Redis, url: str, duration_s: float) -> None:
    """Send the task, and wait until a pool child runs it."""
    code = "import sys, celery; celery.Celery(broker=sys.argv[1]).send_task('take_time', [float(sys.argv[2])])"
    subprocess.run([sys.executable, "-c", code, url, str(duration_s)], check=True)
    wait_until(lambda: bool(client.exists("pid:child")))


def test_a_stack_follows_its_own_broker_logs_beside_its_data_and_leaves_nothing_running(stack, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1")
    with stack, connect(stack) as client:
        monkeypatch.delenv("CELERY_BROKER_URL")  # which comes before what a sender asks for
        take_time(client, stack.redis.url, 0)
        pids = read_pids(client)
        assert all(is_alive(pid) for pid in pids.values())
        assert client.lindex("broker", 0) == stack.redis.url
    assert [name for name, pid in pids.items() if is_alive(pid)] == []
    assert {path.name for path in (stack.data_dir / "logs").iterdir()} == {"redis.log", "api.log", "worker.log"}
    assert [path for path in stack.data_dir.rglob("*") if path.stat().st_mode & 0o077] == []


def test_a_running_task_is_finished_before_the_end_and_what_was_stored_is_there_with_the_next_stack(stack):
    with stack, connect(stack) as client:
        take_time(client, stack.redis.url, 1)
        assert not client.exists("finished")
        client.delete("pid:worker")
    with stack, connect(stack) as client:
        assert client.get("finished") == "1"


def test_flower_is_there_when_it_is_asked_for_and_lists_the_worker(tmp_path, applications_dir, monkeypatch):
    for name in ("FLOWER_BASIC_AUTH", "FLOWER_AUTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")  # which is for a Flower that stands alone
    stack = LocalStack(tmp_path / "data", applications_dir=applications_dir, flower_port=free_port())
    with stack:
        assert httpx.get(f"{stack.flower_url}/healthcheck").status_code == 200
        wait_until(lambda: "local@" in httpx.get(f"{stack.flower_url}/workers?json=1").text)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{stack.flower_url}/healthcheck")


def test_a_task_that_takes_too_long_is_cut_off(tmp_path, applications_dir):
    stack = LocalStack(tmp_path / "data", applications_dir=applications_dir, worker_timeout_s=0.5)
    with stack, connect(stack) as client:
        take_time(client, stack.redis.url, 100)
        pids = read_pids(client)
    assert [name for name, pid in pids.items() if is_alive(pid)] == []
    with stack.redis, connect(stack) as client:
        assert not client.exists("finished")


@pytest.mark.parametrize("name", ["embedded Redis", "API", "worker"])
def test_when_one_dies_the_reason_is_told_and_the_others_end(stack, name):
    with stack, connect(stack) as client:
        take_time(client, stack.redis.url, 0)
        pids = read_pids(client)
        os.kill(pids[name], signal.SIGKILL)
        with pytest.raises(ProcessError, match=f"^The {name} was killed by SIGKILL"):
            stack.supervisor.watch(timeout_s=10)
    wait_until(lambda: not any(is_alive(pid) for pid in pids.values()))


def test_a_taken_api_port_is_refused_before_anything_starts(tmp_path, applications_dir):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        stack = LocalStack(tmp_path / "data", api_port=port, applications_dir=applications_dir)
        with pytest.raises(ProcessError, match=f"Port {port} on 127.0.0.1 is taken.*API_PORT"):
            stack.start()
    assert not (tmp_path / "data").exists()


def test_a_worker_that_fails_at_once_is_reported_with_its_last_words(stack, applications_dir):
    (applications_dir / "workers" / "app.py").write_text("raise RuntimeError('no ink')")
    with pytest.raises(ProcessError, match=r"(?s)^The worker ended with status .*no ink"):
        stack.start()
    assert stack.redis.pid is None


def test_a_stack_that_does_not_become_healthy_is_reported_with_the_apis_answer(tmp_path, applications_dir):
    (applications_dir / "workers" / "app.py").write_text(
        textwrap.dedent("""
            from celery import Celery
            app = Celery(broker="redis://127.0.0.1:1")
        """)
    )
    stack = LocalStack(tmp_path / "data", applications_dir=applications_dir, start_timeout_s=4)
    with pytest.raises(ProcessError, match=r"(?s)healthy after 4 s.*waiting for the worker.*api\.log.*worker\.log"):
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


def test_without_the_applications_it_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "__file__", str(tmp_path / "site-packages/jobtracker/local/stack.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProcessError, match="part of the repository"):
        find_applications_dir()


def test_the_applications_of_the_current_folder_are_found(applications_dir, monkeypatch):
    monkeypatch.setattr(services, "__file__", str(applications_dir / "site-packages/jobtracker/local/stack.py"))
    monkeypatch.chdir(applications_dir)
    assert find_applications_dir() == applications_dir


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_outlives_a_killed_parent(tmp_path, applications_dir):
    program = (
        "import sys; from pathlib import Path; from jobtracker.local.stack import LocalStack\n"
        "stack = LocalStack(sys.argv[1], applications_dir=Path(sys.argv[2])); stack.start()\n"
        "print(stack.redis.url, flush=True); stack.supervisor.watch()"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "data"), str(applications_dir)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        url = parent.stdout.readline().strip()
        with redis.Redis.from_url(url, decode_responses=True) as client:
            take_time(client, url, 100)
            pids = read_pids(client)
        parent.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in pids.values()))
