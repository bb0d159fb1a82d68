"""What a document says of a name in one place goes for it in the others: short forms, letters for a body's name."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from workers.recognition.findings import Finding, Label
from workers.recognition.name_lists import Lexicon
from workers.recognition.vocabulary import (
    ABBREVIATIONS,
    BODIES,
    COMMERCIAL_BODIES,
    FUNCTION_WORDS,
    GENERIC,
    KNOWN_BODIES,
    KNOWN_PLACES,
    LEGAL_FORMS,
    PARTICLES,
    PLACE_WORDS,
    ROLES,
    TITLES,
    WARD_WORDS,
)
from workers.recognition.words import Word, bare, words

_SEATED: Final = ("Council", "Hospital", "Infirmary", "Police", "Court", "Constabulary", "University", "Fire Service")
_LONGEST_PERSON: Final = 3
_SHORTEST: Final = 3
_ACRONYM: Final = re.compile(r'\s?\((?:the )?["\u201c\']?([A-Z][A-Za-z&]{1,9})["\u201d\']?\)')
KNOWN_PLACES_IN_LOWER_CASE: Final = frozenset(name.lower() for name in KNOWN_PLACES)
_FIRMS: Final = COMMERCIAL_BODIES | LEGAL_FORMS | {"association", "foundation", "club", "hospice", "partnership"}
_IN_ADDRESSES: Final = ("@", ".", "/")
_NAMES: Final = (Label.PERSON, Label.ORGANISATION, Label.PLACE)


def with_short_forms(text: str, findings: Sequence[Finding], lexicon: Lexicon) -> list[Finding]:
    """The findings, in order, with the short forms of names that are written in full elsewhere in the document.

    Args:
        text: The whole document.
        findings: Those of all its chunks, without overlaps.
        lexicon: What names are made of.
    """
    persons = _person_words(text, (finding for finding in findings if finding.by_form))
    bodies = _body_words(text, findings) - persons
    persons |= _person_words(text, findings) - bodies
    seats = _seats(text, findings, lexicon)
    sure = {text[finding.start : finding.end]: finding.label for finding in findings if finding.by_form}

    def label_of(finding: Finding) -> Label:
        name = text[finding.start : finding.end]
        if finding.by_form or finding.label not in _NAMES:
            return finding.label
        if name in persons or (" " in name and _last_word(name) in persons):
            return Label.PERSON
        if name in bodies:
            return Label.ORGANISATION
        if name in KNOWN_PLACES or name in seats:
            return Label.PLACE
        label = sure.get(name)
        return label if label in _NAMES else finding.label

    kept = [replace(finding, label=label_of(finding)) for finding in findings]
    taken = sorted((finding.start, finding.end) for finding in kept)
    places = {name for name, label in sure.items() if label is Label.PLACE and " " not in name} - persons - bodies
    added = _added(text, persons, bodies, places, taken, lexicon)
    return sorted([*kept, *added], key=lambda finding: finding.start)


def _person_words(text: str, findings: Iterable[Finding]) -> set[str]:
    """Given names and surnames of the persons, as they may stand alone."""
    known = set()
    for finding in findings:
        if finding.label is not Label.PERSON:
            continue
        parts = [word for word in words(text, finding.start, finding.end) if len(word.text) >= _SHORTEST]
        for word in (parts[0], parts[-1]) if parts else ():
            if word.lower not in PARTICLES:
                known.add(word.text.capitalize() if word.is_caps else word.text)
    return known


def _body_words(text: str, findings: Sequence[Finding]) -> set[str]:
    """First words of organisations, and the letters in brackets behind their names."""
    known = set()
    for finding in findings:
        if finding.label is not Label.ORGANISATION:
            continue
        acronym = _ACRONYM.match(text, finding.end)
        if acronym and acronym[1].isupper():
            known.add(acronym[1])
        parts = words(text, finding.start, finding.end)
        first, last = parts[0], parts[-1]
        if len(parts) > 1 and len(first.text) > _SHORTEST and last.lower in _FIRMS and _tells(first):
            known.add(bare(first.text).capitalize() if first.is_caps else bare(first.text))
    return known


def _seats(text: str, findings: Sequence[Finding], lexicon: Lexicon) -> set[str]:
    """The first words of public bodies that are most often towns or regions: "Larnmouth Borough Council"."""
    firsts = (
        words(text, finding.start, finding.end)[0].text
        for finding in findings
        if finding.label is Label.ORGANISATION and text[finding.start : finding.end].endswith(_SEATED)
    )
    return {
        first
        for first in firsts
        if len(first) > _SHORTEST and first.lower() not in lexicon.said and first.lower() not in lexicon.given
    }


def _tells(first: Word) -> bool:
    """Whether the first word of a body's name names it alone."""
    return first.lower not in GENERIC | BODIES | KNOWN_PLACES_IN_LOWER_CASE


