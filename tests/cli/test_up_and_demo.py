"""`jobtracker up` and `jobtracker demo` with the real worker and the real API."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support.liveness import is_alive, processes_below, wait_until

from jobtracker.local.ports import free_port

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """Start a `jobtracker` command from another folder, with its output in a file."""
    started = []

    def start_command(*arguments: str | Path) -> subprocess.Popen[str]:
        output = (tmp_path / f"output-{len(started)}").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "jobtracker.cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output.close()
        process.output_path = Path(output.name)
        started.append(process)
        return process

    yield start_command
    for process in started:
        process.kill()
        process.wait()


def said(process: subprocess.Popen[str]) -> str:
    return process.output_path.read_text()


def wait_until_said(process: subprocess.Popen[str], text: str) -> None:
    wait_until(lambda: text in said(process) or process.poll() is not None, timeout_s=60)
    assert text in said(process)


def start_up(start: Start, data_dir: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A running `jobtracker up` and its API's address."""
    port = free_port()
    process = start("up", "--api-port", str(port), "--data-dir", data_dir, "--concurrency", "1", *arguments)
    wait_until_said(process, "Ctrl-C ends all of it.")
    return process, f"http://127.0.0.1:{port}"


def test_the_demo_ends_well_with_a_completed_line_for_each_job(start, tmp_path):
    process = start("demo")
    wait_until_said(process, "POST http://127.0.0.1:")
    below = processes_below(process.pid)
    assert process.wait(60) == 0, said(process)
    lines = said(process).splitlines()
    assert "\x1b" not in said(process)
    for line, name in zip(lines[-3:], ["Complex Document", "Extract Entities", "Extract Medications"], strict=True):
        assert name in line
        assert " completed " in line
    assert [pid for pid in below if is_alive(pid)] == []
    assert list(tmp_path.glob("jobtracker-demo-*")) == []


def test_a_demo_that_is_kept_shows_its_tree_until_it_is_ended(start):
    process = start("demo", "--keep")
    wait_until_said(process, "Ctrl-C ends all of it.")
    [address] = re.findall(r"Its page: (\S+)", said(process))
    url = httpx.URL(address)
    job = httpx.get(url.copy_with(path=f"/api{url.path}"), timeout=20).json()
    assert (job["name"], job["status"]) == ("Complex Document Processing", "completed")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, said(process)


def test_an_interrupted_demo_ends_all_and_says_so(start, tmp_path):
    process = start("demo")
    wait_until(lambda: len(processes_below(process.pid)) >= 3)
    below = processes_below(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "Interrupted" in said(process)
    assert [pid for pid in below if is_alive(pid)] == []
    assert list(tmp_path.glob("jobtracker-demo-*")) == []


def test_it_listens_where_it_is_asked_to_refuses_a_second_one_on_its_data_and_ends_whole_with_ctrl_c(start, tmp_path):
    port = free_port()
    process, _ = start_up(start, tmp_path / "data", "--redis-port", str(port))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
    second = start("up", "--api-port", str(free_port()), "--data-dir", tmp_path / "data")
    assert second.wait(60) == 1
    assert "in use by another embedded server" in said(second)
    expect_whole_end(process, signal.SIGINT)


def expect_whole_end(process, number):
    below = processes_below(process.pid)
    assert len(below) >= 4  # Redis, the API, the worker and its pool child
    process.send_signal(number)
    assert process.wait(60) == 0
    assert "All has ended." in said(process)
    assert [pid for pid in below if is_alive(pid)] == []


def test_a_job_is_there_again_after_a_restart_in_a_folder_with_a_space_and_nothing_outlives_a_kill(start, tmp_path):
    data_dir = tmp_path / "my data"
    body = {"name": "A note", "job_type": "document_analysis", "payload": {"text": "A few words."}}
    process, url = start_up(start, data_dir)
    job_id = httpx.post(f"{url}/api/jobs/", json=body).raise_for_status().json()["id"]
    expect_whole_end(process, signal.SIGTERM)
    process, url = start_up(start, data_dir)
    assert httpx.get(f"{url}/api/jobs/{job_id}").raise_for_status().json()["name"] == "A note"
    below = processes_below(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in below))


def test_when_the_worker_dies_the_rest_ends_and_the_status_tells(start, tmp_path):
    process, _ = start_up(start, tmp_path / "data")
    below = processes_below(process.pid)
    # Its pool children are in its session.
    leaders = [pid for pid in below if os.getsid(pid) == pid]
    worker = next(pid for pid in leaders if "workers" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(worker, signal.SIGKILL)
    assert process.wait(60) == 1
    assert "The worker was killed by SIGKILL" in said(process)
    assert [pid for pid in below if is_alive(pid)] == []


def test_a_taken_port_is_a_message_and_no_traceback(start, tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        process = start("up", "--api-port", str(port), "--data-dir", tmp_path / "data")
        assert process.wait(60) == 1
    assert f"Port {port} on 127.0.0.1 is taken" in said(process)
    assert "Traceback" not in said(process)


OWN_APP = """
from celery import Celery
from jobtracker import Tracker

app = Celery("shop", broker="redis://127.0.0.1:1")
Tracker(app)


@app.task(name="invoice")
def invoice(customer):
    return customer.upper()
"""


def test_a_project_of_ones_own_runs_with_the_variables_that_its_publishers_need(start, tmp_path):
    (tmp_path / "shop.py").write_text(OWN_APP)
    process, url = start_up(start, tmp_path / "data", "-A", "shop")
    told = dict(line.split("export ")[1].split("=") for line in said(process).splitlines() if "export " in line)
    assert {"REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"} <= told.keys()
    code = "import shop; print(shop.invoice.delay('ada').id)"
    sent = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **told, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
        text=True,
    )
    wait_until(lambda: httpx.get(f"{url}/api/jobs/{sent.stdout.strip()}").json().get("result") == "ADA")
    expect_whole_end(process, signal.SIGINT)
