"""`jobtracker jobs …`: one module a command."""

from typing import ClassVar

import typer

from jobtracker.cli.lazy_group import OPTIONS, Entry, LazyGroup


def _entry(name: str, summary: str, module: str = "", function: str = "") -> Entry:
    return Entry(f"jobtracker.cli.commands.jobs.{module or name}", function or name, summary)


class JobCommands(LazyGroup):
    """The commands of `jobtracker jobs`."""

    entries: ClassVar = {
        "Commands": {
            "list": _entry("list", "List jobs, the newest first.", "list_", "list_jobs"),
            "show": _entry("show", "Show jobs with payload, result and error."),
            "result": _entry("result", "Print the result of a job as JSON, however large it is.", "value"),
            "payload": _entry("payload", "Print the payload of a job as JSON, however large it is.", "value"),
            "create": _entry("create", "Create a job, with --tree one that has sub-jobs, or with --batch many."),
            "start": _entry("start", "Send jobs, with their sub-jobs, to Celery."),
            "cancel": _entry("cancel", "Cancel jobs and their sub-jobs."),
            "retry": _entry(
                "retry",
                "Run failed or cancelled jobs again.",
            ),
            "delete": _entry(
                "delete", "Remove jobs with their sub-jobs, after they have ended or before they are started."
            ),
            "tag": _entry("tag", "Add tags to jobs."),
            "untag": _entry("untag", "Take tags from jobs.", "tag"),
            "reprioritise": _entry("reprioritise", "Give jobs another priority, before they are started."),
            "bulk": _entry(
                "bulk", "Show a bulk run: how far it is, and what became of the jobs.", "bulk_", "show_bulk"
            ),
        }
    }


app = typer.Typer(
    name="jobs",
    cls=JobCommands,
    help="Create, list, look at, start, cancel, retry, change and delete jobs.",
    no_args_is_help=True,
    **OPTIONS,
)


@app.callback()
def _group() -> None:
    pass
