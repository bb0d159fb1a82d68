"""Persons by what stands beside their names: a title, a role, a label; a known given name; initials."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from workers.recognition.findings import Finding
from workers.recognition.layout import Passage
from workers.recognition.name_lists import Lexicon
from workers.recognition.names import NameReader
from workers.recognition.vocabulary import (
    BEFORE_OTHERS,
    BODIES,
    CALENDAR,
    CALLS,
    CREDENTIALS,
    DONE_BY,
    FUNCTION_WORDS,
    KEYS_OF_BODIES,
    KNOWN_BODIES,
    KNOWN_PLACES,
    PERSON_KEYS,
    RELATIONS,
    ROLES,
    SPECIES,
    SURNAME_FIRST_KEYS,
    TITLES,
    TITLES_THAT_ARE_WORDS,
)
from workers.recognition.words import Word

_MOST_TITLES: Final = 4
_SIGN_OFF_CHARS: Final = 24
_MOST_WORDS: Final = 5
_KEY_WORDS: Final = 4
_SEPARATOR: Final = re.compile(r"\s{0,4}(?:[,;/&\u2022]|\band\b)\s{0,4}")
_BRACKET: Final = re.compile(r"\s{0,4}[(\[][^()\[\]\n]{0,60}[)\]]")
_SIGNED_OFF: Final = re.compile(
    r"(?:thanks|thank you|regards|wishes|best|cheers|sincerely|faithfully|truly|love|soon)[,.!]?\s*\n\s*\Z",
    re.IGNORECASE,
)
_AGE: Final = re.compile(
    r"(?: | \(|, ?)(?:aged? )?\d{1,3}(?: ?[MFmf]\b| ?y(?:o|rs?)?\b|-year|\)|,| years)|, aged? \d"
    r"| \((?:he|she|they|him|her)\b"
)


class PersonFinder:
    """Finds persons in one passage of a text.

    Args:
        text: The text that the words are of.
        words: The words of the passage.
        passage: Where the passage is.
        lexicon: What names are made of.
    """

    def __init__(self, text: str, words: Sequence[Word], passage: Passage, lexicon: Lexicon) -> None:
        self._text = text
        self._words = words
        self._passage = passage
        self._lexicon = lexicon
        self._names = NameReader(text, words, lexicon)

    def find(self) -> Iterator[Finding]:
        """Yield the persons, those first of which the text says most; they may overlap."""
        for index, word in enumerate(self._words):
            if word.lower in TITLES and word.text[0].isupper():
                yield from self._titled(index)
        yield from self._labelled()
        for index in range(len(self._words)):
            yield from self._by_form(index)

    def _titled(self, index: int) -> Iterator[Finding]:
        first = index + 1
        while first < min(index + _MOST_TITLES, len(self._words)) and self._words[first].lower in TITLES:
            first += 1
        if first >= len(self._words) or not self._names.is_joined(first):
            return
        last = self._names.end(first, titled=True)
        while last > first and self._is_no_part(last - 1, first):
            last -= 1
        if last == first or (last == first + 1 and self._words[first].is_initial):
            return
        title = self._words[first - 1].lower
        if title in TITLES_THAT_ARE_WORDS and not any(
            self._lexicon.may_be_name(word) for word in self._words[first:last]
        ):
            return
        if not self._names.is_followed_by_body(last) or title not in TITLES_THAT_ARE_WORDS:
            yield self._names.finding(first, last)

    def _is_title(self, index: int) -> bool:
        return index < len(self._words) and self._words[index].lower in TITLES

    def _is_no_part(self, index: int, first: int) -> bool:
        """Whether a word behind a titled name is a role or the noun of a body, rather than a part of the name."""
        word = self._words[index]
        return index > first and (word.lower in ROLES or word.lower in BODIES or word.lower in CALENDAR)

    def _labelled(self) -> Iterator[Finding]:
        """Behind "Patient:", "Seen by:", "Dear": a name or several, each perhaps with a role in brackets."""
        for index, word in enumerate(self._words[:-1]):
            after = self._text[word.end : self._words[index + 1].start]
            is_key = word.lower in PERSON_KEYS
            if word.lower in RELATIONS or word.lower in ROLES:
                yield from self._beside_role(index)
            if ":" in after and len(after.strip()) == 1:
                key = [other.lower for other in self._words[max(0, index - _KEY_WORDS + 1) : index + 1]]
                if any(part in PERSON_KEYS or part in ROLES or part in RELATIONS for part in key):
                    is_strict = key[-1] in KEYS_OF_BODIES or any(part in ("to", "from") for part in key)
                    is_turned = any(part in SURNAME_FIRST_KEYS for part in key)
                    yield from self._names_of_list(index + 1, turned=is_turned, strict=is_strict)
            elif is_key and word.lower in ("dear", "hi", "hello") and self._names.is_joined(index + 1):
                yield from self._names_of_list(index + 1, turned=False, only_first=True)
            elif (
                word.text == "by"
                and index
                and self._words[index - 1].lower in DONE_BY
                and self._names.is_joined(index + 1)
            ):
                yield from self._done_by(index + 1)

    def _done_by(self, index: int) -> Iterator[Finding]:
        """Behind "Reviewed by": firms review, too, so a name must be known."""
        last = self._names.end(index)
        names = self._words[index:last]
        if names and self._names.is_known(names) and not self._names.is_followed_by_body(last):
            yield self._names.finding(index, last)

    def _beside_role(self, index: int) -> Iterator[Finding]:
        """Behind "his wife", "manager", "the engineer, ": a name; behind a relation it may be in brackets."""
        first = index + 1
        gap = self._text[self._words[index].end : self._words[first].start]
        is_relation = self._words[index].lower in RELATIONS
        if gap not in ((" ", "\n", " (", ", ") if is_relation else (" ", ", ")):
            return
        last = self._names.end(first)
        names = self._words[first:last]
        if not names or self._names.is_followed_by_body(last):
            return
        # "Senior Engineer, Mott MacDonald" is of a list of posts.
        if gap == ", " and not is_relation and not self._words[index].text.islower():
            return
        if len(names) == 1:
            known = self._lexicon.is_given(names[0]) or self._lexicon.is_family(names[0])
            if gap == ", " or (not known and not (is_relation and self._lexicon.may_be_name(names[0]))):
                return
        if self._names.is_plausible(names, alone=True):
            yield self._names.finding(first, last)

    def _names_of_list(
        self, index: int, *, turned: bool, only_first: bool = False, strict: bool = False
    ) -> Iterator[Finding]:
        while index < len(self._words):
            index = next((i for i in range(index, index + _MOST_TITLES) if not self._is_title(i)), index)
            last = self._names.end(index)
            if last == index:
                return
            if turned and (finding := self._turned(index, last)):
                yield finding
                return
            names = self._words[index:last]
            is_named = self._names.is_known(names) if strict else self._names.is_plausible(names, alone=True)
            if is_named and not self._names.is_followed_by_body(last):
                yield self._names.finding(index, last)
            following = self._after_separator(last)
            if only_first or following is None:
                return
            index = following

    def _turned(self, first: int, last: int) -> Finding | None:
        """The whole of "KELLER, Anna M"."""
        if last >= len(self._words) or self._text[self._words[last - 1].end : self._words[last].start] not in (
            ", ",
            ",",
        ):
            return None
        end = self._names.end(last)
        is_given = end > last and (self._lexicon.is_given(self._words[last]) or self._words[first].is_caps)
        return self._names.finding(first, end) if is_given and last - first <= 2 else None

    def _after_separator(self, last: int) -> int | None:
        position = self._words[last - 1].end
        if bracket := _BRACKET.match(self._text, position, self._passage.end):
            position = bracket.end()
        separator = _SEPARATOR.match(self._text, position, self._passage.end)
        if separator is None:
            return None
        return next((i for i in range(last, len(self._words)) if self._words[i].start >= separator.end()), None)

    def _by_form(self, index: int) -> Iterator[Finding]:
        """A known given name or initials before a surname; a name before a degree, a role, an e-mail address."""
        if index and self._names.is_joined(index) and self._continues_name(index):
            return
        last = self._names.end(index)
        if last == index or self._names.is_followed_by_body(last):
            return
        names = self._words[index:last]
        whole = [word for word in names if not word.is_initial]
        if names[0].is_initial:
            if self._is_initials(index, names, whole):
                yield self._names.finding(index, last)
            return
        final = names[-1]
        has_age = _AGE.match(self._text, final.end) is not None
        if len(names) < 2:
            yield from self._single(index, has_age=has_age)
            return
        if self._lexicon.is_full_name(names) and index > 1 and self._words[index - 1].text == "and":
            yield from self._before_and(index - 2)
        if self._lexicon.is_full_name(names) or (
            self._names.is_plausible(names)
            and (has_age or self._is_before_role(last) or self._names.is_before_address(last))
        ):
            yield self._names.finding(index, last)

    def _single(self, index: int, *, has_age: bool) -> Iterator[Finding]:
        """A single name: in a signature, called on, before an age or an address, or in prose a given name."""
        word = self._words[index]
        is_last = index + 1 == len(self._words)
        if index == 0 and is_last and self._is_signature(word):
            yield self._names.finding(index, index + 1)
        elif self._lexicon.is_given(word):
            is_called = index > 0 and self._names.is_joined(index) and self._words[index - 1].lower in CALLS
            if is_called or (
                not self._lexicon.is_ordinary(word) and (has_age or self._names.is_before_address(index + 1))
            ):
                yield self._names.finding(index, index + 1)
            elif not self._lexicon.is_ordinary(word) and self._is_alone(index):
                # A firm may have the same name: "Hartwell".
                yield replace(self._names.finding(index, index + 1), by_form=False)

    def _is_signature(self, word: Word) -> bool:
        before = self._text[max(0, word.start - _SIGN_OFF_CHARS) : word.start]
        return self._lexicon.may_be_name(word) and _SIGNED_OFF.search(before) is not None

    def _is_alone(self, index: int) -> bool:
        """Whether a given name stands by itself, in prose, and is no place that everybody knows."""
        word = self._words[index]
        return (
            not word.is_caps
            and word.text not in KNOWN_PLACES | KNOWN_BODIES
            and len(word.text) > 3
            and (
                index + 1 < len(self._words)
                and self._names.is_joined(index + 1)
                and self._words[index + 1].text.islower()
                and (index == 0 or not self._names.is_joined(index) or self._words[index - 1].text.islower())
                and not (index > 0 and self._names.is_joined(index) and self._words[index - 1].text in BEFORE_OTHERS)
            )
        )

    def _before_and(self, index: int) -> Iterator[Finding]:
        """Of "Priti and Colin Marsden" the first."""
        word = self._words[index]
        is_single = index == 0 or not self._names.is_joined(index) or not self._words[index - 1].is_capitalised
        if (
            is_single
            and self._names.is_name_word(word)
            and self._lexicon.may_be_name(word)
            and self._names.is_joined(index + 1)
        ):
            yield self._names.finding(index, index + 1)

    def _continues_name(self, index: int) -> bool:
        previous = self._words[index - 1]
        lower = previous.lower
        if lower in TITLES or lower in ROLES or lower in FUNCTION_WORDS:
            return False
        return previous.is_capitalised or previous.is_initial

    def _is_initials(self, index: int, names: Sequence[Word], whole: Sequence[Word]) -> bool:
        if self._text[names[0].end : names[0].end + 1] != "." and not (len(names) > 2 and names[1].is_initial):
            return False
        if not whole or whole[0].lower in SPECIES:
            return False
        starts_line = (
            self._words[index].start == self._passage.start or self._text[self._words[index].start - 1] in "\n("
        )
        return not starts_line or self._lexicon.may_be_name(whole[0]) or len(names) > 2

    def _is_before_role(self, last: int) -> bool:
        """Whether ", MD", ", Managing Director of" or "(Chair)" follows."""
        if last >= len(self._words):
            return False
        gap = self._text[self._words[last - 1].end : self._words[last].start]
        if (
            gap in (", ", " ", " (", ",")
            and self._words[last].lower in CREDENTIALS
            and not self._words[last].text.islower()
        ):
            return True
        if gap not in (", ", " (", " - ", " \u2013 ", ",\n"):
            return False
        for index in range(last, min(last + 4, len(self._words))):
            if index > last and not self._names.is_joined(index):
                return False
            if self._words[index].lower in ROLES:
                return True
        return False
