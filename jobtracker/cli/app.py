"""All commands together."""

import os
import sys
from typing import Annotated, Any, ClassVar

import typer

from jobtracker.cli.lazy_group import OPTIONS, Entry, LazyGroup
from jobtracker.errors import JobTrackerError, MissingExtraError, without_prefix


def _entry(name: str, summary: str, function: str = "") -> Entry:
    return Entry(f"jobtracker.cli.commands.{name}", function or name, summary)


class Commands(LazyGroup):
    """All commands. An error of jobtracker is shown as a message, without a traceback."""

    entries: ClassVar = {
        "Run it": {
            "up": _entry("up", "Run Redis, a worker and the API on this machine, until Ctrl-C."),
            "demo": _entry(
                "demo", "Run a document job of the sample project and show its tree; this needs a checkout."
            ),
            "api": _entry("api", "Run the API alone."),
            "worker": _entry(
                "worker", "Run a Celery worker of your app; without -A, a worker of the sample project."
            ),
        },
        "Jobs": {
            "jobs": _entry("jobs", "Create, list, look at, start, cancel, retry, change and delete jobs.", "app"),
            "tree": _entry("tree", "Draw a job and everything below it, with the outcome of each job."),
            "watch": _entry("watch", "Show a job and everything below it, live, until it has ended."),
            "events": _entry("events", "Print which jobs change, as they do, until Ctrl-C."),
            "explain": _entry("explain", "Say why a job is not done, or why it ended as it did."),
            "history": _entry(
                "history", "List what happened to a job: runs, deliveries, attempts, cancels, and how it ended."
            ),
            "logs": _entry("logs", "Print a job's own log: what its task wrote with `current_job().log(…)`."),
        },
        "The system": {
            "attention": _entry(
                "attention",
                "List what needs you: blocked jobs, failures, unconsumed queues, lost workers, disabled webhooks.",
            ),
            "failures": _entry("failures", "List failures by error, and mark them as resolved or ignored.", "app"),
            "stats": _entry("stats", "Count the jobs of each status, per type or per priority."),
            "workers": _entry(
                "workers",
                "List the workers that live or went within a day: what each runs, uses and has done, and which are "
                "slow.",
            ),
            "releases": _entry(
                "releases", "List the releases of your project and how their jobs did, or compare two.", "app"
            ),
            "drain": _entry(
                "drain",
                "Take workers out of service: stop consuming, say what still runs, and when it is safe to stop.",
            ),
            "queues": _entry(
                "queues",
                "List the queues: what waits in each and since when, how fast it is taken, and which workers consume "
                "it.",
            ),
            "timeline": _entry(
                "timeline",
                "List which worker ran which job when, in a span of time: what runs now, then by the end of each.",
            ),
            "types": _entry(
                "types", "List the job types that can be created, or show one type with the fields of its payload."
            ),
            "health": _entry("health", "Say whether jobs get done: Redis, the broker, and workers that consume."),
            "webhooks": _entry(
                "webhooks",
                "Tell other systems, or people, what happens: create webhooks, and look at what was sent.",
                "app",
            ),
            "audit": _entry("audit", "List who changed what, the latest first."),
            "doctor": _entry(
                "doctor", "Recount every counter and index, and look for settings that cause trouble later."
            ),
        },
        "Access": {
            "login": _entry(
                "login", "Ask for an API key, try it, and keep it for this URL, in a file that only you can read."
            ),
            "logout": Entry(
                "jobtracker.cli.commands.login",
                "logout",
                "Forget the key of a login.",
            ),
            "keys": _entry("keys", "Create, list, show, rotate and revoke API keys, in the store itself.", "app"),
        },
        "The store": {
            "backup": _entry("backup", "Write a copy of the store into a file, while everything runs."),
            "restore": _entry("restore", "Restore the store from a backup, and recount it."),
            "repartition": _entry(
                "repartition",
                "Move the store to another number of partitions, and with --from-url to another server or cluster.",
            ),
            "uninstall": _entry(
                "uninstall",
                "Remove all that jobtracker has in Redis: the keys and the function libraries of its namespace; and "
                "its objects.",
            ),
        },
    }

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except JobTrackerError as error:
            raise typer.Exit(_told(error)) from error
        except typer.BadParameter as error:
            error.message = without_prefix(error.message)
            raise


def _told(error: JobTrackerError) -> int:
    """Print an error on standard error, and return its exit status."""
    from jobtracker.cli.exit_codes import ExitStatus

    if isinstance(error, MissingExtraError):  # it may be the very package by which errors are shown
        typer.echo(f"Error: {error}", err=True)
        return ExitStatus.USAGE
    from jobtracker.cli.console import print_error
    from jobtracker.client.errors import JobTimeoutError

    print_error(error)
    return ExitStatus.TIMED_OUT if isinstance(error, JobTimeoutError) else ExitStatus.FAILED


app = typer.Typer(
    name="jobtracker",
    cls=Commands,
    help="The durable, exact record of every Celery job.",
    epilog="Exit status: 0 done or completed, 1 failed, 2 wrong usage or a missing extra, 3 cancelled, 124 timeout, "
    "130 interrupted, 141 nobody reads its output.",
    no_args_is_help=True,
    **OPTIONS,
)


def _print_version(value: bool) -> None:
    if value:
        from jobtracker.core.version import package_version

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
    """Run the command that the arguments name.

    If nobody reads its output any more, it ends quietly, with status 141.
    """
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except (SystemExit, BrokenPipeError) as error:
        # rich and typer make it a SystemExit(1) (rich/console.py, on_broken_pipe; typer/core.py, _main).
        if not any(isinstance(each, BrokenPipeError) for each in (error, error.__context__)):
            raise
        from jobtracker.cli.exit_codes import ExitStatus

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the end
        sys.exit(ExitStatus.NO_READER)
