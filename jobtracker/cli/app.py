"""All commands together."""

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from jobtracker.cli import (
    api,
    demo,
    doctor,
    explain,
    health,
    history,
    job_types,
    jobs,
    logs,
    queues,
    repartition,
    stats,
    tree,
    up,
    watch,
    worker,
    workers,
)
from jobtracker.cli.consoles import print_error
from jobtracker.cli.outcomes import ExitStatus
from jobtracker.client import JobTimeoutError
from jobtracker.core.version import package_version
from jobtracker.errors import JobTrackerError, without_prefix

_RUN = "Run it"
_JOBS = "Jobs"
_FIGURES = "What there is"
_STORE = "The store"


class Commands(TyperGroup):
    """A group of commands that shows one of our errors as a message, and not as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except JobTrackerError as error:
            print_error(error)
            timed_out = isinstance(error, JobTimeoutError)
            raise typer.Exit(ExitStatus.TIMED_OUT if timed_out else ExitStatus.FAILED) from error
        except typer.BadParameter as error:
            error.message = without_prefix(error.message)
            raise


app = typer.Typer(
    name="jobtracker",
    cls=Commands,
    help="The durable, exact record of every Celery job.",
    epilog="Exit status: 0 done or completed, 1 failed, 2 wrong usage, 3 cancelled, 124 timeout, 130 interrupted, "
    "141 nobody reads its output.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: dict[str, list[Callable[..., None]]] = {
    _RUN: [up.up, demo.demo, api.api, worker.worker],
    _JOBS: [tree.tree, watch.watch, explain.explain, history.history, logs.logs],
    _FIGURES: [stats.stats, workers.workers, queues.queues, job_types.types, health.health, doctor.doctor],
    _STORE: [repartition.repartition],
}
for panel, commands in _COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(jobs.app, rich_help_panel=_JOBS)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"jobtracker {package_version()}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command that the arguments name; where nobody reads what it says, it ends quietly, with status 141."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except (SystemExit, BrokenPipeError) as error:
        # rich and typer make it a SystemExit(1) (rich/console.py, on_broken_pipe; typer/core.py, _main).
        if not any(isinstance(each, BrokenPipeError) for each in (error, error.__context__)):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the end
        sys.exit(ExitStatus.NO_READER)
