import json
import time
from pathlib import Path
from tempfile import gettempdir

import duckdb
import pytest
from pydantic import ValidationError
from support.tables_under_test import ROWS, STEPS, process, rows

from workers.errors import (
    InputError,
    NameRefusedError,
    NotFoundError,
    OverBudgetError,
    TooLargeError,
    UnreadableError,
    ValueRefusedError,
)
from workers.folder import SAMPLE_DOCUMENTS_DIR
from workers.payloads import read_payload
from workers.tables import sandbox as sandboxes
from workers.tables.csv_table import CsvOptions, load_csv
from workers.tables.output import Delivery
from workers.tables.processing import process_table
from workers.tables.sandbox import Sandbox
from workers.tables.source import TableInput
from workers.tasks.data_processing import data_processing
from workers.work.data_processing import DataProcessingPayload

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("results_dir")]


def names(*steps, **table) -> list:
    return [row["name"] for row in rows(*steps, **table)]


def derived(value, **table):
    return [row["new"] for row in rows({"step": "derive", "column": "new", "value": value}, **table)]


@pytest.mark.parametrize(
    ("document_id", "rows_", "column", "sql_type"),
    [
        ("visits", 122, "date", "DATE"),
        ("clinics", 3, "address", "STRUCT(street VARCHAR, town VARCHAR)"),
        ("ferry-log", 24, "departed", "TIMESTAMP"),
        ("lab-results", 60, "value", "DOUBLE"),
    ],
)
def test_each_sample_table_is_read_with_its_types(document_id, rows_, column, sql_type):
    table = process(document_id=document_id)
    assert table.input_rows == table.total_rows == rows_
    assert {"name": column, "type": sql_type} in [found.model_dump() for found in table.input_columns]
    json.dumps(table.model_dump(mode="json"), allow_nan=False)


def test_steps_run_one_after_the_other_and_each_says_how_many_rows_it_left():
    table = process(
        [
            {"step": "dedupe"},
            {"step": "filter", "where": {"column": "age_years", "op": "ge", "value": 65}},
            {"step": "derive", "column": "month", "value": {"op": "month", "args": [{"column": "date"}]}},
            {"step": "aggregate", "by": ["clinic"], "values": {"visits": {"function": "count"}}},
            {"step": "sort", "by": [{"column": "visits", "descending": True}]},
            {"step": "limit", "rows": 1},
        ],
        document_id="visits",
    )
    lines = dict.fromkeys((SAMPLE_DOCUMENTS_DIR / "visits.csv").read_text().splitlines()[1:])
    old = [line.split(",")[2] for line in lines if int(line.split(",")[4]) >= 65]
    assert [step.rows for step in table.steps] == [120, len(old), len(old), len(set(old)), len(set(old)), 1]
    busiest = max(set(old), key=old.count)
    assert table.rows == [{"clinic": busiest, "visits": old.count(busiest)}]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"column": "age", "op": "gt", "value": 41}, ["Cid"]),
        ({"column": "age", "op": "le", "value": 41}, ["Ann", "Bob", "Bob"]),
        ({"column": "name", "op": "ne", "value": "Bob"}, ["Ann", "Cid"]),
        ({"column": "name", "op": "in", "value": ["Ann", "Zoe"]}, ["Ann"]),
        ({"column": "name", "op": "in", "value": []}, []),
        ({"column": "name", "op": "not_in", "value": ["Bob"]}, ["Ann", "Cid"]),
        ({"column": "town", "op": "contains", "value": "ann"}, ["Bob", "Bob"]),
        ({"column": "town", "op": "contains", "value": "%"}, []),
        ({"column": "town", "op": "starts_with", "value": "Ell"}, ["Ann", "Cid"]),
        ({"column": "town", "op": "ends_with", "value": "et"}, ["Bob", "Bob"]),
        ({"column": "fee", "op": "is_null"}, ["Bob", "Bob"]),
        ({"column": "fee", "op": "is_not_null"}, ["Ann", "Cid"]),
        ({"not": {"column": "town", "op": "eq", "value": "Ellery"}}, ["Bob", "Bob"]),
        (
            {"any": [{"column": "age", "op": "eq", "value": 65}, {"column": "fee", "op": "eq", "value": 10.5}]},
            ["Ann", "Cid"],
        ),
        (
            {"all": [{"column": "age", "op": "gt", "value": 18}, {"column": "fee", "op": "lt", "value": 5}]},
            ["Cid"],
        ),
    ],
)
def test_a_filter_keeps_the_rows_for_which_its_condition_is_true(where, found):
    assert names({"step": "filter", "where": where}) == found


def test_select_and_rename_keep_the_order_they_give():
    table = process([{"step": "select", "columns": ["age", "name"]}, {"step": "rename", "columns": {"age": "years"}}])
    assert [column.name for column in table.columns] == ["years", "name"]
    assert table.rows[0] == {"years": 41, "name": "Ann"}


def test_names_can_be_swapped_in_one_rename():
    assert rows({"step": "rename", "columns": {"name": "town", "town": "name"}})[0]["name"] == "Ellery"


