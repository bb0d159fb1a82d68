"""`jobtracker demo`: a document job with two sub-jobs, from an empty store to its finished tree."""

import tempfile
from contextlib import suppress
from typing import Annotated, Any

import typer

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.live_view import tree_view
from jobtracker.cli.tree_view import outcome, print_tree, walk
from jobtracker.client import ApiUnavailableError, Client
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.errors import JobTrackerError
from jobtracker.local.stack import LocalStack
from jobtracker.local.supervisor import StopRequestedError, stop_on_signals
from jobtracker.schemas.jobs import JobTree

_INTERRUPTED = 130
_PAYLOAD = {"document_id": "doc456"}
_NAME = "Complex Document Processing"
_SUB_JOBS: list[dict[str, Any]] = [
    {"name": "Extract Entities", "job_type": "entity_extraction", "payload": _PAYLOAD},
    {"name": "Extract Medications", "job_type": "medication_extraction", "payload": _PAYLOAD},
]


class DemoFailedError(JobTrackerError):
    """The demonstration failed. The message says which jobs and why."""


def demo(
    timeout_s: Annotated[float, typer.Option(help="How long the jobs may take, in seconds.", min=1)] = 120,
    keep: Annotated[
        bool, typer.Option("--keep", help="Then keep the page with the jobs open, until Ctrl-C.")
    ] = False,
) -> None:
    """Run a document job of the sample project and show its tree; this needs a checkout."""
    console = output_console()
    with tempfile.TemporaryDirectory(prefix="jobtracker-demo-") as data_dir:
        stack = LocalStack(data_dir)
        with stop_on_signals(stack.supervisor.request_stop):
            try:
                console.print("Starting Redis, a worker and the API …")
                with stack:
                    console.print(f"POST {stack.api_url}/api/jobs/with-subjobs: {_NAME}", soft_wrap=True)
                    tree = _run_job(stack, timeout_s)
                    print_tree(console, tree)
                    if keep:
                        _keep(stack, tree)
            except StopRequestedError:
                error_console().print("Interrupted: all has ended.")
                raise typer.Exit(_INTERRUPTED) from None
    _check(tree, timeout_s)


def _keep(stack: LocalStack, tree: JobTree) -> None:
    """Say where the page of the tree is, and wait until the end is asked for."""
    console = output_console()
    console.print(f"Its page: {stack.api_url}/jobs/{tree.id}", soft_wrap=True)
    console.print("Ctrl-C ends all of it.")
    with suppress(StopRequestedError):
        stack.supervisor.watch()


def _run_job(stack: LocalStack, timeout_s: float) -> JobTree:
    """Submit the job, show its progress, and return its tree when it has settled or the time is over."""
    with Client(stack.api_url, timeout_s=30) as client:
        tree = client.create_tree(
            "document_analysis", _PAYLOAD, name=_NAME, priority="high", sub_jobs=_SUB_JOBS, start=True
        )
        with tree_view(output_console()) as view:

            def has_settled() -> bool:
                nonlocal tree
                with suppress(ApiUnavailableError):  # a busy machine: it is asked again, and what ends is noticed
                    tree = client.tree(tree.id)
                view.update(tree)
                return tree.status in SETTLED

            stack.supervisor.watch(until=has_settled, timeout_s=timeout_s)
    return tree


def _check(tree: JobTree, timeout_s: float) -> None:
    """Raise unless every job has completed."""
    unfinished = [job for _, job in walk(tree) if job.status is not Status.COMPLETED]
    if unfinished:
        lines = [f"{job.name}: {job.status}. {outcome(job)}".rstrip() for job in unfinished]
        heading = "" if tree.status in SETTLED else f"The jobs were not done after {timeout_s:g} s.\n"
        raise DemoFailedError(heading + "\n".join(lines))
