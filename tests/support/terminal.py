"""Commands on a terminal: a real one, of a given width."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def shown_on_terminal(columns: int, *arguments: str, env: dict[str, str] | None = None) -> list[str]:
    """The lines that `jobtracker` shows on a terminal of so many columns, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    unset = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [sys.executable, "-m", "jobtracker.cli", *arguments],
        env={**environment, "TERM": "xterm", **(env or {})},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    output = _read(ours)
    os.close(ours)
    assert process.wait(30) == 0, output
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).replace("\r\n", "\n").splitlines()


def _read(terminal: int) -> str:
    """All that is written to a terminal until nobody has it open any more."""
    text = b""
    with contextlib.suppress(OSError):  # as Linux says so
        while some := os.read(terminal, 65536):
            text += some
    return text.decode()
