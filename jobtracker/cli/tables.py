"""Tables and values for people: columns that fit the width, ages, durations; and JSON for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic_core import to_json
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tree_view import STYLES
from jobtracker.schemas.explanation import Explanation
from jobtracker.schemas.jobs import Job, JobSummary

_GAP = "  "
_NARROWEST = 6


class Column(NamedTuple):
    """A column: its title, and how it behaves; `keeps_end`: what is too long is cut at its beginning."""

    title: str
    is_number: bool = False
    may_shrink: bool = False
    keeps_end: bool = False


Cell = Text | str | int | None


def print_table(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a line a row. Where the width does not suffice, the widest of the columns that may shrink are cut."""
    lines = [[Text(column.title, "bold") for column in columns]]
    lines += [[_text(cell) for cell in row] for row in rows]
    widths = [max(line[at].cell_len for line in lines) for at in range(len(columns))]
    _shrink(widths, columns, console.width - len(_GAP) * (len(columns) - 1))
    for line in lines:
        for cell, width, column in zip(line, widths, columns, strict=True):
            if column.keeps_end:
                _cut_beginning(cell, width)
            cell.truncate(width, overflow="ellipsis")
            if column.is_number:
                cell.pad_left(width - cell.cell_len)
            else:
                cell.pad_right(width - cell.cell_len)
        whole = Text(_GAP).join(line)
        whole.rstrip()
        console.print(whole, soft_wrap=True)


def trace_of(found: Job | Explanation) -> str | None:
    """Where the trace of a job is, or what it is called."""
    return found.trace_url or found.traceparent


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """Print one JSON document."""
    (sys.stderr if to_stderr else sys.stdout).write(to_json(value, indent=2, inf_nan_mode="null").decode() + "\n")


def print_json_line(value: Any) -> None:
    """Print JSON on one line, now: one document of many."""
    sys.stdout.write(to_json(value, inf_nan_mode="null").decode() + "\n")
    sys.stdout.flush()


def status_text(job: JobSummary) -> Text:
    """A job's status, and how far it is while it runs."""
    text = Text(job.status, STYLES[job.status])
    if job.progress is not None and job.finished_at is None:
        text.append(f" {job.progress.percent:.0f}%")
    return text


def age(at: datetime | None) -> str:
    """How far away a time is, in its largest unit: 5s, 3m, 2h, 4d."""
    if at is None:
        return ""
    seconds = int(abs(datetime.now(UTC) - at).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def short_duration(seconds: float | None) -> str:
    """A duration in its largest unit: 12ms, 1.5s, 3m, 2h, 4d; "" for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    unit, length = next((u, n) for u, n in (("d", 86400), ("h", 3600), ("m", 60)) if seconds >= n)
    return f"{seconds / length:.0f}{unit}"


def time_of(at: datetime | None) -> str | None:
    """A time in UTC, the zone of all that the API says, and how far away it is."""
    if at is None:
        return None
    distance = f"{age(at)} ago" if at <= datetime.now(UTC) else f"in {age(at)}"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({distance})"


def _text(cell: Cell) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text("" if cell is None else f"{cell:,}" if isinstance(cell, int) else one_line(cell))


def _cut_beginning(cell: Text, width: int) -> None:
    if cell.cell_len > width:
        rest = cell.plain
        while cell_len(rest) >= width:
            rest = rest[1:]
        cell.plain = f"…{rest}"


def _shrink(widths: list[int], columns: Sequence[Column], most: int) -> None:
    flexible = [at for at, column in enumerate(columns) if column.may_shrink]
    while flexible and sum(widths) > most:
        widest = max(flexible, key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1
