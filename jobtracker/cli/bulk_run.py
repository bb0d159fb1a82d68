"""Changes many jobs by a bulk run: says how many these are, asks, and shows how far it is."""

import time
from collections.abc import Sequence
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.for_each import confirm
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Column, print_json, print_table, time_of
from jobtracker.cli.tree_view import STYLES
from jobtracker.client import Client
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.bulk import BulkAction, BulkPreview, BulkRun
from jobtracker.schemas.query_language import terms_of
from jobtracker.schemas.query_qualifiers import QUALIFIERS

_COLUMNS = [Column("JOBS", is_number=True), Column("STATUS"), Column("TYPE", may_shrink=True, keeps_end=True)]
_MOST_ROWS = 20
_SHOWN_REFUSALS = 100
_SOONEST_S, _LATEST_S = 0.1, 1.0

_PAST = {
    BulkAction.CANCEL: "Cancelled or asked to stop:",
    BulkAction.TERMINATE: "Cancelled or terminated:",
    BulkAction.RETRY: "Retried",
    BulkAction.DELETE: "Deleted",
    BulkAction.TAG: "Tagged",
    BulkAction.UNTAG: "Untagged",
    BulkAction.REPRIORITISE: "Reprioritised",
}


def is_query(client: Client, arguments: Sequence[str]) -> bool:
    """Whether arguments are a query: one of them has a qualifier, and they are not the id of a job that looks so."""
    if not any(term.key in QUALIFIERS for each in arguments for term in terms_of(each)):
        return False
    if len(arguments) > 1 or " " in arguments[0]:
        return True
    try:
        client.get(arguments[0])
    except JobNotFoundError:
        return True
    return False


def which_jobs(client: Client, arguments: Sequence[str], *, is_all: bool, tz: str) -> dict[str, Any]:
    """The jobs that a bulk run is about, as `Client.bulk` takes them: a query, ids, or all.

    Raises:
        typer.BadParameter: Neither or both are given.
    """
    if is_all == bool(arguments):
        raise typer.BadParameter("Give the ids of jobs, a query that finds them, or --all: one of these.")
    if is_all:
        return {"all": True}
    if is_query(client, arguments):
        return {"filter": " ".join(arguments), "tz": tz}
    return {"ids": list(arguments)}


