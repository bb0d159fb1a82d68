"""Paths with an encoded slash (%2F), which belongs to an id. Servers decode a path before anybody takes it apart."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_SLASH = "\ufdd0"
"""Stands for an encoded slash until then. It is no character: Unicode reserves it for use within a program."""


def path_as_asked(scope: Mapping[str, Any]) -> str:
    """The path of an ASGI scope, percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode(errors="replace")
    return raw.decode("latin-1")


def decoded(path: str) -> str:
    """A percent-encoded path to be taken apart at its slashes."""
    return unquote(re.sub("%2f", _SLASH, path, flags=re.IGNORECASE))


def with_slashes(part: str) -> str:
    """A part of a path that was taken apart, as it was meant."""
    return part.replace(_SLASH, "/")
