"""What the suite's workers run; pytest-celery copies this module to where they are."""

import time
from typing import Any

from celery import Task, shared_task

from jobtracker import current_job


@shared_task(name="succeed")
def succeed(value: Any) -> Any:
    """Return the value."""
    current_job().progress(1, 1)
    return value


@shared_task(name="fail")
def fail() -> None:
    """Raise."""
    raise ValueError("as asked")


@shared_task(name="flaky", bind=True)
def flaky(self: Task) -> str:
    """Succeed at the second attempt."""
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("not yet"), countdown=0.05)
    return "second attempt"


@shared_task(name="collect")
def collect(results: list[Any]) -> list[Any]:
    """Return the results of a chord's header."""
    return results


@shared_task(name="sleep")
def sleep(seconds: float) -> None:
    """Take so long."""
    time.sleep(seconds)
