"""Small tasks that a `custom` job can run by name, to try things out with."""

import time
from typing import Any, Literal

from jobtracker import current_job
from workers.app import tracker
from workers.documents import DocumentInput
from workers.fetching import run_on_document

_LOOK_S = 0.5
"""How often a waiting task looks whether it was cancelled."""


@tracker.task(name="workers.checksum")
def checksum(
    text: str | None = None,
    document_id: str | None = None,
    algorithm: Literal["sha256", "sha512", "blake2b"] = "sha256",
) -> dict[str, Any]:
    """Hash the text of a document, or the text itself."""
    payload = {"text": text, "document_id": document_id}
    return run_on_document("checksum:run", DocumentInput, payload, algorithm=algorithm)


@tracker.task(name="workers.wait")
def wait(seconds: float = 1.0, steps: int = 10) -> dict[str, Any]:
    """Wait, with progress and a log, until the time is over: a task to watch and to cancel."""
    job = current_job()
    for step in job.track(range(steps), note="waiting"):
        until = time.monotonic() + seconds / steps
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_S))
            job.raise_if_cancelled()
        job.log(f"step {step + 1} of {steps}")
    return {"kind": "wait", "seconds": seconds}
