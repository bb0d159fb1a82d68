"""Refuses what a route does not know.

A misspelled filter that is ignored would match all jobs. A script that goes through the list could then cancel them.
"""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

_MOST_PROBLEMS = 50
"""How many unknown parameters an answer names. A query may have thousands, and each is compared with all known ones.
"""

_LONGEST_NAME = 60
"""Longer names are cut, and get no suggestion."""

_NO_BODY = (b"", b"{}", b"null")
"""A body that says nothing."""


def check_query(request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> None:
    """Refuse unknown parameters, and parameters that are given twice and have one value.

    Args:
        request: The request.
        known: The parameters of the route.
        repeatable: Those that may have several values.

    Raises:
        RequestValidationError: The query has such a parameter.
    """
    if not request.scope["query_string"]:
        return
    times = Counter(name for name, _ in request.query_params.multi_items())
    wrong = ((name, n) for name, n in times.items() if (n > 1 and name not in repeatable) or name not in known)
    if found := [_problem(name, known) for name, _ in islice(wrong, _MOST_PROBLEMS)]:
        raise RequestValidationError(found)


async def check_no_body(request: Request) -> None:
    """Refuse a body if the route reads none.

    Raises:
        RequestValidationError: The request has a body.
    """
    body = await request.body()
    if body.strip() not in _NO_BODY:
        raise RequestValidationError([_error(["body"], "this route takes no body")])


class Utf8Request(Request):
    """A request whose JSON must be UTF-8 (RFC 8259). Python would guess, and accept UTF-16 and UTF-32 too."""

    async def json(self) -> Any:
        """The body, read once.

        Raises:
            ValueError: It is not JSON in UTF-8.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            if not json.detect_encoding(body).startswith("utf-8"):
                raise ValueError("the body is not UTF-8")
            self._json = json.loads(body)
        return self._json


def _problem(name: str, known: Collection[str]) -> dict[str, Any]:
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    if name in known:
        return _error(["query", shown], "give it once")
    if not known:
        return _error(["query", shown], "unknown parameter; this route takes none")
    near = get_close_matches(name, known, n=1) if shown == name else []
    nearest = f"; did you mean {near[0]}?" if near else ";"
    return _error(["query", shown], f"unknown parameter{nearest} Known are: {', '.join(sorted(known))}")


def _error(where: Sequence[str], message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": tuple(where), "msg": message, "input": None}
