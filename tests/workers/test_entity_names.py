"""Persons, organisations and places by what stands beside their names, and what is none of them."""

import pytest

from workers.entities import Conventions, Entity, extract_entities
from workers.recognition.findings import Label
from workers.recognition.layout import passages
from workers.recognition.register import is_clinical

NOTE = """ST BRANNOC'S HOSPITAL - DISCHARGE SUMMARY

Patient: HARGREAVES, Doreen   DOB: 14/02/1941   NHS No: 485 777 3456   MRN: 00412978
Consultant: Dr A. Okonkwo

HOSPITAL COURSE
Treated for LRTI with IV Co-amoxiclav then PO Doxycycline. CXR: RLL consolidation. Bloods: Na 131, K 4.9, CRP 112.
Seen by Sister Maureen Tully and the physio. Daughter Janet Hargreaves updated.

MEDICATIONS ON DISCHARGE
Apixaban 5 mg PO BD
Metformin 500 mg PO TDS - WITHHELD
Enoxaparin 40 mg SC OD - stopped

PLAN
1. GP to repeat U&Es in 1/52.
2. Chest clinic in six weeks.
3. Package of care restarted, Mendip Home Care Ltd.

Priya Raman, FY2
"""


def named(text: str, label: Label, conventions: Conventions | None = None) -> list[str]:
    found: tuple[Entity, ...] = extract_entities(text, conventions=conventions).entities
    return [entity.text for entity in found if entity.label is label]


def test_a_clinical_note_gives_its_persons_and_bodies_and_none_of_its_abbreviations():
    assert named(NOTE, Label.PERSON) == [
        "HARGREAVES, Doreen", "A. Okonkwo", "Maureen Tully", "Janet Hargreaves", "Priya Raman"
    ]  # fmt: skip
    assert named(NOTE, Label.ORGANISATION) == ["ST BRANNOC'S HOSPITAL", "Mendip Home Care Ltd"]
    assert named(NOTE, Label.PLACE) == []


@pytest.mark.parametrize("region", ["US", "GB"])
def test_birth_dates_and_numbers_of_patients_are_no_telephone_numbers(region):
    assert named(NOTE, Label.PHONE, Conventions(phone_region=region)) == []
    assert "14/02/1941" in named(NOTE, Label.DATE, Conventions(phone_region=region))


@pytest.mark.parametrize(
    "text",
    [
        "DOB 14 02 1941",
        "NHS number 943 476 5919",
        "IBAN DE89 3704 0044 0532 0130 00",
        "Account 2125550142",
        "Our ref: 212-555-0142",
        "Invoice no. 2125550142",
    ],
)
def test_a_number_of_another_kind_is_no_telephone_number(text):
    assert named(text, Label.PHONE) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Phone number: 212-555-0142", "212-555-0142"),
        ("NHS No 943 476 5919, tel. 212-555-0142", "212-555-0142"),
        # No range that is given out, but the text says what it is.
        ("Mobile 07700 900461", "07700 900461"),
    ],
)
def test_a_number_that_is_called_a_telephone_number_is_one(text, number):
    region = "GB" if "077" in text else "US"

    assert named(text, Label.PHONE, Conventions(phone_region=region)) == [number]


@pytest.mark.parametrize(
    ("text", "persons"),
    [
        ("Present: M. Fairweather (Chair), B. Tindall and H. Quill", ["M. Fairweather", "B. Tindall", "H. Quill"]),
        ("Brought in by her mother (Agnieszka), who is well.", ["Agnieszka"]),
        ("Signed off by the registrar. Attending: Susan Feldman, MD", ["Susan Feldman"]),
        ("Yours sincerely,\n\nT. J. Braithwaite\nGP Partner", ["T. J. Braithwaite"]),
        ("Kind regards\nOli", ["Oli"]),
        ("From: Lukas Brunner <l.brunner@alp.example>", ["Lukas Brunner"]),
        ("The county's bridge engineer, Nkem Ashdown, came.", ["Nkem Ashdown"]),
        ("Dr Anneke de Vries reviewed him.", ["Anneke de Vries"]),
        ("DEBORAH JANE STERNBERG of Leeds signed it.", ["DEBORAH JANE STERNBERG"]),
        ("We thank Priti and Colin Marsden for the books.", ["Priti", "Colin Marsden"]),
        ("SHO Will Trent informed.", ["Will Trent"]),
    ],
)
def test_a_person_is_known_by_what_stands_beside_the_name(text, persons):
    assert named(text, Label.PERSON) == persons


