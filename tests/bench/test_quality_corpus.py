"""The gold corpus keeps its own rules."""

import itertools
import re
from collections import Counter

import pytest

from bench import gold
from workers.recognition.findings import Label

TEXTS = gold.load()
CONTACTS = {Label.EMAIL: r"[\w.]+@[\w.-]+", Label.URL: r"(?:https?://)?[\w.-]+\.example\.[\w./-]+"}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_each_annotation_is_where_it_says_and_none_overlaps(text):
    spans = sorted((found.start, found.end, found.text) for found in (*text.drugs, *text.entities))
    assert spans
    assert [text.text[start:end] for start, end, _ in spans] == [written for _, _, written in spans]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert all(written == written.strip() for _, _, written in spans)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_each_dose_is_written_beside_its_drug(text):
    for drug in text.drugs:
        beside = text.text[max(0, drug.start - 70) : drug.end + 150]
        numbers = {float(found.replace(",", ".")) for found in re.findall(r"\d+(?:[.,]\d+)?", beside)}
        numbers |= {float(found.replace(",", "")) for found in re.findall(r"\d{1,3}(?:,\d{3})+", beside)}
        for dose in filter(None, drug.doses):
            said = {*dose.values, dose.value_max, dose.value_from} - {None}
            assert said <= numbers, f"{drug.text}: {dose}"


def test_both_halves_have_one_text_of_each_kind():
    kinds = {half: Counter(text.kind for text in TEXTS if text.half == half) for half in gold.HALVES}
    assert kinds["open"] == kinds["held_out"]
    assert set(kinds["open"].values()) == {1}
    assert len(kinds["open"]) == 32


def test_the_number_of_a_text_decides_its_half():
    assert all(text.half == gold.HALVES[1 - int(text.name[:2]) % 2] for text in TEXTS)
    assert sorted(int(text.name[:2]) for text in TEXTS) == list(range(1, 65))


def test_both_halves_hold_enough_of_each_status_and_label():
    for half in gold.HALVES:
        texts = [text for text in TEXTS if text.half == half]
        drugs = [drug for text in texts for drug in text.drugs if not drug.optional]
        statuses = Counter(drug.statuses[0] for drug in drugs if drug.statuses)
        assert len(drugs) >= 240
        assert min(statuses[name] for name in ("stopped", "allergy", "family")) >= 15
        assert min(statuses[name] for name in gold.STATUSES) >= 3
        labels = Counter(found.label for text in texts for found in text.entities if not found.optional)
        assert min(labels[label] for label in Label) >= 5


def test_contact_data_and_the_rest_of_the_text_are_annotated_alike():
    """An address of mail or the web that no annotation covers would count as an error of the worker's."""
    for text in TEXTS:
        for label, pattern in CONTACTS.items():
            annotated = [
                (found.start, found.end) for found in text.entities if found.label == label or not found.label
            ]
            annotated += [(found.start, found.end) for found in text.entities if found.label == Label.EMAIL]
            for found in re.finditer(pattern, text.text):
                assert any(start <= found.start() < end for start, end in annotated), found[0]


@pytest.mark.parametrize(
    ("marked", "complaint"),
    [
        ("{Ibuprofen|d dose=fast}", "no amount: 'fast'"),
        ("{Ibuprofen|d freq=often}", "no frequency: 'often'"),
        ("{Ibuprofen|d paused}", "can't read 'paused' about 'Ibuprofen'"),
        ("{Anna|x}", "no such label: 'Anna' as 'x'"),
        ("Anna} Lind", "a brace outside of an annotation: 'Anna} Lind'"),
    ],
)
def test_a_wrong_annotation_is_refused(marked, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        gold.parse(marked)


def test_an_annotation_is_read():
    text, (change, either), (person, place) = gold.parse(
        "{Anna|p}: {Zocor|d stopped name=simvastatin dose=20>40mg freq=1/7 prn}, {X|d dose=5-10mg? freq=? unsure}, "
        "{Y|l?}"
    )
    assert text == "Anna: Zocor, X, Y"
    assert text[change.start : change.end] == "Zocor"
    assert (change.ingredients, change.statuses) == (("simvastatin",), ("stopped",))
    assert change.doses == (gold.Amount((40.0,), "mg", value_from=20.0),)
    assert (change.routes, change.frequencies, change.as_needed) == ((None,), (1 / 7,), True)
    assert either.doses == (gold.Amount((5.0,), "mg", value_max=10.0), None)
    assert (either.statuses, either.frequencies) == ((), ())
    assert (person.label, person.optional) == (Label.PERSON, False)
    assert (place.label, place.optional) == (Label.PLACE, True)
