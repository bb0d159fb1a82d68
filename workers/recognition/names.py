"""How far a person's name goes, and whether words can be one."""

from collections.abc import Sequence
from typing import Final

from workers.recognition.findings import Finding, Label
from workers.recognition.name_lists import Lexicon
from workers.recognition.vocabulary import (
    ABBREVIATIONS,
    BODIES,
    CALENDAR,
    CREDENTIALS,
    FUNCTION_WORDS,
    KNOWN_BODIES,
    LEGAL_FORMS,
    NAMES_THAT_SPEAK,
    PARTICLES,
    PLACE_WORDS,
    RELATIONS,
    ROLES,
    TITLES,
    WARD_WORDS,
)
from workers.recognition.words import Word, bare, is_joined

_MOST_WORDS: Final = 5
_SHORTEST_IN_CAPS: Final = 4
"""A word of fewer letters, all capitals, is an abbreviation, unless it is a known name."""


class NameReader:
    """Reads persons' names in the words of one passage of a text.

    Args:
        text: The text that the words are of.
        words: The words of the passage.
        lexicon: What names are made of.
    """

    def __init__(self, text: str, words: Sequence[Word], lexicon: Lexicon) -> None:
        self._text = text
        self._words = words
        self._lexicon = lexicon

    def end(self, first: int, *, titled: bool = False) -> int:
        """The index after the last word of the name that begins at `first`; `first` where none does."""
        last = first
        names = 0
        while last < len(self._words) and last - first < _MOST_WORDS:
            word = self._words[last]
            if last > first and not self._is_next(last):
                break
            if word.is_initial or (word.text.lower() in PARTICLES and not word.is_caps and self._goes_on(last)):
                last += 1
            elif self.is_name_word(word, titled=titled):
                last += 1
                names += 1
                if word.text.endswith(("'s", "\u2019s")):
                    break
            else:
                break
        while last > first and self._words[last - 1].is_initial and not self._is_middle(first, last, names):
            last -= 1
        return last if names else first

    def _is_next(self, index: int) -> bool:
        """Whether the word goes on with the name before it; in a new line only what is no word of the language."""
        if not is_joined(self._text, self._words[index - 1], self._words[index]):
            return False
        gap = self._text[self._words[index - 1].end : self._words[index].start]
        return "\n" not in gap or self._lexicon.may_be_name(self._words[index])

    def _is_middle(self, first: int, last: int, names: int) -> bool:
        """Whether an initial at the end belongs to the name: "Kowalczyk, Agnieszka M", not "Vitamin B"."""
        return names >= 1 and last - first >= 2 and self._lexicon.is_given(self._words[first])

    def _goes_on(self, index: int) -> bool:
        """Whether a name's word follows the particle at the index, perhaps after another particle."""
        for following in range(index + 1, min(index + 3, len(self._words))):
            if not is_joined(self._text, self._words[following - 1], self._words[following]):
                return False
            if self.is_name_word(self._words[following]):
                return True
            if self._words[following].lower not in PARTICLES:
                return False
        return False

    def is_name_word(self, word: Word, *, titled: bool = False) -> bool:
        """Whether the word can be a part of a name; behind a title, any that is no abbreviation can."""
        lower = word.lower
        if not word.is_capitalised or "/" in word.text or "&" in word.text or "+" in word.text:
            return False
        if titled and lower in NAMES_THAT_SPEAK:
            return True
        if (
            lower in FUNCTION_WORDS
            or lower in CREDENTIALS
            or (lower in ABBREVIATIONS and not self._lexicon.is_given(word))
        ):
            return False
        if word.is_caps and len(word.text) < _SHORTEST_IN_CAPS and not self._lexicon.is_family(word):
            return self._lexicon.is_given(word) and lower not in ABBREVIATIONS
        if (word.is_caps and lower in ABBREVIATIONS) or bare(word.text) in KNOWN_BODIES:
            return False
        if titled:
            return True
        return not (
            lower in CALENDAR
            or lower in LEGAL_FORMS
            or lower in BODIES
            or lower in PLACE_WORDS
            or lower in WARD_WORDS
            or lower in TITLES
            or lower in RELATIONS
            or lower in ROLES
            or self._lexicon.is_medical(word)
        )

    def finding(self, first: int, last: int) -> Finding:
        """The person whose name is the words [first, last)."""
        final = self._words[last - 1]
        end = final.start + len(final.text.removesuffix("'s").removesuffix("\u2019s"))
        if final.is_initial and self._text[end : end + 1] == ".":
            end += 1
        return Finding(Label.PERSON, self._words[first].start, end)

    def is_plausible(self, names: Sequence[Word], *, alone: bool = False) -> bool:
        """Whether the words can be a person's name: not words of the language alone."""
        whole = [word for word in names if not word.is_initial and word.lower not in PARTICLES]
        if not whole:
            return False
        if len(names) == 1:
            return alone and self._lexicon.may_be_name(whole[0])
        return self._lexicon.is_given(names[0]) or any(self._lexicon.may_be_name(word) for word in whole)

    def is_known(self, names: Sequence[Word]) -> bool:
        """Whether the name begins with a given name or an initial, or ends in a family name."""
        return self._lexicon.is_given(names[0]) or names[0].is_initial or self._lexicon.is_family(names[-1])

    def is_followed_by_body(self, last: int) -> bool:
        """Whether the name goes on as the name of a street, a hospital, a company, a ward, a disease."""
        if last >= len(self._words):
            return False
        final, word = self._words[last - 1], self._words[last]
        gap = self._text[final.end : word.start]
        if gap in (", ", " ") and word.lower in LEGAL_FORMS and word.lower not in CREDENTIALS:
            return word.text[0].isupper() or word.lower in ("plc", "ltd", "gmbh")
        if gap in (" & ", " + ", "&", "+", " and ") and word.is_capitalised and not self._lexicon.is_given(word):
            return self._is_in_firm(last)
        if gap != " " or not (word.text[0].isupper() or word.lower in WARD_WORDS):
            return False
        return word.lower in BODIES or word.lower in PLACE_WORDS or word.lower in WARD_WORDS

    def _is_in_firm(self, last: int) -> bool:
        """Whether "Crane & Hollis" goes on as a firm: with its legal form or noun."""
        end = self.end(last)
        return (
            end > last
            and end < len(self._words)
            and (self._words[end].lower in BODIES or self._words[end].lower in LEGAL_FORMS)
        )

    def is_joined(self, index: int) -> bool:
        """Whether the word at the index stands right behind the one before it."""
        return is_joined(self._text, self._words[index - 1], self._words[index])

    def is_before_address(self, last: int) -> bool:
        """Whether an e-mail address in brackets follows the name: "Anna Keller <anna@x.example>"."""
        end = self._words[last - 1].end
        return self._text[end : end + 2] in (" <", " [") and "@" in self._text[end : end + 70]
