"""The drug dictionary: which names mean which medicine, and how far a name can be trusted on its own.

The data come from the package `drug-named-entity-recognition`. Importing that package would cost seconds and hundreds
of megabytes and would unpickle a file from the home folder, so its data file alone is read: its SHA-256 is checked
first, and the unpickler refuses every class and function (the file holds nothing but dicts, lists and strings).
"""

import bz2
import hashlib
import importlib.util
import io
import pickle
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import cache, lru_cache
from itertools import accumulate, permutations, product
from pathlib import Path
from typing import Any, NoReturn

from workers import drug_brands
from workers.drug_names import COMBINED, EVERYDAY_WORDS, NAME_ENDINGS, NO_NAMES, SPOKEN_OF_OUTSIDE_MEDICINE
from workers.drug_spelling import LEAST_LETTERS, Spelling
from workers.extras import MissingExtraError
from workers.spans import in_small_letters

DICTIONARY_SHA256 = "ec10a1c7b633fc4bae8d0eecff053892c0e37f49e18eaf59c8a1e9f40fc80d9d"
"""SHA-256 of `drug_ner_dictionary.pkl.bz2` in drug-named-entity-recognition 2.0.9."""

LONGEST_NAME_WORDS = 6
"""Longer variants in the dictionary are chemical descriptions, not names that anyone prescribes by."""

_WORD = re.compile(r"([^\W_]+(?:['\u2019][^\W_]+)*)")
_SPACE = re.compile(" ")
_JOINT_IN_A_NAME = re.compile(r"\s|[-\u2010\u2011/]")
_UNITS = frozenset({"mg", "mgs", "mcg", "g", "ml", "unit", "units", "iu"})
_USABLE_VARIANT = re.compile(r"[\w'\u2019/ -]+")
_FOUR_LETTERS = re.compile(r"[^\W\d_]{4}")
_FORM = re.compile(
    r" ?(?:\([^()]*\)|patch|spray|gel|cream|ointment|inhaler|implant|vaginal|capsules|tablets|gum|buccal|nasal"
    r"|sublingual|oral inhalation|injection)$"
)
"""What the dictionary adds to some names: "insulin detemir (rdna origin)", "fentanyl patch"."""
_SEVERAL_DRUGS = re.compile(r"\s{0,2}(?:/|,|\band\b)\s{0,2}")


class DictionaryChangedError(RuntimeError):
    """The dictionary file is not the one that this code was checked against; it is not unpickled."""


class Confidence(IntEnum):
    """How much a name says by itself."""

    EVERYDAY = 0
    """Also an ordinary word or a person's name: a medication only with a prescription around it."""
    SUPPORTED = 1
    """A medication where the sentence treats it as one ("takes", "denies", a dose)."""
    CERTAIN = 2
    """A generic name that MedlinePlus or the NHS describes to patients, one that ends as such names do, or a trade
    name of our list: none is an ordinary word."""


class Match(StrEnum):
    """How a name was recognised."""

    NAME = "name"
    """It is in the dictionary."""
    SPELLING = "spelling"
    """It is not; a single medicine is spelt nearly like it."""
    ENDING = "ending"
    """It is not, but ends as the names of a class of medicines do."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One active substance: its canonical name and its DrugBank id, None where the dictionary has none."""

    name: str
    drugbank_id: str | None


@dataclass(frozen=True, slots=True)
class Drug:
    """What a written name stands for: one medicine, with more than one ingredient if it is a combination."""

    name: str
    drugbank_id: str | None
    ingredients: tuple[Ingredient, ...]
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class NamedDrug:
    """A drug's name found at [start, end) of a text."""

    drug: Drug
    start: int
    end: int
    match: Match = Match.NAME


class Words:
    """The words of a text in small letters.

    Attributes:
        written: The words.
        starts: Where each begins.
        ends: Where each ends.
        gaps: What stands before each, and after the last one.
    """

    def __init__(self, text: str) -> None:
        pieces = _WORD.split(in_small_letters(text))
        places = list(accumulate(map(len, pieces)))
        self.written, self.gaps = pieces[1::2], pieces[::2]
        self.starts, self.ends = places[:-1:2], places[1::2]

    def between(self, start: int, end: int | None) -> tuple[int, int]:
        """The index of the first word in text[start:end], and the one after the last."""
        last = len(self.ends) if end is None else bisect_right(self.ends, end)
        return bisect_left(self.starts, start), last

    def is_dose(self, index: int) -> bool:
        """Whether a word is an amount: "Pan 40" is a name, "Pan 40 mg" a name and its dose."""
        gap = self.gaps[index + 1]
        return (
            self.written[index].isdigit()
            and len(gap) == 1
            and gap.isspace()
            and not _UNITS.isdisjoint(self.written[index + 1 : index + 2])
        )


