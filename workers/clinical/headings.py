"""The headings of a clinical document, and what the sections under them list."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workers.clinical.cue_words import KIN, SPOUSE, STOP


class Section(StrEnum):
    """What a section of a clinical document lists."""

    MEDICATIONS = "medications"
    STOPPED_MEDICATIONS = "stopped_medications"
    AVOIDED = "avoided"
    ALLERGIES = "allergies"
    FAMILY = "family"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Heading:
    """The words at [start, end) of the text and what the section under them lists."""

    section: Section
    start: int
    end: int


_MEDICINES: Final = (
    r"(?:medications?|medicines?|meds|drugs|tablets|prescriptions?|treatments?|therapy"
    r"|therapies|inhalers|dmards?|biologics?|antidepressants?|antipsychotics?|antibiotics?|anti-?epileptics?"
    r"|aeds|asms|agents|psychotropics?|anticonvulsants?|antihypertensives?|anticoagulants?|hypnotics?|analgesics?"
    r"|opioids?)"
)
_SECTIONS: Final = tuple(
    (section, re.compile(rf"\A(?:{whole})\Z|\b(?:{part})"))
    for section, whole, part in (
        (
            Section.OTHER,
            "none",
            (
                r"(?:not|no|nil)(?: \w{1,30})? (?:allerg|adverse|sensitivit)|(?:food|nut|fever|pollen|egg|milk"
                r"|seasonal|shellfish) allerg"
            ),
        ),
        (
            Section.FAMILY,
            rf"(?!{SPOUSE}\b)(?:paternal |maternal )?{KIN}(?: of [a-z ]{{1,60}})?",
            r"(?:family (?:medical )?history|fhx?|fam(?:ily)? hx|family)\Z",
        ),
        (
            Section.ALLERGIES,
            r"all|allergen|alerts?",
            (
                r"(?:allerg(?:y|ies|ic|en)|intoleran(?:ce|ces|t)|adverse (?:drug )?(?:reactions?|events?)"
                r"|hypersensitivit(?:y|ies)"
                r"|drug sensitivit(?:y|ies)|sensitivities|adrs?|drug reactions)\b"
            ),
        ),
        (
            Section.AVOIDED,
            "avoid",
            (
                r"(?:not (?:being |currently )?(?:taking|taken|using|used|given)|avoid|contra-?indicat(?:ed|ions?)"
                r"|do not (?:give|use|prescribe))\b"
            ),
        ),
        (
            Section.STOPPED_MEDICATIONS,
            (
                rf"{_MEDICINES} (?:previously |already )?(?:tried|failed|trialled)(?: before| to date)?|"
                r"(?:past|previous(?:ly)?|former|old|prior(?! to)|historic(?:al)?|completed|ceased|failed)"
                rf" (?:[a-z-]{{1,30}} )?(?:{_MEDICINES}|trials?|courses?)(?: (?:tried|trials?))?|stop"
                rf"|cease|hold"
                r"|withhold|tried(?: previously| before| and failed)?|previously tried|past"
                r"|(?:medication|med|drug|psychotropic|antidepressant|treatment) trials?"
            ),
            (
                r"(?:not (?:to be )?(?:ordered|continued|prescribed|restarted|resumed)|omitted|stopped"
                r"|discontinued|removed from|deletion|cancelled"
                r"|ceased|withheld|held|on hold|suspended|paused|not to be taken|deprescribed"
                r"|no longer (?:taken|taking|on|needed|required)"
                r"|(?:stop|cease|discontinue|withhold|hold) (?:taking|these|the following))\b"
            ),
        ),
        (
            Section.MEDICATIONS,
            (
                r"regular|(?:as|when) required|prn|stat(?: doses)?|once only|supportive|premed(?:ication)?"
                r"|antibiotics?|acutes?|inpatient|infusions?|tx|current(?:ly)?|(?:to )?(?:continued?|start"
                r"|restart|take)"
                r"|(?:newly |dose |doses )?(?:new|(?:un)?changed|no changes?|the same|same|started|commenced|added"
                r"|restarted|resumed|altered|amended|adjusted|increased|decreased|reduced|ongoing|long[\s-]term)"
            ),
            rf"(?:{_MEDICINES}|rx|dhx?|drug (?:history|chart|hx)|pta|tt[ao]s?|repeats?|analgesia|antiemetics?)\b",
        ),
    )
)
"""Each section with its headings in small letters: the whole of one, or a part that says it."""
_PLAIN_WORDS: Final = frozenset(
    {
        "a", "active", "acute", "ad", "added", "adjusted", "admission", "adr", "adrs", "adverse", "agent", "allergen",
        "allergies", "allergy", "also", "altered", "amended", "and", "as", "at", "being", "by", "ceased", "change",
        "changed", "changes", "chart", "commenced", "completed", "continue", "continued", "courses", "current",
        "currently", "daily", "decreased", "dhx", "discharge", "discontinued", "do", "dose", "doses", "drug", "drugs",
        "during", "events", "existing", "failed", "family", "fhx", "following", "for", "former", "from", "given",
        "held", "historical", "history", "hold", "home", "hospital", "in", "increased", "inpatient", "intolerance",
        "intolerances", "issued", "known", "list", "long-term", "longer", "medical", "medication", "medications",
        "medicine", "medicines", "meds", "new", "newly", "no", "not", "now", "of", "off", "old", "omitted", "on",
        "once", "ongoing", "only", "oral", "ordered", "other", "past", "patient", "paused", "please", "pre-admission",
        "prescribed", "prescription", "prescriptions", "previous", "prior", "prn", "psychotropic", "reactions",
        "reconciliation", "reduced", "regular", "repeat", "repeats", "required", "restart", "restarted", "resumed",
        "rx", "same", "sensitivities", "social", "start", "started", "stat", "status", "stay", "stop", "stopped",
        "substance", "summary", "suspended", "tablets", "take", "taking", "the", "these", "this", "to", "treatment",
        "treatments", "trial", "trials", "tried", "tta", "tto", "unchanged", "usual", "what", "when", "why", "with",
        "withheld", "your",
    }
)  # fmt: skip
"""A line without a colon is a heading of a section if it has no other words: "Penicillin allergy" is none."""
_HEADING = re.compile(
    r"(?<!\S)(?:^|(?<=[.;]\s)|(?<=\s{2}))[ \t]{0,16}(?:#{1,6} |\*{1,2}|[-\u2022] "
    r"|\d{1,2}[.)] )?(?P<words>[A-Za-z][A-Za-z/&'-]{0,30}+(?:,? [A-Za-z/&'-]{1,30}+){0,7}+(?:"
    r" ?\([^()\n]{0,60}\))?)(?:\*{1,2})?"
    r"(?:(?P<colon>[ \t]?:)(?!\d)|(?=[ \t]{0,16}$))",
    re.MULTILINE,
)
"""What may be a heading. The repetitions are possessive: nothing that ends a heading is a part of its words."""
_TABLE_HEAD = re.compile(
    r"^[ \t]{0,8}\|?[ \t*]{0,8}(?P<first>[A-Za-z][A-Za-z&/'-]{0,30}(?: [A-Za-z&/'-]{1,30}){0,4})[ \t*]{0,8}"
    r"(?:\||\t|[ ]{2})(?P<rest>[^\n\d]{0,160})$",
    re.MULTILINE,
)
"""The head of a table: the name of its first column, and those of the others."""
_OF_REACTIONS: Final = re.compile(r"\breaction|\bmanifestation|\bnature of allergy", re.IGNORECASE)
_OF_STOPS: Final = re.compile(r"\breasons? (?:for )?(?:stop|discontin|cess|ceas|withh)", re.IGNORECASE)
LABEL: Final = re.compile(
    r"\s{0,16}(?:(?:pharmac\w{1,8} |discharge |prescriber |admission )?(?:action|status|outcome|decision|change"
    r"|recommendation)s?(?: taken)?|reason|comments?|dose|strength|route|frequency|(?:still |currently )?taking"
    r"|(?:to be )?(?:continued?|prescribed|ordered|re-?started|resumed?)(?: (?:on|at) \w{1,12})?"
    rf"|plan(?=[ \t]?:\s?(?:{STOP}|continued?|not (?:to be )?continued)\s{{0,3}}(?:[.,;(\n\u2013\u2014-]|$)))[ \t]?"
    r"(?::|\?(?=\s{0,4}(?:y|yes|no?)\b))",
    re.IGNORECASE,
)
"""What says something of the drug that stands before it rather than begin a section: "Action: STOP"."""


def find_headings(text: str, is_drug: Callable[[str], bool]) -> list[Heading]:
    """The headings of a text in their order; `is_drug` tells the name of a drug, which is an item rather than one."""
    return sorted([*_headings(text, is_drug), *_table_heads(text)], key=lambda heading: heading.start)


def _table_heads(text: str) -> Iterator[Heading]:
    """The heads of tables that list allergies, or what was stopped."""
    for match in _TABLE_HEAD.finditer(text):
        words, rest = match["first"], match["rest"]
        if not _PLAIN_WORDS.issuperset(re.split(r"[ /&,]+", words.lower())):
            continue
        section = _section_of(words)
        if section in (Section.OTHER, Section.MEDICATIONS):
            reactions, stops = _OF_REACTIONS.search(rest), _OF_STOPS.search(rest)
            section = Section.ALLERGIES if reactions else Section.STOPPED_MEDICATIONS if stops else Section.OTHER
        if section is not Section.OTHER:
            yield Heading(section, match.start(), match.end())


def _section_of(words: str) -> Section:
    """What stands under a heading of these words."""
    words = words.lower()
    return next((section for section, pattern in _SECTIONS if pattern.search(words)), Section.OTHER)


def _headings(text: str, is_drug: Callable[[str], bool]) -> Iterator[Heading]:
    """The headings with their places; any "Word:" at the start of a line or sentence ends the section before it."""
    last = Section.OTHER
    for match in _HEADING.finditer(text):
        if match["colon"] is not None and LABEL.match(text, match.start()):
            continue
        words = match["words"].partition("(")[0].strip()
        section = _section_of(words)
        starts_line = match.start() == 0 or text[match.start() - 1] == "\n"
        if section in (Section.STOPPED_MEDICATIONS, Section.AVOIDED) and not starts_line and is_drug(words):
            section = Section.OTHER  # "Dosette checked. Clopidogrel no longer on repeat: course ended."
        if match["colon"] is not None:
            is_item = (
                section is Section.OTHER
                and last not in (Section.OTHER, Section.MEDICATIONS)
                and not text.startswith("\n", match.start() - 2)
                and is_drug(words)
            )
            if (section is not Section.OTHER or words[0].isupper()) and not is_item:
                yield Heading(section, match.start(), match.end())
                last = section
        elif starts_line:
            is_plain = section is not Section.OTHER and _PLAIN_WORDS.issuperset(re.split(r"[ /&,]+", words.lower()))
            if words.isupper() or (is_plain and words[0].isupper()):
                last = section if is_plain else Section.OTHER
                yield Heading(last, match.start(), match.end())
