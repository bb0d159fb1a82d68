"""Texts about failures: a record's text about an exception, without the values of masked arguments."""

import os
from collections.abc import Sequence

from kombu.utils.json import dumps

from jobtracker.core.fingerprint import fingerprint, type_name
from jobtracker.core.job import as_reason
from jobtracker.core.masking import Secret, mask_secrets

_MESSAGE_CHARS = 2000

Failure = tuple[dict[str, str | int], dict[str, str]]
"""What is written of a failure: fields of the record and of the data."""


def text_of(error: BaseException | None) -> str:
    """An exception's own text."""
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 (it has failed all the same, and Celery stores it)
        return f"its text can't be told: {type(second).__name__}"


def sentence_of(error: BaseException | None, secrets: Sequence[Secret] = ()) -> str:
    """An exception as "Type: text"."""
    return mask_secrets(f"{type(error).__name__}: {text_of(error)}", secrets)


def retry_reason(why: object, secrets: Sequence[Secret]) -> str:
    """Why a task asked to be retried."""
    text = sentence_of(why, secrets) if isinstance(why, BaseException) else mask_secrets(str(why or ""), secrets)
    return as_reason(text) or "the task asked to be retried"


def failure(
    exception: BaseException | None,
    traceback: str | None = None,
    *,
    kind: str | None = None,
    secrets: Sequence[Secret] = (),
    most_chars: int,
) -> Failure:
    """What is written of a failure.

    Args:
        exception: What the task failed with.
        traceback: Its traceback.
        kind: What to call it; default: the exception's type.
        secrets: The values of masked arguments.
        most_chars: How long the traceback may be; the middle of a longer one is left out.
    """
    message, told = mask_secrets(text_of(exception), secrets), mask_secrets(str(traceback or ""), secrets)
    found = fingerprint(kind or type_name(exception), message, told)
    kind = kind or type(exception).__name__
    error = {"type": kind, "message": message[:_MESSAGE_CHARS]}
    if told:
        error["traceback"] = _without_middle(told, most_chars)
    return {"reason": as_reason(f"{kind}: {message}"), **found.fields}, {"error": dumps(error)}


def _without_middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}{os.linesep}[… {len(text) - 2 * half} characters …]{os.linesep}{text[-half:]}"
