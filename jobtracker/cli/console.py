"""Where the command line writes: colours and live bars on a terminal, plain lines elsewhere."""

import os

from rich.console import Console
from rich.text import Text

from jobtracker.cli.sanitize import plain

_PLAIN_WIDTH = 120


def output_console() -> Console:
    """Standard output."""
    console = Console(highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _PLAIN_WIDTH
    return console


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def print_error(error: Exception) -> None:
    """Say on standard error what went wrong."""
    error_console().print(
        Text("Error: ", "bold red").append(Text(plain(str(error)), "default not bold")), soft_wrap=True
    )
