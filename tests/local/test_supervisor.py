"""Child processes and the supervisor, with small real processes."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.liveness import is_alive, wait_until

from jobtracker.local import exec_with_parent as tether_module
from jobtracker.local.child_process import ChildProcess, ProcessError
from jobtracker.local.supervisor import StopRequestedError, Supervisor, stop_on_signals

READY = "print('ready', flush=True)\n"
SLEEP = f"import time\n{READY}time.sleep(60)"
STUBBORN = f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{READY}time.sleep(60)"
QUIET_END = f"import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n{READY}time.sleep(60)"


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., ChildProcess]]:
    """Start Python code as a child, ready once it says so."""
    children = []

    def start_child(code: str, name: str = "child", **options) -> ChildProcess:
        child = ChildProcess(name, [sys.executable, "-c", code], log_path=tmp_path / f"{name}.log", **options)
        child.start()
        children.append(child)
        child.wait_until_ready(lambda: "ready" in child.log_path.read_text(), timeout_s=10)
        return child

    yield start_child
    for child in children:
        child.stop(is_urgent=lambda: True)


def test_a_child_that_obeys_ends_by_itself(start):
    assert start(QUIET_END).stop() == 0


def test_a_child_that_does_not_obey_is_killed_when_its_time_is_over(start):
    child = start(STUBBORN, stop_steps=[(signal.SIGTERM, 0.2)])
    assert child.stop() == -signal.SIGKILL


def test_a_child_gets_each_signal_in_turn(start):
    child = start(STUBBORN, stop_steps=[(signal.SIGTERM, 0.2), (signal.SIGINT, 10)])
    assert child.stop() == -signal.SIGINT


def test_an_urgent_stop_does_not_wait(start):
    child = start(STUBBORN, stop_steps=[(signal.SIGTERM, 60)])
    assert child.stop(is_urgent=lambda: True) == -signal.SIGKILL


def test_stopping_twice_or_before_the_start_does_nothing(start, tmp_path):
    child = start(SLEEP)
    child.stop()
    assert child.stop() is None
    assert ChildProcess("child", ["true"], log_path=tmp_path / "log").stop() is None


def test_what_a_child_leaves_behind_is_ended_with_it(start):
    grandchild = f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])"
    child = start(f"import subprocess, sys\nprint({grandchild}.pid, flush=True)\n{SLEEP}")
    grandchild_pid = int(child.log_path.read_text().split()[0])
    assert is_alive(grandchild_pid)
    child.stop()
    wait_until(lambda: not is_alive(grandchild_pid))


def test_a_child_is_in_a_session_of_its_own_and_keeps_its_process_id(start):
    child = start(f"import os\nprint(os.getpid(), flush=True)\n{SLEEP}")
    assert int(child.log_path.read_text().split()[0]) == child.pid
    assert os.getsid(child.pid) == child.pid


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_ignores_none_of_the_signals_that_an_interpreter_ignores(tmp_path):
    # What is ignored stays so across an exec; others, such as nohup's, are the caller's wish.
    child = ChildProcess("child", ["sleep", "60"], log_path=tmp_path / "log")
    child.start()
    try:
        process = Path(f"/proc/{child.pid}")
        wait_until(lambda: (process / "comm").read_text() == "sleep\n")
        [ignored] = re.findall(r"^SigIgn:\s+(\w+)$", (process / "status").read_text(), re.MULTILINE)
        assert int(ignored, 16) & sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ)) == 0
    finally:
        child.stop()


def test_a_child_started_from_a_thread_survives_the_thread(tmp_path):
    child = ChildProcess("child", [sys.executable, "-c", SLEEP], log_path=tmp_path / "log")
    thread = threading.Thread(target=child.start)
    thread.start()
    thread.join()
    child.wait_until_ready(lambda: "ready" in child.log_path.read_text(), timeout_s=10)
    child.check()
    child.stop()


def test_a_child_that_ended_is_reported_with_its_status_and_the_end_of_its_log(start):
    child = start(READY + "raise SystemExit('out of paper')", name="printer")
    with pytest.raises(ProcessError, match=r"(?s)^The printer ended with status 1\..*printer\.log.*out of paper"):
        wait_until(lambda: child.check() is not None)


def test_a_child_that_was_killed_is_reported_with_the_signal(start):
    child = start(SLEEP)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ProcessError, match=r"was killed by SIGKILL"):
        wait_until(lambda: child.check() is not None)


def test_a_child_that_is_not_ready_in_time_is_reported(start):
    child = start(SLEEP)
    with pytest.raises(ProcessError, match=r"not ready after 0\.1 s"):
        child.wait_until_ready(lambda: False, timeout_s=0.1)


def test_the_log_of_the_run_before_is_kept(start, tmp_path):
    start(READY + "print('first', flush=True)").stop()
    start(READY + "print('second', flush=True)").stop()
    assert "first" in (tmp_path / "child.log.1").read_text()
    assert "first" not in (tmp_path / "child.log").read_text()


def test_a_log_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    child = ChildProcess("child", ["true"], log_path=tmp_path / "file" / "log")
    with pytest.raises(ProcessError, match="cannot be written"):
        child.start()


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def test_the_last_service_ends_first(start, supervisor, tmp_path):
    note_the_end = (
        "import signal, sys, time\n"
        "def end(*_):\n    open({path!r}, 'a').write({name!r}); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, end)\n{READY}time.sleep(60)"
    )
    path = str(tmp_path / "ends")
    for name in "abc":
        supervisor.add(start(note_the_end.format(path=path, name=name), name=name))
    supervisor.stop()
    assert Path(path).read_text() == "cba"


def test_an_error_in_one_ending_does_not_spare_the_others(start, supervisor):
    class Unstoppable:
        def check(self):
            pass

        def stop(self, **_):
            raise ProcessError("no")

    child = start(SLEEP)
    pid = child.pid
    supervisor.add(child)
    supervisor.add(Unstoppable())
    with pytest.raises(ProcessError, match="no"):
        supervisor.stop()
    assert not is_alive(pid)


def test_watching_ends_when_a_service_dies(start, supervisor):
    child = start(SLEEP, name="worker")
    supervisor.add(start(SLEEP, name="api"))
    supervisor.add(child)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ProcessError, match="The worker was killed by SIGKILL"):
        supervisor.watch(timeout_s=10)


def test_watching_says_whether_what_it_waited_for_came_true(supervisor):
    assert supervisor.watch(until=lambda: True) is True
    assert supervisor.watch(until=lambda: False, timeout_s=0.05) is False


def test_watching_ends_on_request(supervisor):
    supervisor.request_stop()
    with pytest.raises(StopRequestedError):
        supervisor.watch(timeout_s=10)


def test_a_second_request_kills_what_still_takes_its_time(start, supervisor):
    child = start(STUBBORN, stop_steps=[(signal.SIGTERM, 60)])
    pid = child.pid
    supervisor.add(child)
    supervisor.request_stop()
    again = threading.Timer(0.6, supervisor.request_stop)
    again.start()
    supervisor.stop()
    again.join()
    assert not is_alive(pid)


def test_a_signal_that_comes_twice_at_once_is_one_request(start, supervisor):
    child = start(QUIET_END)
    supervisor.add(child)
    supervisor.request_stop()
    supervisor.request_stop()
    process = child._process
    supervisor.stop()
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_request_to_stop(supervisor, number):
    before = signal.getsignal(number)
    with stop_on_signals(supervisor.request_stop):
        os.kill(os.getpid(), number)
        with pytest.raises(StopRequestedError):
            supervisor.watch(timeout_s=10)
    assert signal.getsignal(number) == before


def test_a_child_whose_parent_is_already_gone_does_not_begin(tmp_path):
    path = tmp_path / "begun"
    tether = Path(tether_module.__file__)
    process = subprocess.run(
        [sys.executable, tether, "0", "touch", path], check=False, capture_output=True, text=True
    )
    assert process.returncode == 1
    assert "died before" in process.stderr
    assert not path.exists()
