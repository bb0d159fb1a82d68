import bz2
import hashlib
import os
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from workers.clinical.cues import Status
from workers.documents import DocumentInput
from workers.drug_dictionary import (
    Confidence,
    DictionaryChangedError,
    drug_dictionary,
    read_dictionary_file,
)
from workers.extras import MissingExtraError
from workers.medications import Medication, MedicationExtraction, extract_medications
from workers.progress import untracked
from workers.spans import Span


def found_in(text: str) -> tuple[Medication, ...]:
    """The medications in the text, each of their parts checked to be what stands in the text at its offsets."""
    medications = extract_medications(text).medications
    for medication in medications:
        for name, part in medication:
            if isinstance(part, Span):
                assert text[part.start : part.end] == part.text, name
    return medications


def only(text: str) -> Medication:
    medications = found_in(text)
    assert len(medications) == 1, medications
    return medications[0]


def statuses(text: str) -> dict[str, str]:
    return {medication.drug.text: medication.status.value for medication in found_in(text)}


def test_a_prescription_gives_every_part_with_its_meaning_and_place():
    text = "Start ibuprofen 400-600 mg by mouth every 6 to 8 hours as needed for back pain for 10 days."

    medication = only(text)

    assert (medication.drug.text, medication.name, medication.drugbank_id) == ("ibuprofen", "Ibuprofen", "DB01050")
    assert medication.status is Status.ACTIVE
    assert medication.dose
    assert (medication.dose.value, medication.dose.value_max, medication.dose.unit) == (400, 600, "mg")
    assert medication.route
    assert (medication.route.text, medication.route.route) == ("by mouth", "oral")
    assert medication.frequency
    assert (medication.frequency.interval_h, medication.frequency.interval_max_h) == (6, 8)
    assert medication.frequency.times_per_day == 4
    assert medication.as_needed
    assert medication.as_needed.reason == "back pain"
    assert medication.duration
    assert (medication.duration.text, medication.duration.days) == ("for 10 days", 10)


@pytest.mark.parametrize(
    ("written", "value", "value_max", "unit", "per_ingredient"),
    [
        ("500 mg", 500, None, "mg", ()),
        ("500mg", 500, None, "mg", ()),
        ("1,000 mg", 1000, None, "mg", ()),
        ("0.5 g", 0.5, None, "g", ()),
        (".5 mg", 0.5, None, "mg", ()),
        ("100 micrograms", 100, None, "mcg", ()),
        ("10-20 mg", 10, 20, "mg", ()),
        ("10 mg to 20 mg", 10, 20, "mg", ()),
        ("875/125 mg", 875, None, "mg", (875, 125)),
        ("875 mg/125 mg", 875, None, "mg", (875, 125)),
        ("2000 IU", 2000, None, "units", ()),
        ("20 units", 20, None, "units", ()),
        ("0.5 mg/kg/day", 0.5, None, "mg/kg/day", ()),
        ("25 mcg/hr", 25, None, "mcg/hr", ()),
        ("250 mg/5 mL", 250, None, "mg/5 mL", ()),
        ("20 mEq", 20, None, "mEq", ()),
    ],
)
def test_a_dose_is_read_as_it_is_written(written, value, value_max, unit, per_ingredient):
    dose = only(f"She takes amoxicillin {written} every day.").dose

    assert dose
    assert dose.text == written
    assert (dose.value, dose.value_max, dose.unit, dose.per_ingredient) == (value, value_max, unit, per_ingredient)


@pytest.mark.parametrize(
    ("written", "value", "value_max", "form"),
    [
        ("1-2 tablets", 1, 2, "tablet"),
        ("two puffs", 2, None, "puff"),
        ("one tablet", 1, None, "tablet"),
        ("half a tablet", 0.5, None, "tablet"),
        ("1/2 tab", 0.5, None, "tablet"),
        ("1 1/2 tablets", 1.5, None, "tablet"),
        ("2 caps", 2, None, "capsule"),
        ("3 drops", 3, None, "drop"),
        ("2 suppositories", 2, None, "suppository"),
        ("2 patches", 2, None, "patch"),
    ],
)
def test_a_number_of_pieces_is_a_quantity(written, value, value_max, form):
    quantity = only(f"prednisone {written} daily").quantity

    assert quantity
    assert (quantity.text, quantity.value, quantity.value_max, quantity.form) == (written, value, value_max, form)


