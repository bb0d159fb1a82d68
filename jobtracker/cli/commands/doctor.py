"""`jobtracker doctor`."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Cell, Column, print_json, print_table

if TYPE_CHECKING:
    from jobtracker.schemas.examination import DifferenceGroup, Examination

_COLUMNS = [
    Column("DIFFERS"),
    Column("WHERE", may_shrink=True),
    Column("COUNT", is_number=True),
    Column("REPAIRED", is_number=True),
    Column("FOR EXAMPLE", may_shrink=True),
]
_WIDTH = len("change  ")


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Repair counters and indexes that are wrong.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Recount every counter and index, and look for settings that cause trouble later.

    It asks Redis, the broker and the workers directly; the API need not run. It needs the API's environment variables
    (REDIS_URL, CELERY_BROKER_URL, …). It may run while everything else runs. The exit status is 1 if something has to
    be changed.
    """
    from jobtracker.cli.audited import store_here
    from jobtracker.doctor.examine import examine_here

    with store_here("repair_store") if repair else nullcontext():
        found = examine_here(repair=repair)
    if as_json:
        print_json(found)
    else:
        _print(output_console(), found)
    if not found.healthy:
        raise typer.Exit(ExitStatus.FAILED)


def _print(console: Console, found: "Examination") -> None:
    left = sum(group.count - group.repaired for group in found.differences)
    console.print(_counted(found, left), soft_wrap=True)
    if found.differences:
        console.print()
        print_table(console, _COLUMNS, map(_row, found.differences))
    for trap in found.traps:
        console.print()
        title = Text(trap.name, "bold red").append(f"  {one_line(trap.where)}", "default not bold")
        console.print(title, soft_wrap=True)
        lines = [("", trap.problem), ("", trap.consequence), ("change", trap.change), ("see", trap.source)]
        for name, value in lines:
            console.print(Text(f"  {name:<{_WIDTH}}", "dim").append(one_line(value), "not dim"), soft_wrap=True)
    for line in _notes(found):
        console.print()
        console.print(line, soft_wrap=True)


def _row(group: "DifferenceGroup") -> Sequence[Cell]:
    flaw = Text(group.flaw, "green" if group.repaired == group.count else "red")
    return flaw, group.where, group.count, group.repaired, group.examples[0]


def _counted(found: "Examination", left: int) -> Text:
    if found.jobs is None:
        return Text("Not recounted.", "bold red")
    jobs = f"{found.jobs:,} {'job' if found.jobs == 1 else 'jobs'} recounted"
    if not found.differences:
        return Text(f"{jobs}: every counter and index is right.", "green")
    if not left:
        return Text(f"{jobs}: what differed is repaired.", "green")
    differences = f"{left:,} {'difference' if left == 1 else 'differences'}"
    return Text(f"{jobs}: {differences}{' left' if found.repair else ''}.", "bold red")


def _notes(found: "Examination") -> Iterator[Text]:
    if found.unchecked:
        yield Text("Could not be checked: " + "; ".join(map(one_line, found.unchecked)), "yellow")
    if not found.traps:
        yield Text("No trap found in the settings.", "green")
    mendable = [group for group in found.differences if group.flaw != "lost_value" and group.repaired < group.count]
    if mendable and not found.repair:
        yield Text("To repair the differences: jobtracker doctor --repair")
