"""Dates by their form, and the calendar value of a date."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Literal

from workers.recognition.findings import Finding, Label

DateOrder = Literal["DMY", "MDY", "YMD"]

_MONTHS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
_REFERS_TO_CALENDAR = re.compile(
    rf"\b(?:{_MONTHS}|(?:mon|tues|wednes|thurs|fri|satur|sun)day|spring|summer|autumn|fall|winter|christmas|easter"
    r"|today|tomorrow|yesterday|ago|(?:this|last|next)\s\w+|(?:1[5-9]|20|21)\d\ds?|q[1-4])\b"
    r"|\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}",
    re.IGNORECASE,
)
_WEEKDAY = r"(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\.?,?\s"
_YEAR = r"(?:1[5-9]|20|21)\d\d"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?<![\w/.-])(?:{_WEEKDAY})?(?:"
    rf"(?:the\s)?\d{{1,2}}(?:st|nd|rd|th)?[\s-](?:(?:day\s)?of\s)?(?:{_MONTHS})\b(?:\.?,?[\s-]{_YEAR})?"
    rf"|(?:{_MONTHS})\b\.?\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s{_YEAR})?"
    rf"|(?:{_MONTHS})\b\.?,?\s{_YEAR}"
    rf"|{_YEAR}-\d\d-\d\d|{_YEAR}/\d\d/\d\d|\d{{1,2}}(?P<mark>[./-])\d{{1,2}}(?P=mark){_YEAR}|{_DAY}(?P<point>[./]){_MONTH}(?P=point)\d\d"
    rf"|{_MONTH}(?P<slash>[./]){_DAY}(?P=slash)\d\d|{_MONTH}/{_YEAR}"
    rf"|(?<=\n){_DAY}/{_MONTH}(?=\s)|(?<=\b[a-z]{{2}}\s){_DAY}/{_MONTH}\b|{_DAY}/{_MONTH}(?=\s\d\d:\d\d)"
    r")(?![\w/]|-\d|\.\d)",
    re.IGNORECASE,
)
_YEARS = re.compile(rf"(?<![\w/.-])({_YEAR})\s?[-\u2013/]\s?({_YEAR})(?![\w/-])")
_DURATION = re.compile(
    r"\b(?:year|month|week|day)s?[\s-]old\b|\b(?:years|months|weeks|days|decades)\b(?!\sago)", re.IGNORECASE
)
_SEASON = re.compile(r"(?:the\s)?(?:spring|summer|autumn|fall|winter)", re.IGNORECASE)
_NO_SINGLE_DATE = re.compile(r"\d{2,4}s\b", re.IGNORECASE)
_PERIODS = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
_BASES = (datetime(2003, 2, 11), datetime(2014, 10, 28))  # noqa: DTZ001 (dateparser takes naive times)


def find_dates(text: str) -> Iterator[Finding]:
    """Yield the dates that have a form of their own, with the weekday before them: "Tuesday, 5 November 2024"."""
    for match in _YEARS.finditer(text):
        yield Finding(Label.DATE, *match.span(1))
        yield Finding(Label.DATE, *match.span(2))
    for match in _DATE.finditer(text):
        start = match.start() + (4 if match.group()[:4].lower() == "the " else 0)
        yield Finding(Label.DATE, start, match.end())


def refers_to_calendar(text: str) -> bool:
    """Whether the text points into the calendar, rather than being a duration or a frequency ("14 days", "daily")."""
    if _DURATION.search(text) or _SEASON.fullmatch(text):
        return False
    return _REFERS_TO_CALENDAR.search(text) is not None


@lru_cache(maxsize=4_096)
def iso_date(text: str, order: DateOrder = "MDY", reference: date | None = None) -> str | None:
    """The date in ISO 8601 as far as the text says it: 2031-03-14, 2031-03 or 2031; None where it can't be told.

    Args:
        text: A date such as "14 March 2031", "03/14/2031" or "last Tuesday".
        order: How a date in digits is read where it could be read in more than one way.
        reference: The day from which the text speaks. Without it a date that depends on it ("last Tuesday", "2 May")
            has no value: it must not depend on the day on which the document is read.
    """
    if _NO_SINGLE_DATE.search(text):
        return None
    if reference is not None:
        return _parse(text, order, datetime(reference.year, reference.month, reference.day))  # noqa: DTZ001
    values = {_parse(text, order, base) for base in _BASES}
    return values.pop() if len(values) == 1 else None


def _parse(text: str, order: DateOrder, base: datetime) -> str | None:
    from dateparser.date import DateDataParser

    settings = {"RELATIVE_BASE": base, "DATE_ORDER": order, "RETURN_AS_TIMEZONE_AWARE": False}
    found = DateDataParser(languages=["en"], settings=settings).get_date_data(text)
    if found.date_obj is None or found.period not in _PERIODS:
        return None
    value: str = found.date_obj.strftime(_PERIODS[found.period])
    return value
