import pytest
from pydantic import ValidationError
from support.tables_under_test import STEPS, process, rows

from workers.errors import InputError, NotFoundError, TooLargeError
from workers.tables import joins
from workers.work.data_processing import DataProcessingPayload

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("results_dir")]

PEOPLE = [
    {"id": 2, "name": "Bob"},
    {"id": None, "name": "Nobody"},
    {"id": 3, "name": "Cid"},
    {"id": 1, "name": "Ann"},
]
VISITS = {"text": "id,day\n1,Mon\n2,Tue\n2,Wed\n,Thu\n7,Fri\n", "format": "csv"}


def join(table, on=("id",), **options):
    return {"step": "join", "table": table, "on": list(on), **options}


def pairs(how):
    return [(row["name"], row.get("day")) for row in rows(join(VISITS, how=how), rows=PEOPLE)]


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("inner", [("Bob", "Tue"), ("Bob", "Wed"), ("Ann", "Mon")]),
        ("left", [("Bob", "Tue"), ("Bob", "Wed"), ("Nobody", None), ("Cid", None), ("Ann", "Mon")]),
        ("right", [("Bob", "Tue"), ("Bob", "Wed"), ("Ann", "Mon"), (None, "Thu"), (None, "Fri")]),
        (
            "full",
            [
                ("Bob", "Tue"),
                ("Bob", "Wed"),
                ("Nobody", None),
                ("Cid", None),
                ("Ann", "Mon"),
                (None, "Thu"),
                (None, "Fri"),
            ],
        ),
        ("semi", [("Bob", None), ("Ann", None)]),
        ("anti", [("Nobody", None), ("Cid", None)]),
    ],
)
def test_each_way_to_join_keeps_the_rows_that_it_should_in_order(how, found):
    assert pairs(how) == found


def test_a_null_is_equal_to_nothing_and_a_repeated_key_gives_a_row_for_each_partner():
    table = process([join(VISITS)], rows=PEOPLE)
    joined = table.steps[0].joined
    assert (joined.rows, joined.unmatched, joined.repeated) == (5, 2, 1)


def test_the_second_table_is_described_as_it_was_read():
    joined = process([join(VISITS)], rows=PEOPLE).steps[0].joined
    assert (joined.csv.delimiter, joined.csv.header, joined.csv.detected) == (",", True, ["delimiter", "header"])
    assert [(column.name, column.type) for column in joined.columns] == [("id", "BIGINT"), ("day", "VARCHAR")]


def test_the_keys_of_two_names_stand_once_under_the_first_with_the_values_of_both():
    clinics = [{"code": "e", "town": "Ellery"}, {"code": "g", "town": "Gannet"}]
    found = process(
        [join({"rows": clinics}, [{"left": "c", "right": "code"}], how="full")], rows=[{"c": "e", "n": 1}]
    )
    assert found.rows == [{"c": "e", "n": 1, "town": "Ellery"}, {"c": "g", "n": None, "town": "Gannet"}]


