"""What Python's JSON has and JSON (RFC 8259) has not: NaN and Infinity. Celery's serializer writes them."""

import re

_STRING_OR_NUMBER = re.compile(rb'"(?>[^"\\]|\\.)*+"|NaN|Infinity', re.DOTALL)


def is_json(text: bytes) -> bool:
    """Whether what Python has written as JSON is JSON for others, too: it has no NaN and no Infinity.

    Args:
        text: UTF-8, as `json.dumps` writes it.
    """
    if b"NaN" not in text and b"Infinity" not in text:
        return True
    return all(found.group().startswith(b'"') for found in _STRING_OR_NUMBER.finditer(text))
