"""`jobtracker attention`."""

import typer
from rich.console import Console
from rich.text import Text

from jobtracker.cli.commands.failures.list_ import error_of, state_text, types_of
from jobtracker.cli.console import output_console
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table
from jobtracker.client import Client
from jobtracker.schemas.attention import Attention, LostWorker

_BLOCKED = [
    Column("BLOCKED", is_number=True),
    Column("CODE"),
    Column("OLDEST", is_number=True),
    Column("WHY", may_shrink=True),
]
_FAILED = [
    Column("FAILED", is_number=True),
    Column("STATE"),
    Column("GROUP"),
    Column("LAST", is_number=True),
    Column("TYPES", may_shrink=True),
    Column("ERROR", may_shrink=True),
]
_QUEUES = [Column("MESSAGES", is_number=True), Column("QUEUE THAT NOBODY CONSUMES", may_shrink=True)]
_WORKERS = [
    Column("LOST WORKER", may_shrink=True),
    Column("AGO", is_number=True),
    Column("OPEN", is_number=True),
    Column("FAILED", is_number=True),
    Column("QUEUES", may_shrink=True),
]
_WEBHOOKS = [
    Column("DISABLED WEBHOOK"),
    Column("AGO", is_number=True),
    Column("HOST"),
    Column("WHY", may_shrink=True),
]


def attention(url: Url = None, as_json: AsJson = False) -> None:
    """List what needs you: blocked jobs, failures, unconsumed queues, lost workers, disabled webhooks.

    Failures are new or regressed groups that were seen within a day, with their jobs of that day; lost workers those
    of the last hour. The exit status is 1 if something needs somebody.
    """
    with Client(url) as client:
        found = client.attention()
    if as_json:
        print_json(found)
    else:
        _print(output_console(), found)
    if not found.is_quiet:
        raise typer.Exit(ExitStatus.FAILED)


def _print(console: Console, found: Attention) -> None:
    blocked: list[list[Cell]] = [
        [_number(each.count, is_exact=each.is_exact), each.code, age(each.oldest_since), each.summary]
        for each in found.blocked
    ]
    failed: list[list[Cell]] = [
        [each.jobs_of_day, state_text(each.state), each.id, age(each.last_seen), types_of(each), error_of(each)]
        for each in found.failures
    ]
    queues: list[list[Cell]] = [[each.messages, each.queue] for each in found.unconsumed_queues]
    workers = [_worker(each) for each in found.lost_workers]
    webhooks: list[list[Cell]] = [
        [each.id, age(each.disabled_at), each.host, each.reason] for each in found.disabled_webhooks
    ]
    tables = (_BLOCKED, blocked), (_FAILED, failed), (_QUEUES, queues), (_WORKERS, workers), (_WEBHOOKS, webhooks)
    for columns, rows in tables:
        if rows:
            print_table(console, columns, rows)
            console.print()
    if found.is_quiet:
        console.print(Text("Nothing needs you.", "green"), soft_wrap=True)
    for line in _notes(found):
        console.print(one_line(line), soft_wrap=True, markup=False, highlight=False)


def _number(count: int, *, is_exact: bool) -> str:
    return f"{count:,}" if is_exact else f"≥ {count:,}"


def _worker(each: LostWorker) -> list[Cell]:
    name = (each.name or each.incarnation) + (" (back)" if each.is_back else "")
    return [name, age(each.lost_at), each.open_jobs, each.failed_jobs, ", ".join(each.queues)]


def _notes(found: Attention) -> list[str]:
    """How far it was looked."""
    notes = []
    if not found.complete:
        notes.append(f"Looked at the oldest {found.looked_at:,} of {found.open_jobs:,} open jobs: there may be more.")
    if found.blocked_left_out:
        notes.append(f"Blocked jobs in further groups: {found.blocked_left_out:,}.")
    if found.failures_looked_at < found.failed:
        notes.append(
            f"Looked at the latest {found.failures_looked_at:,} of {found.failed:,} failures: lost workers may have "
            "more of them."
        )
    if found.more_failures:
        notes.append("There may be further failures: jobtracker failures list --state new --state regressed.")
    return notes + [f"Not known: {each}" for each in found.unavailable]
