"""Payloads against their schemas: what fits, what does not and where, and that neither takes long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from jobtracker.core.declarations import payload_schema
from jobtracker.core.masking import MASK, ArgumentRule
from jobtracker.schemas.payload_check import PayloadCheck
from workers.app import app

OPEN = ArgumentRule()
SECRET = "4929-1234"


@pytest.fixture(scope="module")
def tables() -> PayloadCheck:
    """The schema of data_processing: recursive, with unions in unions."""
    app.loader.import_default_modules()
    return PayloadCheck(payload_schema(app.tasks["data_processing"]))


def derived(value: object) -> dict:
    return {"rows": [{"a": 1}], "steps": [{"step": "derive", "column": "z", "value": value}]}


def sums(depth: int, leaf: str) -> object:
    """Nested sums of two, 2 ** depth leaves."""
    inner = {leaf: "a"}
    for _ in range(depth):
        inner = {"op": "add", "args": [inner, inner]}
    return inner


@pytest.mark.thorough
def test_half_a_million_rows_and_sixty_thousand_sums_are_checked_at_once(tables):
    """jsonschema would need minutes."""
    rows = [{"name": "x" * 10, "n": n, "more": [None, 1.5]} for n in range(500_000)]
    assert tables.problems({"rows": rows}, OPEN) == []
    assert tables.problems({"rows": [*rows, 5]}, OPEN) == [(["rows", 500_000], "5 is not of type 'object'")]
    assert len(tables.problems({"rows": [5] * 500_000}, OPEN)) <= 50
    assert tables.problems(derived(sums(16, "column")), OPEN) == []
    found = tables.problems(derived(sums(16, "colum")), OPEN)
    assert 0 < len(found) <= 50
    assert all(path[:4] == ["steps", 0, "value", "args"] for path, _ in found)


def test_what_is_wrong_is_said_of_the_alternative_that_was_meant(tables):
    wrong = {"op": "add", "args": [{"column": "a"}, {"op": "round", "args": []}]}
    [(path, reason)] = tables.problems(derived(wrong), OPEN)
    assert path == ["steps", 0, "value", "args", 1, "args"]
    assert reason == "a list should be non-empty"


def test_of_alternatives_of_which_none_was_meant_all_are_named():
    check = PayloadCheck(TypeAdapter(int | list[str] | None).json_schema())
    [(path, reason)] = check.problems("x" * 10_000, OPEN)
    assert path == []
    for kind in ("integer", "array", "null"):
        assert f"is not of type '{kind}'" in reason
    assert len(reason) <= 500


def test_one_alternative_too_many_is_refused():
    check = PayloadCheck({"oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]})
    assert check.problems({"a": 1}, OPEN) == []
    assert check.problems({"a": 1, "b": 1}, OPEN) == [([], "it fits 2 of the alternatives, not one")]


@pytest.mark.parametrize("keep", ["full", "none"])
@pytest.mark.parametrize(
    "card", [SECRET, [SECRET], {"number": SECRET}, {SECRET: 1}, {"deep": [{"list": [SECRET]}]}], ids=str
)
def test_masked_values_and_the_keys_within_them_are_in_no_reason(card, keep):
    number = {"type": "object", "properties": {"number": {"const": 7}}, "additionalProperties": False}
    for schema in (
        {"type": "integer"},
        number,
        {"anyOf": [number, {"type": "array", "maxItems": 0}, {"enum": [1, 2]}]},
        {"oneOf": [number, {"type": "null"}]},
        {"not": {}},
        {"if": {}, "then": {"type": "null"}},
        {"$ref": "#/$defs/number"},
    ):
        whole = {"properties": {"card": schema, "open": {}}, "$defs": {"number": number}, "minProperties": 2}
        for payload in ({"card": card}, {"card": card, "open": card}):
            found = PayloadCheck(whole).problems(payload, ArgumentRule(mask=("card",), keep=keep))
            assert found
            assert SECRET not in repr(found)
    assert MASK in repr(
        PayloadCheck({"properties": {"card": {"type": "integer"}}}).problems(
            {"card": card}, ArgumentRule(mask=("card",))
        )
    )


@pytest.mark.parametrize("pattern", [r"^a\Z", r"(?P<x>a)(?P=x)"])
def test_a_pattern_that_only_python_knows_counts_too(pattern):
    check = PayloadCheck({"properties": {"a": {"type": "string", "pattern": pattern}}})
    assert check.problems({"a": "b"}, OPEN)
    assert check.problems({"a": "aa" if "x" in pattern else "a"}, OPEN) == []


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abc"), inside, max_size=3),
    max_leaves=8,
)
KINDS = [
    int | str,
    list[int] | dict[str, float],
    dict[str, list[str | None]],
    tuple[int, str],
    bool,
    list[dict[str, int]],
]


@pytest.mark.thorough
@given(value=VALUES, kind=st.sampled_from(KINDS))
@settings(max_examples=200, deadline=None)
def test_what_fits_is_what_jsonschema_says(value, kind):
    schema = {"properties": {"a": TypeAdapter(kind).json_schema()}, "required": ["a"]}
    payload = {"a": value}
    assert bool(PayloadCheck(schema).problems(payload, OPEN)) != Draft202012Validator(schema).is_valid(payload)
