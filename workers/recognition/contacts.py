"""Contact data: e-mail addresses, telephone numbers, web addresses."""

import re
from collections.abc import Iterator, Sequence

from workers.recognition.findings import Finding, Label

_EMAIL = re.compile(r"(?<![\w.+-])[\w+-][\w.+-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w@])")
_URL = re.compile(r"(?<![\w@./])(?:https?://|www\.)[^\s<>\"'`{}|\\^]+", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_DATE_IN_DIGITS = re.compile(
    r"\d{1,2}[ ./-]\d{1,2}[ ./-](?:1[89]|20|21)\d\d|(?:1[89]|20|21)\d\d[ ./-]\d{1,2}[ ./-]\d{1,2}"
)
_PHONE_LABEL = r"tel|telephone|phone|fax|mobile|mob|cell|call|ring|contact|bleep|pager|hotline|helpline|[tpm](?=[:.])"
_NUMBER_LABEL = (
    r"nhs|mrn|dob|d\.o\.b|born|birth|iban|bic|vat|account|acct|a/c|sort code|invoice|order|case|policy|claim|reg"
    r"|registration|registered|licence|license|passport|ssn|utr|chi|pid|lab|hospital|ni|card|ref|reference|id|isbn|tax|ein"
    r"|tin|company|charity|gmc|nmc|npi|dea|member|customer|client|patient|unit|serial|part|item|batch|lot|file|record"
    r"|specimen|sample|accession|barcode|tracking|article|po|routing|docket|permit|certificate|bank|swift|employee"
)
_LABEL = re.compile(rf"\b(?:(?P<phone>{_PHONE_LABEL})|(?P<number>{_NUMBER_LABEL}|no|number|nr))\b", re.IGNORECASE)
_LABEL_CHARS = 40
_SHORT_LABEL_CHARS = 16
_FEWEST_DIGITS = 7
_DOMAIN = re.compile(
    r"(?<![\w@./-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,4}(?:com|org|net|edu|gov|info|eu|co\.uk|org\.uk|ac\.uk|nhs\.uk|gov\.uk"
    r"|sch\.uk|example)(?:/[^\s<>\"'`{}|\\^]*)?(?![\w@-])"
)
_TRAILING_PUNCTUATION = ".,;:!?*_"
_BRACKETS = {")": "(", "]": "["}


def check_region(code: str) -> str:
    """Give the code of a region back.

    Raises:
        ValueError: It is none that telephone numbers are known of.
    """
    import phonenumbers

    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("no country with telephone numbers has this ISO 3166 code; the United Kingdom is GB")
    return code


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
    for match in _DOMAIN.finditer(text):
        url = _without_trailing_punctuation(match.group())
        yield Finding(Label.URL, match.start(), match.start() + len(url), f"https://{url}")
    for match in _EMAIL.finditer(text):
        yield Finding(Label.EMAIL, match.start(), match.end(), match.group().lower())
    accounts = [match.span() for match in _IBAN.finditer(text)]
    for phone in phonenumbers.PhoneNumberMatcher(text, phone_region, leniency=phonenumbers.Leniency.POSSIBLE):
        if _is_no_phone(text, phone.start, phone.raw_string, accounts):
            continue
        if not (phonenumbers.is_valid_number(phone.number) or _is_said(text, phone.start, phone.raw_string)):
            continue
        value = phonenumbers.format_number(phone.number, phonenumbers.PhoneNumberFormat.E164)
        yield Finding(Label.PHONE, phone.start, phone.end, value)


def _is_no_phone(text: str, start: int, number: str, accounts: Sequence[tuple[int, int]]) -> bool:
    """Whether the digits are a date, a part of an IBAN, or a number of another kind by the label before them."""
    if _DATE_IN_DIGITS.fullmatch(number) or any(first <= start < end for first, end in accounts):
        return True
    before = text[max(text.rfind("\n", max(0, start - _LABEL_CHARS), start) + 1, start - _LABEL_CHARS, 0) : start]
    if "+" in number[:2]:
        return False
    labels = list(_LABEL.finditer(before))
    # "Phone number", "Tel. no.": the word before says of what it is the number.
    while len(labels) > 1 and labels[-1]["number"] and labels[-1].group().lower() in ("no", "number", "nr"):
        labels.pop()
    return bool(labels) and labels[-1]["number"] is not None


def _is_said(text: str, start: int, number: str) -> bool:
    """Whether digits in no range that is given out are a telephone number by their form or the label before them."""
    if sum(digit.isdigit() for digit in number) < _FEWEST_DIGITS or text[start - 1 : start].isalnum():
        return False
    labels = list(_LABEL.finditer(text, max(0, start - _SHORT_LABEL_CHARS), start))
    return number[0] == "+" or any(label["phone"] for label in labels)


def _without_trailing_punctuation(url: str) -> str:
    """What a sentence put after the address is not part of it; a bracket is if it was opened in it."""
    open_brackets = {bracket: url.count(opening) - url.count(bracket) for bracket, opening in _BRACKETS.items()}
    end = len(url)
    while end:
        last = url[end - 1]
        if last in _BRACKETS and open_brackets[last] < 0:
            open_brackets[last] += 1
        elif last not in _TRAILING_PUNCTUATION:
            break
        end -= 1
    return url[:end]