def test_several_keys_must_all_be_equal():
    second = [{"a": 1, "b": "x", "found": True}, {"a": 1, "b": "y", "found": True}]
    found = rows(join({"rows": second}, ["a", "b"]), rows=[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    assert found == [{"a": 1, "b": "x", "found": True}]


def test_columns_of_one_name_are_an_error_or_get_the_suffix():
    second = {"rows": [{"id": 1, "NAME": "A."}]}
    with pytest.raises(
        InputError, match=r"step 1 \(join\): two columns would be called 'NAME': give the join a suffix"
    ):
        process([join(second)], rows=PEOPLE)
    assert rows(join(second, suffix="_2"), rows=PEOPLE) == [{"id": 1, "name": "Ann", "NAME_2": "A."}]
    with pytest.raises(InputError, match="two columns would be called 'NAME_2'"):
        process([join(second, suffix="_2")], rows=[{"id": 1, "name": "x", "name_2": "y"}])


@pytest.mark.parametrize(
    ("first", "second", "types"),
    [
        ([{"id": 1}], [{"id": "1"}], ("BIGINT", "VARCHAR")),
        ([{"id": 1}], [{"id": 1.5}], ("BIGINT", "DOUBLE")),
        ([{"id": "2024-01-01"}], [{"id": "01/01/2024"}], ("DATE", "VARCHAR")),
        ([{"id": True}], [{"id": 1}], ("BOOLEAN", "BIGINT")),
        ([{"id": 1}], [{"id": None}], ("BIGINT", "VARCHAR")),
        ([{"id": [1]}], [{"id": 1}], (r"BIGINT\[\]", "BIGINT")),
    ],
)
@pytest.mark.parametrize("how", ["inner", "left", "anti"])
def test_keys_of_types_that_do_not_fit_are_an_error_that_names_both(first, second, types, how):
    with pytest.raises(InputError, match=rf"'id' is {types[0]}, 'id' of the second table is {types[1]}"):
        process([join({"rows": second}, how=how)], rows=first)


def test_a_cast_or_the_types_of_a_csv_make_keys_fit():
    cast = {"step": "cast", "columns": {"id": "text"}}
    assert rows(cast, join({"rows": [{"id": "1", "n": 5}]}), rows=[{"id": 1}]) == [{"id": "1", "n": 5}]
    second = {"text": "id,n\n001,5\n", "format": "csv", "csv": {"types": {"id": "integer"}}}
    assert rows(join(second), rows=[{"id": 1}]) == [{"id": 1, "n": 5}]


def test_whole_numbers_of_all_sizes_fit():
    assert rows(join({"rows": [{"id": 2**70}, {"id": 1}]}), rows=[{"id": 1}]) == [{"id": 1}]


def test_a_join_that_multiplies_rows_beyond_the_limit_is_refused_before_it_is_made(monkeypatch):
    many = [{"id": 1, "n": number} for number in range(100)]
    assert process([join({"rows": many}, suffix="_2")], rows=many).total_rows == 10_000
    monkeypatch.setattr(joins, "MAX_ROWS", 9_999)
    with pytest.raises(
        TooLargeError, match=r"10,000 rows, at most 9,999 are made: 100 rows .* more than one partner"
    ):
        process([join({"rows": many}, suffix="_2")], rows=many)
    assert process([join({"rows": many}, how="semi")], rows=many).total_rows == 100


def test_columns_are_looked_for_in_both_tables():
    with pytest.raises(InputError, match="there is no column 'day' in the table; there are 'id', 'name'"):
        process([join(VISITS, ["day"])], rows=PEOPLE)
    with pytest.raises(InputError, match="there is no column 'name' in the second table; there are 'id', 'day'"):
        process([join(VISITS, ["name"])], rows=PEOPLE)


@pytest.mark.parametrize(
    "name", ['x"; DROP TABLE t0; --', "place", "count", "n", "l.id", "r", "{0}", "?", "new\nline"]
)
def test_a_hostile_or_unlucky_name_is_a_name_like_any_other(name):
    second = {"rows": [{name: 1, name + "2": "b"}, {name: 1, name + "2": "c"}]}
    for how in ("inner", "full"):
        found = rows(join(second, [name], how=how), rows=[{name: 1, name + "1": "a"}])
        assert found == [{name: 1, name + "1": "a", name + "2": each} for each in "bc"]


def test_tables_of_several_kinds_are_joined_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCUMENTS_DIR", str(tmp_path))
    (tmp_path / "towns.csv").write_text("town;region\nEllery;north\n")
    (tmp_path / "people.jsonl").write_text('{"id": 1, "town": "Ellery"}\n')
    steps = [
        join({"document_id": "people"}),
        join({"document_id": "towns.csv"}, ["town"]),
        join(VISITS),
        {"step": "select", "columns": ["name", "region", "day"]},
    ]
    assert rows(*steps, rows=PEOPLE) == [{"name": "Ann", "region": "north", "day": "Mon"}]


def test_bad_lines_of_one_csv_are_not_those_of_another():
    first = {"text": "id,n\n1,2\n3\n", "format": "csv", "csv": {"on_bad_rows": "skip"}}
    table = process([join(VISITS, how="left")], **first)
    assert (table.csv.bad_lines, table.steps[0].joined.csv.bad_rows) == ([3], 0)
    second = {**first, "text": "id,x\n1,2\n\n4\n"}
    table = process([join(second, how="left")], **first)
    assert (table.csv.bad_lines, table.steps[0].joined.csv.bad_lines) == ([3], [4])


def test_the_second_table_is_looked_up_as_strictly_as_the_first():
    for name in ("../secret.csv", "/etc/passwd", "missing"):
        with pytest.raises(InputError):
            process([join({"document_id": name})], rows=PEOPLE)
    with pytest.raises(NotFoundError):
        process([join({"document_id": "missing"})], rows=PEOPLE)


@pytest.mark.parametrize(
    "step",
    [
        join({}),
        join({"rows": [{"a": 1}], "document_id": "x"}),
        join({"rows": [{"a": 1}]}, []),
        join({"rows": [{"a": 1}]}, [{"left": "a"}]),
        join({"rows": [{"a": 1}]}, [{"left": "a", "right": "b", "op": "<"}]),
        join({"rows": [{"a": 1}]}, how="cross"),
        join({"rows": [{"a": 1}], "steps": []}),
        join({"rows": [{"a": 1}]}, suffix=""),
    ],
)
def test_a_join_that_is_not_as_declared_is_refused(step):
    with pytest.raises(ValidationError):
        STEPS.validate_python([step])


def test_the_joins_of_a_job_are_few():
    steps = [join({"rows": [{"id": 1}]})] * 9
    with pytest.raises(ValidationError, match="9 joins; at most 8"):
        DataProcessingPayload.model_validate({"rows": [{"id": 1}], "steps": steps})


@pytest.mark.parametrize("how", ["inner", "left", "right", "full", "semi", "anti"])
@pytest.mark.parametrize("empty", ["neither", "first", "second"])
def test_a_join_in_which_nothing_matches_counts_nobody_twice(how, empty):
    none = {"step": "filter", "where": {"column": "k", "op": "lt", "value": 0}}
    tables = {"first": {"rows": [{"k": 1}]}, "second": {"rows": [{"k": 2}]}}
    if empty == "second":
        tables["second"] = {"text": "k\n", "format": "csv", "csv": {"types": {"k": "integer"}}}
    steps = [none] if empty == "first" else []
    joined = {"step": "join", "table": tables["second"], "on": ["k"], "how": how}
    outcome = process([*steps, joined], **tables["first"]).steps[-1].joined
    assert outcome is not None
    assert (outcome.unmatched, outcome.repeated) == (0 if empty == "first" else 1, 0)
