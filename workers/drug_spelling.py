"""Misspelt names of drugs: the one name that is at most a letter or two away."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from workers.drug_names import NO_MISSPELLINGS

LEAST_LETTERS: Final = 7
"""Shorter words are too near to others: they are never taken for a misspelling."""
_LETTERS_FOR_TWO: Final = 9
"""A word of as many letters may have two mistakes, a shorter one only one."""
_LONGEST: Final = 30
_SILENT: Final = re.compile("[aeiouy]|(?<!^)h")
_DOUBLED: Final = re.compile(r"(.)\1+")


class Spelling:
    """Knows names by their consonants, so that a misspelt one is compared with few others."""

    def __init__(self, meanings: Mapping[str, object]) -> None:
        """Take the names with what they mean: several names of one meaning don't contradict each other."""
        self._meanings = meanings
        self._names: dict[str, list[str]] = {}
        for name in meanings:
            for key in _keys(_plain(name)):
                self._names.setdefault(key, []).append(name)

    def correct(self, word: str) -> str | None:
        """The name that a word in small letters stands for; None if none is near, or several of different meaning."""
        if word in NO_MISSPELLINGS or len(word) > _LONGEST:
            return None
        word = _plain(word)
        allowed = 2 if len(word) >= _LETTERS_FOR_TWO else 1
        near = {
            name
            for key in _keys(word)
            for name in self._names.get(key, ())
            if name[0] == word[0] and abs(len(name) - len(word)) <= allowed + 1
        }
        distances = sorted(
            (distance, name) for name in near if (distance := _distance(word, _plain(name))) <= allowed
        )
        nearest = [name for distance, name in distances if distance == distances[0][0]]
        if not nearest or any(self._meanings[name] != self._meanings[nearest[0]] for name in nearest):
            return None
        return nearest[0]


def _plain(word: str) -> str:
    return word.replace("ph", "f")


def _keys(word: str) -> Iterator[str]:
    """The word's consonants, and the same without any one of them."""
    consonants = _DOUBLED.sub(r"\1", _SILENT.sub("", word))
    yield consonants
    yield from {consonants[:index] + consonants[index + 1 :] for index in range(len(consonants))}


def _distance(one: str, other: str) -> int:
    """How many letters are missing, superfluous, wrong or exchanged with the next one."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, other_letter in enumerate(other, 1):
            cost = min(above[column] + 1, line[-1] + 1, above[column - 1] + (letter != other_letter))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == other_letter:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, above = above, line
    return above[-1]