COLUMN = {"column": "age"}


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ({"value": "x"}, "x"),
        ({"value": None}, None),
        (COLUMN, 41),
        ({"op": "add", "args": [COLUMN, {"value": 1}, {"value": 2}]}, 44),
        ({"op": "subtract", "args": [COLUMN, {"value": 1}]}, 40),
        ({"op": "multiply", "args": [COLUMN, {"value": 2}]}, 82),
        ({"op": "divide", "args": [COLUMN, {"value": 2}]}, 20.5),
        ({"op": "divide", "args": [COLUMN, {"value": 0}]}, None),
        ({"op": "modulo", "args": [COLUMN, {"value": 0}]}, None),
        ({"op": "modulo", "args": [COLUMN, {"value": 4}]}, 1),
        ({"op": "negate", "args": [COLUMN]}, -41),
        ({"op": "round", "args": [{"value": 2.345}, {"value": 1}]}, 2.3),
        ({"op": "concat", "args": [{"column": "name"}, {"value": "-"}, COLUMN]}, "Ann-41"),
        ({"op": "concat", "args": [{"op": "upper", "args": [{"column": "name"}]}, {"value": None}, COLUMN]}, "ANN41"),
        ({"op": "replace", "args": [{"column": "name"}, {"value": ""}, {"value": "m"}]}, "Ann"),
        ({"op": "replace", "args": [{"value": None}, {"value": "n"}, {"value": "m"}]}, None),
        ({"op": "upper", "args": [{"column": "name"}]}, "ANN"),
        ({"op": "trim", "args": [{"value": "\u00a0\t x y \r\n"}]}, "x y"),
        ({"op": "length", "args": [{"column": "name"}]}, 3),
        ({"op": "substring", "args": [{"column": "name"}, {"value": 2}, {"value": 1}]}, "n"),
        ({"op": "replace", "args": [{"column": "name"}, {"value": "n"}, {"value": "m"}]}, "Amm"),
        ({"op": "coalesce", "args": [{"value": None}, COLUMN]}, 41),
        ({"op": "greatest", "args": [COLUMN, {"value": 50}]}, 50),
        (
            {"when": {"column": "age", "op": "ge", "value": 18}, "then": {"value": "a"}, "otherwise": {"value": "b"}},
            "a",
        ),
    ],
)
def test_a_derived_column_has_the_value_that_its_tree_declares(value, first):
    assert derived(value)[0] == first


def test_a_derived_column_replaces_one_of_the_same_name_where_it_stands():
    table = process([{"step": "derive", "column": "name", "value": {"op": "lower", "args": [{"column": "name"}]}}])
    assert [column.name for column in table.columns] == ["name", "town", "age", "fee"]
    assert table.rows[0]["name"] == "ann"


@pytest.mark.parametrize(("op", "expected"), [("year", 2031), ("month", 3), ("day", 9), ("weekday", 7), ("hour", 15)])
def test_parts_of_a_time_are_taken(op, expected):
    assert derived({"op": op, "args": [{"column": "at"}]}, rows=[{"at": "2031-03-09T15:30:00"}]) == [expected]


def test_days_between_two_dates_are_counted():
    value = {"op": "days_between", "args": [{"column": "a"}, {"column": "b"}]}
    assert derived(value, rows=[{"a": "2031-02-27", "b": "2031-03-02"}]) == [3]


def test_a_cast_that_fails_names_the_step_the_row_the_column_and_the_type():
    steps = [{"step": "limit", "rows": 3}, {"step": "cast", "columns": {"n": "number", "v": "integer"}}]
    table = {"text": "n,v\n1,7\n,seven\n3,eight\n4,nine\n", "format": "csv"}
    named = r"step 2 \(cast\): row 2 of the column 'v' can't be read as integer, nor can 1 more$"
    with pytest.raises(ValueRefusedError, match=named):
        process(steps, **table)


SECRET = "Jo Bloggs 1931"
WITH_SECRET = {"rows": [{"v": SECRET, "n": 9_223_372_036_854_775_807, "d": "2024-01-01", "f": 1.5}]}


