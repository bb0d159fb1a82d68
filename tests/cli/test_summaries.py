"""A result in a few words."""

import pytest

from jobtracker.cli.result_summary import summarize


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"entities": [1, 2], "words": 12, "language": "en"}, "entities 2, words 12, language en"),
        ({"language": "en", "words": 12, "entities": [1, 2]}, "entities 2, words 12, language en"),
        ({"key_phrases": ["a"]}, "key phrases 1"),
        ({"share": 0.123456789}, "share 0.123457"),
        ({"reliable": True, "guessed": False}, "reliable, not guessed"),
        ({"inner": {"rows": 3}, "rows": 4}, "rows 4, rows 3"),
        ({"kind": "x", "id": "y", "document_id": "doc456", "words": 1}, "words 1"),
        ({"empty": [], "nothing": None, "blank": "", "words": 0}, "words 0"),
        ({"text": "more than a few words of text", "words": 1}, "words 1"),
        ({}, ""),
        (None, ""),
        ([1, 2], "[1, 2]"),
        ("höher", '"höher"'),
        (0, "0"),
    ],
)
def test_a_result_is_summarised(result, text):
    assert summarize(result) == text


def test_a_deep_result_is_not_followed_to_its_end():
    assert summarize({"a": {"b": {"c": {"d": {"e": 1}}}}}) == ""