@pytest.mark.parametrize(
    ("written", "times_per_day", "interval_h"),
    [
        ("daily", 1, None),
        ("once a day", 1, None),
        ("once daily in the morning", 1, None),
        ("twice daily", 2, None),
        ("twice-daily", 2, None),
        ("BID", 2, None),
        ("b.i.d.", 2, None),
        ("TID", 3, None),
        ("three times a day", 3, None),
        ("4x/day", 4, None),
        ("QID", 4, None),
        ("every other day", 0.5, None),
        ("at bedtime", 1, None),
        ("qhs", 1, None),
        ("q6h", 4, 6),
        ("q4-6h", 6, 4),
        ("every eight hours", 3, 8),
        ("every 5 minutes", 288, 1 / 12),
        ("q72h", 1 / 3, 72),
        ("once weekly", 1 / 7, None),
        ("twice a week", 2 / 7, None),
    ],
)
def test_a_frequency_says_how_often_in_a_day(written, times_per_day, interval_h):
    frequency = only(f"metformin 500 mg {written}, with care").frequency

    assert frequency
    assert frequency.text == written
    assert frequency.times_per_day == pytest.approx(times_per_day)
    assert frequency.interval_h == pytest.approx(interval_h)


def test_the_full_stop_of_a_sentence_is_not_part_of_the_frequency():
    frequency = only("He takes Eliquis 5 mg BID. The pulse is regular.").frequency

    assert frequency
    assert frequency.text == "BID"


@pytest.mark.parametrize(
    ("written", "reason"),
    [("prn", None), ("PRN pain", "pain"), ("p.r.n.", None), ("as needed", None), ("if needed for sleep", "sleep")],
)
def test_as_needed_keeps_its_reason(written, reason):
    medication = only(f"lorazepam 1 mg q6h {written}")

    assert medication.as_needed
    assert (medication.as_needed.text, medication.as_needed.reason) == (written, reason)
    assert medication.frequency
    assert medication.frequency.text == "q6h"


@pytest.mark.parametrize(
    ("written", "value", "unit", "days"),
    [
        ("for 10 days", 10, "day", 10),
        ("x 7 days", 7, "day", 7),
        ("x7d", 7, "day", 7),
        ("for two weeks", 2, "week", 14),
        ("for a month", 1, "month", 30),
        ("x 3 doses", 3, "dose", None),
    ],
)
def test_a_duration_is_counted_in_days_where_it_can_be(written, value, unit, days):
    duration = only(f"doxycycline 100 mg bid {written}").duration

    assert duration
    assert (duration.text, duration.value, duration.unit, duration.days) == (written, value, unit, days)


@pytest.mark.parametrize(
    ("written", "route"),
    [
        ("PO", "oral"),
        ("orally", "oral"),
        ("IV", "intravenous"),
        ("IM", "intramuscular"),
        ("subcut", "subcutaneous"),
        ("SL", "sublingual"),
        ("in both eyes", "ophthalmic"),
        ("in each nostril", "nasal"),
        ("via nebulizer", "inhaled"),
        ("topically", "topical"),
    ],
)
def test_a_route_gets_its_plain_name(written, route):
    found = only(f"dexamethasone 4 mg {written} daily").route

    assert found
    assert (found.text, found.route) == (written, route)


@pytest.mark.parametrize(
    ("text", "name", "drugbank_ids"),
    [
        ("amoxicillin/clavulanate 875 mg daily", "Amoxicillin / Clavulanic Acid", ["DB01060", "DB00766"]),
        ("hydrocodone-acetaminophen 5/325 mg q6h", "Hydrocodone / Acetaminophen", ["DB00956", "DB00316"]),
        ("amoxicillin and clavulanate 875/125 mg bid", "Amoxicillin / Clavulanic Acid", ["DB01060", "DB00766"]),
        ("takes Augmentin", "Amoxicillin / Clavulanic Acid", ["DB01060", "DB00766"]),
        ("takes Percocet", "Oxycodone / Acetaminophen", ["DB00497", "DB00316"]),
        ("takes Vicodin", "Hydrocodone / Acetaminophen", ["DB00956", "DB00316"]),
        ("takes Bactrim", "Trimethoprim / Sulfamethoxazole", ["DB00440", "DB01015"]),
        ("takes Advair", "Fluticasone / Salmeterol", ["DB13867", "DB00938"]),
    ],
)
def test_a_combination_is_one_medication_with_its_ingredients(text, name, drugbank_ids):
    medication = only(text)

    assert medication.name == name
    assert medication.drugbank_id is None
    assert [ingredient.drugbank_id for ingredient in medication.ingredients] == drugbank_ids


