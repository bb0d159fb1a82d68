import pytest

from workers.analysis.findings import Report, merge_findings
from workers.analysis.key_phrases import find_key_phrases
from workers.analysis.language import detect_language
from workers.analysis.readability import count_syllables, measure_readability
from workers.analysis.report import Analysis, AnalysisType, analyse
from workers.analysis.structure import guess_headings, split_paragraphs, split_sentences, words
from workers.documents import DocumentInput
from workers.tasks.document_analysis import document_analysis
from workers.tasks.entity_extraction import entity_extraction
from workers.tasks.medication_extraction import medication_extraction

pytestmark = pytest.mark.long


def analysis_of(analysis_type: AnalysisType = AnalysisType.FULL, **payload) -> Analysis:
    return analyse(DocumentInput(**payload).read(), analysis_type, max_key_phrases=10)


def sentences_of(text: str, language: str = "en") -> list[str]:
    return [text[part.start : part.end] for part in split_sentences(text, split_paragraphs(text), language)]


def test_a_full_analysis_of_the_sample_report_finds_what_is_in_it():
    analysis = analysis_of(document_id="doc123")
    assert analysis.kind == "document_analysis"
    assert analysis.document_id == "doc123"
    assert analysis.language is not None
    assert analysis.language.code == "en"
    assert analysis.statistics.pages == 3
    assert 430 <= analysis.statistics.words <= 460
    assert [heading.text for heading in analysis.structure.headings][:2] == ["Annual Report 2030", "1. Summary"]
    assert not analysis.structure.headings_are_guessed
    assert "flesch_reading_ease" in analysis.readability.scores
    assert {"Harbour Lantern Trust", "Gannet Island"} <= {phrase.phrase for phrase in analysis.key_phrases}


def test_a_summary_gives_statistics_and_language_only():
    full, summary = (analysis_of(kind, document_id="doc123") for kind in AnalysisType)
    assert summary.statistics == full.statistics
    assert summary.language == full.language
    assert (summary.structure, summary.readability, summary.key_phrases) == (None, None, [])


def test_the_places_of_pages_point_at_their_texts():
    document = DocumentInput(document_id="doc123").read()
    pages = analyse(document, AnalysisType.FULL, 0).structure.pages
    assert tuple(document.text[page.start : page.end] for page in pages) == document.pages
    assert [page.number for page in pages] == [1, 2, 3]


def test_a_letter_whose_format_marks_no_headings_gets_them_from_its_lines_in_capitals():
    structure = analysis_of(document_id="doc456").structure
    assert structure.headings_are_guessed
    assert [heading.text for heading in structure.headings] == [
        "HISTORY",
        "ALLERGIES",
        "CURRENT MEDICATIONS",
        "CHANGES",
        "FINDINGS",
        "REQUEST",
    ]


def test_numbered_lines_are_headings_but_lists_dates_and_addresses_are_not():
    text = (
        "17 Lantern Quay\n14 March 2031\n\n1. Scope\nWe buy:\n1. Milk\n2. Bread\n3. Salt\n\n"
        "2. Rules\n2.1 Of the house\nNo noise.\n5. Missing numbers\n"
    )
    assert [(heading.level, heading.text) for heading in guess_headings(text)] == [
        (1, "1. Scope"),
        (1, "2. Rules"),
        (2, "2.1 Of the house"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The ferry leaves at noon and comes back in the evening.", "en"),
        ("Die Fähre legt mittags ab und kommt am Abend zurück.", "de"),
        ("Le bac part à midi et revient dans la soirée.", "fr"),
        ("El barco sale al mediodía y vuelve por la noche.", "es"),
        ("渡し船は正午に出発し、夕方に戻ります。", "ja"),
    ],
)
def test_the_language_of_a_sentence_is_recognised(text, code):
    assert detect_language(text).code == code


@pytest.mark.parametrize("text", ["", "  \n", "12 345 67.8", "!?! --"])
def test_a_text_without_letters_has_no_language(text):
    assert detect_language(text) is None


