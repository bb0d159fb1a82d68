"""Groups of commands that import a command's module when it runs: the help of all of them imports none."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command as command_of

from jobtracker.errors import need_packages

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
OPTIONS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,  # its help would cost as much time as all the rest, and be cut at 80 columns in a pipe
    "context_settings": CONTEXT,
}
"""Of every `typer.Typer`."""

_EXTRA = ("rich", "httpx")
"""Packages of the extra `cli`, beside typer."""


class Entry(NamedTuple):
    """A command: where its function is, and what the group's help says of it."""

    module: str
    function: str
    summary: str
    """The first line of the function's docstring."""


class LazyGroup(TyperGroup):
    """A group whose commands are in `entries`, by the panel under which the help lists them, and by name."""

    entries: ClassVar[Mapping[str, Mapping[str, Entry]]]

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (as typer has it)
        """The names of the commands, in the order of the help."""
        return [name for panel in self.entries.values() for name in panel]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (click passes it)
        """The command of that name; None where there is none.

        Raises:
            MissingExtraError: It needs a package that is not installed.
        """
        entry = next((panel[cmd_name] for panel in self.entries.values() if cmd_name in panel), None)
        if entry is None:
            return None
        need_packages("The command line", "cli", *_EXTRA)
        command = command_of(_typer_of(cmd_name, load(entry)))
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (click passes it)
        """Write the panels with the commands of each."""
        for title, panel in self.entries.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.summary) for name, entry in panel.items()])


def load(entry: Entry) -> Callable[..., None] | typer.Typer:
    """The function of a command, or the `Typer` of a group."""
    found: Callable[..., None] | typer.Typer = getattr(import_module(entry.module), entry.function)
    return found


def _typer_of(name: str, found: Callable[..., None] | typer.Typer) -> typer.Typer:
    if isinstance(found, typer.Typer):
        return found
    alone = typer.Typer(**OPTIONS)
    alone.command(name)(found)
    return alone
