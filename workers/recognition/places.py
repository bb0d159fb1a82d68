"""Places by what stands beside their names: a house number, a postcode, a river's or a valley's noun, an address."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.recognition.findings import Finding, Label
from workers.recognition.name_lists import Lexicon
from workers.recognition.vocabulary import (
    ABBREVIATIONS,
    BODIES,
    CALENDAR,
    CREDENTIALS,
    FUNCTION_WORDS,
    KNOWN_PLACES,
    LEGAL_FORMS,
    ROLES,
    STATE_CODES,
    TITLES,
)
from workers.recognition.words import words

_NAME: Final = r"[A-Z][\w'\u2019-]{1,30}"
_STREET_WORD: Final = (
    "Street|Road|Lane|Avenue|Crescent|Close|Drive|Square|Terrace|Gardens|Grove|Way|Hill|Row|Mews|Parade|Place|Boulevard"
    "|Highway|Quay|Wharf|Embankment|Walk|Court|Wynd|Park|View|Rise|Yard|Green|St|Rd|Ave|Blvd|Ln|Dr|Cres"
)
_STREET: Final = re.compile(
    rf"\b[1-9]\d{{0,4}}[A-Za-z]? (?:{_NAME} ){{1,3}}(?:{_STREET_WORD})\b"
    rf"|\b{_NAME}(?:stra(?:ße|sse)|gasse|weg|platz|-Stra(?:ße|sse)) \d{{1,4}}\b"
)
_POSTCODE: Final = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b")
_STATE: Final = re.compile(rf"\b({_NAME}(?: {_NAME}){{0,2}}), ({'|'.join(sorted(STATE_CODES))})\b(?! [a-z])")
_PART: Final = r"[A-Z][^\W\d_]{1,30}(?:['\u2019][a-z]{1,3})?"
_TOWN: Final = re.compile(rf"{_PART}(?:[ -](?:(?:on|upon|in|le|under|next|the)[ -])?{_PART}){{0,3}}(?![^\W_])")
_BEFORE_KNOWN: Final = re.compile(
    rf"(?<![^\s(])({_TOWN.pattern}), (?:{'|'.join(sorted(KNOWN_PLACES, reverse=True))})\b"
)
_AUSTRALIAN: Final = re.compile(rf"\b({_PART}(?: {_PART})?) (?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT) \d{{4}}\b")
_BEHIND_NOUN: Final = re.compile(
    rf"\b(?:River|Lake|Mount|Loch|Lough|Isle of(?: the)?|Isles of|Cape|Gulf of|Bay of|Straits? of|Port|Glen|Cader)"
    rf" {_NAME}\b"
)
_BEFORE_NOUN: Final = re.compile(
    rf"\b(?:{_NAME} ){{1,2}}(?:Valley|Airport|Islands?|Bridge|Beach|Forest|Bay|Harbou?r|Junction|Peninsula|Desert"
    r"|Ocean|Sea|Coast|Hills|Mountains?|Canyon|Falls|Business Park|Industrial Estate|Retail Park|Science Park"
    r"|Shopping Centre)\b"
)
_POSTAL_CHARS: Final = 60
_COMMA: Final = re.compile(r",[ \n]|\n")
_ENDS: Final = re.compile(
    r"[,.;:)\]\n|(]|\s{0,4}\Z|\s(?:and|on|in|for|to|at|by|from|with|[A-Z]{1,2}\d)\b| {2}|\s[\u2013-]\s|\s[\d(]"
)
_NO_TOWN: Final = (
    BODIES
    | ROLES
    | TITLES
    | CREDENTIALS
    | CALENDAR
    | FUNCTION_WORDS
    | (LEGAL_FORMS - {"la", "as"})
    | frozenset({"tel", "fax"})
)
_MOST_PARTS: Final = 3


class PlaceFinder:
    """Finds the places of a text that its form tells.

    Args:
        text: Where to look.
        lexicon: What names are made of.
    """

    def __init__(self, text: str, lexicon: Lexicon) -> None:
        self._text = text
        self._lexicon = lexicon

    def find(self, bodies: Sequence[Finding], dates: Sequence[Finding]) -> Iterator[Finding]:
        """Yield the places; they may overlap.

        Args:
            bodies: The organisations in the text, behind which a place may stand: "Harptree Surgery, Bristol".
            dates: The dates in the text, before which a place may stand: "Hamburg, 12 September 2023".
        """
        for match in _STREET.finditer(self._text):
            yield Finding(Label.PLACE, match.start(), match.end())
            yield from self._behind(match.end())
        for match in _STATE.finditer(self._text):
            if self._is_town(match[1]) or match[2] not in ("MD", "PA", "MA"):
                yield Finding(Label.PLACE, *match.span(1))
                yield Finding(Label.PLACE, *match.span(2))
        for match in _BEFORE_KNOWN.finditer(self._text):
            if self._is_town(match[1]) and not self._lexicon.is_given(words(match[1])[0]):
                yield Finding(Label.PLACE, *match.span(1))
        for match in _AUSTRALIAN.finditer(self._text):
            yield Finding(Label.PLACE, *match.span(1))
        for pattern in (_BEHIND_NOUN, _BEFORE_NOUN):
            for match in pattern.finditer(self._text):
                start = match.start() + (4 if match.group().startswith("The ") else 0)
                yield Finding(Label.PLACE, start, match.end())
        yield from self._before_postcodes()
        for body in bodies:
            if self._text[body.end : body.end + 2] == ", ":
                yield from self._behind(body.end)
        yield from self._datelines(dates)

    def _behind(self, end: int) -> Iterator[Finding]:
        """The parts of an address behind its street or its body: ", Kendal, Cumbria"."""
        for _ in range(_MOST_PARTS):
            comma = _COMMA.match(self._text, end)
            town = _TOWN.match(self._text, comma.end()) if comma else None
            if town is None or not _ENDS.match(self._text, town.end()) or not self._is_town(town.group()):
                return
            yield Finding(Label.PLACE, town.start(), town.end())
            end = town.end()

    def _is_town(self, name: str) -> bool:
        """Whether the words can be a town's name: no person, role or body."""
        if name in KNOWN_PLACES:
            return True
        parts = words(name)
        if any(word.lower in _NO_TOWN or (word.lower in ABBREVIATIONS and word.is_caps) for word in parts):
            return False
        if len(parts) > 1 and self._lexicon.is_full_name(parts):
            return False
        if len(parts) > 1:
            return not all(self._lexicon.is_ordinary(word) for word in parts)
        return not self._lexicon.is_said(parts[0])

    def _before_postcodes(self) -> Iterator[Finding]:
        for match in _POSTCODE.finditer(self._text):
            line = max(self._text.rfind("\n", 0, match.start()) + 1, match.start() - _POSTAL_CHARS)
            end = match.start()
            for piece in reversed(self._text[line:end].split(",")):
                start = end - len(piece)
                stripped = piece.strip()
                town = _TOWN.fullmatch(stripped)
                if stripped and (town is None or not self._is_town(stripped) or any(c.isdigit() for c in stripped)):
                    break
                if stripped:
                    at = start + piece.index(stripped)
                    yield Finding(Label.PLACE, at, at + len(stripped))
                end = start - 1

    def _datelines(self, dates: Sequence[Finding]) -> Iterator[Finding]:
        """The places before a date at the beginning of a line."""
        for date in dates:
            line = self._text.rfind("\n", max(0, date.start - _POSTAL_CHARS), date.start) + 1
            before = self._text[line : date.start]
            town = _TOWN.match(before)
            begins_line = line == 0 or self._text[line - 1] == "\n"
            if town and before[town.end() :] == ", " and begins_line and self._is_town(town.group()):
                yield Finding(Label.PLACE, line, line + town.end())
