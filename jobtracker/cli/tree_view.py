"""A tree of jobs on paper: one line a job."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from jobtracker.cli.console import has_limit
from jobtracker.cli.result_summary import summarize
from jobtracker.cli.sanitize import one_line
from jobtracker.core.lifecycle import UNDER_WAY, Status
from jobtracker.schemas.jobs import JobTree

STYLES = {
    **dict.fromkeys(UNDER_WAY, "cyan"),
    Status.PENDING: "dim",
    Status.COMPLETED: "green",
    Status.FAILED: "bold red",
    Status.CANCELLED: "yellow",
    Status.RETRYING: "magenta",
}
STATUS_WIDTH = max(map(len, Status))
NAME_WIDTH = 40
_INDENT = 4  # of a branch as rich draws it


def walk(tree: JobTree, depth: int = 0) -> Iterator[tuple[int, JobTree]]:
    """The job and all below it, parents first, each with its depth."""
    yield depth, tree
    for sub_job in tree.sub_jobs:
        yield from walk(sub_job, depth + 1)


def print_tree(console: Console, tree: JobTree) -> None:
    """Print the tree as `draw_tree` draws it; whole where the console's lines have no limit."""
    console.print(draw_tree(tree, NAME_WIDTH if has_limit(console) else None))


def draw_tree(tree: JobTree, name_width: int | None = NAME_WIDTH) -> Tree:
    """The tree with each job's status, duration and what came of it. A line never wraps: it ends with an ellipsis.

    Args:
        tree: The tree.
        name_width: A longer name is cut there; None: none is.
    """
    most = name_width or max(Text(one_line(job.name)).cell_len for _, job in walk(tree))
    width = max(_INDENT * depth + min(Text(one_line(job.name)).cell_len, most) for depth, job in walk(tree))
    return _draw(tree, width)


def _draw(job: JobTree, name_width: int) -> Tree:
    drawn = Tree(_line(job, name_width), guide_style="dim")
    for sub_job in job.sub_jobs:
        drawn.children.append(_draw(sub_job, name_width - _INDENT))
    return drawn


def _line(job: JobTree, name_width: int) -> Text:
    name = Text(one_line(job.name))
    name.truncate(name_width, overflow="ellipsis", pad=True)
    line = Text("  ", no_wrap=True, overflow="ellipsis").join(
        [name, Text(job.status.ljust(STATUS_WIDTH), STYLES[job.status]), Text(_duration(job).rjust(8))]
    )
    return line.append("  ").append(outcome(job), style="dim")


def _duration(job: JobTree) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return f"{(job.finished_at - job.started_at).total_seconds():.2f} s"


def outcome(job: JobTree) -> str:
    """What came of the job, in a few words on one line."""
    if job.error is not None:
        text = f"{job.error.type}: {job.error.message}"
    elif size := job.result_omitted_bytes or ((large := job.large_values.get("result")) and large.bytes):
        text = f"a result of {size:,} bytes"
    elif job.status is Status.COMPLETED:
        text = summarize(job.result)
    else:
        text = job.reason or ""
    return one_line(text)
