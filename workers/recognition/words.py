"""Words of a text with their places, and what their form says: capitalised, an initial, in capitals."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from workers.recognition.vocabulary import ABBREVIATED

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019&+/-][^\W_]+)*")
_ONE_SPACE: Final = re.compile(r" |[ \t]?\r?\n[ \t]?")
_AFTER_POINT: Final = re.compile(r"\.(?: |[ \t]?\r?\n[ \t]?)?")


@dataclass(frozen=True, slots=True)
class Word:
    """A word at [start, end) of the text: letters and digits, joined by hyphens, apostrophes, & or a slash."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in lower case, without a possessive 's."""
        return bare(self.text).lower()

    @property
    def is_capitalised(self) -> bool:
        """Whether it begins with a capital and has no digit: Keller, O'Brien, McKay, KELLER, but not K or B12."""
        letters = self.text.replace("-", "").replace("'", "").replace("\u2019", "")
        return len(letters) > 1 and letters.isalpha() and letters[0].isupper()

    @property
    def is_caps(self) -> bool:
        """Whether all of its letters are capitals, and there is more than one: PO, KELLER."""
        return len(self.text) > 1 and self.text.isupper()

    @property
    def is_initial(self) -> bool:
        """Whether it is a single capital, as in "J. Keller"; of "JP Keller" the two letters are one word."""
        return len(self.text) == 1 and self.text.isupper()


def bare(text: str) -> str:
    """The word without a possessive 's: Keller for Keller's."""
    return text[:-2] if text.endswith(("'s", "\u2019s", "'S")) else text


def words(text: str, start: int = 0, end: int | None = None) -> list[Word]:
    """The words of text[start:end]."""
    found = _WORD.finditer(text, start, len(text) if end is None else end)
    return [Word(match.group(), match.start(), match.end()) for match in found]


def is_joined(text: str, one: Word, following: Word) -> bool:
    """Whether nothing but a space, a line break or the point of an abbreviation is between two words."""
    gap = text[one.end : following.start]
    if _ONE_SPACE.fullmatch(gap):
        return True
    return _AFTER_POINT.fullmatch(gap) is not None and (len(one.text) <= 2 or one.text in ABBREVIATED)


def runs(text: str, sequence: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield [first, last) of each longest run of joined words in the sequence."""
    first = 0
    for index in range(1, len(sequence) + 1):
        if index == len(sequence) or not is_joined(text, sequence[index - 1], sequence[index]):
            yield first, index
            first = index
