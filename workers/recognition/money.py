"""Amounts of money: "$1,250.50", "EUR 30,00", "€2.5 million", "two million dollars"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from workers.recognition.findings import Finding, Label

_SYMBOLS: Final = {
    "US$": "USD", "C$": "CAD", "A$": "AUD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "$": "USD", "€": "EUR",
    "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₺": "TRY", "₴": "UAH", "₪": "ILS", "zł": "PLN",
}  # fmt: skip
_CODES: Final = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|INR|CNY|KRW|BRL|MXN|ZAR|TRY|SGD|HKD|ILS|UAH|AED|SAR"
)
_NAMES: Final = {
    "dollar": "USD", "euro": "EUR", "pounds sterling": "GBP", "pound sterling": "GBP", "pound": "GBP", "yen": "JPY",
    "swiss franc": "CHF", "rupee": "INR", "yuan": "CNY", "cent": "USD", "pence": "GBP",
}  # fmt: skip
_HUNDREDTHS: Final = frozenset({"cent", "pence"})
_SCALES: Final = {
    "hundred": 100, "thousand": 10**3, "k": 10**3, "million": 10**6, "mn": 10**6, "m": 10**6, "billion": 10**9,
    "bn": 10**9, "trillion": 10**12,
}  # fmt: skip
_NUMBER_WORDS: Final = {
    "a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip

# Bounded, lest a text of nothing but digits takes time by its square.
_AMOUNT = r"\d{1,3}(?:[,.'\u2019\u00a0 ]\d{3}){1,5}(?:[.,]\d{1,2})?(?!\d)|\d{1,15}(?:[.,]\d{1,4})?(?!\d)"
_SCALE = r"(?:[ \u00a0-]?(?P<{0}>thousand|million|mn|billion|bn|trillion|k|m)\b)?"
_SYMBOL = "|".join(re.escape(symbol) for symbol in sorted(_SYMBOLS, key=len, reverse=True))
_NAME = "|".join(name.replace(" ", r"\s") + "s?" for name in sorted(_NAMES, key=len, reverse=True))
_WORDS = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
_MONEY = re.compile(
    rf"(?<![\w.,$])(?:(?:(?P<symbol>{_SYMBOL})|(?P<code>{_CODES})\b)\s?(?P<amount>{_AMOUNT}){_SCALE.format('scale')}"
    rf"|(?P<amount_before>{_AMOUNT}){_SCALE.format('scale_before')}\s?"
    rf"(?:(?P<symbol_after>€|£|zł)|(?P<code_after>{_CODES})\b|(?:US\s)?(?P<name>{_NAME})\b)"
    rf"|(?P<words>(?:{_WORDS})(?:[\s-](?:{_WORDS}))?)(?P<word_scales>(?:\s(?:hundred|thousand|million|billion)){{0,3}})"
    rf"\s(?:US\s)?(?P<name_of_words>{_NAME})\b)(?!\w)",
    re.IGNORECASE,
)
_WEIGHS: Final = re.compile(
    r"\s(?:of\s(?!which\b)(?:weight|body|flour|sugar|meat|butter)|per\ssquare|heavier|lighter)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount and its currency's ISO 4217 code."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        """For example USD 1250.50; an amount without cents is written without them."""
        is_whole = self.amount == self.amount.to_integral_value()
        return f"{self.currency} {self.amount:.0f}" if is_whole else f"{self.currency} {self.amount:.2f}"


def find_money(text: str) -> Iterator[Finding]:
    """Yield the amounts of money in the text."""
    for match in _MONEY.finditer(text):
        is_weight = (match["name"] or match["name_of_words"] or "").lower().startswith("pound")
        if not (is_weight and _WEIGHS.match(text, match.end())):
            yield Finding(Label.MONEY, match.start(), match.end(), str(_money(match)))


def parse_money(value: str) -> Money:
    """The money that the value of a finding stands for."""
    currency, amount = value.split(" ")
    return Money(Decimal(amount), currency)


def _money(match: re.Match[str]) -> Money:
    name = (match["name"] or match["name_of_words"] or "").lower()
    singular = re.sub(r"\s", " ", name if name in _NAMES else name.removesuffix("s"))
    if match["words"]:
        amount = Decimal(sum(_NUMBER_WORDS[word] for word in re.split(r"[\s-]", match["words"].lower())))
        scales = match["word_scales"].split()
    else:
        amount = _decimal(match["amount"] or match["amount_before"])
        scales = [match["scale"] or match["scale_before"] or ""]
    for scale in scales:
        amount *= _SCALES.get(scale.lower(), 1)
    if singular in _HUNDREDTHS:
        amount /= 100
    symbol = (match["symbol"] or match["symbol_after"] or "").upper().replace("ZŁ", "zł")
    code = (match["code"] or match["code_after"] or "").upper()
    return Money(amount, code or (_SYMBOLS[symbol] if symbol else _NAMES[singular]))


def _decimal(written: str) -> Decimal:
    """The number, whichever of comma and point separates its thousands."""
    digits = re.sub(r"['\u2019\u00a0 ]", "", written)
    last = max(digits.rfind(","), digits.rfind("."))
    if last < 0:
        return Decimal(digits)
    mark, other = digits[last], "," if digits[last] == "." else "."
    is_thousands = other not in digits and (
        digits.count(mark) > 1 or (mark == "," and len(digits) - last - 1 == 3 and not digits.startswith("0"))
    )
    if is_thousands:
        return Decimal(digits.replace(mark, ""))
    return Decimal(digits[:last].replace(other, "") + "." + digits[last + 1 :])
