"""`jobtracker jobs list`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url, read_time
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table, status_text
from jobtracker.client import Client
from jobtracker.client.flows import PAGE_SIZE
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.filters import Sort
from jobtracker.schemas.jobs import JobPage, JobSummary

Time = Annotated[
    datetime | None,
    typer.Option(parser=read_time, metavar="TIME", help="2026-11-25T14:30 (UTC), or how long ago: 30m, 2h, 7d."),
]

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
    status: Annotated[Status | None, typer.Option(metavar="STATUS", help=", ".join(Status))] = None,
    job_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="A job type.")] = None,
    priority: Annotated[Priority | None, typer.Option(metavar="PRIORITY", help=", ".join(Priority))] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="ID", help="Only sub-jobs of this job, in their order.")
    ] = None,
    sent_by: Annotated[
        str | None, typer.Option(metavar="ID", help="Only jobs that the task of this job has sent.")
    ] = None,
    group: Annotated[str | None, typer.Option(metavar="ID", help="Only jobs of this Celery group.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only jobs with this tag.")] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="A part of the name.")] = None,
    created_from: Time = None,
    created_to: Time = None,
    finished_from: Time = None,
    finished_to: Time = None,
    sort: Annotated[
        Sort | None,
        typer.Option(
            metavar="ORDER", help="created_at; with --status also status_changed_at. A minus before it: newest first."
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
    """List jobs, the newest first."""
    filters: dict[str, Any] = {
        "status": status,
        "job_type": job_type,
        "priority": priority,
        "parent": parent,
        "sent_by": sent_by,
        "group": group,
        "tag": tag,
        "name": name,
        "created_from": created_from,
        "created_to": created_to,
        "finished_from": finished_from,
        "finished_to": finished_to,
        "sort": sort,
    }
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
    _print_what_is_left(found)


def _own_name(job: JobSummary) -> str:
    """The job's name, unless it is the name of its type. The type's column shows that already."""
    return "" if job.name == job.job_type else job.name


def _read(client: Client, filters: dict[str, Any], cursor: str | None, limit: int | None) -> JobPage:
    """The first pages as one: up to `limit` jobs, or all."""
    page = found = client.page(page_size=min(limit or PAGE_SIZE, PAGE_SIZE), cursor=cursor, **filters)
    while page.next_cursor and (limit is None or len(found.jobs) < limit):
        left = PAGE_SIZE if limit is None else limit - len(found.jobs)
        page = client.page(page_size=min(left, PAGE_SIZE), cursor=page.next_cursor, **filters)
        found.jobs += page.jobs
        found.next_cursor = page.next_cursor
        found.page_size = len(found.jobs)
    return found


def _print_what_is_left(found: JobPage) -> None:
    shown = len(found.jobs)
    if found.next_cursor:
        of = "" if found.total is None else f" of {found.total:,}"
        error_console().print(f"{shown}{of}; more with --limit or --all", style="dim")
    elif not shown:
        error_console().print("No jobs match.", style="dim")
