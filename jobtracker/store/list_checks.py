"""What is checked job by job where no index answers a filter; in the server by `lua/lib/list_checks.lua`."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.filters import JobFilter, NumberRange, Origin, TimeRange
from jobtracker.store.schema import FIELDS, JobRecord

_HIGHEST = 2**53
"""No number is greater: JSON and Lua know it exactly."""

_NAMES_IN_FILTER = {"type": "job_type", "tags": "tag", "attempt": "retries"}
"""Those of fields that have another name there."""

_FIELD_OF = {
    _NAMES_IN_FILTER.get(field.name, field.name): (field.traits["filter"], field.name)
    for field in FIELDS
    if "filter" in field.traits
}
_FIELD_OF["limited_to_tag"] = _FIELD_OF["tag"]
"""How each filter by a field is checked, and the field. Other filters are checks of their own, by their names."""

_NOW = frozenset({"run_ms", "wait_ms"})
"""Filters whose value depends on the time."""

_BESIDE = frozenset({"schedule", "has_log"})
"""Filters whose value is not in the record."""


class Check(NamedTuple):
    """One check, as Lua reads it."""

    what: str
    field: str
    wanted: Any
    is_negated: bool


class Beside(NamedTuple):
    """What a check may need beside the record."""

    schedule: str | None = None
    has_log: bool = False


def checks_of(wanted: JobFilter, covered: Collection[str], not_excluded: Collection[str] = ()) -> list[Check]:
    """What is left to check of a filter; what is not in the record comes last.

    Args:
        wanted: The filter.
        covered: Names of its fields that need no check.
        not_excluded: The same of the fields of what is excluded.
    """
    found = list(_checks(wanted, covered, is_negated=False))
    for other in wanted.excluded:
        found += _checks(other, not_excluded, is_negated=True)
    return sorted(found, key=lambda check: check.what in _BESIDE)


def _checks(wanted: JobFilter, covered: Collection[str], *, is_negated: bool) -> Iterator[Check]:
    for name, value in wanted.given().items():
        if name in covered:
            continue
        what, field = _FIELD_OF.get(name, (name, ""))
        plain: Any = value
        if isinstance(value, TimeRange):
            plain = _bounds(value.low_ms, value.high_ms)
        elif isinstance(value, NumberRange):
            plain = _bounds(value.low, value.high)
        elif what in {"contains", "text"}:
            plain = [_lower(text) for text in value]
        elif isinstance(value, tuple):
            plain = [str(each) for each in value]
        elif name == "running_at":
            plain = TimeRange(until=value).high_ms
        if name in _NOW:
            plain.append(now_ms())
        yield Check(what, field, plain, is_negated)


def _bounds(low: int | None, high: int | None) -> list[int]:
    return [-_HIGHEST if low is None else low, _HIGHEST if high is None else high]


def need_more(checks: Sequence[Check]) -> bool:
    """Whether one of them needs `Beside`."""
    return any(check.what in _BESIDE for check in checks)


def passes(record: JobRecord, checks: Sequence[Check], beside: Beside) -> bool:
    """As `lua/lib/list_checks.lua`."""
    return all(_fits(record, check, beside) != check.is_negated for check in checks)


def _fits(record: JobRecord, check: Check, beside: Beside) -> bool:
    wanted = check.wanted
    match check.what:
        case "eq":
            return _stored(record, check.field) in wanted
        case "between":
            value = getattr(record, check.field)
            return value is not None and _is_between(value, wanted)
        case "contains":
            return _has_one_of(_stored(record, check.field), wanted)
        case "queue":
            return _queue_of(record) in wanted
        case "tag":
            return any(tag in wanted for tag in record.tags)
        case "text":
            places = [_lower(place) for place in (record.name, record.type, record.reason) if place is not None]
            return all(any(text in place for place in places) for text in wanted)
        case "origin":
            return _origin_of(record) in wanted
        case "schedule":
            return record.origin == Origin.BEAT and beside.schedule in wanted
        case "has_log":
            return beside.has_log is wanted
        case "run_ms" | "wait_ms":
            return (_ran_between if check.what == "run_ms" else _waited_between)(record, wanted)
        case _:
            started = record.started
            if started is None or started > wanted:
                return False
            return record.status == Status.RUNNING or record.status_changed_at > wanted


def _stored(record: JobRecord, field: str) -> str | None:
    """The text of a field; its status as it is stored, for there may be one of a newer release."""
    if field in {"name", "task"}:
        return str(getattr(record, field))
    value = record.as_texts().get(field)
    return str(Priority.NORMAL) if value is None and field == "priority" else value


def _queue_of(record: JobRecord) -> str | None:
    """Where a job is sent; "": to the default queue; None: it names none, and was not sent."""
    return record.actual_queue or record.queue or ("" if record.queued else None)


def _origin_of(record: JobRecord) -> Origin:
    if record.origin in {Origin.API, Origin.BEAT}:
        return Origin(record.origin)
    return Origin.TASK if record.sent_by is not None else Origin.PLAIN


def _ran_between(record: JobRecord, wanted: Sequence[int]) -> bool:
    started = record.began or record.started
    ended = record.finished or (wanted[2] if record.status == Status.RUNNING else None)
    return started is not None and ended is not None and _is_between(max(ended - started, 0), wanted)


def _waited_between(record: JobRecord, wanted: Sequence[int]) -> bool:
    since = record.waits_from
    if since is None:
        return False
    ended = record.started or record.finished or wanted[2]
    return _is_between(max(ended - since, 0), wanted)


def _is_between(value: int, wanted: Sequence[int]) -> bool:
    return bool(wanted[0] <= value <= wanted[1])


def _has_one_of(text: str | None, wanted: Sequence[str]) -> bool:
    low = None if text is None else _lower(text)
    return low is not None and any(each in low for each in wanted)


def _lower(text: str) -> str:
    """As Lua has it: of ASCII letters only."""
    return text.encode(errors="surrogatepass").lower().decode(errors="surrogatepass")
