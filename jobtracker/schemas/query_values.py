"""How values of the query language are read: times, durations, numbers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from jobtracker.schemas.filters import NumberRange, TimeRange

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|w)")
_NUMBER = re.compile(r"\d{1,9}")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_COMPARED = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)

TIME_HINT = "2h (that long ago), 14:02, 2026-11-25 or 2026-11-25T14:30"


class WrongValueError(ValueError):
    """A value that its qualifier can't have; the message says what it can."""


@dataclass(frozen=True)
class Clock:
    """What times of a query go by: now, and the zone of times that name none."""

    now: datetime
    zone: tzinfo


def moment(text: str, clock: Clock) -> datetime:
    """A time: how long ago, a time of day (the last time that it was that time), or ISO 8601."""
    try:
        if _DURATION.fullmatch(text):
            return clock.now - timedelta(milliseconds=_ms(text) or 0)
        if of_day := _CLOCK.fullmatch(text):
            local = clock.now.astimezone(clock.zone)
            hour, minute, second = (int(part or 0) for part in of_day.groups())
            at = local.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return (at if at <= local else at - timedelta(days=1)).astimezone(UTC)
        if _DATE.match(text):
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=clock.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise WrongValueError(f"it is no time. Write {TIME_HINT}.")


def span(text: str, clock: Clock) -> TimeRange:
    """From one time to another, `A..B`; either may be missing. One time alone: since then."""
    first, dots, last = text.partition("..")
    if not dots:
        return TimeRange(since=moment(first, clock))
    if not (first or last):
        raise WrongValueError(f"a time is missing. Write A.., ..B or A..B, with times such as {TIME_HINT}.")
    found = TimeRange(
        since=moment(first, clock) if first else None,
        until=moment(last, clock) if last else None,
    )
    if found.since and found.until and found.since > found.until:
        raise WrongValueError("it ends before it begins. Write the earlier time first.")
    return found


def durations(text: str, _: Clock) -> NumberRange:
    """A range of durations, in ms: `>30s`, `<=5m`, `1m..5m`."""
    return _range(text, _ms, "Write >30s, <=5m or 1m..5m; units are ms, s, m, h, d, w", is_exact=False)


def numbers(text: str, _: Clock) -> NumberRange:
    """A range of whole numbers: `2`, `>0`, `1..5`."""
    return _range(text, _number, "Write 2, >0, <=3 or 1..5", is_exact=True)


def _range(text: str, read: Callable[[str], int | None], hint: str, *, is_exact: bool) -> NumberRange:
    """A range of numbers.

    Args:
        text: What was typed.
        read: Reads one number of it.
        hint: What is allowed.
        is_exact: One number alone is that number.
    """

    def number(part: str) -> int:
        found = read(part)
        if found is None:
            raise WrongValueError(f"it can't be read. {hint}.")
        return found

    if compared := _COMPARED.fullmatch(text):
        sign, bound = compared[1], number(compared[2])
        if sign in {">", ">="}:
            return NumberRange(low=bound + (sign == ">"))
        return NumberRange(high=bound - (sign == "<"))
    first, dots, last = text.partition("..")
    if not dots:
        if not is_exact:
            number(first)
            raise WrongValueError(f"it says neither more nor less. {hint}.")
        return NumberRange(low=number(first), high=number(first))
    found = NumberRange(low=number(first), high=number(last))
    if (found.low or 0) > (found.high or 0):
        raise WrongValueError("it ends before it begins. Write the smaller one first.")
    return found


def _ms(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    return round(float(found[1]) * _UNITS_MS[found[2]]) if found else None


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None
