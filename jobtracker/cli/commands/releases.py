"""`jobtracker releases`, and `jobtracker releases compare`."""

from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.commands.failures.list_ import error_of
from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.lazy_group import OPTIONS
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table
from jobtracker.client import Client
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.failures import FailureGroupSummary
from jobtracker.schemas.releases import Release, TypeCompared, Verdict

_COLUMNS = [
    Column("RELEASE", may_shrink=True),
    Column("FIRST", is_number=True),
    Column("LAST", is_number=True),
    Column("WORKERS", is_number=True),
    Column("COMPLETED", is_number=True),
    Column("FAILED", is_number=True),
    Column("CANCELLED", is_number=True),
    Column("FAILURES", is_number=True),
    Column("NEW GROUPS", is_number=True),
]
_MOST_ERRORS = 10
_WORDS = {
    Verdict.WORSE: Text("worse", "bold red"),
    Verdict.BETTER: Text("better", "green"),
    Verdict.NO_DIFFERENCE: Text("no difference seen"),
    Verdict.TOO_FEW: Text("too few jobs", "dim"),
}

app = typer.Typer(
    name="releases",
    help="List the releases of your project and how their jobs did, or compare two.",
    invoke_without_command=True,
    **OPTIONS,
)


@app.callback()
def releases(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=200, help="The most releases.")] = 20,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the releases of your project and how their jobs did, or compare two.

    A release is a value of RELEASE_LABEL that workers have or had. The newest comes first.
    """
    if context.invoked_subcommand:
        return
    with Client(url) as client:
        found = client.releases(limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _COLUMNS, [_row(each) for each in found.releases])
    if not found.releases:
        error_console().print("No release is known: set RELEASE_LABEL where your workers run.")
    if found.count > len(found.releases):
        error_console().print(f"{found.count - len(found.releases)} older ones are left out: --limit.")
    if found.some_left_out:
        error_console().print("There are too many releases, types and days: figures of the oldest days are gone.")


@app.command("compare")
def compare(
    old: Annotated[str | None, typer.Argument(metavar="OLD", help="The old release.", show_default=False)] = None,
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="The new release.", show_default=False)] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the new release is worse: failure rates and run times, type by type.

    Without names, the two newest releases are compared. The exit status is 1 if the new one is worse.
    """
    with Client(url) as client:
        if old is None:
            old, new = _two_newest(client)
            error_console().print(
                Text(f"Compared are the two newest releases: {one_line(old)} (old) and {one_line(new)} (new)."),
                soft_wrap=True,
            )
        if new is None:
            raise typer.BadParameter("Name both releases, or none to compare the two newest.", param_hint="NEW")
        found = client.compare_releases(old, new)
        errors = [] if as_json else _new_errors(client, new)
    if as_json:
        print_json(found)
    else:
        console = output_console()
        console.print(Text(one_line(found.summary), "bold"), soft_wrap=True)
        for each in found.by_type:
            for line in _lines(each):
                console.print(line, soft_wrap=True)
        if found.types_left_out:
            console.print(f"{found.types_left_out} further types are left out: those with the fewest jobs.")
        if errors:
            console.print(Text(f"Errors that {one_line(new)} was the first to have:", "bold"), soft_wrap=True)
        for group in errors[:_MOST_ERRORS]:
            console.print(f"  {group.id}  {group.count:,}  {one_line(error_of(group))}", soft_wrap=True, markup=False)
        if len(errors) > _MOST_ERRORS:
            console.print(f"  and {len(errors) - _MOST_ERRORS} more: `jobtracker failures list --release`")
        console.print(
            Text(f"{found.comparisons} comparisons, level {found.level:g} for all together.", "dim"), soft_wrap=True
        )
    if found.verdict is Verdict.WORSE:
        raise typer.Exit(ExitStatus.FAILED)


def _two_newest(client: Client) -> tuple[str, str]:
    """The old one and the new one of the two releases that workers had first most recently."""
    found = client.releases(limit=200)
    if len(found.releases) < 2:
        known = ", ".join(each.release for each in found.releases) or "none"
        raise JobTrackerError(
            f"There are no two releases to compare. Known: {known}. Set RELEASE_LABEL where your workers run."
        )
    new, old, *_ = found.releases
    return old.release, new.release


def _new_errors(client: Client, release: str) -> list[FailureGroupSummary]:
    """The failure groups that were seen in a release first, among the 500 that were seen last in it."""
    found = client.failures(release=release, page_size=500).groups
    return [group for group in found if group.first_seen_in == release]


def _row(each: Release) -> list[Cell]:
    rate = "" if each.failure_rate is None else f"{each.failure_rate:.2%}"
    return [
        each.release,
        age(each.first_seen),
        age(each.last_seen),
        len(each.workers),
        each.completed,
        each.failed,
        each.cancelled,
        rate,
        each.new_failure_groups,
    ]


def _lines(each: TypeCompared) -> list[Text]:
    if each.verdict is Verdict.TOO_FEW:
        return [Text(f"{one_line(each.job_type)}  {each.failures.text}", "dim")]
    return [
        Text(f"{one_line(each.job_type)}  ").append_text(_WORDS[each.verdict]),
        Text(f"  failures   {one_line(each.failures.text)}", "dim"),
        Text(f"  run times  {one_line(each.run_times.text)}", "dim"),
    ]
