"""Readability formulas, each only for the language it was made for.

Sources: Flesch 1948; Kincaid et al. 1975; Gunning 1952; McLaughlin 1969 (SMOG); Coleman and Liau 1975; Amstad 1978
(German); Fernández Huerta 1959 (Spanish); Kandel and Moles 1958 (French); Lucisano and Piemontese 1988 (Gulpease,
Italian); Björnsson 1968 (LIX, any language in Latin letters).
"""

import math
import re
from collections.abc import Sequence

from pydantic import BaseModel, Field

RELIABLE_WORDS = 100
SMOG_SENTENCES = 30
"""SMOG was made for samples of thirty sentences; below that it is left out."""

_VOWELS = re.compile(r"[aeiouyáàâäãåæéèêëíìîïóòôöõøœúùûüýÿ]+")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ'\u2019\-]+")
_SILENT_END = re.compile(r"(?:[^aeiouyl]e|[^aeiouylcsxzg]es|[^aeiouydt]ed)$")
_TWO_VOWELS = re.compile(r"(?:ia(?!l$|n$)|(?<![cgst])io|(?<![gp])eo|(?<=[aeiouy][a-z])ea$|ua(?!r)|iu)")


class Readability(BaseModel):
    """How hard a text is to read."""

    scores: dict[str, float] = Field(
        description="Score by formula. Reading ease and Gulpease: higher is easier. Grades and fog: school years. "
        "LIX: below 30 very easy, above 60 very hard."
    )
    reliable: bool = Field(description=f"False below {RELIABLE_WORDS} words, where the formulas mean little.")


def measure_readability(words: Sequence[str], sentences: int, language: str | None) -> Readability | None:
    """Measure how hard a text is to read.

    Args:
        words: All its words.
        sentences: How many sentences it has.
        language: Its ISO 639 code; decides which formulas make sense.

    Returns:
        None when no formula fits: no words, or a script other than Latin.
    """
    if not words or not sentences or sum(map(len, filter(_LATIN_WORD.fullmatch, words))) < 0.8 * sum(map(len, words)):
        return None
    count = len(words)
    sentence_length = count / sentences
    letters = sum(character.isalpha() for word in words for character in word)
    syllables = [count_syllables(word, language) for word in words]
    word_syllables = sum(syllables) / count
    long_share = sum(len(word) > 6 for word in words) / count
    scores = {"lix": sentence_length + 100 * long_share}
    if language == "en":
        complex_words = sum(number >= 3 for number in syllables)
        scores |= {
            "flesch_reading_ease": 206.835 - 1.015 * sentence_length - 84.6 * word_syllables,
            "flesch_kincaid_grade": 0.39 * sentence_length + 11.8 * word_syllables - 15.59,
            "gunning_fog": 0.4 * (sentence_length + 100 * complex_words / count),
            "coleman_liau": 5.88 * letters / count - 29.6 / sentence_length - 15.8,
        }
        if sentences >= SMOG_SENTENCES:
            scores["smog"] = 1.043 * math.sqrt(complex_words * SMOG_SENTENCES / sentences) + 3.1291
    elif language == "de":
        scores["amstad_reading_ease"] = 180 - sentence_length - 58.5 * word_syllables
    elif language == "es":
        scores["fernandez_huerta"] = 206.84 - 1.02 * sentence_length - 60 * word_syllables
    elif language == "fr":
        scores["kandel_moles"] = 207 - 1.015 * sentence_length - 73.6 * word_syllables
    elif language == "it":
        scores["gulpease"] = 89 + 300 / sentence_length - 10 * letters / count
    rounded = {name: round(score, 1) for name, score in scores.items()}
    return Readability(scores=rounded, reliable=count >= RELIABLE_WORDS)


def count_syllables(word: str, language: str | None) -> int:
    """Estimate the syllables of a word: its groups of vowels, in English without the silent e at its end."""
    word = word.lower()
    groups = len(_VOWELS.findall(word))
    if language == "en":
        groups += len(_TWO_VOWELS.findall(word))
        groups -= bool(_SILENT_END.search(word))
    return max(1, groups)
