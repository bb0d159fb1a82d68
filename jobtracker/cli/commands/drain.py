"""`jobtracker drain`."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from jobtracker.cli.console import error_console, output_console, print_error
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import age, print_json, time_of
from jobtracker.client import ApiUnavailableError, Client
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.drains import Drain, DrainState, HeldTask
from jobtracker.schemas.explanation import Estimate

_STYLES = {
    DrainState.CONSUMING: "default",
    DrainState.DRAINING: "yellow",
    DrainState.SAFE: "bold green",
    DrainState.UNKNOWN: "bold red",
}
_WHY_NOT_KNOWN = "too few jobs of a type have ended, or one takes unusually long"
_POLLED_EVERY_S = 1.0
_A_MOMENT = timedelta(seconds=1)
_NAMED = 10
"""Tasks of one worker that are named."""


def drain(
    workers: Annotated[
        list[str],
        typer.Argument(
            metavar="WORKER", help="Names of workers, or patterns such as 'celery@web-*'.", show_default=False
        ),
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all of them are safe to stop.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0, help="With --wait: give up then, with exit status 124."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let them consume again what they consumed before.")] = False,
    look: Annotated[bool, typer.Option("--look", help="Change nothing: only say what they have.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Take workers out of service: stop consuming, say what still runs, and when it is safe to stop.

    A worker that is started again consumes again. Exit status: 0 if all consume nothing any more; with --wait, if all
    are safe to stop; with --undo, if all consume again. 1 if that is not so, or not known. 124 if the time is over.
    """
    if undo + look + wait > 1:
        raise typer.BadParameter("--wait, --undo and --look exclude each other.")
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout goes with --wait.")
    with Client(url) as client:
        names = _names(client, workers)
        found, failed = _each(names, client.undo_drain if undo else client.drain_state if look else client.drain)
        if wait:
            if not as_json:
                _show(error_console(), found.values())
            failed |= _wait(client, found, None if timeout is None else time.monotonic() + timeout, as_json=as_json)
    if as_json:
        print_json([found[name] for name in names if name in found])
    else:
        _show(output_console(), found.values())
    is_done = _is_undone if undo else _consumes_nothing
    if failed or not (look or wait or all(map(is_done, found.values()))):
        raise typer.Exit(ExitStatus.FAILED)
    if wait and not all(each.is_safe for each in found.values()):
        print_error(JobTrackerError(f"Not all of them are safe to stop after {timeout:g} s. They stay drained."))
        raise typer.Exit(ExitStatus.TIMED_OUT)


def _names(client: Client, wanted: Sequence[str]) -> list[str]:
    """The names of the workers, without repetition.

    Raises:
        typer.BadParameter: No worker fits a pattern.
    """
    names: list[str] = []
    known: list[str] | None = None
    for each in wanted:
        if not set(each) & set("*?["):
            names.append(each)
            continue
        if known is None:
            known = [worker.name for worker in client.workers() if worker.lease]
        fitting = [name for name in known if fnmatchcase(name, each)]
        if not fitting:
            raise typer.BadParameter(f"No live tracked worker matches {each!r}: `jobtracker workers` lists them.")
        names += fitting
    return list(dict.fromkeys(names))


def _each(names: Sequence[str], act: Callable[[str], Drain]) -> tuple[dict[str, Drain], bool]:
    """Act on each worker; returns what each is like now, and whether something failed."""
    found, failed = {}, False
    for name in names:
        try:
            found[name] = act(name)
        except JobTrackerError as error:
            print_error(error)
            failed = True
    return found, failed


def _wait(client: Client, found: dict[str, Drain], until: float | None, *, as_json: bool) -> bool:
    """Wait until all are safe or the time is over; returns whether one of them has gone meanwhile."""
    has_gone = False
    while names := [name for name, each in found.items() if not each.is_safe]:
        left_s = _POLLED_EVERY_S if until is None else until - time.monotonic()
        if left_s <= 0:
            break
        time.sleep(min(left_s, _POLLED_EVERY_S))
        for name in names:
            before = found[name]
            try:
                now = _drained_further(client, before)
            except ApiUnavailableError:  # it may be back in a moment, and the workers stay drained
                continue
            except JobTrackerError as error:
                print_error(error)
                del found[name]
                has_gone = True
                continue
            found[name] = now
            if now.summary != before.summary and not as_json:
                _show(error_console(), [now], in_short=True)
    return has_gone


def _drained_further(client: Client, before: Drain) -> Drain:
    """What a worker is like now. One that has not said that it consumes nothing is told again: it may have been busy.

    Raises:
        JobTrackerError: It was started again, or is gone.
    """
    now = client.drain_state(before.worker)
    if now.incarnation != before.incarnation:
        raise JobTrackerError(f"{before.worker} was started again: the new worker was not told to drain.")
    return now if _consumes_nothing(now) else client.drain(before.worker)


def _consumes_nothing(each: Drain) -> bool:
    return each.queues == []


def _is_undone(each: Drain) -> bool:
    return each.drained_since is None and each.queues is not None


def _show(console: Console, found: Iterable[Drain], *, in_short: bool = False) -> None:
    for each in found:
        line = Text(f"{each.worker}  ").append(each.state, _STYLES[each.state]).append(f"  {one_line(each.summary)}")
        console.print(line, soft_wrap=True)
        for text in () if in_short else _facts(each):
            console.print(Text(f"  {text}", "dim"), soft_wrap=True)


def _facts(each: Drain) -> Iterator[str]:
    for task in each.tasks[:_NAMED]:
        yield one_line(_task(task))
    if (more := each.tasks_left_out + len(each.tasks) - _NAMED) > 0:
        yield f"and {more} more"
    if each.running:
        at = time_of(each.finish_at)
        yield (
            f"all that runs may be done by {at}"
            if at
            else f"when all that runs is done is not known: {_WHY_NOT_KNOWN}"
        )
    if each.waiting and each.if_stopped:
        yield one_line(f"if stopped (SIGTERM): {each.if_stopped}")
    if each.tasks and each.if_killed:
        yield one_line(f"if killed (SIGKILL): {each.if_killed}")


def _task(task: HeldTask) -> str:
    parts = [f"{task.where}  {task.job_type or task.task}  {task.id}"]
    if task.since:
        parts.append(f"for {age(task.since)}")
    if task.not_before:
        parts.append(f"not before {time_of(task.not_before)}")
    if task.finish:
        parts.append(_end_in_words(task.finish))
    elif task.where == "active":
        parts.append("its end is not known")
    return f"{', '.join(parts)}. If killed: {task.if_killed_text}"


def _end_in_words(finish: Estimate) -> str:
    """When a running task may be done, by how long others of its type ran."""
    late = f"95 % of such jobs end by {time_of(finish.late_at)}"
    if finish.at <= datetime.now(UTC) + _A_MOMENT:
        return f"it has run for longer than half of such jobs do; {late}"
    return f"half of such jobs end within {age(finish.at)}; {late}"
