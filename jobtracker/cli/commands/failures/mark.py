"""`jobtracker failures resolve`, `ignore`, `reopen`."""

from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.commands.failures.list_ import error_of, state_text
from jobtracker.cli.console import output_console
from jobtracker.cli.for_each import for_each
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.client import Client
from jobtracker.client.failure_endpoints import ActionName
from jobtracker.schemas.failures import FailureGroupDetails

GroupIds = Annotated[list[str], typer.Argument(metavar="GROUP", help="The ids of groups.", show_default=False)]


def resolve(group_ids: GroupIds, url: Url = None, as_json: AsJson = False) -> None:
    """Mark groups as resolved. A group is regressed if it fails again."""
    _mark(group_ids, "resolve", url, as_json=as_json)


def ignore(group_ids: GroupIds, url: Url = None, as_json: AsJson = False) -> None:
    """Ignore groups."""
    _mark(group_ids, "ignore", url, as_json=as_json)


def reopen(group_ids: GroupIds, url: Url = None, as_json: AsJson = False) -> None:
    """Reopen groups: their state is then known."""
    _mark(group_ids, "reopen", url, as_json=as_json)


def _mark(group_ids: list[str], action: ActionName, url: str | None, *, as_json: bool) -> None:
    with Client(url) as client:
        for_each(group_ids, lambda each: client.mark_failure(each, action), _print, as_json=as_json)


def _print(group: FailureGroupDetails) -> None:
    line = Text(f"{group.id}  ").append(state_text(group.state)).append(f"  {one_line(error_of(group))}")
    output_console().print(line, soft_wrap=True)
