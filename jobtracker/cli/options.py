"""Arguments and options that several commands share, and how their values are read."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from jobtracker.client.clients import DEFAULT_URL

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="JOBTRACKER_URL", metavar="URL", help="Where the API is.", show_default=DEFAULT_URL),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, as the API answers it.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)]
JobIds = Annotated[list[str], typer.Argument(metavar="ID", help="The ids of jobs.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
TimeoutS = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0, help="Give up after this time, with exit status 124."),
]

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_time(text: str) -> datetime:
    """A time: ISO 8601 (UTC if it names no zone), or a duration before now, for example 30m, 2h or 7d.

    Raises:
        typer.BadParameter: It is neither.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-11-25, 2026-11-25T14:30 (both UTC), 2026-11-25T14:30+01:00, or 30m, "
            "2h, 7d for that long ago."
        ) from error
