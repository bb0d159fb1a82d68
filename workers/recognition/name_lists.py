"""What names are made of, and what looks like a name but is none: lists of the packages that we stand on."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Final

from workers.drug_dictionary import drug_dictionary
from workers.extras import MissingExtraError
from workers.recognition.language_model import ordinary_words
from workers.recognition.vocabulary import (
    ABBREVIATIONS,
    BODIES,
    CALENDAR,
    CREDENTIALS,
    FUNCTION_WORDS,
    MEDICAL_ENDINGS,
    PLACE_PREFIXES,
    TITLES,
)
from workers.recognition.words import Word

_PROVIDERS: Final = "faker.providers.person"
_SHORTEST_DOUBLED: Final = 3
_LAST_LATIN_LETTER: Final = "\u024f"
_INFLECTIONS: Final = (
    ("ies", "y"),
    ("es", ""),
    ("s", ""),
    ("ed", ""),
    ("ed", "e"),
    ("ing", ""),
    ("ing", "e"),
    ("ly", ""),
)
_NO_GIVEN_NAMES: Final = TITLES | FUNCTION_WORDS | CALENDAR | CREDENTIALS | BODIES


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What is known of words, each in lower case.

    Attributes:
        given: Given names of some eighty countries, as far as they are written in Latin letters.
        family: Family names of the same countries.
        ordinary: The words of the language in their basic form, and the towns and persons everybody knows.
        said: The verbs, adjectives and adverbs among them: none is a town or a person.
    """

    given: frozenset[str]
    family: frozenset[str]
    ordinary: frozenset[str]
    said: frozenset[str]

    def is_given(self, word: Word) -> bool:
        """Whether it is a given name, or begins with one: Anna, Jens-Peter."""
        lower = word.lower
        return lower in self.given or ("-" in lower and lower.partition("-")[0] in self.given)

    def is_family(self, word: Word) -> bool:
        """Whether it is a family name, or one of its parts is."""
        lower = word.lower
        return lower in self.family or ("-" in lower and any(part in self.family for part in lower.split("-")))

    def is_ordinary(self, word: Word) -> bool:
        """Whether it is a word of the language, perhaps inflected; of a hyphenated one each part."""
        return all(self._is_ordinary(part) for part in word.lower.replace("/", "-").split("-") if part)

    def _is_ordinary(self, lower: str) -> bool:
        return lower in FUNCTION_WORDS or lower in BODIES or lower in CALENDAR or _is_form_of(lower, self.ordinary)

    def is_said(self, word: Word) -> bool:
        """Whether it is a verb, an adjective or an adverb, perhaps inflected."""
        return word.lower in FUNCTION_WORDS or _is_form_of(word.lower, self.said)

    def is_medical(self, word: Word) -> bool:
        """Whether it is a medicine, a disease or a test."""
        lower = word.lower
        if lower in self.given or lower in self.family:
            return False
        return (len(lower) > 5 and lower.endswith(MEDICAL_ENDINGS)) or drug_dictionary().get(lower) is not None

    def may_be_name(self, word: Word) -> bool:
        """Whether it is a name, or no word that is known."""
        if self.is_given(word):
            return True
        if word.lower in ABBREVIATIONS or self.is_medical(word):
            return False
        return self.is_family(word) or not self.is_ordinary(word)

    def is_full_name(self, names: Sequence[Word]) -> bool:
        """Whether a given name is followed by a family name, known or unknown."""
        if not self.is_given(names[0]) or names[0].lower in PLACE_PREFIXES:
            return False
        rest = [word for word in names[1:] if len(word.text) > 1]
        if any(self.is_family(word) or not self.is_ordinary(word) for word in rest):
            return True
        # Nouns among the ordinary words are surnames, too, of those whom everybody knows.
        return bool(rest) and not self.is_ordinary(names[0]) and not any(self.is_said(word) for word in rest)


def _is_form_of(lower: str, basic: AbstractSet[str]) -> bool:
    if lower in basic:
        return True
    for ending, base in _INFLECTIONS:
        if lower.endswith(ending):
            stem = lower.removesuffix(ending)
            if stem + base in basic or (
                len(stem) > _SHORTEST_DOUBLED and stem[-1] == stem[-2] and stem[:-1] in basic
            ):
                return True
    return False


@cache
def lexicon() -> Lexicon:
    """The lists, loaded once per process (0.5 seconds).

    Raises:
        MissingExtraError: Faker, spaCy or its model isn't installed.
    """
    if importlib.util.find_spec("faker") is None:
        raise MissingExtraError("entity_extraction", "Faker")
    package = importlib.import_module(_PROVIDERS)
    given: set[str] = set()
    family: set[str] = set()
    for module in pkgutil.iter_modules(package.__path__):
        provider = importlib.import_module(f"{_PROVIDERS}.{module.name}").Provider
        for attribute in dir(provider):
            if attribute.startswith("first_name"):
                given.update(_latin_names(getattr(provider, attribute)))
            elif attribute.startswith("last_name"):
                family.update(_latin_names(getattr(provider, attribute)))
    return Lexicon(frozenset(given) - _NO_GIVEN_NAMES, frozenset(family), *ordinary_words())


def _latin_names(names: object) -> Iterator[str]:
    """The names of a list, or of a mapping from names to weights; methods of the same prefix are passed over."""
    if isinstance(names, tuple | list | dict | set | frozenset):
        for name in names:
            if isinstance(name, str) and len(name) > 1 and max(name) <= _LAST_LATIN_LETTER:
                yield name.lower()
