"""Child processes that end when they are told to, and with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from jobtracker.errors import JobTrackerError

_EXEC_WITH_PARENT = Path(__file__).with_name("exec_with_parent.py")
_POLL_INTERVAL_S = 0.05


class ProcessError(JobTrackerError):
    """A child process could not be started, did not become ready, or ended on its own."""


def never() -> bool:
    """False: nothing is urgent, nothing is awaited."""
    return False


def ending_of(status: int) -> str:
    """An exit status in words; negative: the signal that killed the process."""
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def go_on() -> None:
    """Nothing: what is waited for may take its time."""


class ChildProcess:
    """One child in a session of its own, with its output in a log file.

    The session keeps a terminal's Ctrl-C away from the child: its parent decides when and in which order children
    end. On Linux the kernel kills the child when the parent dies by any means, SIGKILL included. It watches the
    parent's *thread*, so this holds for children that were started from the main thread; others, and all on other
    systems, end by `stop` only.

    Args:
        name: What messages call it.
        argv: The command and its arguments.
        log_path: Where stdout and stderr go; only this user may read it. A log of an earlier run is kept beside it as
            `….1`.
        cwd: The folder it runs in; the current one by default.
        env: Its whole environment; this process's own by default.
        inherited_fds: File descriptors that it gets besides the standard three.
        umask: The permissions that the files it makes lack, as `os.umask` takes them; this process's own by default.
        stop_steps: How to end it: each signal with its time to obey in seconds. SIGKILL comes last, of itself.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log_path: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        inherited_fds: Sequence[int] = (),
        umask: int = -1,
        stop_steps: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10.0),),
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._argv = list(argv)
        self._cwd = cwd
        self._env = env
        self._inherited_fds = inherited_fds
        self._umask = umask
        self._stop_steps = stop_steps
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the command.

        Raises:
            ProcessError: The log file cannot be written.
        """
        argv = self._argv
        if threading.current_thread() is threading.main_thread():
            argv = [sys.executable, "-I", "-S", str(_EXEC_WITH_PARENT), str(os.getpid()), *argv]
        try:
            self.log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.log_path.exists():
                self.log_path.replace(f"{self.log_path}.1")
            log = os.fdopen(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        except OSError as error:
            raise ProcessError(f"{self.log_path}: cannot be written: {error.strerror}") from error
        with log:
            self._process = subprocess.Popen(  # noqa: S603 -- the command is the caller's, no shell reads it
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._env,
                pass_fds=self._inherited_fds,
                umask=self._umask,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Its process id, which is its process group's too; None while it is not started."""
        return None if self._process is None else self._process.pid

    def exit_status(self) -> int | None:
        """Its exit status, negative for the signal that killed it; None while it runs or before it has started."""
        return None if self._process is None else self._process.poll()

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            ProcessError: It has ended on its own; the message ends with the last lines of its log.
        """
        status = self.exit_status()
        if status is not None:
            ending = ending_of(status)
            raise ProcessError(f"The {self.name} {ending}.\n{self.log_tail()}")

    def wait_until_ready(
        self, is_ready: Callable[[], bool], *, timeout_s: float, on_wait: Callable[[], None] = go_on
    ) -> None:
        """Wait until `is_ready()`, calling `on_wait()` again and again: what that raises ends the waiting.

        Raises:
            ProcessError: It ended, or the time is over; the message ends with the last lines of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            self.check()
            on_wait()
            if time.monotonic() > deadline:
                raise ProcessError(f"The {self.name} was not ready after {timeout_s:g} s.\n{self.log_tail()}")
            time.sleep(_POLL_INTERVAL_S)

    def stop(self, *, is_urgent: Callable[[], bool] = never) -> int | None:
        """End it, and all other processes of its process group.

        Args:
            is_urgent: Asked again and again; once it is true the waiting is over and the rest is killed.

        Returns:
            Its exit status; None when it had not been started.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            for signal_number, grace_s in self._stop_steps:
                deadline = time.monotonic() + grace_s
                if process.poll() is None and not is_urgent():
                    process.send_signal(signal_number)
                while process.poll() is None and time.monotonic() < deadline and not is_urgent():
                    time.sleep(_POLL_INTERVAL_S)
        finally:
            # The group outlives its leader: this also ends what the child has left behind.
            # When nobody is left, Linux says ESRCH, and macOS EPERM.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode

    def log_tail(self, line_count: int = 20) -> str:
        """The last lines of its log, under a heading that names the file."""
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()[-line_count:]
        except OSError:
            lines = []
        return "\n".join([f"The end of {self.log_path}:", *(f"  {line}" for line in lines or ["(empty)"])])