class DrugDictionary:
    """Finds the names of drugs in a text; names are compared by their words, whatever their case."""

    def __init__(self, drugs_by_name: Mapping[str, Drug], combined: Iterable[Sequence[str]] = ()) -> None:
        """Know drugs by their names, and of some further names that one product combines what they name."""
        self._drugs = {_key(name): drug for name, drug in drugs_by_name.items()}
        self._beginnings = {key[: space.start()] for key in self._drugs for space in _SPACE.finditer(key)}
        self._unlisted = lru_cache(maxsize=4096)(self._guess)
        self._spelling = Spelling(
            {
                name: drug.ingredients
                for name, drug in self._drugs.items()
                if drug.confidence is Confidence.CERTAIN and len(name) >= LEAST_LETTERS and name.isalpha()
            }
        )

        self._pairs = {frozenset(pair) for drug in self._drugs.values() for pair in permutations(drug.ingredients, 2)}
        for names in combined:
            parts = [part for name in names if (drug := self.get(name)) for part in drug.ingredients]
            self._pairs.update(frozenset(pair) for pair in permutations(parts, 2))

    def __len__(self) -> int:
        """How many names it knows."""
        return len(self._drugs)

    def get(self, name: str) -> Drug | None:
        """What the name stands for; None if it is not in the dictionary."""
        return self._drugs.get(_key(name))

    def combines(self, first: Drug, second: Drug) -> bool:
        """Whether there is a product that has the ingredients of both."""
        return all(frozenset(pair) in self._pairs for pair in product(first.ingredients, second.ingredients))

    def find(self, text: str | Words, start: int = 0, end: int | None = None) -> Iterator[NamedDrug]:
        """Yield the names in text[start:end] from left to right, the longest at each place, without overlaps."""
        words = text if isinstance(text, Words) else Words(text)
        first, last = words.between(start, end)
        index = first
        while index < last:
            word = words.written[index]
            name = ""
            if word in self._drugs or word in self._beginnings:
                name = self._longest_name(words, index, last)
            after = index + name.count(" ") + 1
            if name:
                yield NamedDrug(self._drugs[name], words.starts[index], words.ends[after - 1])
            elif len(word) >= LEAST_LETTERS and (unlisted := self._unlisted(word)):
                yield NamedDrug(unlisted[0], words.starts[index], words.ends[index], unlisted[1])
            index = after

    def _longest_name(self, words: Words, index: int, last: int) -> str:
        """The longest name that begins with the word at index and ends before last; empty if none does."""
        name = words.written[index]
        longest = name if name in self._drugs else ""
        while name in self._beginnings:
            index += 1
            if index == last or not _JOINT_IN_A_NAME.fullmatch(words.gaps[index]):
                break
            name = f"{name} {words.written[index]}"
            if name in self._drugs and not words.is_dose(index):
                longest = name
        return longest

    def _guess(self, word: str) -> tuple[Drug, Match] | None:
        """What a word in small letters means that is no name: a misspelt one, or one that ends as names do."""
        name = self._spelling.correct(word)
        if name:
            return replace(self._drugs[name], confidence=Confidence.SUPPORTED), Match.SPELLING
        if word.endswith(NAME_ENDINGS):
            unknown = Ingredient(word.capitalize(), None)
            return Drug(unknown.name, None, (unknown,), Confidence.EVERYDAY), Match.ENDING
        return None


@cache
def drug_dictionary() -> DrugDictionary:
    """The dictionary of the installed package with our supplement, loaded once per process (about a second).

    Raises:
        MissingExtraError: The package isn't installed.
        DictionaryChangedError: Its data file has another SHA-256 than `DICTIONARY_SHA256`.
    """
    spec = importlib.util.find_spec("drug_named_entity_recognition")
    if spec is None or spec.origin is None:
        raise MissingExtraError("medication_extraction", "drug-named-entity-recognition")
    data = read_dictionary_file(Path(spec.origin).with_name("drug_ner_dictionary.pkl.bz2"))
    names, canonical = data["drug_variant_to_canonical"], data["drug_canonical_to_data"]
    combined = [
        _SEVERAL_DRUGS.split(name) for name in (*canonical, *COMBINED.split(",")) if _SEVERAL_DRUGS.search(name)
    ]
    return DrugDictionary(_drugs_by_name(names, canonical), combined)


