"""`jobtracker timeline`."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url, Zone, read_time
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Cell, Column, print_json, print_table, short_duration
from jobtracker.cli.tree_view import STYLES
from jobtracker.client import Client
from jobtracker.schemas.query_language import zone_of
from jobtracker.schemas.timeline import Timeline

_COLUMNS = [
    Column("TOOK", is_number=True),
    Column("STATUS"),
    Column("WORKER", may_shrink=True),
    Column("TYPE", may_shrink=True, keeps_end=True),
    Column("ID"),
]
_AT_ONCE = 5000
_MOMENT = timedelta(milliseconds=1)


def timeline(
    since: Annotated[
        datetime | None,
        typer.Option("--from", parser=read_time, metavar="TIME", help="When the span begins; default: an hour ago."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", parser=read_time, metavar="TIME", help="When it ends; default: now.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(parser=read_time, metavar="TIME", help="What ran at that moment, e.g. 14:02; no span."),
    ] = None,
    tz: Zone = "UTC",
    worker: Annotated[str | None, typer.Option(metavar="NAME", help="This worker only.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Jobs of this type only.")] = None,
    queue: Annotated[str | None, typer.Option(metavar="QUEUE", help="Jobs sent to this queue only.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=_AT_ONCE, help="The most executions.")] = 100,
    cursor: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Continue: the next_cursor of its JSON, with the same --from."),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List which worker ran which job when, in a span of time: what runs now, then by the end of each.

    Each job's execution that counts is listed; `jobtracker history ID` has the others.
    """
    zone = zone_of(tz)
    if at and (since or until):
        raise typer.BadParameter("--at is a moment; --from and --to are a span.")
    until = until or (at + _MOMENT if at else datetime.now(UTC))
    since = since or at or read_time("1h")
    with Client(url) as client:
        found = client.timeline(
            since, until, worker=worker, job_type=job_type, queue=queue, limit=limit, cursor=cursor
        )
        while found.next_cursor and not found.rows:  # it has looked for long, and found none yet
            found = client.timeline(
                since, until, worker=worker, job_type=job_type, queue=queue, limit=limit, cursor=found.next_cursor
            )
    if as_json:
        print_json(found)
        return
    columns = [Column(f"BEGAN ({one_line(tz)})"), *_COLUMNS]
    print_table(output_console(), columns, [_row(found, n, zone) for n in range(found.rows)])
    if found.next_cursor:
        error_console().print("There are more executions: narrow the span, or raise --limit.")
    if found.executions_left_out:
        error_console().print(f"Earlier executions of these jobs that are not listed: {found.executions_left_out:,}")


def _row(found: Timeline, n: int, zone: tzinfo) -> list[Cell]:
    began, ended = found.started_at_ms[n], found.finished_at_ms[n]
    status = found.status[n]
    return [
        f"{datetime.fromtimestamp(began / 1000, zone):%Y-%m-%d %H:%M:%S}",
        "" if ended is None else short_duration((ended - began) / 1000),
        Text(status, STYLES[status]),
        found.worker[n],
        found.job_type[n],
        found.job_id[n],
    ]
