"""A small project of a user, checked by `mypy --strict` against what is installed."""

import logging

from celery import Celery  # type: ignore[import-untyped]

import jobtracker
from jobtracker import AsyncClient, Client, CurrentJob, Priority, Settings, Status, Tracker, current_job, tracked
from jobtracker.client import ApiError, ApiUnavailableError, JobTimeoutError
from jobtracker.errors import JobNotFoundError, JobTrackerError
from jobtracker.logging import json_handler
from jobtracker.schemas import Explanation, Job, JobTree, Stats
from jobtracker.server import create_app
from jobtracker.settings import SettingsError
from jobtracker.testing import TrackedJobs

app = Celery("shop", broker="redis://localhost")
tracker = Tracker(app, Settings(redis_url="redis://localhost"))
version: str = jobtracker.__version__
json_handler(logging.StreamHandler(), "shop")
api = create_app()
errors: tuple[type[JobTrackerError], ...] = (ApiError, ApiUnavailableError, JobTimeoutError, SettingsError)


@tracker.task("invoice", mask=["card"])
def invoice(customer: str, card: str) -> str:
    """Write an invoice."""
    job: CurrentJob = current_job()
    for _ in job.track(range(3), note=customer):
        job.raise_if_cancelled()
    return card


@tracked("report")
def report(results: list[str]) -> int:
    """Count invoices."""
    return len(results)


def looks(client: Client, job_id: str) -> tuple[Status, Explanation, Stats] | None:
    """Look at a job."""
    try:
        job: Job = client.wait(job_id, timeout_s=1.5)
        tree: JobTree = client.create_tree("report", {}, sub_jobs=[], priority=Priority.HIGH, start=True)
        children: list[JobTree] = tree.sub_jobs
        return (children[0].status if children else job.status), client.explain(job_id), client.stats()
    except JobNotFoundError as error:
        logging.getLogger("shop").info(error.job_id)
        return None


async def looks_too(client: AsyncClient) -> list[str]:
    """Look at all jobs."""
    return [job.id async for job in client.jobs(status="failed")]


def test_invoice(tracked_jobs: TrackedJobs) -> None:
    """A test of a user's."""
    tree: JobTree = tracked_jobs.run("invoice", {"customer": "ada", "card": "1"})
    assert tree.status == Status.COMPLETED