def _added(
    text: str,
    persons: set[str],
    bodies: set[str],
    places: set[str],
    taken: Sequence[tuple[int, int]],
    lexicon: Lexicon,
) -> Iterator[Finding]:
    position = 0
    found = words(text)
    written_small = {word.text for word in found if word.text.islower() and not _is_in_address(text, word)}
    for index, word in enumerate(found):
        while position < len(taken) and taken[position][1] <= word.start:
            position += 1
        if position < len(taken) and taken[position][0] < word.end:
            continue
        name = bare(word.text)
        if name in persons:
            if _stands_alone(text, found, index) and _is_meant(text, word, lexicon):
                start = _start_of_person(text, found, index)
                is_free = not position or taken[position - 1][1] <= start
                yield Finding(Label.PERSON, start if is_free else word.start, word.start + len(name))
        elif (
            (name in KNOWN_PLACES or name in places)
            and not lexicon.is_said(word)
            and _stands_alone(text, found, index)
        ):
            yield Finding(Label.PLACE, word.start, word.start + len(name))
        elif (name in KNOWN_BODIES and _stands_alone(text, found, index)) or (
            name in bodies and name.lower() not in written_small and _stands_alone(text, found, index)
        ):
            yield Finding(Label.ORGANISATION, word.start, word.start + len(name))


def _is_in_address(text: str, word: Word) -> bool:
    """Whether the word is a part of an e-mail or web address."""
    return text[word.start - 1 : word.start] in _IN_ADDRESSES or (
        text[word.end : word.end + 1] in _IN_ADDRESSES and text[word.end + 1 : word.end + 2].isalnum()
    )


def _last_word(name: str) -> str:
    parts = words(name)
    return parts[-1].text if 1 < len(parts) <= _LONGEST_PERSON and parts[-1].lower not in BODIES | LEGAL_FORMS else ""


def _start_of_person(text: str, found: Sequence[Word], index: int) -> int:
    """Where the name begins that ends in a known surname: "Gill Hocking" where "G. Hocking" is known."""
    before = found[index - 1] if index else None
    if (
        before is None
        or not before.is_capitalised
        or text[before.end : found[index].start] != " "
        or before.lower in TITLES | ROLES | FUNCTION_WORDS | ABBREVIATIONS
        or not text[max(0, before.start - 2) : before.start - 1].isalpha()
    ):
        return found[index].start
    return before.start


def _stands_alone(text: str, found: Sequence[Word], index: int) -> bool:
    """Whether no capitalised word beside it makes it a part of another name: "Keller Street"."""
    if index + 1 < len(found):
        following = found[index + 1]
        gap = text[found[index].end : following.start]
        if gap in (" ", "-", " & ") and (
            following.is_capitalised or following.lower in WARD_WORDS | PLACE_WORDS | BODIES
        ):
            return False
    if index:
        gap = text[found[index - 1].end : found[index].start]
        previous = found[index - 1]
        if gap == " " and previous.is_capitalised and previous.lower in BODIES | PLACE_WORDS:
            return False
    return True


def _is_meant(text: str, word: Word, lexicon: Lexicon) -> bool:
    """Whether a word of the language ("Pike", "Rose") is meant as a name: not where each sentence has a capital."""
    if not lexicon.is_ordinary(word) or word.text.endswith(("'s", "\u2019s")):
        return True
    before = text[max(0, word.start - 2) : word.start]
    return before[-1:] == " " and before[:1] not in (".", "!", "?", ":", "\n", "-", "*", "#")
