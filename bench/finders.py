"""What finds drugs and entities in a text: the workers, and what they are measured beside."""

import importlib
from collections.abc import Iterable
from functools import cache
from typing import Any

from bench.gold import Amount, GoldText
from bench.scoring import FoundDrug, FoundEntity
from workers.clinical.doses import Dose
from workers.clinical.frequencies import Frequency
from workers.drug_dictionary import drug_dictionary
from workers.entities import Conventions, extract_entities
from workers.medications import extract_medications
from workers.recognition.findings import Label
from workers.recognition.language_model import MODEL

_LABELS = {
    "PERSON": Label.PERSON,
    "ORG": Label.ORGANISATION,
    "GPE": Label.PLACE,
    "LOC": Label.PLACE,
    "FAC": Label.PLACE,
    "DATE": Label.DATE,
    "MONEY": Label.MONEY,
}

_SYNONYMS = {
    "alendronate": "alendronic acid",
    "beclometasone": "beclomethasone",
    "clavulanate": "clavulanic acid",
    "co-codamol": "acetaminophen+codeine",
    "divalproex": "valproic acid",
    "valproate": "valproic acid",
    "sodium valproate": "valproic acid",
    "zoledronate": "zoledronic acid",
    "dextrose": "glucose",
    "glycerin": "glycerol",
    "glycopyrrolate": "glycopyrronium",
    "hyoscine": "scopolamine",
    "hyoscine hydrobromide": "scopolamine",
    "insulin regular": "insulin human",
    "low-dose aspirin": "aspirin",
    "thyroxine": "levothyroxine",
    "colecalciferol": "cholecalciferol",
    "vitamin b1": "thiamine",
}
"""Names of one substance that the dictionary keeps apart."""


def drugs_by_worker(text: GoldText) -> list[FoundDrug]:
    """As `medication_extraction` finds them."""
    return [
        FoundDrug(
            start=found.drug.start,
            end=found.drug.end,
            ingredients=_names(found.ingredients),
            status=found.status,
            dose=_amount(found.dose, found.previous_dose) if found.dose else None,
            route=found.route.route if found.route else None,
            frequency=_times_a_day(found.frequency) if found.frequency else None,
        )
        for found in extract_medications(text.text).medications
    ]


def drugs_by_dictionary(text: GoldText) -> list[FoundDrug]:
    """Each name in the dictionary, as an active drug."""
    return [
        FoundDrug(found.start, found.end, _names(found.drug.ingredients))
        for found in drug_dictionary().find(text.text)
    ]


def entities_by_worker(text: GoldText) -> list[FoundEntity]:
    """As `entity_extraction` finds them, with the conventions of the text."""
    conventions = Conventions(phone_region=text.phone_region, date_order=text.date_order)
    found = extract_entities(text.text, conventions=conventions).entities
    return [FoundEntity(one.start, one.end, one.label) for one in found]


def entities_by_model(text: GoldText) -> list[FoundEntity]:
    """As the language model alone finds them."""
    return [
        FoundEntity(one.start_char, one.end_char, _LABELS[one.label_])
        for one in _model()(text.text).ents
        if one.label_ in _LABELS
    ]


def canonical(name: str) -> frozenset[str]:
    """The ingredients of a substance by one name each; itself if the workers' dictionary lacks it."""
    drug = drug_dictionary().get(name)
    return _names(drug.ingredients) if drug else _one_name(name.lower())


@cache
def _model() -> Any:
    return importlib.import_module(MODEL).load()


def _names(ingredients: Iterable[Any]) -> frozenset[str]:
    return frozenset(name for part in ingredients for name in _one_name(part.name.lower()))


def _one_name(name: str) -> frozenset[str]:
    return frozenset(_SYNONYMS.get(name, name).split("+"))


def _amount(dose: Dose, previous: Dose | None) -> Amount:
    return Amount(
        values=dose.per_ingredient or (dose.value,),
        unit=dose.unit.replace("/hr", "/h"),
        value_max=dose.value_max,
        value_from=previous.value if previous else None,
    )


def _times_a_day(frequency: Frequency) -> float | str:
    if frequency.times_per_day is not None:
        return float(frequency.times_per_day)
    return 24 / frequency.interval_h if frequency.interval_h else "once"
