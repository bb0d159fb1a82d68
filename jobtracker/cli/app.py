"""All commands together."""

import sys

import typer
from rich.markup import escape

from jobtracker.cli import demo, up
from jobtracker.cli.consoles import error_console
from jobtracker.errors import JobTrackerError

app = typer.Typer(
    name="jobtracker",
    help="The durable, exact record of every Celery job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(up.up)
app.command()(demo.demo)


@app.callback()
def _group() -> None:
    # Makes commands of the functions above even while there is one only.
    pass


def run() -> None:
    """Run the command that the arguments name; one of our errors is shown as a message, with exit status 1."""
    try:
        app()
    except JobTrackerError as error:
        error_console().print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
