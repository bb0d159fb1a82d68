r"""The query language of lists: `status:failed type:invoice since:2h "timed out"`. Its one grammar.

    query     = { term }
    term      = [ "-" ] ( qualifier ":" value { "," value } | text )
    value     = word | quoted         (a word ends at a space or a comma)
    text      = word | quoted         (a word ends at a space)
    quoted    = '"' … '"'             (with \" and \\ inside)

All terms must match; of the values of one qualifier one must. docs/reference/search.md says it for users.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from jobtracker.errors import JobTrackerError
from jobtracker.schemas.filters import MOST_VALUES, JobFilter, NumberRange, TimeRange
from jobtracker.schemas.query_qualifiers import QUALIFIERS, Qualifier
from jobtracker.schemas.query_values import Clock, WrongValueError

MOST_CHARS = 2000
"""How long a query may be."""

_MOST_VALUE_CHARS = 255
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*):")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("|\\?\Z)', re.DOTALL)
_SHOWN_CHARS = 40


class InvalidQueryError(JobTrackerError):
    """A query that can't be read.

    Attributes:
        position: Where the wrong part begins, from 0.
        end: Where it ends.
    """

    def __init__(self, query: str, position: int, end: int, why: str) -> None:
        part = query[position:end]
        shown = part if len(part) <= _SHOWN_CHARS else f"{part[:_SHOWN_CHARS]}…"
        at = f"At character {position + 1} of the query, {shown!r}" if shown else "At the end of the query"
        super().__init__(f"{at}: {why}")
        self.position = position
        self.end = end


class UnknownZoneError(JobTrackerError):
    """There is no time zone of that name."""


@dataclass(frozen=True)
class Value:
    """A value of a term, and where it stands."""

    text: str
    start: int
    end: int
    is_closed: bool = True
    """False: the quote that it begins with does not end."""


@dataclass(frozen=True)
class Term:
    """A term, and where it stands.

    Attributes:
        start: Where it begins, with its minus.
        key: The qualifier; None for text.
        values: Its values, or the text.
        is_negated: It begins with a minus.
    """

    start: int
    key: str | None
    values: Sequence[Value]
    is_negated: bool

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.values[-1].end


def terms_of(query: str) -> Iterator[Term]:
    """Split a query into terms. Their words and values are not checked."""
    at = 0
    while at < len(query):
        if query[at].isspace():
            at += 1
            continue
        is_negated = query[at] == "-" and at + 1 < len(query) and not query[at + 1].isspace()
        begin = at + is_negated
        key = _KEY.match(query, begin)
        values = [_value(query, key.end() if key else begin, "," if key else "")]
        while key and query[values[-1].end : values[-1].end + 1] == ",":
            values.append(_value(query, values[-1].end + 1, ","))
        yield Term(at, key and key[1], values, is_negated)
        at = values[-1].end


def _value(query: str, start: int, stop: str) -> Value:
    if quoted := _QUOTED.match(query, start):
        text = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
        return Value(text, start, quoted.end(), is_closed=quoted[2] == '"')
    end = start
    while end < len(query) and not query[end].isspace() and query[end] not in stop:
        end += 1
    return Value(query[start:end], start, end)


def parse(query: str, *, now: datetime | None = None, zone: tzinfo = UTC) -> JobFilter:
    """The filter that a query says.

    Args:
        query: What was typed.
        now: From when ages count; default: now.
        zone: Of times that name none.

    Raises:
        InvalidQueryError: It can't be read; the message says where, why and what is allowed.
    """
    if len(query) > MOST_CHARS:
        raise InvalidQueryError(query, MOST_CHARS, len(query), f"a query has at most {MOST_CHARS} characters.")
    clock = Clock(now or datetime.now(UTC), zone)
    found: dict[str, Any] = {}
    excluded: list[JobFilter] = []
    for number, term in enumerate(terms_of(query)):
        if number == MOST_VALUES:
            raise InvalidQueryError(query, term.start, term.end, f"a query has at most {MOST_VALUES} terms.")
        name, value = _read(query, term, clock)
        if term.is_negated:
            excluded.append(JobFilter(**{name: value}))
        elif name in found:
            found[name] = _joined(query, term, found[name], value)
        else:
            found[name] = value
    return JobFilter(**found, excluded=tuple(excluded))


def with_query(wanted: JobFilter, query: str | None, zone_name: str = "UTC") -> JobFilter:
    """A filter, and what a query says besides.

    Raises:
        InvalidQueryError: The query can't be read, or filters by something by which the filter does already.
        UnknownZoneError: There is no such time zone.
    """
    if query is None:
        return wanted
    asked = parse(query, zone=zone_of(zone_name))
    if both := wanted.given().keys() & asked.given().keys():
        names = ", ".join(sorted(both))
        raise InvalidQueryError(
            query, 0, len(query), f"it filters by {names}, and so does another parameter: give each once."
        )
    given = {**wanted.given(), **asked.given()}
    return JobFilter(**given, excluded=(*wanted.excluded, *asked.excluded), sort=wanted.sort)


def zone_of(name: str) -> tzinfo:
    """The time zone of that name, e.g. "Europe/Berlin".

    Raises:
        UnknownZoneError: There is none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise UnknownZoneError(
            f"There is no time zone {name[:_SHOWN_CHARS]!r} here: name one of the IANA database, e.g. Europe/Berlin, "
            "or UTC."
        ) from error


