"""`jobtracker jobs …`: one module a command."""

import typer

from jobtracker.cli.jobs import cancel, create, delete, list_, retry, show, start

app = typer.Typer(
    name="jobs", help="Create, list, look at, start, cancel, retry and delete jobs.", no_args_is_help=True
)
app.command("list")(list_.list_jobs)
app.command("show")(show.show)
app.command("create")(create.create)
app.command("start")(start.start)
app.command("cancel")(cancel.cancel)
app.command("retry")(retry.retry)
app.command("delete")(delete.delete)