def test_a_surname_or_a_given_name_alone_is_the_person_named_in_full():
    text = "Cllr Rosemary Pike spoke first. Then Pike proposed that Rosemary be thanked. A pike was caught."

    assert named(text, Label.PERSON) == ["Rosemary Pike", "Pike", "Rosemary"]


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ("Brandt & Söhne GmbH wrote to Pemberton Textiles plc.", ["Brandt & Söhne GmbH", "Pemberton Textiles plc"]),
        ("He works at St Hilda's College.", ["St Hilda's College"]),
        ("Seen at Queen Margaret University Hospital NHS Foundation Trust.",
         ["Queen Margaret University Hospital NHS Foundation Trust"]),
        ("She read law at the University of Leeds.", ["University of Leeds"]),
        ("The Ministry of Transport invites bids.", ["Ministry of Transport"]),
        ("Derbyshire Fire and Rescue Service came.", ["Derbyshire Fire and Rescue Service"]),
        ("University of Southmere and Kestrel Therapeutics open a laboratory.",
         ["University of Southmere", "Kestrel Therapeutics"]),
        ("The attorney is with Kowalski & Byrne, P.C., in town.", ["Kowalski & Byrne, P.C."]),
        ("Hartwell Foods plc will close. Hartwell supplies shops.", ["Hartwell Foods plc", "Hartwell"]),
        ("The Northern Data Society (NDS) met. The NDS will meet again.", ["Northern Data Society", "NDS", "NDS"]),
    ],
)  # fmt: skip
def test_an_organisation_is_known_by_the_form_of_its_name(text, bodies):
    assert named(text, Label.ORGANISATION) == bodies


@pytest.mark.parametrize(
    "text",
    [
        "Refer to the chest clinic and the Emergency Department.",
        "The Parish Council of the village and the Project Board met.",
        "MATTERS ARISING\n\nThe clerk spoke.",
        "VAT and NDA are due; the CEO asked HR for the SLA.",
        "The Confidential Information is kept until the Effective Date.",
        "See Schedule 1 and Appendix 2.",
    ],
)
def test_headings_abbreviations_and_kinds_of_bodies_name_nobody(text):
    assert named(text, Label.ORGANISATION) == named(text, Label.PERSON) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("14 Station Road, Kendal, Cumbria LA9 6RT", ["14 Station Road", "Kendal", "Cumbria"]),
        ("Naperville, IL 60540", ["Naperville", "IL"]),
        ("The River Derwent burst its banks.", ["River Derwent"]),
        ("Harptree Surgery, Bristol.", ["Bristol"]),
    ],
)
def test_a_place_is_known_by_its_address_or_its_noun(text, places):
    assert named(text, Label.PLACE) == places


def test_a_town_of_a_council_is_a_place_by_itself():
    text = "Larnmouth Borough Council met. The yard at Larnmouth will close."

    assert named(text, Label.ORGANISATION) == ["Larnmouth Borough Council"]
    assert named(text, Label.PLACE) == ["Larnmouth"]


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("Sent: Tuesday, 5 November 2024 14:02", ["Tuesday, 5 November 2024"]),
        ("Leeds, 2011-2015", ["2011", "2015"]),
        ("Invoice No: 2024-00871", []),
        ("See this 79 year old man in three weeks.", []),
        ("It is due by 30 June.", ["30 June"]),
    ],
)
def test_a_date_is_whole_and_a_range_of_years_is_two(text, dates):
    assert named(text, Label.DATE) == dates


def test_a_name_broken_over_two_lines_is_one_and_a_new_line_of_a_form_begins_another():
    paragraph = "The committee, which met on the third floor of the old hall, thanked Helena\nWrenfield for her work."
    form = "Student nurse on this ward, who has been here for two weeks: Ella Whitcombe\nBleep 2214"

    assert named(paragraph, Label.PERSON) == ["Helena\nWrenfield"]
    assert named(form, Label.PERSON) == ["Ella Whitcombe"]


def test_a_table_is_read_cell_by_cell_and_a_paragraph_over_its_lines():
    table = "Name          Town\nAnna Keller   Berlin\n"
    paragraph = "The ferry waits for the tide at the old stone pier, and the crew\nwaits with it.\n\nThe end."

    assert [table[one.start : one.end] for one in passages(table)] == ["Name", "Town", "Anna Keller", "Berlin"]
    assert [paragraph[one.start : one.end].count("\n") for one in passages(paragraph)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "clinical"),
    [
        (NOTE, True),
        ("Shares fell in London. The company paid a dividend, and the board met.", False),
        ("The GP and the clinic are named in the contract.", False),
    ],
)
def test_a_clinical_text_is_known_by_its_words(text, clinical):
    assert is_clinical(text) is clinical
