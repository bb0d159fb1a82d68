"""Words that say what is beside them: titles, roles, legal forms, bodies, streets; and abbreviations.

The words are in vocabulary.txt, in lower case unless a list says otherwise.
"""

from pathlib import Path
from typing import Final


def _read(text: str) -> dict[str, tuple[str, ...]]:
    """The words of each section: "[titles]", and then its words."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("["):
            words = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words += (word.replace("_", " ") for word in line.split())
    return {name: tuple(words) for name, words in sections.items()}


_SECTIONS: Final = _read(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))

TITLES: Final = frozenset(_SECTIONS["titles"])
"""Words before a person's name, without point and in lower case. Of those that are words by themselves ("general",
"minister") only a capital before a name makes a title."""
CREDENTIALS: Final = frozenset(_SECTIONS["credentials"])
"""What stands after a person's name, in lower case."""
PARTICLES: Final = frozenset(_SECTIONS["particles"])
"""Small words inside a person's name."""
PERSON_KEYS: Final = frozenset(_SECTIONS["person_keys"])
"""A word before a colon or at the end of what stands before it: what follows is a person where it looks like one."""
SURNAME_FIRST_KEYS: Final = frozenset(_SECTIONS["surname_first_keys"])
"""Behind these a name may be turned round: "Keller, Anna"."""
ROLES: Final = frozenset(_SECTIONS["roles"])
"""What a person is; beside a name they say that it is one, and they are no part of it."""
LEGAL_FORMS: Final = frozenset(_SECTIONS["legal_forms"])
"""The legal form at the end of a company's name, without points and in lower case."""
AMBIGUOUS_LEGAL_FORMS: Final = frozenset(_SECTIONS["ambiguous_legal_forms"])
"""Legal forms that are another word in lower case, or a clinical abbreviation: only as written by companies."""
COMMERCIAL_BODIES: Final = frozenset(_SECTIONS["commercial_bodies"])
"""Nouns of the names of firms and clubs, which often go by the first word alone: "Verdant" for "Verdant Robotics"."""
BODIES: Final = COMMERCIAL_BODIES | frozenset(_SECTIONS["bodies"])
"""The noun of a body's name, in lower case: together with a proper name before it, or "of" and a name after it."""
WEAK_BODIES: Final = COMMERCIAL_BODIES | frozenset(_SECTIONS["weak_bodies"])
"""Nouns that with an ordinary word before them name no one body: "the Chest Clinic", "Project Team"."""
PLACE_WORDS: Final = frozenset(_SECTIONS["place_words"])
"""The noun of a street's or a place's name."""
STREETS: Final = frozenset(_SECTIONS["streets"])
"""The last word of a street's name behind a house number."""
CALENDAR: Final = frozenset(_SECTIONS["calendar"])
"""Weekdays, months, seasons and feasts, and their abbreviations."""
FUNCTION_WORDS: Final = frozenset(_SECTIONS["function_words"])
"""Words that hold a sentence together, and those of greetings: none begins or ends a name."""
ABBREVIATIONS: Final = frozenset(_SECTIONS["abbreviations"])
"""Abbreviations that name no person, body or place, in lower case; what else is in capitals needs evidence."""
KNOWN_ACRONYMS: Final = frozenset(_SECTIONS["known_acronyms"])
"""Bodies whose names are known by their letters alone."""
CLINICAL_ACRONYMS: Final = frozenset(_SECTIONS["clinical_acronyms"])
"""Those of them that mean nothing else in a clinical text."""
EPONYMS: Final = frozenset(_SECTIONS["eponyms"])
"""Persons and places that stand for a sign, a score, a device or a disease in clinical texts."""
SPECIES: Final = frozenset(_SECTIONS["species"])
"""What follows the initial of a germ: "E. Coli" is no person."""
GENERIC: Final = frozenset(_SECTIONS["generic"])
"""What stands before a body's noun without naming the body: "the Chest Clinic", "Parish Council"."""
WARD_WORDS: Final = frozenset(_SECTIONS["ward_words"])
"""What follows a word that looks like a person's name and is the name of a ward, a disease or a device."""
MEDICAL_ENDINGS: Final = _SECTIONS["medical_endings"]
"""How words of medicine end that are no names: diseases, operations, medicines, laboratory tests."""
KNOWN_PLACES: Final = frozenset(_SECTIONS["known_places"])
"""Countries, states and large towns."""
STATE_CODES: Final = frozenset(_SECTIONS["state_codes"])
"""Codes of the states of the USA: places only behind a city and a comma."""
RELATIONS: Final = frozenset(_SECTIONS["relations"])
"""Before a name, alone or in brackets, they say that it is a person's."""
KNOWN_BODIES: Final = frozenset(_SECTIONS["known_bodies"])
"""Bodies that everybody knows by one word, as far as the word means nothing else."""
PLACE_PREFIXES: Final = frozenset(_SECTIONS["place_prefixes"])
"""First words of towns' names that are given names as well."""
NAMES_THAT_SPEAK: Final = frozenset(_SECTIONS["names_that_speak"])
"""Given names that are other words first."""
ABBREVIATED: Final = frozenset(_SECTIONS["abbreviated"])
"""Words whose point does not end a sentence, as they are written."""
TITLES_THAT_ARE_WORDS: Final = frozenset(_SECTIONS["titles_that_are_words"])
"""Titles that are words by themselves: a person's only before what can be a name."""
BEFORE_OTHERS: Final = frozenset(_SECTIONS["before_others"])
"""What often stands before places and things, more seldom before persons."""
KEYS_OF_BODIES: Final = frozenset(_SECTIONS["keys_of_bodies"])
"""Labels behind which a body is named as often as a person."""
CALLS: Final = frozenset(_SECTIONS["calls"])
"""Words before the person who is to be called, thanked or told."""
DONE_BY: Final = frozenset(_SECTIONS["done_by"])
"""What a person has done, before "by" and the name."""
BODIES_OF: Final = frozenset(_SECTIONS["bodies_of"])
"""Bodies whose name may follow: "University of Leeds", "Court of Appeal"."""
AT_A_PLACE: Final = frozenset(_SECTIONS["at_a_place"])
"""Prepositions and verbs that a place follows."""
AT_A_BODY: Final = frozenset(_SECTIONS["at_a_body"])
"""Prepositions and verbs that a body follows, where what follows is no place."""
WHERE: Final = frozenset(_SECTIONS["where"])
"""Prepositions that may stand before a place."""