def test_the_strength_of_a_combination_with_a_hyphen_is_no_range():
    dose = only("Vicodin 5-325 mg, 1-2 tablets").dose

    assert dose
    assert dose.per_ingredient == (5, 325)
    assert dose.value_max is None


@pytest.mark.parametrize(
    ("written", "name", "drugbank_id"),
    [
        ("Tylenol", "Acetaminophen", "DB00316"),
        ("ASA", "Aspirin", "DB00945"),
        ("Keflex", "Cephalexin", "DB00567"),
        ("METFORMIN", "Metformin", "DB00331"),
        ("metoprolol succinate", "Metoprolol", "DB00264"),
        ("Synthroid", "Levothyroxine", "DB00451"),
        ("insulin glargine", "Insulin Glargine", "DB00047"),
    ],
)
def test_a_trade_name_an_abbreviation_and_a_salt_lead_to_the_canonical_name(written, name, drugbank_id):
    medication = only(f"The patient takes {written} every day.")

    assert (medication.drug.text, medication.name, medication.drugbank_id) == (written, name, drugbank_id)


def test_another_name_of_the_same_drug_in_parentheses_is_no_second_medication():
    medication = only("clopidogrel (Plavix) 75 mg daily")

    assert medication.drug.text == "clopidogrel (Plavix)"
    assert medication.dose


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He takes aspirin.", {"aspirin": "active"}),
        ("Denies ibuprofen, aspirin or naproxen.", dict.fromkeys(("ibuprofen", "aspirin", "naproxen"), "negated")),
        ("She no longer takes metformin.", {"metformin": "stopped"}),
        ("He is not on warfarin.", {"warfarin": "negated"}),
        ("The patient doesn't take aspirin.", {"aspirin": "negated"}),
        ("Never took warfarin, refuses statins.", {"warfarin": "negated", "statins": "negated"}),
        ("No ibuprofen or other NSAIDs.", {"ibuprofen": "negated", "NSAIDs": "negated"}),
        ("Amoxicillin is not to be given.", {"Amoxicillin": "negated"}),
        ("Not on warfarin, takes aspirin 81 mg daily.", {"warfarin": "negated", "aspirin": "active"}),
        ("Lisinopril and metoprolol were held.", {"Lisinopril": "stopped", "metoprolol": "stopped"}),
        ("Lisinopril was stopped and amlodipine started.", {"Lisinopril": "stopped", "amlodipine": "active"}),
        ("Discontinue lisinopril, start losartan.", {"lisinopril": "stopped", "losartan": "active"}),
        ("Continues aspirin, metformin was discontinued.", {"aspirin": "active", "metformin": "stopped"}),
        ("Metformin held, Lantus continued.", {"Metformin": "stopped", "Lantus": "active"}),
        ("Switched from lisinopril to losartan.", {"lisinopril": "stopped", "losartan": "active"}),
        ("warfarin (held), aspirin", {"warfarin": "stopped", "aspirin": "active"}),
        ("Previously on Plavix.", {"Plavix": "stopped"}),
        ("Completed a 7-day course of azithromycin.", {"azithromycin": "stopped"}),
        ("Stopped smoking, aspirin 81 mg daily.", {"aspirin": "active"}),
        ("He did not stop taking aspirin.", {"aspirin": "active"}),
        ("Aspirin was not stopped.", {"Aspirin": "active"}),
        ("No change in metoprolol.", {"metoprolol": "active"}),
        ("Allergic to penicillin and sulfa.", {"penicillin": "allergy", "sulfa": "allergy"}),
        ("Penicillin allergy.", {"Penicillin": "allergy"}),
        ("Codeine gives him a rash.", {"Codeine": "allergy"}),
        ("Allergic to aspirin but takes ibuprofen.", {"aspirin": "allergy", "ibuprofen": "active"}),
        ("Allergic to penicillin, aspirin 81 mg daily.", {"penicillin": "allergy", "aspirin": "active"}),
        ("He denies any allergy to penicillin.", {"penicillin": "negated"}),
        ("No aspirin allergy.", {"aspirin": "negated"}),
        ("NKDA. Medications: aspirin 81 mg.", {"aspirin": "active"}),
        ("Allergies: NKDA", {}),
        ("No known drug allergies.", {}),
    ],
)
def test_what_is_said_of_a_drug_decides_its_status(text, expected):
    assert statuses(text) == expected


