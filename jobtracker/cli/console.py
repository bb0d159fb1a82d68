"""Where the command line writes: colours and live bars on a terminal, plain and whole lines elsewhere."""

from rich.console import Console
from rich.text import Text

from jobtracker.cli.sanitize import plain

_UNLIMITED = 1_000_000
"""Columns: a file or a pipe takes a line of any length, so nothing is cut or wrapped there."""


def output_console() -> Console:
    """Standard output."""
    return _fitted(Console(highlight=False))


def error_console() -> Console:
    """Standard error."""
    return _fitted(Console(stderr=True, highlight=False))


def has_limit(console: Console) -> bool:
    """Whether lines have to fit a width: that of a terminal."""
    return console.width < _UNLIMITED


def print_error(error: Exception) -> None:
    """Say on standard error what went wrong."""
    error_console().print(
        Text("Error: ", "bold red").append(Text(plain(str(error)), "default not bold")), soft_wrap=True
    )


def _fitted(console: Console) -> Console:
    if not console.file.isatty():  # even if FORCE_COLOR, TTY_COMPATIBLE or COLUMNS say otherwise
        console.width = _UNLIMITED
    return console
