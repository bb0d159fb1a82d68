"""Twice the text takes twice the time, for each pattern alone and for the whole extraction."""

import re
import time
from collections.abc import Callable

import pytest

from workers import drug_dictionary, drug_mentions, drug_spelling, medications
from workers.clinical import (
    assertions,
    doses,
    exchanges,
    frequencies,
    gaps,
    headings,
    prescription,
    quantities,
    relatives,
    statements,
    tables,
    timing,
)
from workers.medications import extract_medications

pytestmark = pytest.mark.thorough
MODULES = (
    medications,
    drug_dictionary,
    drug_mentions,
    drug_spelling,
    assertions,
    doses,
    exchanges,
    frequencies,
    gaps,
    headings,
    prescription,
    quantities,
    relatives,
    statements,
    tables,
    timing,
)
PATTERNS = {
    pattern: f"{module.__name__.removeprefix('workers.')}.{name}"
    for module in MODULES
    for name, value in vars(module).items()
    for pattern in (
        [value]
        if isinstance(value, re.Pattern)
        else [part for item in value if isinstance(item, tuple) for part in item if isinstance(part, re.Pattern)]
        if isinstance(value, tuple)
        else []
    )
}
UNITS = (
    # runs of one character of each class
    " ", "\n", "\t", "\u00a0", ".", ",", ";", ":", "-", "\u2013", "/", "|", "(", ")", "*", "#", "+", "'", "\u2019",
    "?", "_", "@", "=", "%", "&", "0", "1", "a", "A", "x", "q", "\u00e9", "\u4e2d", "½", "µ", "\u2192", "\u2191",
    # alternations
    ". ", ".\n", "a ", "A ", "a.", "a-", "1 ", "1.", "1,", "1/", "1-", "1 or ", "1 to ", "- ", "\n ", "| ", "( ",
    "()", "a: ", "A\n", "A:\n", "* ", "1. a\n", "a'", ".5", "1 mg ", "1 mg/", "5 mg to ", "1.1.", ",000", "1,000",
    "1-0-", "x1 ",
    # what nearly matches
    "no ", "not ", "no known ", "denies a ", "and ", "and it ", "was ", "which was ", "that and ", "completed a ",
    "not be ", "if a ", "if we ", "from ", "from 5 ", "stop ", "then stop ", "allergic ", "allergy to ",
    "reaction a ", "rash ", "aspirin ", "aspirin, ", "aspirin and ", "aspirin 5 mg ", "warfarin (", "mother ",
    "mother with ", "by mother ", "he ", "prn ", "prn for ", "prn pain ", "as needed for a ", "max 5 ", "daily ",
    "daily, ", "every ", "every 4 to ", "in the ", "mon ", "mon/", "mon, and ", "for 5 ", "for up to ", "5 days ",
    "in both ", "via a ", "family history ", "of the ", "Known ", "Family a ", "no allergy a ", "medications a ",
    "stopped a ", "Drug A ", "# ", "take a ", "one ", "  a", "(a ", "cell | ", "aspirin | ",
    "aspirin | stopped | ", "metfromin ", "metfromin 5 mg ", "statin 1 ", "zelmotrip 40 mg, ", "e.g.",
    "drug | stop | continue\n", "drug | stop\taspirin | x\n", "drug,dose,stop\n", "aspirin,x,", "aspirin  x  ",
    "stop all ", "continue all the ", "suggest to ", "not taking, ", ", pt says ", "aspirin 5 mg daily\n",
)  # fmt: skip
ENDS = ("x",)
CHARS = 1_500
LEAST_S = 0.03
"""Less than this for `2 * CHARS` characters is too little to be more than linear, and too little to measure."""


def cpu_s(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


def growth(work: Callable[[str], object], unit: str, end: str, chars: int) -> float:
    """By how much the CPU time grows where the text is doubled: the least of several turns, 0 if it is too short."""
    text = (unit * (chars // len(unit) + 1))[:chars] + end
    twice = (unit * (2 * chars // len(unit) + 1))[: 2 * chars] + end
    if cpu_s(work, twice) < LEAST_S:
        return 0.0
    ratios: list[float] = []
    for _ in range(7):
        once, double = min(cpu_s(work, text) for _ in range(2)), min(cpu_s(work, twice) for _ in range(2))
        ratios.append(double / once)
        if min(ratios) <= 2.3:
            break
    return min(ratios)


def test_the_patterns_are_found():
    assert len(PATTERNS) >= 40


@pytest.mark.parametrize("pattern", PATTERNS, ids=PATTERNS.get)
def test_a_pattern_takes_twice_the_time_for_twice_the_text(pattern):
    def work(text: str) -> None:
        for _ in pattern.finditer(text):
            pass
        pattern.fullmatch(text)

    slow = {(unit, end): ratio for unit in UNITS for end in ENDS if (ratio := growth(work, unit, end, CHARS)) > 2.3}
    assert slow == {}


def test_an_extraction_takes_twice_the_time_for_twice_the_text():
    extract_medications("aspirin")
    slow = {unit: ratio for unit in UNITS if (ratio := growth(extract_medications, unit, "x", 2 * CHARS)) > 2.3}
    assert slow == {}
