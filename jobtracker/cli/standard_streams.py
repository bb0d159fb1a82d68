"""Standard input and output as streams of bytes."""

import contextlib
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
        raise BackupFileError(f"Standard output was not written: {error.strerror or error}.") from error


def standard_input() -> IO[bytes]:
    """Standard input, for what is no text.

    Raises:
        typer.BadParameter: It is a terminal.
    """
    if sys.stdin.isatty():
        raise typer.BadParameter("Standard input is a terminal: send a backup to it, or name a file.")
    return cast(IO[bytes], sys.stdin.buffer)