def test_a_section_decides_where_the_sentence_does_not():
    text = (
        "ALLERGIES\npenicillin (rash), codeine\n\nMedications:\n- Lipitor\n- Zocor\n\n"
        "Discontinued medications:\n- simvastatin 20 mg\n\nPlan: continue Lasix 20 mg."
    )

    assert statuses(text) == {
        "penicillin": "allergy",
        "codeine": "allergy",
        "Lipitor": "active",
        "Zocor": "active",
        "simvastatin": "stopped",
        "Lasix": "active",
    }


def test_a_negation_does_not_reach_into_the_next_item_of_a_list():
    assert statuses("- denies ibuprofen\n- metformin 500 mg") == {"ibuprofen": "negated", "metformin": "active"}


def test_directions_on_the_line_below_belong_to_the_drug_above():
    text = "1. Lisinopril 10 mg tablet\n   Take 1 tablet by mouth daily\n2. Metformin 500 mg\n   Take 1 twice daily"

    lisinopril, metformin = found_in(text)

    assert lisinopril.frequency
    assert metformin.frequency
    assert (lisinopril.frequency.text, metformin.frequency.text) == ("daily", "twice daily")


def test_directions_in_front_of_a_name_belong_to_it():
    percocet, amoxicillin = found_in("Take two tablets of Percocet every 6 hours, and 500 mg of amoxicillin daily.")

    assert percocet.quantity
    assert percocet.quantity.text == "two tablets"
    assert percocet.dose is None
    assert amoxicillin.dose
    assert amoxicillin.dose.text == "500 mg"


def test_a_limit_is_no_dose():
    assert only("acetaminophen as needed, not to exceed 4 g per day").dose is None


def test_a_wrapped_line_does_not_end_a_statement():
    text = "He denies taking any of the painkillers that one can buy without a prescription, such as\nibuprofen."

    assert statuses(text) == {"ibuprofen": "negated"}


PROSE = (
    "It is a truth known along the whole coast that a keeper in possession of a good lamp must be in want of oil.",
    "Camila took the oats to Fargo, and Kendrick added cloves and 200 g of hops; the aloe stood in the window.",
    "Plan B was all clear: the indicators of the port showed that diamonds, sulfur and fertilizers were on board.",
    "Lithium-ion batteries are held in stock; the company stopped the sale of Colgate and Sunkist in May.",
    "She sits at the ferry, in ecstasy over the modus of the new capex plan, and takes the generics for granted.",
    "The committee added buffers, denied the request, and discontinued the Armour prize. Vicks was allergic to it.",
)


@pytest.mark.parametrize("text", PROSE)
def test_ordinary_prose_has_no_medications_though_the_dictionary_knows_its_words(text):
    assert found_in(text) == ()


def test_the_prose_above_would_mislead_the_dictionary_alone():
    assert sum(len(list(drug_dictionary().find(text))) for text in PROSE) >= 20


@pytest.mark.parametrize(
    "text",
    [
        "The vancomycin trough was 15 mcg/mL.",
        "MRSA is methicillin-resistant Staphylococcus.",
        "Insulin resistance was discussed.",
        "See aspirin.png and user@ibuprofen.",
    ],
)
def test_a_name_inside_another_term_is_no_medication(text):
    assert found_in(text) == ()


def test_an_everyday_word_with_a_pharmaceutical_dose_is_a_medication():
    assert statuses("Camila 0.35 mg tablet daily") == {"Camila": "active"}


def test_the_sample_letter_gives_its_medications(monkeypatch):
    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)

    found = statuses(DocumentInput(document_id="doc456").read().text)

    assert found == {
        "penicillin": "allergy",
        "ibuprofen": "negated",
        "Metformin": "active",
        "Lisinopril": "active",
        "Apixaban": "active",
        "Atorvastatin": "active",
        "Salbutamol": "active",
        "Amlodipine": "stopped",
        "furosemide": "active",
        "paracetamol": "active",
        "Amoxicillin": "negated",
    }


