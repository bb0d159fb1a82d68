"""Replaces itself by a command that cannot outlive the process that started it.

Run as a script: `python exec_with_parent.py PARENT_PID COMMAND [ARGUMENT …]`. The process id stays the same.

On Linux the kernel is asked to kill the command when its parent dies (`PR_SET_PDEATHSIG`, see prctl(2)). That request
belongs to the child and survives the exec, so it is made here, in a process of one thread, and not between the fork
and the exec of a parent that may hold any lock. Elsewhere the command simply runs.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent_pid, *command = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent_pid):
        sys.exit("The process that started this one died before the two could be tied together.")
    # The interpreter ignores these two, and what is ignored stays so across an exec.
    for signal_number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signal_number, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 -- there is no shell to be wanted


if __name__ == "__main__":
    main()