def run_bulk(
    client: Client, action: BulkAction, which: dict[str, Any], *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Change jobs, after it was said how many these are, and asked.

    Args:
        client: The API.
        action: What is done to each.
        which: Which jobs, and options of the action, as `Client.bulk` takes them.
        yes: Don't ask.
        dry_run: Only say how many these are.
        as_json: Print the preview, or the bulk run when it has ended, as JSON.

    Raises:
        typer.Exit: Some could not be changed, or the bulk run did not complete: status 1, of a cancelled one 3.
        typer.BadParameter: There is nobody to ask.
        typer.Abort: The answer was no.
    """
    preview = client.preview_bulk(action, **which)
    _print_preview(preview)
    chosen = preview.count - (preview.below or 0)
    if dry_run or (preview.is_exact and not chosen):
        if as_json:
            print_json(preview)
        return
    least = "" if preview.is_exact else "at least "
    confirm(f"{action.capitalize()} {least}{_jobs(chosen)}?", yes=yes)
    run = client.bulk(action, **which)
    error_console().print(f"Bulk run {run.id}. It goes on if this command ends.", style="dim", soft_wrap=True)
    follow(client, run, as_json=as_json)


def follow(client: Client, run: BulkRun, *, as_json: bool) -> None:
    """Show how far a bulk run is until it has ended, and what became of the jobs.

    Raises:
        typer.Exit: As `run_bulk`.
    """
    run = _watched(client, run)
    print_refused(client, run, _SHOWN_REFUSALS)
    jobs = _jobs(run.done + run.refused)
    error_console().print(f"{_PAST[run.action]} {run.done:,} of {jobs}.", soft_wrap=True)
    if run.left_alone:
        text = f"Left alone: {run.left_alone:,} that were in another state when it was their turn."
        error_console().print(text, soft_wrap=True)
    if as_json:
        print_json(run)
    if run.status is Status.CANCELLED:
        error_console().print(f"The bulk run was cancelled: {one_line(run.reason or '')}", soft_wrap=True)
        raise typer.Exit(ExitStatus.CANCELLED)
    if run.refused or run.status is not Status.COMPLETED:
        raise typer.Exit(ExitStatus.FAILED)


def print_refused(client: Client, run: BulkRun, most: int) -> None:
    """Print the jobs that a bulk run could not change on standard error, at most so many."""
    console, cursor, shown = error_console(), 0, 0
    while run.refused and shown < most:
        page = client.bulk_refused(run.id, cursor=cursor, limit=min(100, most - shown))
        for each in page.refused:
            console.print(
                Text(f"{each.id}: ", "bold").append(Text(one_line(each.reason), "not bold")), soft_wrap=True
            )
        shown += len(page.refused)
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    if run.refused > shown:
        text = f"and {run.refused - shown:,} more: `jobtracker jobs bulk {run.id} --refused`"
        console.print(text, soft_wrap=True, markup=False)


def print_run(run: BulkRun) -> None:
    """Print a bulk run."""
    console = output_console()
    wanted = run.filter or (f"{run.ids:,} ids" if run.ids is not None else "all jobs")
    facts = {
        "id": run.id,
        "action": f"{run.action} {one_line(wanted)}",
        "asked by": run.asked_by,
        "status": f"{run.status}{f'  {one_line(run.reason)}' if run.reason else ''}",
        "looked at": f"{run.looked_at:,} of {run.total:,}",
        "done": f"{run.done:,}",
        "below": f"{run.below:,} sub-jobs, with their parents" if run.below else None,
        "left alone": f"{run.left_alone:,} in another state" if run.left_alone else None,
        "refused": f"{run.refused:,}" if run.refused else None,
        "created": time_of(run.created_at),
        "finished": time_of(run.finished_at),
    }
    for name, value in facts.items():
        if value is not None:
            console.print(Text(f"{name:<12}", "bold").append(Text(value, "not bold")), soft_wrap=True)


def _watched(client: Client, run: BulkRun) -> BulkRun:
    """The bulk run when it has ended; on a terminal there is a bar until then."""
    console = error_console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    pause_s = _SOONEST_S
    with bar:
        task = bar.add_task(run.action, total=max(run.total, 1))
        while run.status not in SETTLED:
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LATEST_S)
            run = client.bulk_run(run.id)
            bar.update(task, completed=run.looked_at, total=max(run.total, 1))
    return run


def _print_preview(preview: BulkPreview) -> None:
    console = error_console()
    if preview.kinds:
        rows = preview.kinds[:_MOST_ROWS]
        print_table(
            console, _COLUMNS, [(kind.count, Text(kind.status, STYLES[kind.status]), kind.job_type) for kind in rows]
        )
        if rest := preview.kinds[_MOST_ROWS:]:
            left = sum(kind.count for kind in rest)
            console.print(f"and {left:,} jobs of {len(rest):,} other kinds", soft_wrap=True)
    elif preview.is_exact and not preview.left_alone:
        console.print("No jobs match.", soft_wrap=True)
    if preview.below:
        console.print(f"Sub-jobs of these that match too: {preview.below:,}. They go with them.", soft_wrap=True)
    if preview.left_alone:
        console.print(
            f"Left alone: {preview.left_alone:,} that match. To {preview.action} a job, it must be "
            f"{preview.action.condition}.",
            soft_wrap=True,
        )
    for name in preview.unannounced:
        text = f"No worker announces {one_line(name)}: its jobs would wait, or fail at once."
        console.print(text, style="yellow", soft_wrap=True, markup=False)
    if preview.below is None:
        upto = f", up to {time_of(preview.looked_to)}" if preview.looked_to else ""
        console.print(f"Not all were looked at: {preview.looked_at:,} were{upto}.", soft_wrap=True)


def _jobs(count: int) -> str:
    return f"{count:,} job{'s' * (count != 1)}"
