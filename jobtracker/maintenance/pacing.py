"""Pauses between steps of maintenance, so that it hardly slows down reports."""

import time

_PAUSE = 1.1
"""The length of a pause, as a multiple of the time that the step before it took: longer if the server is busy."""


def pause_after(began: float) -> None:
    """Pause after a step that began at a time (`time.monotonic`)."""
    time.sleep((time.monotonic() - began) * _PAUSE)
