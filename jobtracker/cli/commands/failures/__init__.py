"""`jobtracker failures …`: groups of failures."""

from typing import ClassVar

import typer

from jobtracker.cli.lazy_group import OPTIONS, Entry, LazyGroup


def _entry(module: str, function: str, summary: str) -> Entry:
    return Entry(f"jobtracker.cli.commands.failures.{module}", function, summary)


class FailureCommands(LazyGroup):
    """The commands of `jobtracker failures`."""

    entries: ClassVar = {
        "Commands": {
            "list": _entry("list_", "list_failures", "List failures by error, those seen last first."),
            "show": _entry(
                "show", "show", "Show a group of failures: where, since when, in which releases, which jobs."
            ),
            "resolve": _entry("mark", "resolve", "Mark groups as resolved: regressed if they fail again."),
            "ignore": _entry("mark", "ignore", "Ignore groups."),
            "reopen": _entry("mark", "reopen", "Reopen groups: their state is then known."),
        }
    }


app = typer.Typer(
    name="failures",
    cls=FailureCommands,
    help="List failures by error, and mark them as resolved or ignored.",
    no_args_is_help=True,
    **OPTIONS,
)


@app.callback()
def _group() -> None:
    pass
