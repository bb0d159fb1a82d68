"""Standard input and output as streams of bytes."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, cast

import typer

from jobtracker.store.backup_file import BackupFileError


@contextlib.contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Standard output, for what is no text.

    Raises:
        typer.BadParameter: It is a terminal.
        BackupFileError: It can't be written to.
    """
    if sys.stdout.isatty():
        raise typer.BadParameter("Standard output is a terminal, and a backup is no text: send it into a file.")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is in its buffer is flushed at exit, and fails again (https://docs.python.org/3/library/signal.html,
        # "Note on SIGPIPE", has the same for a pipe).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise BackupFileError(f"Standard output was not written: {error.strerror or error}.") from error


def standard_input() -> IO[bytes]:
    """Standard input, for what is no text.

    Raises:
        typer.BadParameter: It is a terminal.
    """
    if sys.stdin.isatty():
        raise typer.BadParameter("Standard input is a terminal: send a backup to it, or name a file.")
    return cast(IO[bytes], sys.stdin.buffer)
