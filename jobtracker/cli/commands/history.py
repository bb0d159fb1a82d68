"""`jobtracker history`."""

from datetime import UTC

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, JobId, Url
from jobtracker.cli.tables import Cell, Column, print_json, print_table
from jobtracker.client import Client
from jobtracker.schemas.history import HistoryEntry, Step

_COLUMNS = [
    Column("AT (UTC)"),
    Column("RUN", is_number=True),
    Column("ATTEMPT", is_number=True),
    Column("STEP"),
    Column("WORKER", may_shrink=True),
    Column("REASON", may_shrink=True),
]


def history(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """List what happened to a job: runs, deliveries, attempts, cancels, and how it ended."""
    with Client(url) as client:
        found = client.history(job_id)
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _COLUMNS, [_row(entry) for entry in found])


def _row(entry: HistoryEntry) -> list[Cell]:
    return [
        f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        entry.run or None,
        None if entry.attempt is None else entry.attempt + 1,
        f"{entry.step} (inferred)" if entry.inferred else str(entry.step),
        entry.worker,
        entry.reason if entry.step is not Step.ENDED_LATE else _late(entry),
    ]


def _late(entry: HistoryEntry) -> str:
    """How an execution that does not count ended."""
    told = f": {entry.reason}" if entry.reason else ""
    if entry.result is not None:
        told = ", same result" if entry.same_result else f": {entry.result}, another result"
    began = f", it began {entry.began_at.astimezone(UTC):%H:%M:%S}" if entry.began_at else ""
    return f"{entry.outcome}{told} (does not count{began})"
