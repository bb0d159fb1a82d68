"""Who asks for a change of a job: noted in its record, for its history."""

from typing import Literal

from jobtracker.core.access import acting


def who_asks() -> str:
    """The name of the caller; "": there is none, or the API does not know it."""
    who = acting.get()
    return who.name if who else ""


def asked_by(field: Literal["started_by", "cancelled_by"]) -> dict[str, str | int]:
    """The field of a record that says who the caller is."""
    name = who_asks()
    return {field: name} if name else {}