@pytest.mark.parametrize(
    ("step", "table"),
    [
        *[
            ({"step": "cast", "columns": {"v": type_}}, WITH_SECRET)
            for type_ in ("integer", "number", "decimal", "boolean", "date", "timestamp")
        ],
        ({"step": "filter", "where": {"column": "v", "op": "gt", "value": 5}}, WITH_SECRET),
        ({"step": "filter", "where": {"column": "v", "op": "in", "value": [5, 6]}}, WITH_SECRET),
        ({"step": "filter", "where": {"column": "d", "op": "eq", "value": SECRET}}, WITH_SECRET),
        ({"step": "filter", "where": {"column": "n", "op": "eq", "value": SECRET}}, WITH_SECRET),
        *[
            ({"step": "derive", "column": "x", "value": {"op": op, "args": [{"column": column}, other]}}, WITH_SECRET)
            for op, column, other in (
                ("add", "n", {"column": "n"}),
                ("multiply", "n", {"value": 1931}),
                ("add", "d", {"value": SECRET}),
                ("round", "f", {"value": SECRET}),
                ("days_between", "d", {"value": SECRET}),
            )
        ],
        ({"step": "cast", "columns": {"n": "decimal"}}, WITH_SECRET),
        *[
            (None, {"text": f"v\n{SECRET}\n", "format": "csv", "csv": {"types": {"v": type_}}})
            for type_ in ("integer", "number", "decimal", "boolean", "date", "timestamp")
        ],
        (
            None,
            {
                "text": f"v\n{SECRET}\n",
                "format": "csv",
                "csv": {"types": {"v": "date"}, "date_format": "%d/%m/%Y"},
            },
        ),
        (None, {"text": f'v,w\n"{SECRET},2\n', "format": "csv"}),
        (None, {"text": f"v,w\n{SECRET}\n", "format": "csv"}),
        (None, {"text": '{"v": ' + SECRET + "}", "format": "jsonl"}),
        (None, {"text": f'{{"v": "{SECRET}", "v": 1}}', "format": "jsonl"}),
        (None, {"text": f'{{"v": {{"x": "{SECRET}", "x": "{SECRET}"}}}}', "format": "jsonl"}),
        (None, {"text": f'"{SECRET}"', "format": "jsonl"}),
        (None, {"text": f'{{"v": "{SECRET}\x01"}}', "format": "jsonl"}),
    ],
)
def test_no_error_quotes_a_value(step, table):
    with pytest.raises(InputError) as caught:
        process([step] if step else [], **table)
    said = str(caught.value)
    assert not any(part in said for part in (*SECRET.split(), "9223372036854775807"))


def test_a_step_that_there_is_not_is_refused_without_what_it_was_called():
    with pytest.raises(InputError, match=r"steps\.0: 'step' is none of 'filter', ") as caught:
        read_payload(DataProcessingPayload, {"rows": ROWS, "steps": [{"step": SECRET}]})
    assert SECRET not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_a_full_disk_is_said_in_a_sentence(tmp_path):
    (tmp_path / "full.csv").symlink_to("/dev/full")
    with Sandbox([tmp_path / "full.csv"], tmp_path / "spill") as sandbox, pytest.raises(OverBudgetError) as caught:
        sandbox.execute(f"COPY (SELECT 1) TO '{tmp_path / 'full.csv'}' (FORMAT csv)")
    assert str(caught.value) == "the disk of the worker's temporary files is full: make room there"


def test_a_cast_may_give_null_instead():
    step = {"step": "cast", "columns": {"v": "integer"}, "on_error": "null"}
    assert rows(step, text="v\n7\nseven\n", format="csv") == [{"v": 7}, {"v": None}]


@pytest.mark.parametrize(
    ("type_", "value"),
    [("text", "41"), ("number", 41.0), ("decimal", "41.0000"), ("boolean", True), ("integer", 41)],
)
def test_each_type_is_given_as_a_json_value(type_, value):
    assert rows({"step": "cast", "columns": {"age": type_}})[0]["age"] == value


def test_dedupe_keeps_the_first_of_alike_rows_also_when_a_column_is_called_rowid():
    table = [
        {"rowid": 9, "place": 1, "k": "a"},
        {"rowid": 1, "place": 2, "k": "a"},
        {"rowid": 5, "place": 3, "k": "b"},
    ]
    assert [row["rowid"] for row in rows({"step": "dedupe", "by": ["k"]}, rows=table)] == [9, 5]
    assert names({"step": "dedupe"}) == ["Ann", "Bob", "Cid"]


def test_a_sort_is_stable_and_puts_nulls_last_in_both_directions():
    table = [{"name": str(number), "key": key} for number, key in enumerate([2, None, 1, 2, None, 1])]
    assert names({"step": "sort", "by": [{"column": "key"}]}, rows=table) == ["2", "5", "0", "3", "1", "4"]
    descending = {"step": "sort", "by": [{"column": "key", "descending": True}]}
    assert names(descending, rows=table) == ["0", "3", "2", "5", "1", "4"]


def test_the_measures_of_a_group_leave_out_nulls():
    measures = {
        "rows": {"function": "count"},
        "known": {"function": "count", "column": "fee"},
        "names": {"function": "count_distinct", "column": "name"},
        "sum": {"function": "sum", "column": "fee"},
        "mean": {"function": "mean", "column": "fee"},
        "median": {"function": "median", "column": "age"},
        "least": {"function": "min", "column": "age"},
        "most": {"function": "max", "column": "age"},
    }
    assert rows({"step": "aggregate", "values": measures}) == [
        {"rows": 4, "known": 2, "names": 3, "sum": 12.5, "mean": 6.25, "median": 29.0, "least": 17, "most": 65}
    ]
    by_town = rows({"step": "aggregate", "by": ["town"], "values": {"sum": {"function": "sum", "column": "fee"}}})
    assert by_town == [{"town": "Ellery", "sum": 12.5}, {"town": "Gannet", "sum": None}]


def test_limit_takes_an_offset():
    assert names({"step": "limit", "rows": 2, "offset": 1}) == ["Bob", "Cid"]