def read_dictionary_file(path: Path, sha256: str = DICTIONARY_SHA256) -> dict[str, Any]:
    """Read the bzip2-compressed pickle at path.

    Raises:
        DictionaryChangedError: The file's SHA-256 is another one, or it holds more than plain data.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DictionaryChangedError(
            f"{path.name} is not the file of drug-named-entity-recognition 2.0.9 (SHA-256 {sha256}); it is not read"
        )
    data: dict[str, Any] = _PlainDataUnpickler(io.BytesIO(bz2.decompress(content))).load()
    return data


class _PlainDataUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise DictionaryChangedError(
            f"the drug dictionary asks for {module_name}.{global_name}; it may hold data only"
        )


def _key(name: str) -> str:
    return " ".join(_WORD.findall(name.lower()))


def _drugs_by_name(
    canonical_by_variant: Mapping[str, list[str]], data_by_canonical: Mapping[str, Mapping[str, Any]]
) -> dict[str, Drug]:
    """Everything that can be found, by its name; what the raw data hold beyond that (structures, URLs) is let go."""

    def ingredient(canonical: str) -> Ingredient:
        if canonical.startswith("="):
            return Ingredient(canonical[1].upper() + canonical[2:], None)
        data = data_by_canonical.get(canonical, {})
        plain = _FORM.sub("", canonical)
        known = drug_brands.CERTAIN.get(plain, ())
        plain = known[0] if len(known) == 1 else plain
        if "drugbank_id" not in data and "drugbank_id" in data_by_canonical.get(plain, {}):
            data = data_by_canonical[plain]
        return Ingredient(data.get("name", canonical.capitalize()), data.get("drugbank_id"))

    def combination(ingredients: tuple[Ingredient, ...], confidence: Confidence) -> Drug:
        return Drug(" / ".join(part.name for part in ingredients), None, ingredients, confidence)

    @cache
    def drug(canonicals: tuple[str, ...], confidence: Confidence) -> Drug:
        if len(canonicals) > 1:
            return combination(tuple(ingredient(canonical) for canonical in canonicals), confidence)
        whole = ingredient(canonicals[0])
        parts = [part for part in _SEVERAL_DRUGS.split(canonicals[0]) if part]
        # A comma alone inverts a name: "analgesics, opioid".
        is_combination = len(parts) > 1 and (" and " in canonicals[0] or "/" in canonicals[0])
        if is_combination and all(part in canonical_by_variant for part in parts):
            return combination(tuple(ingredient(canonical_by_variant[part][0]) for part in parts), confidence)
        return Drug(whole.name, whole.drugbank_id, (whole,), confidence)

    drugs: dict[str, Drug] = {}
    for variant, (canonical, *_) in canonical_by_variant.items():
        plain = _FORM.sub("", variant)
        if _is_usable(variant) and (plain == variant or plain not in canonical_by_variant):
            confidence = _confidence(variant, canonical, data_by_canonical.get(canonical, {}))
            drugs[variant] = drug((canonical,), confidence)
    for confidence, names in (
        (Confidence.EVERYDAY, drug_brands.EVERYDAY),
        (Confidence.SUPPORTED, drug_brands.SUPPORTED),
        (Confidence.CERTAIN, drug_brands.CERTAIN),
    ):
        for name, canonicals in names.items():
            drugs[name] = drug(_known(canonicals, canonical_by_variant), confidence)
    return drugs


def _known(canonicals: Iterable[str], canonical_by_variant: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(canonical_by_variant.get(canonical, [canonical])[0] for canonical in canonicals)


def _is_usable(variant: str) -> bool:
    """Whether the variant is a name of one thing that can be told from ordinary words and numbers.

    "aspirin and omeprazole" is two findings, "drops, eye" an inverted index entry, "at 10" no name.
    """
    return (
        _USABLE_VARIANT.fullmatch(variant) is not None
        and _FOUR_LETTERS.search(variant) is not None
        and " and " not in variant
        and variant not in NO_NAMES
        and len(_WORD.findall(variant)) <= LONGEST_NAME_WORDS
    )


def _confidence(variant: str, canonical: str, data: Mapping[str, Any]) -> Confidence:
    if variant in EVERYDAY_WORDS:
        return Confidence.EVERYDAY
    if variant in SPOKEN_OF_OUTSIDE_MEDICINE:
        return Confidence.SUPPORTED
    is_described_to_patients = "medline_plus_id" in data or "nhs_url" in data
    # A salt or form carries the generic name in front: "metoprolol succinate".
    if is_described_to_patients and (variant == canonical or variant.startswith(f"{canonical} ")):
        return Confidence.CERTAIN
    if "drugbank_id" in data and variant.isalpha() and variant.endswith(NAME_ENDINGS):
        return Confidence.CERTAIN
    if " " in variant and not is_described_to_patients and "drugbank_id" not in data:
        return Confidence.EVERYDAY
    return Confidence.SUPPORTED
