"""`jobtracker audit`."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url, read_time
from jobtracker.cli.tables import Cell, Column, print_json, print_table
from jobtracker.client import Client
from jobtracker.schemas.audit import AuditEntry, AuditOutcome, AuditPage

_COLUMNS = [
    Column("TIME"),
    Column("WHO", may_shrink=True),
    Column("ACTION"),
    Column("TARGET", may_shrink=True),
    Column("COUNT", is_number=True),
    Column("OUTCOME"),
    Column("FROM", may_shrink=True),
]
_STYLES = {AuditOutcome.DONE: "green", AuditOutcome.REFUSED: "yellow", AuditOutcome.FAILED: "bold red"}
_AT_ONCE = 500


def audit(
    principal: Annotated[str | None, typer.Option(metavar="NAME", help="Who asked.")] = None,
    action: Annotated[str | None, typer.Option(metavar="ACTION", help="What was asked for, e.g. cancel_job.")] = None,
    job: Annotated[str | None, typer.Option(metavar="ID", help="The id of a job, or of another target.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=read_time, metavar="TIME", help="Since then: 2026-11-25T14:30, or 2h, 7d ago."),
    ] = None,
    until: Annotated[datetime | None, typer.Option(parser=read_time, metavar="TIME", help="Until then.")] = None,
    outcome: Annotated[AuditOutcome | None, typer.Option(metavar="OUTCOME", help=", ".join(AuditOutcome))] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The largest number of entries to list.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue a list: the next_cursor of its JSON.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List who changed what, the latest first.

    An entry is written before its change is carried out. Its outcome is unknown until it has ended, and if its
    process died meanwhile.
    """
    with Client(url) as client:

        def page(most: int, behind: str | None) -> AuditPage:
            return client.audit(
                principal=principal,
                action=action,
                job=job,
                since=since,
                until=until,
                outcome=outcome.value if outcome else None,
                page_size=min(most, _AT_ONCE),
                cursor=behind,
            )

        found = page(limit, cursor)
        while found.next_cursor and len(found.entries) < limit:
            more = page(limit - len(found.entries), found.next_cursor)
            found.entries += more.entries
            found.next_cursor = more.next_cursor
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _COLUMNS, map(_row, found.entries))
    if not found.entries:
        error_console().print("No entries match.", style="dim")
    elif found.next_cursor:
        error_console().print(f"{len(found.entries)} entries; more with --limit", style="dim")
    elif found.cut_before:
        error_console().print(
            f"Entries up to {found.cut_before:%Y-%m-%d %H:%M:%S} UTC were removed: there were more than "
            "AUDIT_MAX_ENTRIES.",
            style="yellow",
        )


def _row(entry: AuditEntry) -> list[Cell]:
    outcome = entry.outcome if entry.status is None else f"{entry.outcome} {entry.status}"
    return [
        f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        entry.principal or "-",
        entry.action,
        entry.target,
        entry.count,
        Text(outcome, _STYLES.get(entry.outcome, "bold yellow")),
        entry.peer or entry.via,
    ]
