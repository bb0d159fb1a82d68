"""Paths with an encoded slash (%2F), which belongs to an id. Servers decode a path before anybody takes it apart."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_SLASH = "\ufdd0"
"""Replaces an encoded slash until then. Unicode reserves this code point for use inside a program."""


def path_as_asked(scope: Mapping[str, Any]) -> str:
    """The path of an ASGI scope, percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode(errors="replace")
    return raw.decode("latin-1")


def decoded(path: str) -> str:
    """A percent-encoded path, ready to be split at its slashes."""
    return unquote(re.sub("%2f", _SLASH, path, flags=re.IGNORECASE))


def with_slashes(part: str) -> str:
    """The original text of one part of a split path."""
    return part.replace(_SLASH, "/")
