"""Passages of many kinds of clinical text: the status and the route of each drug in them."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers.clinical.cues import Status
from workers.medications import extract_medications

_DRUG = re.compile(r"\{([^{}|]+)(?:\|([^{}]*))?\}")
_STATUSES = {status.value for status in Status}


@dataclass(frozen=True)
class Written:
    """A drug in a passage: any of the statuses is right; no route: none is said; "?": either is right."""

    start: int
    name: str
    statuses: frozenset[str]
    route: str | None


def parse(marked: str) -> tuple[str, list[Written]]:
    pieces, drugs, end = [], [], 0
    for match in _DRUG.finditer(marked):
        pieces.append(marked[end : match.start()])
        first, _, rest = (match[2] or "").partition(" ")
        is_status = _STATUSES.issuperset(first.split("/"))
        statuses = first.split("/") if is_status else ["active"]
        route = rest if is_status else match[2]
        drugs.append(Written(sum(map(len, pieces)), match[1], frozenset(statuses), route or None))
        pieces.append(match[1])
        end = match.end()
    return "".join([*pieces, marked[end:]]), drugs


_, *PASSAGES = Path(__file__).with_name("clinical_passages.txt").read_text(encoding="utf-8").split("\n== ")


@pytest.mark.parametrize("passage", PASSAGES, ids=[passage.split("\n", 1)[0] for passage in PASSAGES])
def test_a_passage_says_the_status_and_the_route_of_each_drug(passage):
    text, drugs = parse(passage.split("\n", 1)[1])

    found = {medication.drug.start: medication for medication in extract_medications(text).medications}

    wrong = {}
    for drug in drugs:
        medication = found.get(drug.start)
        status = medication.status.value if medication else None
        route = medication.route.route if medication and medication.route else None
        if status not in drug.statuses or (drug.route != "?" and route != drug.route):
            wrong[f"{drug.name} at {drug.start}"] = (status, route)
    assert wrong == {}
