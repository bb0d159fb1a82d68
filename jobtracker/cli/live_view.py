"""A tree of jobs while it runs: live bars on a terminal, a line a change elsewhere."""

import time
from collections import Counter
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tree_view import NAME_WIDTH, STATUS_WIDTH, STYLES, walk
from jobtracker.core.lifecycle import SETTLED, UNDER_WAY, Status
from jobtracker.schemas.jobs import JobTree

_BAR_WIDTH = 12
RANKED = (*UNDER_WAY, Status.RETRYING, Status.FAILED, Status.CANCELLED, Status.PENDING, Status.COMPLETED)
"""Which jobs to show where there are too many: the first ones."""


class TreeView(AbstractContextManager["TreeView"], Protocol):
    """Shows a tree from one `update` to the next."""

    def update(self, tree: JobTree) -> None:
        """Show the tree as it is now."""


def tree_view(console: Console) -> TreeView:
    """The view that suits the console."""
    return LiveBars(console) if console.is_terminal else StatusLines(console)


class LiveBars:
    """A bar for each job, or for as many as the terminal has lines, redrawn in place; gone at the end."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, transient=True, refresh_per_second=10)

    def update(self, tree: JobTree) -> None:
        """Show the tree as it is now."""
        self._live.update(_bars(tree, most=self._live.console.height - 1))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()


class StatusLines:
    """A line whenever a job's status has changed, with the seconds since the first look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[str, Status] = {}
        self._first_look_s: float | None = None

    def update(self, tree: JobTree) -> None:
        """Print what has changed since the last look."""
        now_s = time.monotonic()
        if self._first_look_s is None:
            self._first_look_s = now_s
        for depth, job in walk(tree):
            if self._seen.get(job.id) is not job.status:
                self._seen[job.id] = job.status
                line = f"{now_s - self._first_look_s:6.2f} s  {'  ' * depth}{one_line(job.name)}: {job.status}"
                self._console.print(Text(line), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def _bars(tree: JobTree, most: int) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)  # to the full width: the note has what the others leave
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH)
    table.add_column(no_wrap=True, min_width=STATUS_WIDTH)
    table.add_column(width=_BAR_WIDTH)
    table.add_column(no_wrap=True, justify="right", min_width=4)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    shown, left_out = _choose(list(walk(tree)), most)
    for depth, job in shown:
        percent = _percent(job)
        bar = ProgressBar(
            total=100,
            completed=percent or 0,
            pulse=percent is None and job.status is Status.RUNNING,
            complete_style=STYLES[job.status],
            finished_style=STYLES[job.status],
        )
        note = job.progress.note if job.progress and job.status not in SETTLED else ""
        table.add_row(
            Text("  " * depth + one_line(job.name)),
            Text(job.status, STYLES[job.status]),
            bar,
            "" if percent is None else f"{percent:.0f}%",
            Text(one_line(note or job.reason or ""), "dim"),
        )
    if left_out:
        counts = ", ".join(f"{count} {status}" for status, count in left_out.most_common())
        table.add_row(Text(f"… {left_out.total()} more", "dim"), "", "", "", Text(counts, "dim"))
    return table


def _choose(jobs: list[tuple[int, JobTree]], most: int) -> tuple[list[tuple[int, JobTree]], Counter[Status]]:
    """The jobs that fit on so many lines, in their order, those that tell most; and the statuses of the others."""
    if len(jobs) <= most:
        return jobs, Counter()
    below = sorted(range(1, len(jobs)), key=lambda at: RANKED.index(jobs[at][1].status))
    kept = {0, *below[: max(0, most - 2)]}
    others = Counter(job.status for at, (_, job) in enumerate(jobs) if at not in kept)
    return [each for at, each in enumerate(jobs) if at in kept], others


def _percent(job: JobTree) -> float | None:
    if job.status is Status.COMPLETED:
        return 100
    return None if job.progress is None else job.progress.percent
