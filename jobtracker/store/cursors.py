"""The cursors of pages: where a list goes on, as a text that callers hand back as it is."""

import base64
from typing import Self

from pydantic import BaseModel

from jobtracker.errors import JobTrackerError


class BadCursorError(JobTrackerError):
    """The cursor is none, or of another list."""


class Cursor(BaseModel):
    """Where a list goes on."""

    def write(self) -> str:
        """The cursor as callers get it: ASCII letters, digits, `_`, `-` and `=`."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor that `write` wrote. Whether it is of this list is not checked.

        Raises:
            BadCursorError: It is none.
        """
        try:
            return cls.model_validate_json(base64.urlsafe_b64decode(text.encode()))
        except ValueError as error:
            raise BadCursorError("The cursor can't be read. Take it from next_cursor as it is.") from error


def need_same(told: object, wanted: object, other: str) -> None:
    """Do nothing where a cursor is of this list.

    Args:
        told: What the cursor says of its list.
        wanted: The same of this list.
        other: What another list is called, e.g. "another tree".

    Raises:
        BadCursorError: It is of another list.
    """
    if told != wanted:
        raise BadCursorError(f"The cursor belongs to {other}. Start again without it.")
