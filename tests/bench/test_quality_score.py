"""What `make quality` counts as right, on texts small enough to count by hand."""

import pytest

from bench import gold, quality
from bench.scoring import FoundDrug, FoundEntity, Score, Tally, score_drugs, score_entities
from workers.recognition.findings import Label

pytestmark = pytest.mark.thorough


def scored(marked, drugs=(), entities=()):
    """The score of what was found in an annotated text: drugs by their spans' texts."""
    text, gold_drugs, gold_entities = gold.parse(marked)

    def place(written):
        return text.index(written), text.index(written) + len(written)

    score = Score()
    found = [FoundDrug(*place(written), frozenset(names), **rest) for written, names, rest in drugs]
    score_drugs(text, gold_drugs, found, score)
    score_entities(text, gold_entities, [FoundEntity(*place(of), label) for of, label in entities], score)
    return score


def test_drugs_are_found_invented_missed_and_taken_for_another():
    score = scored(
        "{Aspirin|d}, {Zocor|d name=simvastatin}, {Keflex|d name=cephalexin}, {antacids|d optional}, sodium 138",
        [
            ("Aspirin", ["aspirin"], {}),
            ("Zocor", ["sertraline"], {}),
            ("antacids", ["antacids"], {}),
            ("sodium", ["sodium"], {}),
        ],
    )
    assert score.tally("drugs") == Tally(right=1, wrong=2, missed=2)
    assert score.tally("drugs").precision == pytest.approx(1 / 3)
    assert score.tally("drugs").recall == pytest.approx(1 / 3)
    assert score.tally("drugs").f1 == pytest.approx(1 / 3)
    assert len(score.errors) == 4


def test_a_drug_is_counted_once_and_a_salt_is_its_drug():
    score = scored(
        "{metoprolol succinate|d name=metoprolol} {Augmentin|d name=amoxicillin+clavulanic_acid}",
        [
            ("metoprolol", ["metoprolol succinate"], {}),
            ("succinate", ["metoprolol"], {}),
            ("Augmentin", ["amoxicillin"], {}),
        ],
    )
    assert score.tally("drugs") == Tally(right=1, wrong=2, missed=1)


def test_each_status_has_an_accuracy_of_its_own_among_the_drugs_that_were_found():
    score = scored(
        "{A|d stopped} {B|d stopped} {C|d allergy} {D|d declined} {E|d stopped/negated} {F|d unsure} {G|d allergy}",
        [
            ("A", "a", {"status": "stopped"}),
            ("B", "b", {"status": "active"}),
            ("C", "c", {"status": "allergy"}),
            ("D", "d", {"status": "negated"}),
            ("E", "e", {"status": "negated"}),
            ("F", "f", {"status": "allergy"}),
        ],
    )
    assert score.tally("status") == Tally(right=4, wrong=1)
    assert score.tally("status: stopped") == Tally(right=1, wrong=1)
    assert score.tally("status: allergy") == Tally(right=1)
    assert score.tally("status: declined") == Tally(right=1)


@pytest.mark.parametrize(
    ("said", "found", "tally"),
    [
        ("dose=40mg", gold.Amount((40.0,), "mg"), Tally(right=1)),
        ("dose=40mg", gold.Amount((40.0,), "mcg"), Tally(wrong=1)),
        ("dose=40mg", None, Tally(wrong=1)),
        ("", gold.Amount((40.0,), "mg"), Tally(wrong=1)),
        ("", None, Tally()),
        ("dose=?", gold.Amount((40.0,), "mg"), Tally()),
        ("dose=40mg?", None, Tally()),
        ("dose=5-10mg", gold.Amount((5.0,), "mg", value_max=10.0), Tally(right=1)),
        ("dose=5>10mg", gold.Amount((5.0,), "mg", value_max=10.0), Tally(wrong=1)),
        ("dose=5>10mg", gold.Amount((10.0,), "mg"), Tally(right=1)),
        ("dose=500/125mg", gold.Amount((500.0, 125.0), "mg"), Tally(right=1)),
        ("dose=15mg/kg|240mg", gold.Amount((15.0,), "mg/kg/dose"), Tally(right=1)),
        ("dose=250mg", gold.Amount((250.0,), "mg/5 mL"), Tally(right=1)),
        ("dose=10units", gold.Amount((10.0,), "IU"), Tally(right=1)),
    ],
)
def test_a_dose_is_right_or_wrong_or_not_scored(said, found, tally):
    assert scored(f"{{A|d {said}}}", [("A", "a", {"dose": found})]).tally("dose") == tally


@pytest.mark.parametrize(
    ("said", "found", "tally"),
    [
        ("freq=2", 2.0, Tally(right=1)),
        ("freq=2", 3.0, Tally(wrong=1)),
        ("freq=1/7", 1 / 7, Tally(right=1)),
        ("freq=once", "once", Tally(right=1)),
        ("freq=once", 1.0, Tally(wrong=1)),
        ("freq=once?", None, Tally()),
        ("", 1.0, Tally(wrong=1)),
    ],
)
def test_a_frequency_is_right_or_wrong_or_not_scored(said, found, tally):
    assert scored(f"{{A|d {said}}}", [("A", "a", {"frequency": found})]).tally("frequency") == tally


def test_a_change_is_right_where_the_dose_before_it_is_known():
    text = "{A|d dose=5>10mg} {B|d dose=5>10mg} {C|d dose=10mg}"
    changed = gold.Amount((10.0,), "mg", value_from=5.0)
    found = [("A", "a", {"dose": changed}), ("B", "b", {"dose": gold.Amount((10.0,), "mg")}), ("C", "c", {})]
    assert scored(text, found).tally("changes") == Tally(right=1, wrong=1)


def test_an_entity_is_right_whatever_its_ends_and_wrong_with_another_label_or_span():
    score = scored(
        "Dr {Anna Lind|p} of {the Orchard Practice|o} in {Leeds|l} on {Monday 5 May 2031|t}, "
        "BD, {today|t?}, {Ward 4|?}",
        entities=[
            ("Dr Anna Lind", Label.PERSON),
            ("Practice", Label.ORGANISATION),
            ("Leeds", Label.PERSON),
            ("5 May 2031", Label.DATE),
            ("BD", Label.ORGANISATION),
            ("today", Label.DATE),
            ("Ward 4", Label.PLACE),
        ],
    )
    assert score.tally("person") == Tally(right=1, wrong=1)
    assert score.tally("organisation") == Tally(right=0, wrong=2, missed=1)
    assert score.tally("organisation (touched)") == Tally(right=1, wrong=1)
    assert score.tally("place") == Tally(missed=1)
    assert score.tally("date") == Tally(right=1)


def test_errors_are_told_of_the_open_half_only():
    names = {text.name for text in gold.load(("held_out",))}
    told = {error.split(":")[0] for error in quality.errors()}
    assert told
    assert not told & names


def test_the_table_holds_both_halves_and_shares_only_where_there_is_something_to_share():
    score = Score()
    assert score.tally("drugs").precision is None
    figures = {
        half: {
            name: {} for name in ("medication_extraction", "drug dictionary", "entity_extraction", "language model")
        }
        | {"kinds": {}}
        for half in gold.HALVES
    }
    figures["open"]["medication_extraction"]["drugs"] = {"precision": 0.5, "recall": None, "f1": 1 / 3}
    head, first, *_ = quality.rows(figures | {"speed": {}})
    assert head == ("", "open", "open: beside it", "held_out", "held_out: beside it")
    assert first == ("drugs", "0.50 / - / 0.33", "", "", "")
