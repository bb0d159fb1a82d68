"""Runs a worker, and kills it when it hangs: `python -m workers.watchdog`, with the options of `python -m workers`.

What runs containers starts one again that ends, but not one that is unhealthy. A worker that hangs, or was stopped by
a signal, can't end itself: it needs a parent.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from jobtracker.local import exec_with_parent as tether
from workers.running import LIVENESS_INTERVAL_S, RunSettings

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
_HUNG = 70
"""The exit status when the worker was killed (EX_SOFTWARE of sysexits.h)."""


class Liveness:
    """Whether a file is renewed, by the looks that were taken at it.

    It counts looks and not seconds: while a whole machine or container is paused, nobody looks. A file that is not
    there says nothing: the worker starts, stops, or has lost its broker.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen_ns: int | None = None
        self.same_looks = 0

    def look(self) -> None:
        """Look at the file once more."""
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except OSError:
            changed_ns = None
        is_same = changed_ns is not None and changed_ns == self._seen_ns
        self.same_looks = self.same_looks + 1 if is_same else 0
        self._seen_ns = changed_ns


def main(options: list[str]) -> int:
    """Run a worker until it ends, or hangs; returns the exit status."""
    settings = RunSettings.of_process()
    if settings.worker_liveness_file is None:
        raise SystemExit("WORKER_LIVENESS_FILE: must be set, or nobody can see whether the worker hangs.")
    settings.worker_liveness_file.unlink(missing_ok=True)  # of one that was killed
    command = [sys.executable, "-m", "workers", *options]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
    worker = subprocess.Popen(command, start_new_session=True)  # noqa: S603 -- no shell; signals come from here only

    def forward(number: int, _frame: FrameType | None) -> None:
        if worker.poll() is None:
            worker.send_signal(number)

    for each in _FORWARDED:
        signal.signal(each, forward)
    liveness = Liveness(settings.worker_liveness_file)
    while True:
        try:
            status = worker.wait(LIVENESS_INTERVAL_S)
        except subprocess.TimeoutExpired:
            liveness.look()
            if liveness.same_looks * LIVENESS_INTERVAL_S >= settings.worker_hung_s:
                _kill(worker, settings.worker_hung_s)
                return _HUNG
        else:
            return 128 - status if status < 0 else status


def _kill(worker: "subprocess.Popen[bytes]", hung_s: float) -> None:
    """Kill the worker with the processes of its pool."""
    message = f"The worker does not answer for {hung_s:g} s (WORKER_HUNG_S): it is killed, and has to be started."
    line = {"level": "CRITICAL", "logger": "workers.watchdog", "message": message, "service": "workers"}
    line["time"] = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
