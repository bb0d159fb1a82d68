"""What of the language model's findings to believe: it takes headings and abbreviations for names."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from workers.drug_dictionary import Confidence, drug_dictionary
from workers.recognition.dates import refers_to_calendar
from workers.recognition.findings import Finding, Label
from workers.recognition.layout import is_wrapped
from workers.recognition.name_lists import Lexicon
from workers.recognition.surroundings import Surroundings
from workers.recognition.vocabulary import (
    ABBREVIATIONS,
    BODIES,
    CALENDAR,
    CLINICAL_ACRONYMS,
    CREDENTIALS,
    EPONYMS,
    FUNCTION_WORDS,
    GENERIC,
    KNOWN_ACRONYMS,
    KNOWN_BODIES,
    KNOWN_PLACES,
    LEGAL_FORMS,
    NAMES_THAT_SPEAK,
    PARTICLES,
    PERSON_KEYS,
    PLACE_WORDS,
    RELATIONS,
    ROLES,
    TITLES,
    WARD_WORDS,
)
from workers.recognition.words import Word, bare, words

_GAP: Final = re.compile(r"\n|  |[;:()\[\]|]|, | - | \u2013 ")
_PLACE_BEHIND: Final = re.compile(r"\s(?:in|near|at)\s[A-Z]")
_BESIDE_DATES: Final = ",;:*#-()."
_LONG_NUMBER: Final = re.compile(r"\d{5,}")
_INNER_CAPITALS: Final = ("Mc", "Mac", "De", "O'", "O\u2019", "La", "Le", "Van", "Fitz")
"""Beginnings of names behind which another capital may stand: McKay, DeLuca."""
_BEFORE_ACRONYMS: Final = ("by", "at", "from", "joined", "joins", "of", "via", "union")
_LONGEST_ACRONYM: Final = 6
_LONGEST_PERSON: Final = 3
_NOT_IN_PERSONS: Final = WARD_WORDS | PLACE_WORDS
_AROUND_PERSONS: Final = TITLES | ROLES | RELATIONS | FUNCTION_WORDS | CREDENTIALS | CALENDAR
_OF_NO_BODY: Final = GENERIC | BODIES | FUNCTION_WORDS | WARD_WORDS


class Judge:
    """Says what a finding of the model is: it may be less, something else, or nothing.

    Args:
        text: The text of the findings.
        lexicon: What names are made of.
        clinical: Whether the text is a clinical one.
    """

    def __init__(self, text: str, lexicon: Lexicon, *, clinical: bool) -> None:
        self._text = text
        self._around = Surroundings(text)
        self._lexicon = lexicon
        self._clinical = clinical
        self._acronyms = CLINICAL_ACRONYMS if clinical else KNOWN_ACRONYMS
        self._drugs = [
            (named.start, named.end)
            for named in drug_dictionary().find(text)
            if named.drug.confidence is not Confidence.EVERYDAY
        ]

    def believed(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield what of the findings is believed, trimmed to the name."""
        for finding in self._split(findings):
            if finding.label is Label.DATE:
                judged = self._date(finding)
            elif self._around.is_measured(finding.end) or self._is_medicine(finding):
                judged = None
            else:
                parts = self._parts(finding)
                judge = {Label.PERSON: self._person, Label.ORGANISATION: self._body}.get(finding.label, self._place)
                judged = judge(parts) if parts else None
            if judged is not None:
                yield judged

    def _split(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings, two names joined by "and" as two."""
        for finding in findings:
            names = self._text[finding.start : finding.end].split(" and ")
            if finding.label is Label.DATE or len(names) != 2 or _is_body(words(names[1])):
                yield finding
            else:
                yield replace(finding, end=finding.start + len(names[0]))
                yield replace(finding, start=finding.end - len(names[1]))

    def _date(self, finding: Finding) -> Finding | None:
        start, end = finding.start, finding.end
        found = self._text[start:end]
        if not refers_to_calendar(found) or _LONG_NUMBER.search(found) or "\n\n" in found:
            return None
        if found.rstrip().endswith(("'s", "\u2019s")):
            end = start + len(found.rstrip()) - 2
        while start < end and (self._text[start].isspace() or self._text[start] in _BESIDE_DATES):
            start += 1
        while start < end and (self._text[end - 1].isspace() or self._text[end - 1] in _BESIDE_DATES):
            end -= 1
        return Finding(Label.DATE, start, end) if start < end else None

    def _is_medicine(self, finding: Finding) -> bool:
        last = bisect_right(self._drugs, (finding.start, finding.end))
        near = self._drugs[max(0, last - 1) : last + 1]
        return any(start < finding.end and finding.start < end for start, end in near)

    def _parts(self, finding: Finding) -> list[Word]:
        """The words of the finding's first piece: a name does not go on behind a bracket or in the next cell."""
        start, end = finding.start, finding.end
        if behind := _PLACE_BEHIND.search(self._text, start, end):
            end = behind.start()
        start += len(self._text[start:end]) - len(self._text[start:end].lstrip())
        gap = _GAP.search(self._text, start, end)
        if gap and not (gap.group() == "\n" and is_wrapped(self._text, gap.start())):
            end = gap.start()
        return words(self._text, start, end)

    def _person(self, parts: list[Word]) -> Finding | None:
        speaks = len(parts) > 1 and parts[0].text.lower() in NAMES_THAT_SPEAK and parts[1].is_capitalised
        if not speaks or self._around.begins_sentence(parts[0].start):
            parts = _trimmed(parts, _AROUND_PERSONS)
        owner = next((index for index, word in enumerate(parts) if bare(word.text) != word.text), len(parts))
        parts = parts[: owner + 1]
        while len(parts) > 1 and parts[0].lower in ABBREVIATIONS and parts[0].is_caps:
            parts = parts[1:]
        if not parts or _has_digits(parts):
            return None
        if _is_body(parts):
            return self._body(parts)
        if any(self._is_in_no_person(word) for word in parts) or self._is_key(parts[-1]):
            return None
        return self._single_person(parts[0]) if len(parts) == 1 else self._whole_person(parts)

    def _is_in_no_person(self, word: Word) -> bool:
        is_short = word.lower in ABBREVIATIONS and (word.is_caps or not self._lexicon.is_given(word))
        return is_short or word.lower in _NOT_IN_PERSONS or "/" in word.text or self._lexicon.is_medical(word)

    def _whole_person(self, parts: list[Word]) -> Finding | None:
        name = self._text[parts[0].start : parts[-1].end]
        if " & " in name or " + " in name or self._around.follows_post(parts[0].start):
            return self._body(parts)
        if self._lexicon.is_given(parts[0]) or parts[0].is_initial:
            return _finding(Label.PERSON, parts)
        if self._around.is_at_body(parts[0].start):
            return self._body(parts)
        known = sum(self._lexicon.is_family(word) or self._lexicon.is_given(word) for word in parts)
        unknown = sum(not self._lexicon.is_ordinary(word) for word in parts)
        if unknown and known + unknown >= (2 if self._clinical else 1):
            return _finding(Label.PERSON, parts)
        return None

    def _single_person(self, word: Word) -> Finding | None:
        lexicon, around = self._lexicon, self._around
        if word.text in KNOWN_BODIES:
            return _finding(Label.ORGANISATION, [word], by_form=True)
        if word.is_caps or (self._clinical and word.lower in EPONYMS) or _is_mixed_case(word.text):
            return None
        if lexicon.is_said(word) and around.begins_sentence(word.start):
            return None
        if around.is_at_place(word.start) or (word.text in KNOWN_PLACES and around.is_where(word.start)):
            return _finding(Label.PLACE, [word], by_form=True)
        if lexicon.is_given(word):
            return _finding(Label.PERSON, [word])
        if around.is_label(word.end) or lexicon.is_ordinary(word):
            return None
        if around.is_at_body(word.start):
            return self._body([word])
        is_aside = self._text[word.start - 1 : word.start] == "("
        if lexicon.is_family(word) or not (self._clinical or is_aside):
            return _finding(Label.PERSON, [word])
        return None

    def _is_key(self, word: Word) -> bool:
        """Whether the name ends in the label of a value: "Patient Name: "."""
        return self._around.is_label(word.end) and (word.lower in PERSON_KEYS or self._lexicon.is_ordinary(word))

    def _body(self, parts: list[Word]) -> Finding | None:
        parts = _trimmed(parts, FUNCTION_WORDS | CALENDAR)
        if not parts or self._is_key(parts[-1]):
            return None
        name = self._text[parts[0].start : parts[-1].end]
        if name in self._acronyms:
            return _finding(Label.ORGANISATION, parts)
        if self._is_no_body(parts):
            return None
        if name in KNOWN_PLACES:
            return _finding(Label.PLACE, parts)
        if name in KNOWN_BODIES:
            return _finding(Label.ORGANISATION, parts, by_form=True)
        if len(parts) == 1:
            return self._single_body(parts[0])
        if parts[-1].lower in PLACE_WORDS - BODIES:
            return self._place(parts)
        if self._lexicon.is_full_name(parts) and not _has_body(parts) and len(parts) <= _LONGEST_PERSON:
            return _finding(Label.PERSON, parts) if "&" not in name else None
        # Of two unknown words in a clinical text one can't tell whether they are a firm, a device or a test.
        if self._clinical and not _has_body(parts):
            return None
        # "Sanjay Mistry", "Mott MacDonald": a person, or a firm that is called by the names of two.
        if self._lexicon.is_family(parts[-1]) and not self._lexicon.is_ordinary(parts[-1]) and len(parts) == 2:
            return None
        is_worded = all(self._lexicon.is_ordinary(word) for word in parts)
        if is_worded and (not _is_body(parts) or self._around.is_heading(parts[0].start, parts[-1].end)):
            return None
        return _finding(Label.ORGANISATION, parts)

    def _is_no_body(self, parts: Sequence[Word]) -> bool:
        """Whether the words are abbreviations, medicines, a person's title or role, "Schedule 1", "Project Board"."""
        first, last = parts[0], parts[-1]
        return (
            any(word.lower in ABBREVIATIONS and (word.is_caps or len(word.text) < 5) for word in parts)
            or any(self._lexicon.is_medical(word) for word in parts)
            or first.lower in TITLES | CREDENTIALS | LEGAL_FORMS
            or last.lower in ROLES
            or (last.text[0].isdigit() and all(self._lexicon.is_ordinary(word) for word in parts[:-1]))
            or all(word.lower in _OF_NO_BODY for word in parts)
        )

    def _single_body(self, word: Word) -> Finding | None:
        lexicon, around = self._lexicon, self._around
        if _has_digits([word]) or "/" in word.text:
            return None
        if not word.is_caps and (around.is_at_place(word.start) or around.is_situated(word.start)):
            return _finding(Label.PLACE, [word], by_form=True)
        if self._clinical or lexicon.is_ordinary(word) or word.lower in TITLES:
            return None
        if around.follows(word.start, "to", "a", "an"):
            return None
        if word.is_caps:
            is_acronym = 2 < len(word.text) <= _LONGEST_ACRONYM
            return (
                _finding(Label.ORGANISATION, [word])
                if is_acronym and around.follows(word.start, *_BEFORE_ACRONYMS)
                else None
            )
        return None if lexicon.is_given(word) else _finding(Label.ORGANISATION, [word])

    def _place(self, parts: list[Word]) -> Finding | None:
        parts = _trimmed(parts, FUNCTION_WORDS | CALENDAR | TITLES)
        if not parts or _has_digits(parts):
            return None
        if self._text[parts[0].start : parts[-1].end] in KNOWN_PLACES:
            return _finding(Label.PLACE, parts)
        if self._is_no_place(parts):
            return None
        if _is_body(parts):
            return (
                _finding(Label.ORGANISATION, parts)
                if any(word.lower not in GENERIC | BODIES for word in parts)
                else None
            )
        if parts[0].text in KNOWN_BODIES:
            return _finding(Label.ORGANISATION, parts, by_form=True)
        is_person = self._lexicon.is_full_name(parts) and not self._lexicon.is_ordinary(parts[0])
        if is_person and parts[-1].lower not in PLACE_WORDS and not self._around.is_at_place(parts[0].start):
            return _finding(Label.PERSON, parts)
        return _finding(Label.PLACE, parts, by_form=self._around.is_at_place(parts[0].start))

    def _is_no_place(self, parts: Sequence[Word]) -> bool:
        """Whether the words are abbreviations, medicines, a label, a heading; in a clinical text, anything else."""
        word = parts[0]
        if any(part.lower in ABBREVIATIONS and (part.is_caps or len(part.text) < 4) for part in parts):
            return True
        if any(self._lexicon.is_medical(part) or part.lower in WARD_WORDS for part in parts) or self._is_key(
            parts[-1]
        ):
            return True
        if len(parts) > 1:
            return False
        if self._clinical and (word.is_caps or word.lower in EPONYMS or not self._around.is_where(word.start)):
            return word.text not in KNOWN_BODIES
        return self._lexicon.is_said(word) or (word.is_caps and self._lexicon.is_ordinary(word))


def _trimmed(parts: Sequence[Word], outer: frozenset[str]) -> list[Word]:
    """The words without those at the ends that are no part of a name; a particle may begin it."""
    parts = list(parts)
    while parts and (parts[0].lower in outer or not parts[0].text[0].isupper()):
        if parts[0].lower in PARTICLES - FUNCTION_WORDS and len(parts) > 1:
            break
        parts.pop(0)
    while parts and (parts[-1].lower in outer or not (parts[-1].text[0].isupper() or parts[-1].text[0].isdigit())):
        parts.pop()
    return parts


def _finding(label: Label, parts: Sequence[Word], *, by_form: bool = False) -> Finding:
    """What the words name; of a body of several words a possessive may be a part: "Lloyd's"."""
    last = parts[-1]
    keeps = label is Label.ORGANISATION and len(parts) > 1
    return Finding(label, parts[0].start, last.end if keeps else last.start + len(bare(last.text)), by_form=by_form)


def _is_body(parts: Sequence[Word]) -> bool:
    """Whether the last word is the noun or the legal form of a body."""
    return bool(parts) and parts[-1].lower in BODIES | LEGAL_FORMS


def _has_body(parts: Sequence[Word]) -> bool:
    return any(word.lower in BODIES | LEGAL_FORMS for word in parts)


def _is_mixed_case(word: str) -> bool:
    """Whether a capital stands behind a small letter, as in names of products: "SprayBox"."""
    return not word.startswith(_INNER_CAPITALS) and any(
        one.islower() and following.isupper() for one, following in pairwise(word)
    )


def _has_digits(parts: Sequence[Word]) -> bool:
    return any(character.isdigit() for word in parts for character in word.text)
