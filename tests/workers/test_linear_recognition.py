"""Hostile texts: twice as long takes at most twice the time, give or take what a clock is off by."""

import importlib
import pkgutil
import re
import time
from collections.abc import Callable
from types import ModuleType

import pytest
from support.doubling import MAX_RATIO, doubling_ratio

import workers.entities
import workers.recognition
from workers.recognition.coherence import with_short_forms
from workers.recognition.contacts import find_contacts
from workers.recognition.findings import Finding, Label
from workers.recognition.layout import passages
from workers.recognition.money import find_money
from workers.recognition.name_lists import lexicon
from workers.recognition.organisations import OrganisationFinder, end_of_head
from workers.recognition.persons import PersonFinder
from workers.recognition.places import PlaceFinder
from workers.recognition.register import is_clinical
from workers.recognition.words import words

pytestmark = pytest.mark.thorough
CHARS = 5_000
NOTICEABLE_S = 0.05
NOTICEABLE_OF_A_RECOGNISER_S = 0.4
"""Ten times what a recogniser takes for the longest of these texts; by the square it would be more."""

UNITS = [
    "a", "A", "1", " ", "\n", "\t", "\u00a0", ".", ",", "-", "'", "(", ")", "@", "|", "*", ":", "/", "&", "_",
    "Aa", "Aa ", "Aa\n", "Aa-", "Aa.", "Aa, ", "Aa and ", "Aa & ", "Aa of ", "Aa'", "AA ", "AA'", "A-", "A. ", "A B ",
    "a.", "a@", "a@b.", "a-", "1.", "1,", "1 ", "1/", "1-", "111 ", "111,", "111'", "111\u00a0", "1 1/", "2031-",
    "2031 ", "+1 ", "(1", "01/", "01.01.", "Tel ", "No ", "www.", "http://", "https://a)", "a.com/", "AA11 ",
    "AA11 1111 ", "Dr ", "Dr. ", "Mr Mrs ", "de ", "Anna ", "Anna de ", "Anna Keller ", "Anna Keller, ",
    "Patient: ", "cc: Anna, ",
    "Hospital ", "Hospital of ", "University of ", "Ltd ", "Keller Ltd ", "Keller, Ltd, ", "Court at ", "Trust and ",
    "one ", "a hundred ", "one million ", "$1 ", "$", "EUR ", "1 EUR ", "mg ", "1 mg ", "allerg", "this ", "last ",
    "March ", "1 March ", "Monday ", "Mon, ", "1 of ", "12 Aa Street ", "Aa, MN ", "AA1 1AA ", "River ", "Aa Valley ",
    "St. ", "'s ", "Aa's ", "in ", "in Aa ", "at Aa ", "thanks\n", "(Aa) ", "(AAA) ", ", AA", "   ", "- ", "1) ",
]  # fmt: skip
"""Each text is one of these, over and over: what patterns are made of."""


def modules() -> list[ModuleType]:
    package = workers.recognition
    names = [f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(package.__path__)]
    return [workers.entities, *(importlib.import_module(name) for name in names)]


PATTERNS = [
    pytest.param(value, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in modules()
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
]


def assert_linear(run: Callable[[str], object], unit: str, noticeable_s: float = NOTICEABLE_S) -> None:
    """Double the text; where that takes a noticeable time, see that it takes no more than about twice as long."""

    def family(size: int) -> str:
        return unit * (size // len(unit))

    start = time.process_time()
    run(family(2 * CHARS))
    if time.process_time() - start >= noticeable_s:
        assert doubling_ratio(run, family, CHARS) <= MAX_RATIO, repr(unit)


def test_the_patterns_are_found():
    assert len(PATTERNS) > 30


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_takes_twice_as_long_for_twice_the_text(pattern):
    for unit in UNITS:
        assert_linear(lambda text: sum(1 for _ in pattern.finditer(text)), unit)
        # A pattern for one place in the text is tried at its beginning.
        assert_linear(pattern.match, unit)


def persons(text: str) -> list[Finding]:
    return [
        finding
        for passage in passages(text)
        for finding in PersonFinder(text, words(text, passage.start, passage.end), passage, lexicon()).find()
    ]


def organisations(text: str) -> list[Finding]:
    head_end = end_of_head(text)
    return [
        finding
        for passage in passages(text)
        for finding in OrganisationFinder(
            text, words(text, passage.start, passage.end), lexicon(), clinical=False, head_end=head_end
        ).find()
    ]


def places(text: str) -> list[Finding]:
    return list(PlaceFinder(text, lexicon()).find([], []))


def short_forms(text: str) -> list[Finding]:
    person = Finding(Label.PERSON, 0, min(11, len(text)))
    return with_short_forms(text, [person] if words(text, 0, person.end) else [], lexicon())


@pytest.mark.parametrize(
    "run",
    [
        persons,
        organisations,
        places,
        short_forms,
        is_clinical,
        lambda text: list(passages(text)),
        lambda text: list(find_money(text)),
    ],
    ids=["persons", "organisations", "places", "short forms", "clinical", "passages", "money"],
)
def test_a_recogniser_takes_twice_as_long_for_twice_the_text(run):
    run("Anna Keller takes aspirin.")
    for unit in UNITS:
        assert_linear(run, unit, NOTICEABLE_OF_A_RECOGNISER_S)


@pytest.mark.parametrize("end", [")", "]", ".", "(.", "))."])
def test_what_is_cut_off_a_url_is_cut_in_one_go(end):
    def urls(text: str) -> list[Finding]:
        return list(find_contacts(text, "US"))

    def family(size: int) -> str:
        return "http://a.example/" + end * (size // len(end))

    assert doubling_ratio(urls, family, 40 * CHARS) <= MAX_RATIO