def test_the_result_is_bounded_in_rows_and_says_how_many_there_are():
    table = process(max_rows=3)
    assert (len(table.rows), table.total_rows, table.truncated) == (3, 4, True)
    assert not process(max_rows=4).truncated


def test_infinite_and_undefined_numbers_are_null():
    cast = {"step": "cast", "columns": {"v": "number"}}
    table = process([cast], text="v\ninf\nnan\n1.5\n", format="csv")
    assert table.rows == [{"v": None}, {"v": None}, {"v": 1.5}]


def test_infinite_times_are_null_and_others_are_given_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCUMENTS_DIR", str(tmp_path))
    columns = (
        "DATE 'infinity' AS d, '-infinity'::TIMESTAMP AS t, 'infinity'::TIMESTAMPTZ AS z, DATE '2024-01-01' AS day, "
        "'2024-01-01 10:00:00.123456789'::TIMESTAMP_NS AS ns, INTERVAL '1 year 2 days' AS i, [DATE '2024-01-01'] AS l"
    )
    duckdb.sql(f"SELECT {columns}").write_parquet(str(tmp_path / "times.parquet"))
    [row] = rows(document_id="times")
    assert row == {
        "d": None,
        "t": None,
        "z": None,
        "day": "2024-01-01",
        "ns": "2024-01-01T10:00:00.123456789",
        "i": "1 year 2 days",
        "l": ["2024-01-01"],
    }
    said = {"types": {"d": "date"}}
    assert rows(text="d\ninfinity\n", format="csv", csv=said) == [{"d": None}]


def test_large_sums_stay_exact():
    total = rows(
        {"step": "aggregate", "values": {"sum": {"function": "sum", "column": "n"}}}, rows=[{"n": 2**62}] * 4
    )
    assert total == [{"sum": 2**64}]


def test_a_csv_in_a_legacy_encoding_or_with_semicolons_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCUMENTS_DIR", str(tmp_path))
    (tmp_path / "a.csv").write_bytes("größe;n\nänderung;1\n".encode("cp1252"))
    (tmp_path / "b.csv").write_bytes("größe,n\nänderung,1\n".encode("utf-16"))
    assert rows(document_id="a") == rows(document_id="b") == [{"größe": "änderung", "n": 1}]


RAGGED = "a,b\n1,2\n3\n4,5,6\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (RAGGED, r"2 lines do not .* 2 fields .*: line 3, 4 "),
        ("a,b\n" + "1,2\n" * 1000 + "3\n", r"1 line does not .*: line 1002 "),
        ("a,b\n" + "3\n" * 5000, r"5,000 lines do not .*: line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"),
        ('a,b\n1,2\n"x\ny",2\n"x,3\n1,2\n', r": line 5 "),
    ],
)
def test_lines_with_other_fields_than_the_first_are_an_error_that_names_them(text, named):
    with pytest.raises(UnreadableError, match=named):
        process(text=text, format="csv")


def test_lines_with_other_fields_are_left_out_or_padded_where_the_caller_says_so():
    skipped = process(text=RAGGED, format="csv", csv={"on_bad_rows": "skip"})
    assert skipped.rows == [{"a": 1, "b": 2}]
    assert (skipped.csv.bad_rows, skipped.csv.bad_lines) == (2, [3, 4])
    padded = process(text='a,b\n1,2\n"3\n3"\n', format="csv", csv={"on_bad_rows": "pad"})
    assert padded.rows == [{"a": "1", "b": 2}, {"a": "3\n3", "b": None}]
    assert (padded.csv.bad_rows, padded.csv.bad_lines) == (1, [3])
    for how in ("skip", "pad"):
        with pytest.raises(UnreadableError, match="line 3"):
            process(text='a,b\n1,2\n"3,4\n5,6\n', format="csv", csv={"on_bad_rows": how})
    with pytest.raises(UnreadableError, match=r"line 4 .*Found: 3"):
        process(text=RAGGED, format="csv", csv={"on_bad_rows": "pad"})


@pytest.mark.parametrize(
    ("text", "said", "delimiter", "header", "columns"),
    [
        ("name;n\nx,y;1\n", {}, ";", True, {"name": "VARCHAR", "n": "BIGINT"}),
        ("1|2\n3|4\n", {}, "|", False, {"column0": "BIGINT", "column1": "BIGINT"}),
        ("a\tb\n1\t2\n", {}, "\t", True, {"a": "BIGINT", "b": "BIGINT"}),
        ("a\nb\n", {"header": False}, ",", False, {"column0": "VARCHAR"}),
        ("a#b\n1#2\n", {"delimiter": "#"}, "#", True, {"a": "BIGINT", "b": "BIGINT"}),
        ('"it\'s ""a""",b\n1,2\n', {}, ",", True, {'it\'s "a"': "BIGINT", "b": "BIGINT"}),
    ],
)
def test_how_a_csv_is_written_is_as_said_or_told_as_detected(text, said, delimiter, header, columns):
    table = process(text=text, format="csv", csv=said)
    assert (table.csv.delimiter, table.csv.header) == (delimiter, header)
    assert table.csv.detected == [name for name in ("delimiter", "header") if name not in said]
    assert {column.name: column.type for column in table.input_columns} == columns


