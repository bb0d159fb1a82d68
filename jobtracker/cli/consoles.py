"""Where the command line writes: colours and live bars on a terminal, plain lines elsewhere."""

from rich.console import Console

_PLAIN_WIDTH = 120


def output_console() -> Console:
    """Standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)
