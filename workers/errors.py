"""What can be wrong with a document or a table that a job names, and with where its result goes."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """The input of a job cannot be used; the message is meant for whoever made the job."""


class NameRefusedError(InputError):
    """The name is not one that may be looked up, or what it leads to lies outside the allowed folders."""


class NotFoundError(InputError):
    """No file of that name is in the allowed folders, or the name fits several of them."""


class TooLargeError(InputError):
    """The input is larger than the setting allows."""


class UnreadableError(InputError):
    """The content is not what its name says, is damaged, is encrypted, or has a format that is not read here."""


class OverBudgetError(InputError):
    """The input needs more memory or time than one job may use."""


class ResultNotKeptError(InputError):
    """The result of a job can't be kept where the settings say; the message says which setting to change."""


class BucketUnusableError(RuntimeError):
    """A bucket can't be read from or written to, or not now; the message says whether to retry the job."""


class ValueRefusedError(InputError):
    """A value does not fit the type that it must have; the message does not quote it, for it may be a patient's."""


DISK_FULL = "the disk of the worker's temporary files is full: make room there"
"""What an OverBudgetError says where that is so."""


class WorkFailedError(RuntimeError):
    """The work failed in a way that nobody foresaw, of which a note has the traceback, or its process was killed."""


_DAMAGE: tuple[type[Exception], ...] = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    OSError,
    EOFError,
    zlib.error,
    struct.error,
)
"""What parsers raise, beside their own errors, where a file is not what they take for granted."""


@contextmanager
def unreadable_if_damaged(message: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a parser raises into an UnreadableError, without its own words: they quote the document.

    Args:
        message: What it says then, before the name of the parser's error.
        errors: The parser's own errors.
    """
    try:
        yield
    except InputError:
        raise
    except errors + _DAMAGE as error:
        raise UnreadableError(f"{message} ({type(error).__name__})") from error