@pytest.mark.parametrize(
    ("values", "sql_type"),
    [
        (["01/02/2024", "03/04/2024"], "VARCHAR"),
        (["2024-02-01", "2024-02-29"], "DATE"),
        (["2024-02-01", "2024-02-30"], "VARCHAR"),
        (["2024-02-01 10:00:00", "2024-02-01T10:00:00.5"], "TIMESTAMP"),
        (["007", "123"], "VARCHAR"),
        (["0", "-12", "+3"], "BIGINT"),
        (["1.50", "2", ".5", "1.0e3", "1e+3", "-2E-05"], "DOUBLE"),
        (["1E5", "12E4"], "VARCHAR"),
        (["+447911123456", "+4915112345678"], "VARCHAR"),
        (["+1234567.5", "1"], "VARCHAR"),
        (["+123456", "-1234567"], "BIGINT"),
        (["12345678901234567890", "1"], "VARCHAR"),
        (["0,125", "1,5"], "VARCHAR"),
        (["true", "FALSE"], "BOOLEAN"),
        (["", "1"], "BIGINT"),
        (["2024-02-01", ""], "DATE"),
        (["nan", "1"], "VARCHAR"),
    ],
)
def test_a_type_is_found_only_where_every_value_is_sure_to_be_of_it(values, sql_type):
    text = "v;w\n" + "".join(f"{value};x\n" for value in values)
    table = process(text=text, format="csv")
    assert table.input_columns[0].type == sql_type
    if sql_type == "VARCHAR":
        assert [row["v"] for row in table.rows] == values


def test_a_field_that_is_empty_in_quotes_is_an_empty_text_and_else_null():
    text = 't,n,d\n"","",""\n,,\n"x","1","2024-01-01"\n'
    nothing = {"n": None, "d": None}
    table = process(text=text, format="csv")
    assert [column.type for column in table.input_columns] == ["VARCHAR", "BIGINT", "DATE"]
    assert table.rows == [{"t": "", **nothing}, {"t": None, **nothing}, {"t": "x", "n": 1, "d": "2024-01-01"}]
    said = {"types": {"t": "text", "n": "integer", "d": "date"}, "date_format": "%Y-%m-%d"}
    assert rows(text=text, format="csv", csv=said) == table.rows
    assert process(text='t\n""\n', format="csv").input_columns[0].type == "VARCHAR"


def test_a_type_that_the_caller_names_counts():
    said = {"types": {"d": "date", "code": "integer"}, "date_format": "%d/%m/%Y"}
    assert rows(text="d,code\n01/02/2024,007\n", format="csv", csv=said) == [{"d": "2024-02-01", "code": 7}]
    with pytest.raises(ValueRefusedError, match=r"row 2 of the column 'd' can't be read as date, as types says"):
        process(text="d,code\n,7\n13/13/2024,7\n", format="csv", csv=said)
    with pytest.raises(InputError, match="'e' that is not there; there are 'd', 'code'"):
        process(text="d,code\n01/02/2024,7\n", format="csv", csv={"types": {"e": "date"}})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("01/02/24", {"types": {"d": "date"}, "date_format": "%d/%m/%Y"}),
        ("24-02-01", {"types": {"d": "date"}}),
        ("24-02-01 10:00:00", {"types": {"d": "timestamp"}}),
    ],
)
def test_a_year_of_two_digits_is_none_of_the_first_century(value, said):
    with pytest.raises(ValueRefusedError, match=f"row 1 of the column 'd' can't be read as {said['types']['d']}"):
        process(text=f"d\n{value}\n", format="csv", csv=said)
    two_digits = {"types": {"d": "date"}, "date_format": "%d/%m/%y"}
    assert rows(text="d\n01/02/24\n", format="csv", csv=two_digits) == [{"d": "2024-02-01"}]


def test_the_line_by_which_excel_says_the_delimiter_is_no_header():
    for start in ("sep=;\n", "\ufeffSEP=;\r\n", "\nsep=;\n\n"):
        table = process(text=start + "a;b\n1;2\n", format="csv")
        assert table.rows == [{"a": 1, "b": 2}]
        assert (table.csv.delimiter, table.csv.detected) == (";", ["header"])


def test_a_tsv_file_is_separated_by_tabs(folder):
    (folder / "tabs.tsv").write_text("a,b\tc\n1,2\t3\n")
    assert rows(document_id="tabs") == [{"a,b": "1,2", "c": 3}]
    assert rows(document_id="tabs.tsv", csv={"delimiter": ","}) == [{"a": 1, "b\tc": "2\t3"}]


@pytest.mark.parametrize(("name", "text"), [("a.json", '[{"a": 1}]'), ("a.jsonl", '{"a": 1}'), ("a.csv", "a\n1\n")])
def test_a_table_may_begin_with_a_byte_order_mark(folder, name, text):
    (folder / name).write_bytes(text.encode("utf-8-sig"))
    assert rows(document_id=name) == rows(text="\ufeff" + text, format=name.partition(".")[2]) == [{"a": 1}]


