"""What an Idempotency-Key is: the header of requests that may be sent again, and are done once."""

HEADER = "Idempotency-Key"

LONGEST_KEY = 255
"""Characters of a key."""

RULE = f"1 to {LONGEST_KEY} printable ASCII characters, without spaces around them"


def is_key(text: str) -> bool:
    """Whether a text can be a key, by the `RULE`."""
    return 0 < len(text) <= LONGEST_KEY and text.isascii() and text.isprintable() and text == text.strip()
