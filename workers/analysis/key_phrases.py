"""Find the phrases that a text is about, by the YAKE method.

Campos et al., "YAKE! Keyword extraction from single documents using multiple local features", Information Sciences
509 (2020): a term weighs more when it is often written with a capital, stands early, is frequent, occurs in many
sentences, and has few different neighbours. It needs no training and no second document, only a list of stop words.
"""

import importlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean, median, pstdev

from pydantic import BaseModel, Field

_MAX_WORDS = 3
_TOKEN = re.compile(r"https?://\S+|[\w.+-]{1,64}@[\w.-]+|[^\W_]+(?:['\u2019\-][^\W_]+)*|[^\w\s]")

_MIN_TERM_CHARACTERS = 3
_TERM = re.compile(r"(?=[\d'\u2019\-]*+[^\W\d_])[^\W_]++(?:['\u2019\-][^\W_]++)*+")
"""What can be a part of a key phrase: no punctuation, number, address, nor anything of one or two characters."""


class KeyPhrase(BaseModel):
    """A phrase that a text is about."""

    phrase: str = Field(description="As it is written where it first occurs.")
    score: float = Field(description="YAKE's score: the lower, the more the text is about it.")
    count: int = Field(description="How often it occurs.")


@cache
def stop_words(language: str) -> frozenset[str]:
    """Give the stop words of a language, from the lists that come with spaCy; empty where it has none."""
    try:
        return frozenset(importlib.import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS)
    except (ImportError, AttributeError):
        return frozenset()


def find_key_phrases(sentences: Sequence[str], language: str, limit: int) -> list[KeyPhrase]:
    """Find the key phrases of up to three words, the best first.

    Args:
        sentences: The sentences of the text, in order.
        language: Its ISO 639 code.
        limit: How many to give at most.

    Returns:
        None of them for a language without a list of stop words.
    """
    stops = stop_words(language)
    if not stops:
        return []
    tokens = [_TOKEN.findall(sentence) for sentence in sentences]
    weights = _term_weights(tokens, stops)
    if not weights:
        return []
    found = _candidates(tokens, weights)
    best = sorted(
        (_score(key, use.count, weights), key)
        for key, use in found.items()
        # "Gannet Island ferry", said once, is a chance neighbour of "Gannet Island", said often.
        if all(found[part].count == use.count for part in (key[:-1], key[1:]) if len(part) > 1)
    )
    chosen: list[KeyPhrase] = []
    covered: set[str] = set()
    for score, key in best:
        if len(chosen) == limit:
            break
        # A phrase most of whose words a better one has already said adds little.
        if 2 * len(covered.intersection(key)) <= len(set(key)) and not covered.issuperset(key):
            covered.update(key)
            use = found[key]
            chosen.append(KeyPhrase(phrase=use.written, score=float(f"{score:.3g}"), count=use.count))
    return chosen


@dataclass(slots=True)
class _Term:
    count: int = 0
    capitals: int = 0
    acronyms: int = 0
    sentences: list[int] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)


def _is_term(token: str, stops: frozenset[str]) -> bool:
    is_long = len(token) >= _MIN_TERM_CHARACTERS
    return is_long and _TERM.fullmatch(token) is not None and token.lower() not in stops


def _term_weights(tokens: Sequence[list[str]], stops: frozenset[str]) -> dict[str, float]:
    terms: defaultdict[str, _Term] = defaultdict(_Term)
    for number, sentence in enumerate(tokens):
        all_capitals = not any(token.islower() for token in sentence)
        for place, token in enumerate(sentence):
            if not _is_term(token, stops):
                continue
            term = terms[token.lower()]
            term.count += 1
            term.acronyms += token.isupper() and not all_capitals
            term.capitals += place > 0 and token[0].isupper() and not all_capitals
            if not term.sentences or term.sentences[-1] != number:
                term.sentences.append(number)
            if place > 0 and sentence[place - 1][0].isalnum():
                term.left[sentence[place - 1].lower()] += 1
            if place + 1 < len(sentence) and sentence[place + 1][0].isalnum():
                term.right[sentence[place + 1].lower()] += 1
    if not terms:
        return {}
    counts = [term.count for term in terms.values()]
    max_count = max(counts)
    usual_count = fmean(counts) + pstdev(counts)
    return {word: _weight(term, max_count, usual_count, len(tokens)) for word, term in terms.items()}


def _weight(term: _Term, max_count: int, usual_count: float, sentences: int) -> float:
    case = max(term.acronyms, term.capitals) / (1 + math.log(term.count))
    position = math.log(math.log(3 + median(term.sentences)))
    neighbours = sum(len(side) / side.total() for side in (term.left, term.right) if side)
    relatedness = 1 + neighbours * term.count / max_count
    spread = len(term.sentences) / sentences
    return relatedness * position / (case + (term.count / usual_count + spread) / relatedness)


@dataclass(slots=True)
class _Use:
    written: str
    """As it is written where it first occurs."""
    count: int = 0


def _candidates(tokens: Sequence[list[str]], weights: dict[str, float]) -> dict[tuple[str, ...], _Use]:
    """Collect the runs of up to three terms."""
    found: dict[tuple[str, ...], _Use] = {}
    for sentence in tokens:
        for start in range(len(sentence)):
            for end in range(start + 1, min(start + _MAX_WORDS, len(sentence)) + 1):
                if sentence[end - 1].lower() not in weights:
                    break
                key = tuple(token.lower() for token in sentence[start:end])
                if key not in found:
                    found[key] = _Use(" ".join(sentence[start:end]))
                found[key].count += 1
    return found


def _score(key: tuple[str, ...], count: int, weights: dict[str, float]) -> float:
    own = [weights[word] for word in key]
    return math.prod(own) / (count * (1 + sum(own)))