def test_half_a_character_in_a_text_is_marked():
    assert rows(text="a\n\ud800x\n", format="csv") == [{"a": "\ufffdx"}]


@pytest.mark.parametrize("text", ["", "\n\n", "a,A\n1,2\n", "x" * 200_000 + ",b\n1,2\n"])
def test_a_csv_without_columns_that_can_be_told_apart_is_refused(text):
    with pytest.raises(InputError):
        process(text=text, format="csv")


def test_a_type_that_changes_late_in_the_file_is_found(tmp_path):
    text = "v\n" + "1\n" * 50_000 + "late\n"
    table = process(text=text, format="csv", max_rows=1)
    assert table.total_rows == 50_001
    assert table.columns[0].type == "VARCHAR"


def test_half_a_million_rows_are_aggregated_in_seconds():
    text = "k,v\n" + "".join(f"{number % 7},{number}\n" for number in range(500_000))
    started_s = time.monotonic()
    found = rows(
        {"step": "aggregate", "by": ["k"], "values": {"sum": {"function": "sum", "column": "v"}}},
        text=text,
        format="csv",
    )
    assert time.monotonic() - started_s < 30
    assert found[3] == {"k": 3, "sum": sum(range(3, 500_000, 7))}


# What is declared wrongly


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"rows": ROWS, "document_id": "visits"},
        {"rows": []},
        {"rows": [1]},
        {"rows": ROWS, "format": "csv"},
        {"rows": ROWS, "csv": {}},
        {"text": "{}", "format": "json", "csv": {}},
        {"text": "a", "format": "csv", "csv": {"delimiter": "::"}},
        {"text": "a", "format": "csv", "csv": {"delimiter": '"'}},
        {"text": "a", "format": "csv", "csv": {"date_format": "%d"}},
        {"text": "a"},
        {"text": "a", "format": "parquet"},
        {"text": "a", "format": "xlsx"},
        {"rows": ROWS, "sql": "SELECT 1"},
    ],
)
def test_an_input_that_is_not_exactly_one_table_is_refused(table):
    with pytest.raises(ValidationError):
        TableInput.model_validate(table)


@pytest.mark.parametrize(
    "step",
    [
        {"step": "sql", "query": "SELECT 1"},
        {"step": "filter", "where": "age > 18"},
        {"step": "filter", "where": {"column": "age", "op": "> 18 OR", "value": 1}},
        {"step": "filter", "where": {"column": "age", "op": "eq", "value": None}},
        {"step": "filter", "where": {"column": "age", "op": "eq", "value": [1]}},
        {"step": "filter", "where": {"column": "age", "op": "in", "value": 1}},
        {"step": "filter", "where": {"column": "age", "op": "not_in", "value": [1, None]}},
        {"step": "filter", "where": {"column": "age", "op": "eq", "value": {"sql": "1"}}},
        {"step": "filter", "where": {"column": "age", "op": "is_null", "value": 1}},
        {"step": "filter", "where": {"all": []}},
        {"step": "filter", "where": {"column": "age", "op": "eq", "value": 1}, "sql": "1"},
        {"step": "select", "columns": []},
        {"step": "select", "columns": [1]},
        {"step": "derive", "column": "x", "value": "age * 2"},
        {"step": "derive", "column": "x", "value": {"op": "read_text", "args": [{"value": "/etc/passwd"}]}},
        {"step": "derive", "column": "x", "value": {"op": "subtract", "args": [COLUMN]}},
        {"step": "derive", "column": "x", "value": {"op": "lower", "args": [COLUMN, COLUMN]}},
        {"step": "derive", "column": "", "value": COLUMN},
        {"step": "cast", "columns": {"age": "INTEGER); DROP TABLE t0; --"}},
        {"step": "aggregate", "values": {"x": {"function": "sum"}}},
        {"step": "aggregate", "values": {"x": {"function": "system", "column": "age"}}},
        {"step": "sort", "by": [{"column": "age", "descending": "ASC, 1"}]},
        {"step": "limit", "rows": -1},
        {"step": "limit", "rows": "1; DROP TABLE t0"},
    ],
)
def test_a_step_that_is_not_as_declared_is_refused(step):
    with pytest.raises(ValidationError):
        STEPS.validate_python([step])


def test_a_condition_with_too_many_parts_or_too_deep_is_refused():
    leaf = {"column": "age", "op": "eq", "value": 1}
    with pytest.raises(ValidationError, match="at most 200"):
        STEPS.validate_python([{"step": "filter", "where": {"all": [{"any": [leaf] * 50}] * 5}}])
    deep = leaf
    for _ in range(5_000):
        deep = {"not": deep}
    with pytest.raises(ValidationError):
        STEPS.validate_python([{"step": "filter", "where": deep}])


# Attacks through names


