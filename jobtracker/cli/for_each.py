"""Runs one action for several jobs. An error for one job does not stop the others."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import typer
from rich.text import Text

from jobtracker.cli.console import output_console, print_error
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import print_json, status_text
from jobtracker.client import ApiUnavailableError
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.jobs import Job

T = TypeVar("T")


def for_each(
    job_ids: Sequence[str],
    act: Callable[[str], T],
    show: Callable[[T], None],
    *,
    as_json: bool,
    as_array: bool = False,
) -> None:
    """Run an action for each job and show the outcome. Errors are printed on stderr.

    JSON is printed once, at the end: an object for one job, an array for several, or always with `as_array`.

    Raises:
        typer.Exit: Something could not be done: status 1.
        ApiUnavailableError: The API is away; the jobs that are left were not tried.
    """
    done: list[T] = []
    failed = False
    for job_id in dict.fromkeys(job_ids):
        try:
            outcome = act(job_id)
        except ApiUnavailableError:
            raise
        except JobTrackerError as error:
            print_error(error)
            failed = True
        else:
            if as_json:
                done.append(outcome)
            else:
                show(outcome)
    if as_json and (as_array or len(job_ids) > 1):
        print_json(done)
    elif as_json and done:
        print_json(done[0])
    if failed:
        raise typer.Exit(ExitStatus.FAILED)


def print_status(job: Job, note: str = "") -> None:
    """A line with a job's status and a note."""
    line = Text(f"{job.id}  ").append(status_text(job)).append(f"  {one_line(job.name)}")
    if note:
        line.append(f"  {one_line(note)}", "dim")
    output_console().print(line, soft_wrap=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before an action that can't be undone.

    Raises:
        typer.BadParameter: There is nobody to ask.
        typer.Abort: The answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Nobody is there to answer: say --yes.")
    typer.confirm(question, abort=True, err=True)
