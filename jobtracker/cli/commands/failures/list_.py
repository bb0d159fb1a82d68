"""`jobtracker failures list`."""

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url, Zone, read_time
from jobtracker.cli.tables import Column, age, print_json, print_table
from jobtracker.client import Client
from jobtracker.schemas.failures import FailureGroupPage, FailureGroupSummary, FailureSort, FailureState

_COLUMNS = [
    Column("GROUP"),
    Column("STATE"),
    Column("COUNT", is_number=True),
    Column("LAST HOUR", is_number=True),
    Column("LAST", is_number=True),
    Column("FIRST", is_number=True),
    Column("TYPES", may_shrink=True),
    Column("ERROR", may_shrink=True),
]
_STYLES = {FailureState.NEW: "bold red", FailureState.REGRESSED: "bold red", FailureState.KNOWN: "yellow"}
_MOST_TYPES = 3
_AT_ONCE = 500


def list_failures(
    state: Annotated[
        list[FailureState] | None, typer.Option(metavar="STATE", help=f"{', '.join(FailureState)}; may be repeated.")
    ] = None,
    error_type: Annotated[
        str | None,
        typer.Option("--error", metavar="TYPE", help="An exception's type, e.g. redis.exceptions.TimeoutError."),
    ] = None,
    job_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="A job type.")] = None,
    queue: Annotated[str | None, typer.Option(metavar="QUEUE", help="A queue.")] = None,
    release: Annotated[str | None, typer.Option(metavar="RELEASE", help="A release.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=read_time,
            metavar="TIME",
            help="Seen since then: 2026-11-25T14:30 (UTC or --tz), or 30m, 2h, 7d ago.",
        ),
    ] = None,
    tz: Zone = "UTC",  # noqa: ARG001 (`read_time` has it)
    sort: Annotated[FailureSort, typer.Option(metavar="ORDER", help=", ".join(FailureSort))] = FailureSort.LAST_SEEN,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The largest number of groups to list.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue a list: the next_cursor of its JSON.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List failures by error, those seen last first: jobs that failed in the same way are one group.

    COUNT is all failures ever. LAST HOUR is jobs that failed in the last hour and are failed now with this error.
    """
    with Client(url) as client:

        def page(most: int, behind: str | None) -> FailureGroupPage:
            return client.failures(
                state=[each.value for each in state or ()],
                error_type=error_type,
                job_type=job_type,
                queue=queue,
                release=release,
                since=since,
                sort=sort.value,
                page_size=min(most, _AT_ONCE),
                cursor=behind,
            )

        found = page(limit, cursor)
        while found.next_cursor and len(found.groups) < limit:
            more = page(limit - len(found.groups), found.next_cursor)
            found.groups += more.groups
            found.next_cursor = more.next_cursor
    if as_json:
        print_json(found)
        return
    print_table(
        output_console(),
        _COLUMNS,
        [
            (
                each.id,
                state_text(each.state),
                each.count,
                each.jobs_of_hour,
                age(each.last_seen),
                age(each.first_seen),
                types_of(each),
                error_of(each),
            )
            for each in found.groups
        ],
    )
    if not found.groups:
        error_console().print("No failures match.", style="dim")
    elif found.next_cursor:
        error_console().print(f"{len(found.groups)} groups; more with --limit", style="dim")


def state_text(state: FailureState) -> Text:
    """A group's state, as it stands out."""
    return Text(state, _STYLES.get(state, "dim"))


def error_of(group: FailureGroupSummary) -> str:
    """A group's error on one line."""
    return f"{group.error_type}: {group.message}" if group.message else group.error_type


def types_of(group: FailureGroupSummary) -> str:
    """The types of a group's jobs, as many as a line has room for."""
    names = [name or "others" for name in group.types]
    more = f", {len(names) - _MOST_TYPES} more" if len(names) > _MOST_TYPES else ""
    return ", ".join(names[:_MOST_TYPES]) + more
