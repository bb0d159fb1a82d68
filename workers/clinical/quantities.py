"""Numbers as prescriptions write them: digits, fractions, words and ranges."""

import re
from typing import Final

_WORDS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "twelve": 12, "fourteen": 14, "half": 0.5, "half a": 0.5, "one half": 0.5, "one-half": 0.5,
}  # fmt: skip
_FRACTIONS: Final = {"½": 0.5, "¼": 0.25, "¾": 0.75}

DECIMAL: Final = (
    r"(?=[\d.\xb7])(?:\d{1,3}(?:[,\u00a0\u202f]\d{3}){1,3}(?!\d)(?:\.\d{1,9})?"
    r"|\d{1,9}(?!\d)(?:[.,\xb7]\d{1,9})?|[.\xb7]\d{1,9})"
)
"""A pattern for a number in digits: 5, 0.5, .5, 0,5, 1,000."""

COUNT: Final = (
    rf"(?=[\d.\xb7½¼¾aefhnost])(?:\d{{1,3}}\s\d/\d|\d/\d|\d?[½¼¾]|{DECIMAL}"
    r"|one[\s-]half|half(?:\sa)?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen|an?)"
)
"""A pattern for a number in digits, as a fraction or in words; its first letter is looked at first."""

TO: Final = r"\s?(?:-|\u2013|\u2014|\bto\b|\bor\b)\s?"
"""A pattern for what stands between the two ends of a range."""

COUNT_RANGE: Final = rf"{COUNT}(?:{TO}{COUNT})?"
"""A pattern for one count or a range of two."""

_TO = re.compile(TO, re.IGNORECASE)
_ONE_HALF = re.compile(r"one-half", re.IGNORECASE)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")


def phrases(pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """Compile a pattern that takes a space for any white space, as lines may be wrapped anywhere.

    White space is bounded, so that a run of it is not gone through once for each of its characters.
    """
    return re.compile(pattern.replace(" ", r"\s{1,8}"), flags)


def number(written: str) -> float:
    """The value of something that COUNT or DECIMAL matched.

    A comma is a decimal comma ("0,125", "2,5") unless it groups thousands ("1,000").
    """
    text = written.strip().lower().replace("\xb7", ".").replace("\u00a0", "").replace("\u202f", "")
    if text in _WORDS:
        return float(_WORDS[text])
    if text[-1] in _FRACTIONS:
        return float(text[:-1] or 0) + _FRACTIONS[text[-1]]
    if "/" in text:
        *whole, fraction = text.split()
        numerator, denominator = fraction.split("/")
        if int(denominator) == 0:
            return float(numerator)
        return float(whole[0] if whole else 0) + int(numerator) / int(denominator)
    return float(text.replace(",", "" if _THOUSANDS.fullmatch(text) else "."))


def low_and_high(written: str) -> tuple[float, float | None]:
    """The two ends of what COUNT_RANGE matched; the upper one is None if it is a single number."""
    low, *high = _TO.split(_ONE_HALF.sub("half", written), maxsplit=1)
    return number(low), number(high[0]) if high else None
