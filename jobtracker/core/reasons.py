"""Reasons: why a job is where it is, a sentence and no log."""

REASON_CHARS = 300


def as_reason(text: str) -> str:
    """A text as a reason; one that is too long ends with "…"."""
    return text if len(text) <= REASON_CHARS else text[: REASON_CHARS - 1].rstrip() + "…"


def and_also(text: str, more: str) -> str:
    """A reason that says one thing more, for which a text that is too long is cut."""
    room = REASON_CHARS - len(more) - 2
    return f"{text if len(text) <= room else text[: room - 1].rstrip() + '…'}; {more}"
