"""`jobtracker jobs list`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url, Zone, read_time
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table, status_text
from jobtracker.client import Client
from jobtracker.client.endpoints import JobFilters
from jobtracker.client.flows import PAGE_SIZE
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.filters import Origin, Sort
from jobtracker.schemas.jobs import JobPage, JobSummary

Time = Annotated[
    datetime | None,
    typer.Option(
        parser=read_time, metavar="TIME", help="2026-11-25T14:30 (UTC or --tz), or how long ago: 30m, 2h, 7d."
    ),
]

Seconds = Annotated[float | None, typer.Option(metavar="SECONDS", min=0)]
Count = Annotated[int | None, typer.Option(metavar="N", min=0)]

MOST_LOOKED_AT = 100_000
"""So many jobs are looked at without --all."""

_COLUMNS = [
    Column("ID"),
    Column("STATUS"),
    Column("TYPE", may_shrink=True, keeps_end=True),  # of a task's dotted name the end says most
    Column("NAME", may_shrink=True),
    Column("AGE", is_number=True),
]
_REASON = Column("REASON", may_shrink=True)
"""Only where a job has one."""


def list_jobs(
    q: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="For example 'status:failed type:invoice since:2h \"timed out\"'."),
    ] = None,
    tz: Zone = "UTC",
    status: Annotated[list[Status] | None, typer.Option(metavar="STATUS", help=", ".join(Status))] = None,
    job_type: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="A job type.")] = None,
    priority: Annotated[list[Priority] | None, typer.Option(metavar="PRIORITY", help=", ".join(Priority))] = None,
    parent: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only sub-jobs of this job, in their order.")
    ] = None,
    sent_by: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only jobs that the task of this job has sent.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only jobs of this Celery group.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only jobs with this tag.")] = None,
    queue: Annotated[list[str] | None, typer.Option(metavar="QUEUE", help="Only jobs of this queue.")] = None,
    worker: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only jobs of this Celery worker.")] = None,
    release: Annotated[
        list[str] | None, typer.Option(metavar="RELEASE", help="Only jobs of workers with this release.")
    ] = None,
    error_type: Annotated[
        list[str] | None, typer.Option(metavar="TYPE", help="Only jobs that failed with this type of error.")
    ] = None,
    failure_group: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only jobs of this group of failures.")
    ] = None,
    origin: Annotated[list[Origin] | None, typer.Option(metavar="ORIGIN", help=", ".join(Origin))] = None,
    schedule: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only jobs of this entry in beat's schedule.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A part of the name.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A part of the name, the type or the reason.")
    ] = None,
    created_from: Time = None,
    created_to: Time = None,
    started_from: Time = None,
    started_to: Time = None,
    finished_from: Time = None,
    finished_to: Time = None,
    running_at: Time = None,
    min_run_s: Seconds = None,
    max_run_s: Seconds = None,
    min_wait_s: Seconds = None,
    max_wait_s: Seconds = None,
    min_retries: Count = None,
    max_retries: Count = None,
    min_losses: Count = None,
    max_losses: Count = None,
    has_log: Annotated[
        bool | None, typer.Option("--has-log/--no-log", help="Only jobs with, or without, lines in their own log.")
    ] = None,
    sort: Annotated[
        Sort | None,
        typer.Option(
            metavar="ORDER",
            help="created_at; with a status, or a time of a start or an end, also status_changed_at. A minus before "
            "it: newest first.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The largest number of jobs to list.")] = 20,
    all_: Annotated[bool, typer.Option("--all", help="List all of them, without a limit.")] = False,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue a list: the next_cursor of its JSON.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first. QUERY and each option must match; of an option that is repeated, one value."""
    filters = {name: value for name, value in locals().items() if name in JobFilters.__annotations__}
    with Client(url) as client:
        found = _read(client, filters, cursor, None if all_ else limit)
    if as_json:
        print_json(found)
        return
    has_reasons = any(job.reason for job in found.jobs)
    rows: list[list[Cell]] = [
        [job.id, status_text(job), job.job_type, _own_name(job), age(job.created_at), job.reason]
        for job in found.jobs
    ]
    columns = [*_COLUMNS, _REASON] if has_reasons else _COLUMNS
    print_table(output_console(), columns, [row[: len(columns)] for row in rows])
    _print_what_is_left(found, None if all_ else limit)


def _own_name(job: JobSummary) -> str:
    """The job's name, unless it is the name of its type. The type's column shows that already."""
    return "" if job.name == job.job_type else job.name


def _read(client: Client, filters: dict[str, Any], cursor: str | None, limit: int | None) -> JobPage:
    """The first pages as one: up to `limit` jobs, as far as a look at `MOST_LOOKED_AT` finds so many; or all."""
    page = found = client.page(page_size=min(limit or PAGE_SIZE, PAGE_SIZE), cursor=cursor, **filters)
    looked_at = page.looked_at or 0
    while page.next_cursor and (limit is None or (len(found.jobs) < limit and looked_at < MOST_LOOKED_AT)):
        left = PAGE_SIZE if limit is None else limit - len(found.jobs)
        page = client.page(page_size=min(left, PAGE_SIZE), cursor=page.next_cursor, **filters)
        found.jobs += page.jobs
        found.next_cursor, found.looked_to = page.next_cursor, page.looked_to
        looked_at += page.looked_at or 0
        found.looked_at = looked_at or None
        found.page_size = len(found.jobs)
    return found


def _print_what_is_left(found: JobPage, limit: int | None) -> None:
    shown = len(found.jobs)
    console = error_console()
    if found.next_cursor and (limit is None or shown >= limit):
        of = "" if found.total is None else f" of {found.total:,}"
        console.print(f"{shown}{of}; more with --limit or --all", style="dim")
    elif found.next_cursor:
        to = f", up to {found.looked_to:%Y-%m-%d %H:%M:%S} UTC" if found.looked_to else ""
        console.print(
            f"{shown} among the {found.looked_at or 0:,} jobs that were looked at{to}; look at all with --all, or go "
            f"on with --cursor {found.next_cursor}",
            style="dim",
            soft_wrap=True,
        )
    elif not shown:
        console.print("No jobs match.", style="dim")