HOSTILE = [
    'x"; DROP TABLE t0; --',
    "a\" FROM read_text('/etc/passwd'); --",
    "x' OR '1'='1",
    "{place}",
    "{0}",
    "?",
    "$1",
    "*",
    "a.b",
    'quote"quote""quote',
    "SELECT",
    "\u202e\U0001f4a5",
    "new\nline",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_never_a_column_that_there_is(name):
    leaf = {"column": name, "op": "is_null"}
    for step in (
        {"step": "filter", "where": leaf},
        {"step": "select", "columns": [name]},
        {"step": "rename", "columns": {name: "x"}},
        {"step": "derive", "column": "x", "value": {"column": name}},
        {"step": "cast", "columns": {name: "text"}},
        {"step": "dedupe", "by": [name]},
        {"step": "aggregate", "by": [name], "values": {"n": {"function": "count"}}},
        {"step": "aggregate", "values": {"n": {"function": "max", "column": name}}},
        {"step": "sort", "by": [{"column": name}]},
    ):
        with pytest.raises(InputError, match="there is no column"):
            process([step])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_that_the_table_really_has_is_a_name_like_any_other(name):
    table = [{name: 2, "k": "b"}, {name: 1, "k": "a"}, {name: 1, "k": "a"}]
    steps = [
        {"step": "filter", "where": {"column": name, "op": "gt", "value": 0}},
        {"step": "dedupe", "by": [name]},
        {"step": "sort", "by": [{"column": name}]},
        {"step": "cast", "columns": {name: "integer"}},
        {"step": "derive", "column": name, "value": {"op": "add", "args": [{"column": name}, {"value": 1}]}},
        {"step": "rename", "columns": {"k": name + "2"}},
        {"step": "aggregate", "by": [name], "values": {name + "3": {"function": "max", "column": name + "2"}}},
    ]
    assert rows(*steps, rows=table) == [{name: 2, name + "3": "a"}, {name: 3, name + "3": "b"}]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_only_a_value(value):
    table = [{"v": value}, {"v": "other"}]
    assert rows({"step": "filter", "where": {"column": "v", "op": "eq", "value": value}}, rows=table) == [
        {"v": value}
    ]


def test_two_columns_of_one_name_are_refused_whatever_the_capitals():
    for step in (
        {"step": "select", "columns": ["name", "name"]},
        {"step": "rename", "columns": {"name": "TOWN"}},
        {"step": "derive", "column": "Name", "value": {"value": 1}},
        {"step": "aggregate", "by": ["name"], "values": {"NAME": {"function": "count"}}},
    ):
        with pytest.raises(InputError, match="two columns"):
            process([step])


# Attacks on the machine


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A document folder with a table, and a secret beside it."""
    (tmp_path / "secret.csv").write_text("a\nsecret\n")
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "table.csv").write_text("a\n1\n")
    monkeypatch.setenv("DOCUMENTS_DIR", str(documents))
    return documents


@pytest.mark.parametrize("name", ["../secret.csv", "../secret", "/etc/passwd", "http://127.0.0.1/a.csv", "a\0.csv"])
def test_a_table_outside_the_folders_is_refused(folder, name):
    with pytest.raises((NameRefusedError, NotFoundError)) as caught:
        process(document_id=name)
    assert str(folder.parent) not in str(caught.value)


def test_a_link_out_of_the_folders_is_refused(folder):
    (folder / "link.csv").symlink_to(folder.parent / "secret.csv")
    with pytest.raises(NameRefusedError):
        process(document_id="link")


def test_a_pattern_matches_no_files_and_a_file_called_like_one_is_just_a_file(folder):
    for pattern in ("*.csv", "*", "t?ble.csv", "[t]able.csv"):
        with pytest.raises(NotFoundError):
            process(document_id=pattern)
    (folder / "*.csv").write_text("b\n2\n")
    assert rows(document_id="*.csv") == [{"b": 2}]


def test_a_folder_called_like_a_partition_adds_no_column(folder):
    (folder / "year=2031").mkdir()
    (folder / "year=2031" / "a.csv").write_text("a\n1\n")
    assert rows(document_id="year=2031/a") == [{"a": 1}]


def test_a_table_may_lie_in_one_of_the_other_roots(folder, monkeypatch):
    more = folder.parent / "more"
    more.mkdir()
    (more / "extra.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    with pytest.raises(NotFoundError):
        process(document_id="extra")
    monkeypatch.setenv("DATA_ROOTS", f"{folder.parent / 'missing'}:{more}")
    assert rows(document_id="extra") == [{"a": 1}, {"a": 2}]


def test_an_input_over_the_limit_is_refused(folder, monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "100")
    (folder / "large.csv").write_text("a\n" + "1\n" * 60)
    for table in ({"document_id": "large"}, {"rows": [{"a": "x" * 101}]}, {"text": "x" * 101, "format": "csv"}):
        with pytest.raises(TooLargeError):
            process(**table)


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ({"document_id": "doc456.txt"}, UnreadableError),
        ({"document_id": "doc456.txt", "format": "parquet"}, InputError),
        ({"text": "{not json", "format": "json"}, InputError),
        ({"text": '{"a": 1}\n{"a":', "format": "jsonl"}, InputError),
    ],
)
def test_a_file_that_is_not_such_a_table_is_refused_without_a_path_in_the_message(table, error):
    with pytest.raises(error) as caught:
        process(**table)
    assert gettempdir() not in str(caught.value)
    assert str(SAMPLE_DOCUMENTS_DIR) not in str(caught.value)


@pytest.fixture
def sandbox(tmp_path):
    source = tmp_path / "input.csv"
    source.write_text("a\n1\n")
    (tmp_path / "other.csv").write_text("a\n2\n")
    with Sandbox([source], tmp_path / "spill") as opened:
        load_csv(opened, source, "t0", CsvOptions())
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('{folder}/../../../../../../etc/passwd')",
        "SELECT * FROM read_csv('{folder}/other.csv')",
        "SELECT * FROM read_csv('{folder}/*.csv')",
        "SELECT * FROM '{folder}/other.csv'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_csv('{folder}/link.csv')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
        "COPY t0 TO '{folder}/written.csv'",
        "EXPORT DATABASE '{folder}/export'",
        "ATTACH '{folder}/written.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SET lock_configuration = false",
        "SET memory_limit = '64GB'",
        "RESET memory_limit",
        "SET temp_directory = '{folder}'",
    ],
)
def test_even_arbitrary_sql_could_not_leave_the_sandbox(sandbox, tmp_path, sql):
    (tmp_path / "link.csv").symlink_to("other.csv")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError):
        sandbox.execute(sql.format(folder=tmp_path))
    assert sorted(tmp_path.iterdir()) == before
    assert sandbox.execute("FROM t0") == [(1,)]


VALUE = {"column": "v"}
GROW = {"step": "derive", "column": "v", "value": {"op": "concat", "args": [VALUE] * 10}}
REPLACE = {"op": "replace", "args": [VALUE, {"value": "x"}, {"value": "y" * 2_000}]}


@pytest.mark.parametrize(
    "steps",
    [
        [GROW] * 7,
        [*[GROW] * 3, {"step": "derive", "column": "v", "value": REPLACE}],
        [
            {
                "step": "derive",
                "column": "v",
                "value": {"op": "concat", "args": [{"op": "upper", "args": [REPLACE]}] * 9},
            }
        ]
        * 3,
        [{"step": "derive", "column": "v", "value": {"op": "concat", "args": [{"value": "x" * 150_000}] * 2}}],
    ],
)
def test_a_text_that_grows_without_end_is_refused_before_it_is_made(steps):
    with pytest.raises(InputError, match=r"(concat|replace) would make a text of more than 262,144 bytes"):
        process(steps, rows=[{"v": "x"}])


def test_a_long_text_may_be_made_shorter_or_stay_and_only_rows_that_are_asked_count():
    text = "x" * 300_000
    shorter = {"op": "replace", "args": [VALUE, {"value": "x"}, {"value": ""}]}
    assert derived(shorter, rows=[{"v": text + "y"}]) == ["y"]
    choice = {"when": {"column": "v", "op": "eq", "value": text}, "then": VALUE, "otherwise": REPLACE}
    assert derived(choice, rows=[{"v": text}]) == [text]


def test_a_table_that_is_too_large_for_the_memory_and_the_disk_is_an_error(monkeypatch):
    monkeypatch.setenv("TABLE_MEMORY_MB", "32")
    monkeypatch.setattr(sandboxes, "SPILL_LIMIT_BYTES", 2**20)
    table = [{"v": f"{number:06}" + "x" * 194} for number in range(1_000)]
    with pytest.raises(OverBudgetError, match=r"used more than 32 MB of memory for tables"):
        process([GROW] * 3, rows=table)


class StopError(Exception):
    """What a check raises."""


SLOW = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"


def test_a_watched_query_stops_when_it_is_to(sandbox):
    def check():
        raise StopError

    started_s = time.monotonic()
    with pytest.raises(StopError):
        sandbox.execute(SLOW, check=check)
    assert time.monotonic() - started_s < 10
    assert sandbox.execute("SELECT 1") == [(1,)]  # the connection is not left with the query that was stopped


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process([{"step": "dedupe"}])
    with pytest.raises(InputError):
        process([{"step": "select", "columns": ["missing"]}])
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_before_each_step_and_ends_complete():
    told = []
    steps = STEPS.validate_python([{"step": "dedupe"}, {"step": "limit", "rows": 1}])
    process_table(TableInput(rows=ROWS), steps, Delivery(), progress=lambda *report: told.append(report))
    assert [(done, total) for done, total, _ in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told[1][2] == "step 1 of 2: dedupe"


def test_the_documented_example_runs_as_it_stands():
    documented = (Path(__file__).parents[2] / "docs" / "how-to" / "tables.md").read_text()
    payload = json.loads(documented.partition("```json\n")[2].partition("```")[0])
    table = data_processing(**payload)
    assert [step["rows"] for step in table["steps"]][-1] == 3
    assert table["steps"][1]["joined"]["unmatched"] == 0
    assert [column["name"] for column in table["columns"]] == ["clinic", "rooms", "visits"]


def test_the_task_gives_the_table_as_json():
    table = data_processing(document_id="clinics", steps=[{"step": "select", "columns": ["clinic"]}], max_rows=1)
    assert table["kind"] == "data_processing"
    assert table["rows"] == [{"clinic": "Lantern Quay"}]
    assert json.loads(json.dumps(table)) == table
