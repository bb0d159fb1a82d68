"""Work in a process of its own: what comes back of it, and that no input takes more than its budget."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from support.confined_work import LONG_TEXT, confined_processes
from support.liveness import is_alive, wait_until

from workers.confined.budget import Budget
from workers.confined.caller import close_idle, run_confined
from workers.errors import InputError, NotFoundError, OverBudgetError, WorkFailedError

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The temporary folder, in which nothing may be left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    close_idle()
    yield tmp_path
    close_idle()
    assert list(tmp_path.iterdir()) == []


def checksum(text="x", **more):
    return run_confined("checksum:run", payload={"text": text}, algorithm=more.pop("algorithm", "sha256"), **more)


def test_a_process_is_kept_for_the_next_work():
    assert checksum()["digest"] == checksum()["digest"]
    [before] = confined_processes()
    run_confined("data_processing:run", payload={"rows": [{"a": 1}]})
    assert confined_processes() == {before}


def test_what_the_work_refuses_is_raised_as_it_was():
    with pytest.raises(NotFoundError, match="there is no 'nothing'"):
        run_confined("checksum:run", payload={"document_id": "nothing"}, algorithm="sha256")
    assert len(confined_processes()) == 1


def test_a_payload_that_does_not_fit_is_refused_without_its_values():
    with pytest.raises(
        InputError, match=r"the payload does not fit\. max_rows: .* greater than or equal to 0"
    ) as caught:
        run_confined("data_processing:run", payload={"rows": [{"secret": "x"}], "max_rows": -5})
    assert "-5" not in str(caught.value)


def test_what_nobody_foresaw_is_raised_with_its_traceback():
    with pytest.raises(WorkFailedError, match=r"\AValueError") as caught:
        checksum(algorithm="rot13")
    assert "workers/work/checksum.py" in caught.value.__notes__[0]
    assert "rot13" not in str(caught.value.__notes__)  # it may be of somebody's document
    assert confined_processes() == set()


def test_a_process_that_can_not_be_started_leaves_nothing(folder, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", fail)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="Too many open files"):
        checksum()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", ["", "\ud800", "a\0b", "naïve 日本語 🎈", "a\ud83d " * 200, "x" * 3_000_000])
def test_any_text_gets_there_and_back(text):
    found = run_confined("document_analysis:run", payload={"text": text}, results=None)
    assert found["statistics"]["characters"] == len(text)


def test_memory_beyond_the_budget_is_not_to_be_had_and_what_was_taken_is_free_again():
    with pytest.raises(OverBudgetError, match=r"used more than 64 MB of memory \(JOB_MEMORY_MB\)"):
        run_confined(
            "medication_extraction:run",
            payload={"text": "Aspirin 81 mg daily. " * 60_000},
            budget=Budget(job_memory_mb=64),
        )
    assert confined_processes() == set()


def test_cpu_time_beyond_the_budget_is_not_to_be_had():
    with pytest.raises(OverBudgetError, match=r"used more than 1 s of CPU time \(JOB_CPU_S\)"):
        run_confined("entity_extraction:run", payload={"text": LONG_TEXT}, budget=Budget(job_cpu_s=1))
    assert confined_processes() == set()


def test_the_cpu_time_of_earlier_work_does_not_count():
    def used_s() -> float:
        [process] = confined_processes()
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")

    checksum()
    while used_s() < 3:
        run_confined("medication_extraction:run", payload={"text": LONG_TEXT[:300_000]}, budget=Budget(job_cpu_s=1))


def test_time_beyond_the_budget_is_not_to_be_had():
    with pytest.raises(OverBudgetError, match=r"took longer than 0\.5 s \(JOB_WALL_S\)"):
        run_confined("entity_extraction:run", payload={"text": LONG_TEXT}, budget=Budget(job_wall_s=0.5))
    assert confined_processes() == set()


def test_a_process_that_is_killed_fails_its_job_alone():
    checksum()
    [process] = confined_processes()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not is_alive(process))
    assert checksum()["characters"] == 1  # one that died idle is replaced
    [process] = confined_processes()
    pid = os.fork()
    if pid == 0:
        time.sleep(0.5)
        os.kill(process, signal.SIGABRT)
        os._exit(0)
    with pytest.raises(WorkFailedError, match="was killed by SIGABRT; it may have needed more than 1024 MB"):
        run_confined("entity_extraction:run", payload={"text": LONG_TEXT})
    os.waitpid(pid, 0)
    assert checksum()["characters"] == 1


def test_passwords_are_not_passed_on(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://:secret@localhost")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:secret@localhost")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_API_KEY", "CLOUDSDK_CONFIG", "STORAGE_EMULATOR_HOST"):
        monkeypatch.setenv(name, "/secret.json")
    monkeypatch.setenv("GCS_BUCKET_NAME", "secret")
    checksum()
    [process] = confined_processes()
    assert b"secret" not in Path(f"/proc/{process}/environ").read_bytes()


def test_the_folder_of_a_process_that_died_with_its_worker_is_removed_by_the_next(folder):
    code = f"""
import tempfile; tempfile.tempdir = {str(folder)!r}
from workers.confined.caller import run_confined

run_confined("checksum:run", payload={{"text": "x"}}, algorithm="sha256")
print("ready", flush=True)
input()
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        [process] = confined_processes(worker.pid)
        worker.kill()
    wait_until(lambda: not is_alive(process))
    [left] = folder.iterdir()
    checksum()
    assert left in folder.iterdir()  # it may be one that is about to be locked
    os.utime(left, (0, 0))
    close_idle()
    checksum()
    assert left not in folder.iterdir()
