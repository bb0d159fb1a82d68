"""W3C's `traceparent`: names a span, and the trace that it belongs to, in one text."""

import re
from typing import NamedTuple

HEADER = "traceparent"
"""The header of HTTP requests and of messages that has it."""

_FORM = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

_SAMPLED = 1


class Traceparent(NamedTuple):
    """What the text says."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is recorded: a trace that is not can't be looked at."""
        return bool(self.flags & _SAMPLED)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def read(text: object) -> Traceparent | None:
    """What a text says; None where it is none."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    return Traceparent(found[1], found[2], int(found[3], 16)) if found else None


def trace_url(template: str, text: str | None) -> str | None:
    """The URL of a trace; None where there is no template, no trace, or one that is not recorded.

    Args:
        template: A URL with `{trace_id}`, and `{span_id}` if wanted.
        text: The `traceparent`.
    """
    if not template or (named := read(text)) is None or not named.is_sampled:
        return None
    return template.replace("{trace_id}", named.trace_id).replace("{span_id}", named.span_id)
