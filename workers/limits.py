"""How much of a document a worker reads: settings, and the errors that name them."""

import os

from workers.errors import TooLargeError

_DEFAULT_MAX_BYTES = 64 * 1024 * 1024
_DEFAULT_MAX_UNPACKED_BYTES = 128 * 1024 * 1024
_DEFAULT_MAX_CHARACTERS = 32 * 1024 * 1024


def document_max_bytes() -> int:
    """Give the largest input that is read, in bytes: the setting DOCUMENT_MAX_BYTES, by default 64 MiB."""
    return _setting("DOCUMENT_MAX_BYTES", _DEFAULT_MAX_BYTES)


def document_max_unpacked_bytes() -> int:
    """Give how many bytes of a packed file are unpacked: DOCUMENT_MAX_UNPACKED_BYTES, by default 128 MiB."""
    return _setting("DOCUMENT_MAX_UNPACKED_BYTES", _DEFAULT_MAX_UNPACKED_BYTES)


def document_max_characters() -> int:
    """Give the longest text that is taken out of a document: DOCUMENT_MAX_CHARACTERS, by default 32 Mi (2**25)."""
    return _setting("DOCUMENT_MAX_CHARACTERS", _DEFAULT_MAX_CHARACTERS)


def check_size(size_bytes: int) -> None:
    """Raise TooLargeError when an input of that size is over the limit."""
    limit_bytes = document_max_bytes()
    if size_bytes > limit_bytes:
        raise TooLargeError(f"the input has {size_bytes:,} bytes, DOCUMENT_MAX_BYTES allows {limit_bytes:,}")


def check_characters(characters: int, limit: int | None = None) -> None:
    """Raise TooLargeError when a text is too long.

    Args:
        characters: How many it has so far.
        limit: document_max_characters(), from callers that look often.
    """
    limit = document_max_characters() if limit is None else limit
    if characters > limit:
        raise TooLargeError(f"the text has more characters than DOCUMENT_MAX_CHARACTERS allows: {limit:,}")


def _setting(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)
