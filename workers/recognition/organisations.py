"""Organisations by the form of their names: a legal form (Ltd, GmbH), or the noun of a body (Hospital, Council)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.recognition.findings import Finding, Label
from workers.recognition.layout import is_wrapped
from workers.recognition.name_lists import Lexicon
from workers.recognition.vocabulary import (
    ABBREVIATIONS,
    AMBIGUOUS_LEGAL_FORMS,
    BODIES,
    BODIES_OF,
    CALENDAR,
    CALLS,
    CLINICAL_ACRONYMS,
    CREDENTIALS,
    FUNCTION_WORDS,
    GENERIC,
    KNOWN_ACRONYMS,
    KNOWN_BODIES,
    KNOWN_PLACES,
    LEGAL_FORMS,
    PERSON_KEYS,
    ROLES,
    TITLES,
    WEAK_BODIES,
)
from workers.recognition.words import Word

_MOST_WORDS: Final = 7
_JOINTS: Final = frozenset({" ", " & ", " + ", ", ", ". ", "\n"})
_DOTTED_FORM: Final = re.compile(r",? (?:(?:[A-Z]\.){2,4}|S\.p\.A\.|S\.r\.l\.|e\.V\.|A/S)(?![^\W_])")
_BEFORE_BODIES: Final = ROLES | CALLS | PERSON_KEYS
"""What a body is or what is done with it, before its name: "Defendant", "Sponsor", "Refer"."""
_HEAD_LINES: Final = 4
_BEFORE_CHARS: Final = 24
_BESIDE_A_LINE: Final = " \t\r#*-=:0123456789.()"
_SMALL: Final = frozenset({"of", "and", "for", "the", "at", "in", "de", "du", "des", "la", "y", "und", "van", "der"})
_NUMBER_BEHIND: Final = re.compile(r"\s?(?:No|no|Number|number|ID|#)\b")
_OF: Final = frozenset({"of", "for"})


def end_of_head(text: str) -> int:
    """Where the first lines of a text end, in which a letter or a report names whose it is."""
    end = 0
    for _ in range(_HEAD_LINES):
        end = text.find("\n", end) + 1 or len(text)
    return end


class OrganisationFinder:
    """Finds organisations in one passage of a text.

    Args:
        text: The text that the words are of.
        words: The words of the passage.
        lexicon: What names are made of.
        clinical: Whether the text is a clinical one, where letters in capitals stand for anything.
        head_end: Where the head of the text ends, whose lines may be names: `end_of_head`.
    """

    def __init__(self, text: str, words: Sequence[Word], lexicon: Lexicon, *, clinical: bool, head_end: int) -> None:
        self._text = text
        self._words = words
        self._lexicon = lexicon
        self._clinical = clinical
        self._head_end = head_end

    def find(self) -> Iterator[Finding]:
        """Yield the organisations, the longest first; they may overlap."""
        found = []
        for index, word in enumerate(self._words):
            lower = word.lower
            if lower in LEGAL_FORMS and self._is_legal_form(index):
                found.append(self._company(index))
            elif word.text[0].isupper() and lower in BODIES:
                found.append(self._body(index))
            elif self._is_before_form(word) and (form := _DOTTED_FORM.match(self._text, word.end)):
                first = self._first(index)
                found.append(self._finding(first, index, end=form.end()))
            if word.text in (CLINICAL_ACRONYMS if self._clinical else KNOWN_ACRONYMS) and not _NUMBER_BEHIND.match(
                self._text, word.end
            ):
                found.append(self._finding(index, index))
            found += [self._finding(index, last) for last in (index + 1, index + 2) if self._is_known(index, last)]
        present = [finding for finding in found if finding is not None]
        yield from sorted(present, key=lambda finding: finding.start - finding.end)

    def _is_known(self, first: int, last: int) -> bool:
        """Whether the words are the name of a body that everybody knows: "Age UK"."""
        if last >= len(self._words) or not self._words[first].text[0].isupper():
            return False
        return self._text[self._words[first].start : self._words[last].end] in KNOWN_BODIES

    def _is_before_form(self, word: Word) -> bool:
        """Whether points behind the word are of a legal form, rather than of degrees or a time of day."""
        return word.is_capitalised and (word.lower in BODIES or self._text[word.end : word.end + 2] == ", ")

    def _is_legal_form(self, index: int) -> bool:
        if index == 0:
            return False
        word, previous = self._words[index], self._words[index - 1]
        gap = self._text[previous.end : word.start]
        if gap not in (" ", ", ", "\n") or not self._is_part(index - 1):
            return False
        if word.lower in AMBIGUOUS_LEGAL_FORMS:
            return not self._clinical and word.text in _WRITTEN_FORMS and not (previous.is_caps and word.is_caps)
        return word.text[0].isupper() or word.lower in ("plc", "ltd", "gmbh", "llp", "inc")

    def _company(self, index: int) -> Finding | None:
        first = self._first(index - 1)
        if all(word.lower in GENERIC or word.lower in _SMALL for word in self._words[first:index]):
            return None
        end = self._words[index].end
        if self._text[end : end + 1] == "." and self._goes_on(end + 1):
            end += 1
        return self._finding(first, index, end=end)

    def _goes_on(self, position: int) -> bool:
        """Whether the sentence goes on at the position: the point before it was of an abbreviation."""
        return (
            self._text[position : position + 1] in (",", ";", ")")
            or self._text[position + 1 : position + 2].islower()
        )

    def _is_part(self, index: int) -> bool:
        """Whether the word can be a part of a body's name."""
        word = self._words[index]
        if (
            word.lower in FUNCTION_WORDS
            or word.lower in CALENDAR
            or word.lower in TITLES - {"general", "pt", "sister"}
        ):
            return False
        return word.text[0].isupper() or (word.text[0].isdigit() and any(c.isalpha() for c in word.text))

    def _first(self, index: int) -> int:
        """The index of the name's first word, whose later word stands at `index`."""
        first = index
        while first > 0 and index - first < _MOST_WORDS:
            gap = self._text[self._words[first - 1].end : self._words[first].start]
            previous = self._words[first - 1]
            if gap in (" ", " & ", " + ", "& ", "\n", " \n", "' ", "\u2019 ") and self._is_part(first - 1):
                if "\n" in gap and not (
                    is_wrapped(self._text, self._words[first - 1].end) and previous.lower not in BODIES | LEGAL_FORMS
                ):
                    break
                first -= 1
            elif gap == ". " and (previous.text in ("St", "Mt", "Ste") or self._is_first_initial(first - 1)):
                first -= 1
            elif gap == " " and previous.text in _SMALL and first > 1 and self._is_joint(first - 1):
                first -= 2
            else:
                break
        while first < index and self._words[first].lower in _BEFORE_BODIES and self._words[first].lower not in BODIES:
            first += 1
        return first

    def _is_first_initial(self, index: int) -> bool:
        """Whether the word is an initial at which a name begins: "J. Sainsbury plc", not "French B. St"."""
        if not self._words[index].is_initial:
            return False
        if index == 0 or not self._words[index - 1].text[0].isupper():
            return True
        return self._text[self._words[index - 1].end : self._words[index].start] not in (" ", "\n")

    def _is_joint(self, index: int) -> bool:
        """Whether the small word at the index is inside a name: "Fire and Rescue", "Centre for Health"."""
        before = self._words[index - 1]
        return (
            (self._words[index].text == "and" or before.lower in BODIES_OF)
            and self._words[index].text in ("and", "of", "for", "&")
            and self._text[before.end : self._words[index].start] == " "
            and self._is_part(index - 1)
            and not (self._words[index].text == "and" and self._joins_two(index))
        )

    def _joins_two(self, index: int) -> bool:
        """Whether the "and" at the index stands between two names, rather than inside one: "Fire and Rescue"."""
        before, after = self._words[index - 1], self._words[index + 1]
        if before.lower in BODIES or self._is_whole(index - 1):
            return True
        last = index + 2
        if last < len(self._words) and self._words[last].lower in LEGAL_FORMS:
            return False
        return not (self._lexicon.is_ordinary(before) and self._lexicon.is_ordinary(after))

    def _is_whole(self, index: int) -> bool:
        """Whether what ends at the word before "and" is a name by itself: a person, an acronym, a body."""
        before = self._words[index]
        if self._lexicon.is_given(before) or (before.is_caps and not self._words[index + 2].is_caps):
            return True
        first = index
        while first > 0 and index - first < _MOST_WORDS:
            previous = self._words[first - 1]
            if self._text[previous.end : self._words[first].start] != " ":
                break
            if previous.lower in BODIES and previous.text[0].isupper():
                return True
            if not (previous.text[0].isupper() or previous.text in _SMALL):
                break
            first -= 1
        return False

    def _body(self, index: int) -> Finding | None:
        first = self._first(index)
        last = index
        while last + 1 < len(self._words) and last - index < _MOST_WORDS and self._is_next_part(last):
            last += 1
        last = self._with_name_behind(last)
        if last + 1 < len(self._words) and self._words[last].lower in BODIES_OF:
            city = self._words[last + 1]
            if city.text in KNOWN_PLACES and self._text[self._words[last].end : city.start] == " ":
                last += 1
        parts = self._words[first : last + 1]
        if not self._names_one(parts):
            return None
        return self._finding(first, last)

    def _is_next_part(self, last: int) -> bool:
        """Whether the name goes on: "University Hospital", "Hospital NHS Foundation Trust"."""
        word = self._words[last + 1]
        gap = self._text[self._words[last].end : word.start]
        if gap != " " or not word.text[0].isupper():
            return False
        return (
            word.lower in BODIES
            or word.text == "NHS"
            or (word.lower in LEGAL_FORMS and self._is_legal_form(last + 1))
        )

    def _with_name_behind(self, last: int) -> int:
        """The index of the last word, with "of Leeds" or "at Brighton" behind the noun."""
        if self._words[last].lower not in BODIES_OF:
            return last
        small = last + 1
        allowed = (
            {"of", "for", "at", "OF", "FOR", "AT"}
            if self._words[last].lower == "court"
            else {"of", "for", "OF", "FOR"}
        )
        if small + 1 >= len(self._words) or self._words[small].text not in allowed:
            return last
        end = small
        while end + 1 < len(self._words) and end - small < 4:
            gap = self._text[self._words[end].end : self._words[end + 1].start]
            word = self._words[end + 1]
            is_short = word.is_caps and word.lower in ABBREVIATIONS
            if (
                gap == " "
                and not is_short
                and (self._is_part(end + 1) or (word.lower in ("the", "and") and self._is_followed(end + 1)))
            ):
                end += 1
            else:
                break
        return end if end > small and self._words[end].text[0].isupper() else last

    def _is_followed(self, index: int) -> bool:
        return (
            index + 1 < len(self._words)
            and self._text[self._words[index].end : self._words[index + 1].start] == " "
            and self._words[index + 1].is_capitalised
            and self._words[index].text != "and"
        )

    def _names_one(self, parts: Sequence[Word]) -> bool:
        """Whether the words name one body, rather than a kind of bodies: "the Chest Clinic"."""
        if parts[0].lower in CREDENTIALS:
            return False
        own = [word for word in parts if word.lower not in BODIES and word.lower not in _SMALL]
        if (
            any(word.lower in ABBREVIATIONS and word.is_caps and word.text != "NHS" for word in own)
            and self._clinical
        ):
            return False
        telling = [word for word in own if word.lower not in GENERIC and not word.text[0].isdigit()]
        if parts[0].lower == "ministry" and len(parts) > 1:
            return True
        if not telling:
            return False
        if any(word.lower in BODIES and word.lower not in WEAK_BODIES for word in parts):
            return True
        if any(self._lexicon.is_given(word) or not self._lexicon.is_ordinary(word) for word in telling):
            return True
        return any(word.text in _OF for word in parts) or not self._is_heading(parts[0])

    def _is_heading(self, first: Word) -> bool:
        """Whether the word begins a line below the head of the text, where each word may have a capital."""
        before = self._text[max(0, first.start - _BEFORE_CHARS) : first.start].rpartition("\n")
        is_first = not before[2].strip(_BESIDE_A_LINE).removesuffix("The").strip()
        return is_first and first.start > self._head_end

    def _finding(self, first: int, last: int, end: int | None = None) -> Finding | None:
        while first < last and self._words[first].lower in ("the", "a"):
            first += 1
        return Finding(Label.ORGANISATION, self._words[first].start, self._words[last].end if end is None else end)


_WRITTEN_FORMS: Final = frozenset({"SE", "SA", "AS", "AB", "AG", "SpA", "Co", "KG", "LP", "SL", "Oy"})
