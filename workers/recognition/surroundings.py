"""What stands before and behind a name in a text, and what it says of the name."""

import re
from typing import Final

from workers.recognition.vocabulary import AT_A_BODY, AT_A_PLACE, ROLES, WARD_WORDS, WHERE
from workers.recognition.words import Word, words

_BEFORE_CHARS: Final = 24
_LINE_CHARS: Final = 200
_MEASURE: Final = re.compile(
    r"\s\d{1,6}(?:[.,]\d{1,3})?\s?(?:mg|mcg|g|ml|mL|units|micrograms?|%|mmol)\b"
    rf"|\s(?:{'|'.join(sorted(WARD_WORDS))})\b"
)
_BESIDE_A_LINE: Final = " \t\r#*-=:0123456789.()"


class Surroundings:
    """Answers about places in one text; each looks at no more than a line around the place."""

    def __init__(self, text: str) -> None:
        self._text = text

    def follows(self, start: int, *what: str) -> bool:
        """Whether one of these pieces stands before, and white space."""
        before = self._text[max(0, start - _BEFORE_CHARS) : start].split()
        return bool(before) and before[-1] in what

    def is_at_place(self, start: int) -> bool:
        """Whether the word before says that a place follows: "in", "near"."""
        return self._word_before(start, (" ", "\n")) in AT_A_PLACE

    def is_at_body(self, start: int) -> bool:
        """Whether the word before says that a body follows: "works for"."""
        return self._word_before(start, (" ", "\n")) in AT_A_BODY

    def is_where(self, start: int) -> bool:
        """Whether a preposition or a comma stands before, as before most places."""
        word = self._word_before(start, (" ", "\n"))
        return word in AT_A_PLACE or word in WHERE or self._text[max(0, start - 2) : start] == ", "

    def is_situated(self, start: int) -> bool:
        """Whether "at" stands before, and not because somebody works there."""
        before = words(self._text, max(0, start - _BEFORE_CHARS), start)
        if len(before) < 2 or before[-1].text != "at" or self._text[before[-1].end : start] not in (" ", "\n"):
            return False
        return not before[-2].text.startswith(("work", "employ", "job")) and before[-2].lower not in ROLES

    def follows_post(self, start: int) -> bool:
        """Whether a post stands before, as in a list of posts: "Senior Engineer, "."""
        word = self._word_before(start, (", ",))
        return word.lower() in ROLES and word[:1].isupper()

    def begins_sentence(self, start: int) -> bool:
        """Whether the place is the first of a sentence, a line or the text."""
        before = self._text[max(0, start - 2) : start]
        return not before.strip() or "\n" in before or before[0] in ".!?:"

    def is_measured(self, end: int) -> bool:
        """Whether a dose, a value, or the noun of a ward, a disease or a device follows."""
        return _MEASURE.match(self._text, end) is not None

    def is_label(self, end: int) -> bool:
        """Whether a colon follows."""
        return self._text[end : end + 1] == ":"

    def is_heading(self, start: int, end: int) -> bool:
        """Whether the place is all of its line, or stands before a colon."""
        first = self._text.rfind("\n", max(0, start - _LINE_CHARS), start) + 1
        last = self._text.find("\n", end, end + _LINE_CHARS)
        line = self._text[first : last if last >= 0 else end + _LINE_CHARS].strip(_BESIDE_A_LINE)
        return line == self._text[start:end] or self.is_label(end)

    def _word_before(self, start: int, gaps: tuple[str, ...]) -> str:
        """The word that is before the place, with one of these gaps between; else nothing."""
        before: list[Word] = words(self._text, max(0, start - _BEFORE_CHARS), start)
        return before[-1].text if before and self._text[before[-1].end : start] in gaps else ""