def _read(query: str, term: Term, clock: Clock) -> tuple[str, Any]:
    """The field of `JobFilter` that a term filters by, and its value."""
    for value in term.values:
        _check(query, term, value)
    if term.key is None:
        return "text", (term.values[0].text,)
    qualifier = QUALIFIERS.get(term.key)
    if qualifier is None:
        raise InvalidQueryError(query, term.start, term.end, _unknown(query, term))
    if len(term.values) > 1 and not qualifier.is_list:
        why = f"{qualifier.name}: has one value, {qualifier.hint}."
        raise InvalidQueryError(query, term.values[1].start, term.end, why)
    if len(term.values) > MOST_VALUES:
        raise InvalidQueryError(query, term.start, term.end, f"{term.key}: has at most {MOST_VALUES} values.")
    found = []
    for value in term.values:
        try:
            found.append(qualifier.read(value.text, clock))
        except WrongValueError as error:
            raise InvalidQueryError(query, value.start, value.end, str(error)) from error
    return qualifier.field, tuple(dict.fromkeys(found)) if qualifier.is_list else found[0]


def _check(query: str, term: Term, value: Value) -> None:
    if not value.is_closed:
        raise InvalidQueryError(query, value.start, value.end, "the quote is not closed.")
    if value.text == "":
        hint = QUALIFIERS[term.key].hint if term.key in QUALIFIERS else "some text"
        raise InvalidQueryError(query, value.start, value.end, f"a value is missing: {hint}.")
    if len(value.text) > _MOST_VALUE_CHARS:
        why = f"a value has at most {_MOST_VALUE_CHARS} characters."
        raise InvalidQueryError(query, value.start, value.end, why)
    behind = query[value.end : value.end + 1]
    if query[value.start] == '"' and behind and not behind.isspace() and not (term.key and behind == ","):
        raise InvalidQueryError(query, value.start, value.end + 1, "a space must follow the quote.")


def _unknown(query: str, term: Term) -> str:
    near = get_close_matches(term.key or "", QUALIFIERS, n=1)
    mean = f" Did you mean {near[0]}:?" if near else ""
    text = query[term.start + term.is_negated : term.end].replace('"', "")
    quoted = f'"{text[:_SHOWN_CHARS]}"'
    names = ", ".join(QUALIFIERS)
    return f"there is no qualifier {term.key}:.{mean} To look for the text, write {quoted}. Known are: {names}."


def _joined(query: str, term: Term, first: Any, second: Any) -> Any:
    """What two terms of one field say: one of the values of both, or the range within both."""
    if isinstance(first, tuple):
        values = tuple(dict.fromkeys(first + second))
        if len(values) > MOST_VALUES:
            why = f"{term.key}: has at most {MOST_VALUES} values."
            raise InvalidQueryError(query, term.start, term.end, why)
        return values
    if isinstance(first, TimeRange):
        return TimeRange(since=_most(first.since, second.since), until=_least(first.until, second.until))
    if isinstance(first, NumberRange):
        return NumberRange(low=_most(first.low, second.low), high=_least(first.high, second.high))
    if first == second:
        return first
    raise InvalidQueryError(query, term.start, term.end, f"{term.key}: stands there twice, and has one value.")


def _most(first: Any, second: Any) -> Any:
    return max((each for each in (first, second) if each is not None), default=None)


def _least(first: Any, second: Any) -> Any:
    return min((each for each in (first, second) if each is not None), default=None)


@dataclass(frozen=True)
class Typed:
    """The word at a place of a query that is being typed.

    Attributes:
        start: Where what is typed of it begins: behind the qualifier and what was typed before the last comma.
        key: The qualifier that it is a value of; None: it is none yet.
        begun: What is typed of it.
        is_negated: A minus stands before it.
    """

    start: int
    key: Qualifier | None
    begun: str
    is_negated: bool


def typed_at(query: str, at: int) -> Typed:
    """What is being typed at a place; nothing behind a space."""
    terms = list(terms_of(query[:at]))
    last = terms[-1] if terms else None
    if last is None or (query[at - 1].isspace() and last.values[-1].is_closed):
        return Typed(at, None, "", is_negated=False)
    value = last.values[-1]
    if last.key in QUALIFIERS:
        return Typed(value.start, QUALIFIERS[last.key], value.text, last.is_negated)
    start = last.start + last.is_negated
    return Typed(start, None, query[start:at].strip('"'), last.is_negated)
