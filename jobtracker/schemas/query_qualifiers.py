"""The qualifiers of the query language: `status:`, `since:` … A new filter gets a row here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.filters import Origin, TimeRange
from jobtracker.schemas.query_values import TIME_HINT, Clock, WrongValueError, durations, moment, numbers, span


@dataclass(frozen=True)
class Qualifier:
    """A qualifier.

    Attributes:
        name: What stands before the colon.
        field: What it filters by: a field of `JobFilter`.
        hint: What it takes, in a few words.
        read: Reads one value; raises `WrongValueError`.
        values: The values that it may have, if they are few; or some that are of use.
        is_list: It may have several values, of which a job has one.
    """

    name: str
    field: str
    hint: str
    read: Callable[[str, Clock], Any]
    values: tuple[str, ...] = ()
    is_list: bool = True


def _text(name: str, hint: str, field: str = "") -> Qualifier:
    return Qualifier(name, field or name, hint, lambda text, _: text)


def _choice(name: str, kind: type[StrEnum]) -> Qualifier:
    values = tuple(map(str, kind))

    def read(text: str, _: Clock) -> StrEnum:
        if text not in values:
            raise WrongValueError(f"it is no {name}. Write one of: {', '.join(values)}.")
        return kind(text)

    return Qualifier(name, name, ", ".join(values), read, values)


_AGES = ("15m", "1h", "24h", "7d")


def _time(name: str, field: str, hint: str, read: Callable[[str, Clock], Any]) -> Qualifier:
    return Qualifier(name, field, hint, read, _AGES, is_list=False)


def _amount(name: str, field: str, hint: str, read: Callable[[str, Clock], Any], *values: str) -> Qualifier:
    return Qualifier(name, field, hint, read, values, is_list=False)


def _has(text: str, _: Clock) -> bool:
    if text != "log":
        raise WrongValueError("it can't be asked for. Write has:log.")
    return True


def _by_name(qualifiers: Iterable[Qualifier]) -> dict[str, Qualifier]:
    return {qualifier.name: qualifier for qualifier in qualifiers}


QUALIFIERS = _by_name(
    [
        _choice("status", Status),
        _text("type", "a job type", "job_type"),
        _choice("priority", Priority),
        _text("queue", "where it is sent to"),
        _text("worker", "the Celery worker that runs or ran it"),
        _text("release", "the release that its worker ran"),
        _text("error", "the type of its error", "error_type"),
        _text("failure", "the id of a failure group", "failure_group"),
        _text("tag", "a tag"),
        _text("name", "a part of the name"),
        _choice("origin", Origin),
        _text("schedule", "an entry in beat's schedule"),
        _time("since", "created", f"created since: {TIME_HINT}", lambda t, clock: TimeRange(since=moment(t, clock))),
        _time("until", "created", f"created until: {TIME_HINT}", lambda t, clock: TimeRange(until=moment(t, clock))),
        _time("started", "started", "started since 2h, or in 14:00..14:30", span),
        _time("finished", "finished", "finished since 2h, or in 14:00..14:30", span),
        _time("running_at", "running_at", f"running at that time: {TIME_HINT}", moment),
        _amount("run", "run_ms", "how long it has run: >30s, <5m, 1m..5m", durations, ">1m", ">10m", ">1h"),
        _amount("wait", "wait_ms", "how long it has waited: >30s, <5m, 1m..5m", durations, ">1m", ">10m", ">1h"),
        _amount("retries", "retries", "Celery's retries of this run: 0, >0, 1..3", numbers, ">0"),
        _amount("losses", "losses", "how often its worker was lost: 0, >0", numbers, ">0"),
        Qualifier("has", "has_log", "log: it has written into its own log", _has, ("log",), is_list=False),
        _text("parent", "the id of the parent"),
        _text("sent_by", "the id of the job that sent it"),
        _text("group", "Celery's id of a group"),
    ]
)
"""All qualifiers, by name."""
