"""What every recogniser yields."""

from dataclasses import dataclass
from enum import StrEnum


class Label(StrEnum):
    """What an entity is."""

    PERSON = "person"
    """A person's name, without title."""
    ORGANISATION = "organisation"
    """A company, authority, hospital or other body."""
    PLACE = "place"
    """A country, town, region, mountain, building."""
    DATE = "date"
    """A point in the calendar; its value is ISO 8601 as far as it is known: 2031-03-14, 2031-03 or 2031."""
    MONEY = "money"
    """An amount of money; its value is the currency (ISO 4217) and the amount: USD 1250.50."""
    EMAIL = "email"
    """An e-mail address; its value is in lower case."""
    PHONE = "phone"
    """A telephone number; its value is in E.164: +12125550142."""
    URL = "url"
    """A web address; its value has a scheme."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An entity at [start, end) of the text that was searched.

    Attributes:
        value: Normalised, of what has a value.
        by_form: Whether the text itself says what it is, rather than the language model.
    """

    label: Label
    start: int
    end: int
    value: str | None = None
    by_form: bool = True
