"""Arguments and options that several commands share, and how their values are read."""

import re
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from jobtracker.client.clients import DEFAULT_URL
from jobtracker.client.endpoints import SendingOptions
from jobtracker.schemas.query_language import UnknownZoneError, zone_of
from jobtracker.schemas.query_values import Clock, WrongValueError, moment

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="JOBTRACKER_URL", metavar="URL", help="Where the API is.", show_default=DEFAULT_URL),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, as the API answers it.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)]
JobIds = Annotated[list[str], typer.Argument(metavar="ID", help="The ids of jobs.", show_default=False)]
JobsOrQuery = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID|QUERY]",
        help="The ids of jobs, or a query that finds them, e.g. 'status:failed type:invoice since:2h'.",
        show_default=False,
    ),
]
_zone: ContextVar[str] = ContextVar("zone", default="UTC")
"""The zone that the command line names: times among its options are read after it."""


def _keep_zone(name: str) -> str:
    _zone.set(name)
    return name


Zone = Annotated[
    str,
    typer.Option(
        "--tz",
        metavar="ZONE",
        is_eager=True,
        callback=_keep_zone,
        help="The zone of times that name none: Europe/Berlin.",
    ),
]
AllJobs = Annotated[bool, typer.Option("--all", help="All jobs that there are, instead of a query.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many jobs these are, by status and type.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
TimeoutS = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0, help="Give up after this time, with exit status 124."),
]

_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_time(text: str) -> datetime:
    """A time as in a query: how long ago, e.g. 30m, 2h or 7d, a time of day, or ISO 8601.

    If it names no zone, it is in the one of `--tz`, or in UTC.

    Raises:
        typer.BadParameter: It is none, or there is no such zone.
    """
    try:
        return moment(text, Clock(datetime.now(UTC), zone_of(_zone.get())))
    except UnknownZoneError as error:
        raise typer.BadParameter(str(error), param_hint="--tz") from error
    except WrongValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no time: write {_CLOCK_TIMES}, 14:30 for the last time that it was that late, or 30m, 2h, "
            "7d for that long ago."
        ) from error


def read_seconds(text: str) -> float:
    """A duration in seconds: a number of them, or for example 30m, 2h, 7d.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        duration = _DURATION.fullmatch(text)
        return timedelta(**{_UNITS[duration[2]]: int(duration[1])}).total_seconds() if duration else float(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no duration: write seconds, or 30m, 2h, 7d.") from error


def read_eta(text: str) -> datetime:
    """A time by the clock: ISO 8601, UTC if it names no zone.

    Raises:
        typer.BadParameter: It is none.
    """
    try:
        return _by_the_clock(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time: write {_CLOCK_TIMES}.") from error


def read_expiry(text: str) -> str:
    """A time by the clock, as ISO 8601, or a duration from the start, in seconds.

    Raises:
        typer.BadParameter: It is neither.
    """
    try:
        return _by_the_clock(text).isoformat() if "-" in text[1:] else str(read_seconds(text))
    except (ValueError, typer.BadParameter) as error:
        raise typer.BadParameter(f"{text!r} is neither: write seconds, 30m, 2h, 7d, or {_CLOCK_TIMES}.") from error


def sending_options(
    eta: datetime | None, countdown: float | None, expires: str | None, queue: str | None
) -> SendingOptions:
    """These options as the client takes them."""
    ends: datetime | float | None = None
    if expires is not None:
        ends = datetime.fromisoformat(expires) if "-" in expires[1:] else float(expires)
    return {"eta": eta, "countdown": countdown, "expires": ends, "queue": queue}


def _by_the_clock(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_CLOCK_TIMES = "2026-11-25, 2026-11-25T14:30 (both UTC), 2026-11-25T14:30+01:00"

Eta = Annotated[
    datetime | None,
    typer.Option("--eta", metavar="TIME", parser=read_eta, help="It must not begin before this time."),
]
Countdown = Annotated[
    float | None,
    typer.Option("--countdown", metavar="DURATION", parser=read_seconds, help="The same from its start, e.g. 30m."),
]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        metavar="TIME",
        parser=read_expiry,
        help="It is cancelled if it has not begun by then; or a duration from its start.",
    ),
]
ToQueue = Annotated[
    str | None, typer.Option("--queue", metavar="QUEUE", help="Where it is sent to.", show_default="that of its type")
]
