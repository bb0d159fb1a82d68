"""What Python writes as JSON, and what of it others can read."""

import json
import math

import pytest

from jobtracker.core.json_text import is_json


@pytest.mark.parametrize(
    "value", [None, [], "NaN", {"NaN": ["-Infinity", 'a "NaN', "\\", "NaN\\"]}, {"a": 1.5e300, "b": "\ud800"}]
)
def test_what_only_names_these_numbers_in_texts_is_json(value):
    assert is_json(json.dumps(value).encode())


@pytest.mark.parametrize("value", [math.nan, [-math.inf], {"a": ["NaN", {"b": math.inf}]}, ["\\", math.nan]])
def test_numbers_that_json_does_not_have_are_found(value):
    assert not is_json(json.dumps(value).encode())


def test_a_long_text_is_looked_through_at_once():
    assert is_json(json.dumps(["x" * 5_000_000, "NaN" * 100_000]).encode())