def test_abbreviations_initials_and_decimals_do_not_end_a_sentence():
    text = "Dr. J. Wren of St. Brannoc saw No. 5. It weighed 2.5 kg, i.e. too much! Northwind Ltd. agreed. Why?"
    assert sentences_of(text) == [
        "Dr. J. Wren of St. Brannoc saw No. 5.",
        "It weighed 2.5 kg, i.e. too much!",
        "Northwind Ltd. agreed.",
        "Why?",
    ]


def test_a_german_ordinal_does_not_end_a_sentence():
    text = "Sie wurde am 4. Oktober beschlossen. Sie gilt."
    assert sentences_of(text, "de") == ["Sie wurde am 4. Oktober beschlossen.", "Sie gilt."]


def test_list_items_and_paragraphs_end_a_sentence():
    assert sentences_of("Take:\n- a whistle\n- a jacket\n\nTurn back") == [
        "Take:",
        "a whistle",
        "a jacket",
        "Turn back",
    ]


def test_words_keep_their_apostrophes_and_hyphens_and_numbers_are_none():
    assert words("Don't re-read 42 l\u2019été x2!") == ["Don't", "re-read", "l\u2019été", "x"]


def test_syllables_of_common_words_are_counted():
    expected = {"the": 1, "walked": 1, "wanted": 2, "table": 2, "houses": 2, "people": 2, "medicine": 3, "idea": 3}
    counted = {word: count_syllables(word, "en") for word in expected}
    assert counted == expected


def test_the_english_formulas_give_what_their_authors_published():
    # Thirteen words, one sentence, twenty-four syllables: the usual worked example of the Flesch formulas.
    text = "The Australian platypus is seemingly a hybrid of a mammal and reptilian creature"
    scores = measure_readability(words(text), 1, "en").scores
    assert scores["flesch_kincaid_grade"] == pytest.approx(11.3, abs=1)
    assert scores["flesch_reading_ease"] == pytest.approx(37.5, abs=7)
    # 13 words, 3 of three syllables or more, 5 of more than six letters
    assert scores["lix"] == pytest.approx(13 + 100 * 5 / 13, abs=0.1)
    assert "smog" not in scores


def test_each_language_gets_its_own_formula_only():
    text = ["Straße"] * 120
    assert measure_readability(text, 12, "de").scores.keys() == {"lix", "amstad_reading_ease"}
    assert measure_readability(text, 12, "it").scores.keys() == {"lix", "gulpease"}
    assert measure_readability(text, 12, "cs").scores.keys() == {"lix"}
    assert measure_readability(["слово"] * 120, 12, "ru") is None
    assert measure_readability([], 0, "en") is None


def test_a_short_text_says_that_its_readability_is_not_reliable():
    assert not analysis_of(text="The ferry leaves at noon.").readability.reliable
    assert analysis_of(document_id="doc123").readability.reliable


def test_key_phrases_are_the_names_and_words_that_return_and_never_stop_words():
    sentences = [
        "The Gannet Island ferry leaves at noon.",
        "Nobody lives on Gannet Island in winter.",
        "The lighthouse of Gannet Island was built of granite.",
        "Its lighthouse can be seen from the mainland.",
    ]
    phrases = find_key_phrases(sentences, "en", limit=4)
    assert phrases[0].phrase == "Gannet Island"
    assert phrases[0].count == 3
    assert any(phrase.phrase == "lighthouse" for phrase in phrases)
    assert len(phrases) == 4
    assert not {"the", "of", "its"} & {word.lower() for phrase in phrases for word in phrase.phrase.split()}


def test_a_language_without_stop_words_has_no_key_phrases():
    assert find_key_phrases(["abc def ghi"], "xx-nothing", limit=5) == []


def test_a_german_document_is_analysed_in_german():
    analysis = analysis_of(document_id="hafenordnung")
    assert analysis.language.code == "de"
    assert "amstad_reading_ease" in analysis.readability.scores
    assert any("Hafen" in phrase.phrase for phrase in analysis.key_phrases)


