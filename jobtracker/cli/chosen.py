"""The jobs that a command is to change: named by their ids, or found by a query. What it found is counted first."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from rich.text import Text

from jobtracker.cli.bulk import confirm, for_each
from jobtracker.cli.console import error_console
from jobtracker.cli.tables import Column, print_table
from jobtracker.cli.tree_view import STYLES
from jobtracker.client import Client
from jobtracker.core.lifecycle import Status
from jobtracker.errors import JobNotFoundError, JobTrackerError
from jobtracker.schemas.jobs import JobSummary
from jobtracker.schemas.query_language import terms_of
from jobtracker.schemas.query_qualifiers import QUALIFIERS

T = TypeVar("T")

MOST_CHOSEN = 100_000
"""So many jobs may be changed at a time by a query."""

_COLUMNS = [Column("JOBS", is_number=True), Column("STATUS"), Column("TYPE", may_shrink=True, keeps_end=True)]
_MOST_ROWS = 20


class TooManyJobsError(JobTrackerError):
    """A query finds more jobs than may be changed at a time."""


class Verb(NamedTuple):
    """What is done to jobs.

    Attributes:
        name: For example retry.
        past: For example Retried.
        fits: Whether a job is in a state in which that is possible.
        condition: That state in words.
    """

    name: str
    past: str
    fits: Callable[[JobSummary], bool]
    condition: str


class _Found(NamedTuple):
    """What a query has found."""

    job_ids: list[str]
    """Those to change, the oldest first."""
    numbers: Counter[tuple[Status, str]]
    """How many these are, by status and type."""
    unfit: int
    below: int
    """Sub-jobs of others: what happens to these happens to them."""


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


def for_query(
    client: Client,
    arguments: Sequence[str],
    verb: Verb,
    act: Callable[[str], T],
    *,
    tz: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Run an action for each job that a query finds, after it has said how many these are, and asked.

    Raises:
        TooManyJobsError: Nothing was changed.
        typer.Exit: Something could not be done: status 1.
        typer.BadParameter: There is nobody to ask.
        typer.Abort: The answer was no.
    """
    console = error_console()
    found = _find(client, " ".join(arguments), verb, tz)
    _print_numbers(found, verb)
    if not found.job_ids:
        return
    jobs = f"{len(found.job_ids):,} job{'s' * (len(found.job_ids) > 1)}"
    confirm(f"{verb.name.capitalize()} {jobs}?", yes=yes)
    done = 0

    def count(job_id: str) -> T:
        nonlocal done
        result = act(job_id)
        done += 1
        return result

    try:
        for_each(found.job_ids, count, lambda _: None, as_json=as_json, as_array=True)
    finally:
        console.print(f"{verb.past} {done:,} of {jobs}.", soft_wrap=True)


def _find(client: Client, query: str, verb: Verb, tz: str) -> _Found:
    parents: dict[str, str | None] = {}
    kinds: dict[str, tuple[Status, str]] = {}
    unfit = 0
    for job in client.jobs(q=query, tz=tz):
        if not verb.fits(job):
            unfit += 1
            continue
        parents[job.id], kinds[job.id] = job.parent_id, (job.status, job.job_type)
        if len(parents) > MOST_CHOSEN:
            raise TooManyJobsError(
                f"More than {MOST_CHOSEN:,} jobs match, which is too many for one command. Narrow the query, for "
                "example by since: and until:."
            )
    chosen = [job_id for job_id in reversed(parents) if parents[job_id] not in parents]
    numbers = Counter(kinds[job_id] for job_id in chosen)
    return _Found(chosen, numbers, unfit, len(parents) - len(chosen))


def _print_numbers(found: _Found, verb: Verb) -> None:
    console = error_console()
    if found.numbers:
        rows = found.numbers.most_common(_MOST_ROWS)
        print_table(console, _COLUMNS, [(n, Text(status, STYLES[status]), name) for (status, name), n in rows])
        if (rest := len(found.numbers) - len(rows)) > 0:
            left = found.numbers.total() - sum(n for _, n in rows)
            console.print(f"and {left:,} jobs of {rest:,} other kinds", soft_wrap=True)
    elif not found.unfit:
        console.print("No jobs match.", soft_wrap=True)
    if found.below:
        console.print(f"Sub-jobs of these that match too: {found.below:,}. They go with them.", soft_wrap=True)
    if found.unfit:
        console.print(
            f"Left alone: {found.unfit:,} that match. To {verb.name} a job, it must be {verb.condition}.",
            soft_wrap=True,
        )
