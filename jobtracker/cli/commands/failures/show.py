"""`jobtracker failures show`."""

from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.commands.failures.list_ import error_of, state_text
from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Column, age, print_json, print_table, time_of
from jobtracker.client import Client
from jobtracker.schemas.failures import FailureGroupDetails

GroupId = Annotated[str, typer.Argument(metavar="GROUP", help="The group's id.", show_default=False)]

_JOBS = [
    Column("JOB"),
    Column("TYPE", may_shrink=True, keeps_end=True),
    Column("AGE", is_number=True),
    Column("REASON", may_shrink=True),
]
_BARS = " ▁▂▃▄▅▆▇█"


def show(group_id: GroupId, url: Url = None, as_json: AsJson = False) -> None:
    """Show a group of failures: where, since when, in which releases, and which jobs failed last."""
    with Client(url) as client:
        group = client.failure(group_id)
    if as_json:
        print_json(group)
        return
    console = output_console()
    facts = {name: fact for name, fact in _facts(group).items() if fact}
    width = max(map(len, facts))
    for name, fact in facts.items():
        line = Text.assemble((f"{name.ljust(width)}  ", "bold"), fact if isinstance(fact, Text) else one_line(fact))
        console.print(line, soft_wrap=True)
    if group.samples:
        console.print()
        rows = [(job.id, job.job_type, age(job.finished_at), job.reason) for job in group.samples]
        print_table(console, _JOBS, rows)


def _facts(group: FailureGroupDetails) -> dict[str, Text | str | None]:
    """The facts about a group, a line each."""
    regressed = time_of(group.regressed_at)
    if regressed and group.regressed_in:
        regressed += f", in release {group.regressed_in}"
    first_seen = time_of(group.first_seen)
    if group.first_seen_in:
        first_seen = f"{first_seen}, in release {group.first_seen_in}"
    jobs = "1 job is" if group.jobs == 1 else f"{group.jobs:,} jobs are"
    return {
        "group": group.id,
        "error": error_of(group),
        "where": " > ".join(group.frames),
        "state": state_text(group.state),
        "failures": f"{group.count:,}; {jobs} failed now",
        "first seen": first_seen,
        "last seen": time_of(group.last_seen),
        "marked": time_of(group.marked_at),
        "regressed": regressed,
        "last 24 h": bars(group.hours),
        "types": _counts(group.types),
        "releases": _counts(group.releases),
        "queues": _counts(group.queues),
        "workers": _counts(group.workers),
    }


def bars(counts: list[int]) -> str:
    """Counts as a line of bars."""
    most = max(counts, default=0)
    return "".join(_BARS[-(-each * (len(_BARS) - 1) // most)] for each in counts) if most else ""


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name or 'others'} {count:,}" for name, count in counts.items())
