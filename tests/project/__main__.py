"""`python -m project`: what `celery -A project.worker worker` runs.

Without Celery's umbrella command, which imports whatever other packages add to it (Flower, click-repl): that takes
longer than the start of a worker.
"""

import os
import time

from celery import maybe_patch_concurrency


def shift_clock(by_s: float) -> None:
    """Let this process and its children have another time."""
    tell, tell_ns = time.time, time.time_ns
    time.time, time.time_ns = lambda: tell() + by_s, lambda: tell_ns() + int(by_s * 1e9)


def main() -> None:
    """Run a worker until it ends."""
    shift_clock(float(os.environ.get("PROJECT_CLOCK_AHEAD_S", "0")))
    maybe_patch_concurrency()  # before anything else is imported, as in celery/__main__.py
    from celery.bin.base import CLIContext
    from celery.bin.worker import worker

    from project.worker import app

    worker.main(obj=CLIContext(app=app, no_color=False, workdir=None, quiet=False))


if __name__ == "__main__":
    main()
