"""`jobtracker watch`: what it shows while a tree runs, and what its exit status says."""

import json
import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.commands import lines, refusal, run
from support.liveness import wait_until
from support.serving import Api, job, parent, waiting

pytestmark = pytest.mark.thorough

TEXT = {"text": "Ferries leave the harbour at noon."}


def started(api: Api, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    environment = {**os.environ, "JOBTRACKER_URL": str(api.http.base_url), "COLUMNS": "100"}
    command = [sys.executable, "-m", "jobtracker.cli", *arguments]
    return subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2], **options)


def test_each_change_is_a_line_and_the_tree_stands_at_the_end(api):
    job_id = api.launch(parent(job(payload=waiting(1)), name="Report"))
    *changes, top, below = lines(api, "watch", job_id)
    told = [line.partition(" s  ")[2] for line in changes]
    assert {"Report: completed", "  custom: running", "  custom: completed"} <= set(told)
    assert len(set(told)) == len(told)
    assert top.startswith("Report")
    assert below.startswith("└── custom")


def test_json_is_a_line_a_change_and_the_last_is_the_tree_as_it_ended(api):
    job_id = api.launch(parent(job(payload=waiting(0.2)), name="Report"))
    seen = [json.loads(line) for line in lines(api, "watch", job_id, "--json")]
    assert seen[-1] == api.tree(job_id)
    assert all(tree["id"] == job_id for tree in seen)


def test_the_status_tells_how_the_job_ended(api, quiet_api):
    failed = api.launch(parent(job("document_analysis", {"document_id": "none"}), name="Report"))
    lines(api, "watch", failed, status=1)
    cancelled = quiet_api.create(job("document_analysis", TEXT))["id"]
    quiet_api.post(cancelled, "cancel")
    lines(quiet_api, "watch", cancelled, status=3)


def test_after_the_timeout_the_job_goes_on_and_the_status_is_124(quiet_api):
    job_id = quiet_api.create(job("document_analysis", TEXT))["id"]
    text = refusal(quiet_api, "watch", job_id, "--timeout", "0.2", status=124)
    assert "it is pending" in text
    assert f"It was not started: `jobtracker jobs start {job_id}`" in text
    assert quiet_api.job(job_id)["status"] == "pending"


def test_a_job_that_is_started_meanwhile_is_seen(quiet_api):
    job_id = quiet_api.create(job("document_analysis", TEXT, name="Later"))["id"]
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(run, quiet_api, "watch", job_id, "--timeout", "20")
        quiet_api.post(job_id, "cancel")
        assert watching.result().exit_code == 3


def test_ctrl_c_ends_it_with_status_130_and_leaves_the_job_alone(quiet_api):
    job_id = quiet_api.create(job("document_analysis", TEXT))["id"]
    process = started(quiet_api, "watch", job_id, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert b"not started" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in output
    assert quiet_api.job(job_id)["status"] == "pending"


@pytest.mark.skipif(sys.platform != "linux", reason="reads a pseudo terminal as Linux gives it")
def test_on_a_terminal_a_question_is_asked_and_a_no_leaves_the_jobs_alone(quiet_api):
    ids = [quiet_api.create(job("document_analysis", TEXT))["id"] for _ in range(2)]
    ours, theirs = pty.openpty()
    process = started(quiet_api, "jobs", "delete", *ids, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 1000)
    assert b"Delete 2 jobs" in said
    os.write(ours, b"n\n")
    assert process.wait(timeout=20) == 1
    os.close(ours)
    assert {quiet_api.job(each)["status"] for each in ids} == {"pending"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads a pseudo terminal as Linux gives it")
def test_a_terminal_gets_bars_and_colours(api):
    job_id = api.launch(parent(job(payload=waiting(0.5)), name="Report"))
    ours, theirs = pty.openpty()
    process = started(api, "watch", job_id, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = bytearray()

    def has_ended() -> bool:
        try:
            said.extend(os.read(ours, 10_000))
        except OSError:  # Linux says EIO once nobody has the other end open
            return process.poll() is not None
        return False

    wait_until(has_ended, timeout_s=20)
    os.close(ours)
    assert process.returncode == 0
    text = said.decode()
    assert "━" in text
    assert "\x1b[" in text
    assert "Report" in text.rpartition("━")[2]
