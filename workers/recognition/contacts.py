"""Contact data: e-mail addresses, telephone numbers, web addresses."""

import re
from collections.abc import Iterator

from workers.recognition.findings import Finding, Label

_EMAIL = re.compile(r"(?<![\w.+-])[\w+-][\w.+-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_URL = re.compile(r"(?<![\w@./])(?:https?://|www\.)[^\s<>\"'`{}|\\^]+", re.IGNORECASE)
_TRAILING_PUNCTUATION = ".,;:!?*_"
_BRACKETS = {")": "(", "]": "["}


def find_contacts(text: str, phone_region: str) -> Iterator[Finding]:
    """Yield the contact data in the text, URLs first.

    Args:
        text: Where to look.
        phone_region: ISO 3166 code of the country whose numbers may be written without a country code, such as US.
            Of an unknown country no such numbers are found.
    """
    import phonenumbers

    for match in _URL.finditer(text):
        url = _without_trailing_punctuation(match.group())
        if "." in url:
            value = url if "://" in url else f"https://{url}"
            yield Finding(Label.URL, match.start(), match.start() + len(url), value)
    for match in _EMAIL.finditer(text):
        yield Finding(Label.EMAIL, match.start(), match.end(), match.group().lower())
    for phone in phonenumbers.PhoneNumberMatcher(text, phone_region):
        value = phonenumbers.format_number(phone.number, phonenumbers.PhoneNumberFormat.E164)
        yield Finding(Label.PHONE, phone.start, phone.end, value)


def _without_trailing_punctuation(url: str) -> str:
    """What a sentence put after the address is not part of it; a bracket is if it was opened in it."""
    while url:
        last = url[-1]
        is_unopened = last in _BRACKETS and url.count(last) > url.count(_BRACKETS[last])
        if last not in _TRAILING_PUNCTUATION and not is_unopened:
            break
        url = url[:-1]
    return url
