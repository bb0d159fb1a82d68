"""Waits for a job on the command line. The exit status says how the job ended."""

import typer
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.exit_codes import exit_status_of
from jobtracker.cli.live_view import tree_view
from jobtracker.cli.tables import print_json_line
from jobtracker.cli.tree_view import print_tree
from jobtracker.client import Client
from jobtracker.core.lifecycle import Status
from jobtracker.schemas.jobs import JobTree


def wait_for(client: Client, job_id: str, timeout_s: float | None, *, as_json: bool) -> None:
    """Show a job and everything below it until it has settled: live, then its tree; or a line of JSON a change.

    Raises:
        typer.Exit: It has settled; the status says how.
        JobTimeoutError: It has not, in time.
    """
    changes = client.watch(job_id, timeout_s=timeout_s)
    if as_json:
        for tree in changes:
            print_json_line(tree)
    else:
        console = output_console()
        with tree_view(console) as view:
            for number, tree in enumerate(changes):
                if number == 0:
                    _hint(tree)
                view.update(tree)
        print_tree(console, tree)
    raise typer.Exit(exit_status_of(tree.status))


def _hint(tree: JobTree) -> None:
    if tree.status is Status.PENDING and tree.run == 0:
        text = f"It was not started: `jobtracker jobs start {tree.id}` does it."
        error_console().print(Text(text, "dim"), soft_wrap=True)
