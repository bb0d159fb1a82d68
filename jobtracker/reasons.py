"""Reasons: why a job is where it is, a sentence and no log."""

REASON_CHARS = 300


def as_reason(text: str) -> str:
    """A text as a reason; one that is too long ends with "…"."""
    return text if len(text) <= REASON_CHARS else text[: REASON_CHARS - 1].rstrip() + "…"
