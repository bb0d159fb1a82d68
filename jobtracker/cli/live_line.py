"""A line on standard error that says how far something is, while it lasts; on a terminal only."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jobtracker.cli.console import error_console

_EVERY_S = 0.2


@contextmanager
def live_line(text: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """Show a line as long as this context lasts; what it gives is to be called often, and writes it anew at times."""
    console = error_console()
    if not console.is_terminal:
        yield lambda: None
        return
    with console.status(text()) as status:
        next_at = 0.0

        def tick() -> None:
            nonlocal next_at
            if time.monotonic() >= next_at:
                next_at = time.monotonic() + _EVERY_S
                status.update(text())

        yield tick