def test_the_result_names_its_kind_its_document_and_its_counts():
    result = extract_medications("Takes aspirin and metformin, denies ibuprofen.", document_id="doc1")

    dumped = result.model_dump(mode="json")

    assert (dumped["kind"], dumped["document_id"]) == ("medication_extraction", "doc1")
    assert dumped["counts"] == {"active": 2, "negated": 1}
    assert MedicationExtraction.model_validate_json(result.model_dump_json()) == result


def test_progress_counts_the_statements_that_are_gone_through():
    seen = []

    def track(items, total=None, note=""):
        for index, item in enumerate(items):
            yield item
            seen.append((index + 1, total))

    extract_medications("One. Two. Takes aspirin.", track=track)

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_text_without_sentences_is_read_in_bounded_pieces():
    longest = 0

    def track(items, total=None, note=""):
        nonlocal longest
        for item in untracked(items, total, note):
            longest = max(longest, item.end - item.start)
            yield item

    text = "aspirin 81 mg, " * 2_000

    result = extract_medications(text, track=track)

    assert longest <= 2_000
    assert len(result.medications) == 2_000
    assert all(text[found.drug.start : found.drug.end] == "aspirin" for found in result.medications)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "aspirin",
                "Augmentin",
                "5 mg",
                "1-2 tablets",
                "denies",
                "allergic to",
                "was stopped",
                "q6h prn",
                "for",
                "x 7 days",
                ",",
                ".",
                "\n",
                "\n\n",
                "(",
                ")",
                "/",
                "-",
                "Allergies:",
                "½",
                "\u2019",
                "é",
                "\u2003",
                "0/0",
                "and",
            ]
        ),
        max_size=25,
    ).map(" ".join)
)
def test_offsets_hold_for_any_text(text):
    found_in(text)


def test_the_dictionary_is_loaded_once_and_without_its_package():
    assert drug_dictionary() is drug_dictionary()
    assert "drug_named_entity_recognition" not in sys.modules


def test_generic_names_are_certain_and_everyday_words_are_not():
    known = {name: drug_dictionary().get(name) for name in ("lisinopril", "Tenormin", "oats")}

    assert [drug.confidence for drug in known.values() if drug] == [
        Confidence.CERTAIN,
        Confidence.SUPPORTED,
        Confidence.EVERYDAY,
    ]


def test_a_changed_dictionary_file_is_refused_before_it_is_unpickled(tmp_path):
    file = tmp_path / "drug_ner_dictionary.pkl.bz2"
    file.write_bytes(bz2.compress(pickle.dumps({})))

    with pytest.raises(DictionaryChangedError, match=r"drug-named-entity-recognition 2\.0\.9"):
        read_dictionary_file(file)


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_dictionary_file_that_asks_for_code_is_refused_though_its_hash_is_right(tmp_path):
    file, mark = tmp_path / "d.pkl.bz2", tmp_path / "mark"
    content = bz2.compress(pickle.dumps(Malicious(mark)))
    file.write_bytes(content)

    with pytest.raises(DictionaryChangedError, match="data only"):
        read_dictionary_file(file, sha256=hashlib.sha256(content).hexdigest())

    assert not mark.exists()


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    drug_dictionary.cache_clear()
    monkeypatch.setitem(sys.modules, "drug_named_entity_recognition", None)
    try:
        with pytest.raises(MissingExtraError, match=r"celery-jobtracker\[workers\]"):
            extract_medications("aspirin")
    finally:
        drug_dictionary.cache_clear()


def test_the_task_reads_its_document_and_answers_in_json(monkeypatch):
    from workers.tasks.medication_extraction import medication_extraction

    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)

    result = medication_extraction(document_id="doc456")

    assert (result["kind"], result["document_id"]) == ("medication_extraction", "doc456")
    assert {"Metformin", "Lisinopril", "Apixaban"} <= {found["drug"]["text"] for found in result["medications"]}


def test_a_payload_with_an_unknown_field_is_refused():
    from workers.tasks.medication_extraction import MedicationExtractionPayload

    with pytest.raises(ValidationError, match="dose"):
        MedicationExtractionPayload.model_validate({"text": "aspirin", "dose": 1})