def test_a_language_without_spaces_is_not_given_a_number_of_words():
    analysis = analysis_of(text="今天天气很好。我们去公园散步吧\uff01")
    assert analysis.statistics.words is None
    assert analysis.statistics.sentences == 2
    assert analysis.key_phrases == []


@pytest.mark.parametrize("text", ["", " \n ", "1 2 3", "-", "x", "\ufffd" * 50])
def test_a_text_with_next_to_nothing_in_it_is_analysed(text):
    analysis = analysis_of(text=text)
    assert analysis.statistics.characters == len(text)
    assert analysis.key_phrases == [] or text == "x"


ENTITIES = {
    "kind": "entity_extraction",
    "entities": [
        {"label": "person", "text": "Wren", "start": 90, "end": 94},
        {"label": "place", "text": "Boston", "start": 10, "end": 16},
    ],
}
MEDICATIONS = {
    "kind": "medication_extraction",
    "medications": [
        {"name": "Metformin", "status": "active", "drug": {"text": "metformin", "start": 70, "end": 79}},
        {"name": "Ibuprofen", "status": "negated", "drug": {"text": "ibuprofen", "start": 40, "end": 49}},
    ],
}


def test_what_the_sub_jobs_found_is_merged_in_the_order_of_the_text():
    findings = merge_findings([ENTITIES, MEDICATIONS])
    assert [entity["text"] for entity in findings.entities] == ["Boston", "Wren"]
    assert [medication["name"] for medication in findings.medications] == ["Ibuprofen", "Metformin"]
    assert findings.counts == {
        "entities": {"person": 1, "place": 1},
        "medications": {"active": 1, "negated": 1},
    }
    assert [(sub.position, sub.kind, sub.count) for sub in findings.sub_jobs] == [
        (0, "entity_extraction", 2),
        (1, "medication_extraction", 2),
    ]


def test_a_failed_sub_job_keeps_its_place_and_adds_nothing():
    findings = merge_findings([None, MEDICATIONS])
    assert [(sub.position, sub.completed, sub.count) for sub in findings.sub_jobs] == [(0, False, 0), (1, True, 2)]
    assert findings.entities == []


def test_what_two_sub_jobs_found_alike_is_given_once():
    assert len(merge_findings([ENTITIES, ENTITIES]).entities) == 2


def test_a_nested_report_and_a_table_are_kept_whole():
    report = analysis_of(AnalysisType.SUMMARY, text="A nested one.").model_dump(mode="json")
    table = {"kind": "data_processing", "rows": [{"a": 1}]}
    findings = merge_findings([report, table])
    assert findings.analyses == [report]
    assert findings.tables == [table]


@pytest.mark.parametrize(
    "result", [7, "text", [1, 2], {"a": 1}, {"kind": "unheard of"}, {"kind": ["x"]}, {"kind": "entity_extraction"}]
)
def test_a_result_that_is_not_known_is_included_as_it_is(result):
    findings = merge_findings([result])
    assert findings.others == [result]
    assert findings.sub_jobs[0].count == 1


def test_the_task_merges_what_the_other_tasks_really_found():
    sub_results = [entity_extraction(document_id="doc456"), medication_extraction(document_id="doc456")]
    report = Report.model_validate(document_analysis(sub_results, document_id="doc456"))
    text = DocumentInput(document_id="doc456").read().text
    assert {"Boston", "Toronto"} <= {entity["text"] for entity in report.findings.entities}
    assert {"Metformin", "Apixaban"} <= {medication["name"] for medication in report.findings.medications}
    assert report.findings.counts["medications"]["allergy"] == 1
    for entity in report.findings.entities:
        assert text[entity["start"] : entity["end"]] == entity["text"]
    assert report.findings.others == []


def test_the_task_without_sub_jobs_has_no_findings():
    report = document_analysis(document_id="doc123", analysis_type="full")
    assert report["findings"] is None
    assert report["analysis_type"] == "full"


def test_a_report_survives_json():
    analysis = analysis_of(document_id="doc456")
    report = Report(**analysis.model_dump(), findings=merge_findings([ENTITIES, None]))
    assert Report.model_validate_json(report.model_dump_json()) == report
