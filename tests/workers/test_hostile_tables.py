"""Any bytes give a table or an InputError."""

import json
import math
import random
import string
import subprocess
import sys

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.tables_under_test import process, rows

from workers.errors import InputError, UnreadableError

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600), pytest.mark.usefixtures("results_dir")]

FORMATS = ["csv", "json", "jsonl", "parquet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(autouse=True)
def documents(folder, monkeypatch):
    monkeypatch.setenv("DOCUMENTS_DIR", str(folder))


NO_ROOM_FOR_A_THREAD = """
import resource, sys
from pathlib import Path
from workers.tables.sandbox import Sandbox
with Sandbox([], Path(sys.argv[1])) as sandbox:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
    try:
        sandbox.execute("SELECT 1", check=lambda: None)
    except MemoryError as error:
        print(error.__cause__, flush=True)  # with so little memory its end may be a crash
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept on Linux only")
def test_memory_that_does_not_suffice_for_a_thread_is_short_memory(tmp_path):
    command = [sys.executable, "-c", NO_ROOM_FOR_A_THREAD, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.stdout == "can't start new thread\n", child.stderr[-2000:]


def read(folder, format_, data, **options):
    """The table in a file, or None where it is refused; in the end it must be as a record has it."""
    (folder / f"t.{format_}").write_bytes(data)
    try:
        table = process(document_id=f"t.{format_}", max_rows=100, **options)
    except InputError:
        return None
    json.dumps(table.model_dump(mode="json"), allow_nan=False)
    return table


@pytest.mark.parametrize("format_", FORMATS)
@given(data=st.binary(max_size=300))
def test_random_bytes_are_a_table_or_an_input_error(folder, format_, data):
    read(folder, format_, data)


FRAGMENTS = [
    b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b" ",
    b"a", b"1", b"0001",
    b"1e999", b"-9223372036854775808", b"99999999999999999999",
    b"2024-02-30", b"0000-01-01", b"9999-12-31",
    b"2024-01-01T24:00:00", b"2024-12-31 23:59:60", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59-12:00",
    b"nan",
    b"true", b"\\", b"'", b"\xc3\xa9", b"\xf0\x9f\x92\xa5", b"\xed\xa0\x80", b"#", b"=cmd()", b"NULL", b"\x1a",
    b"\xe2\x80\xa8",
]  # fmt: skip


@given(
    parts=st.lists(st.sampled_from(FRAGMENTS), max_size=40),
    options=st.fixed_dictionaries(
        {},
        optional={
            "delimiter": st.sampled_from([",", ";", " ", "a", "é", "\U0001f4a5", "\\"]),
            "header": st.booleans(),
            "on_bad_rows": st.sampled_from(["fail", "skip", "pad"]),
        },
    ),
)
@example(parts=[b"a", b"\n", b"0000-01-01", b"\n"], options={})
@example(parts=[b"a", b"\n", b"9999-12-31T23:59:59-12:00", b"\n"], options={})
def test_pieces_of_csv_in_any_order_are_a_table_or_an_input_error(folder, parts, options):
    read(folder, "csv", b"".join(parts), csv=options)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2024-01-01", "0000-01-01", "9999-12-31T23:59:59Z", "01/02/2024", "007"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    table=st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "A", "", "x y", "é"]), VALUES, max_size=4), min_size=1, max_size=5
    )
)
def test_objects_of_any_kind_are_given_as_they_are_or_refused(table):
    try:
        found = process(rows=table, max_rows=100)
    except InputError:
        return
    assert found.total_rows == len(table)
    for before, after in zip(table, found.rows, strict=True):
        for name, value in before.items():
            assert_same(value, after[name])


def assert_same(before, after):
    """Whether a value is the same, or the same as text where the types of its column are mixed."""
    if isinstance(before, float) and not math.isfinite(before):
        assert after in (None, str(before), "NaN", "Infinity", "-Infinity")
    elif isinstance(before, list) and isinstance(after, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            assert_same(value, after[name])
    elif isinstance(after, str) and not isinstance(before, str):
        assert json.loads(after) == before
    elif isinstance(before, str) and before != after:
        assert before.replace("T", " ").removesuffix("Z") == after.replace("T", " ").removesuffix("Z")
    else:
        assert before == after


@given(st.binary(max_size=20), st.integers(0, 3_000), st.integers(0, 3_000))
def test_a_damaged_parquet_file_is_a_table_or_an_input_error(folder, bytes_, start, cut):
    data = bytearray(parquet(folder))
    start %= len(data)
    data[start : start + len(bytes_)] = bytes_
    read(folder, "parquet", bytes(data[: len(data) - cut % 50 if cut % 2 else None]))


def parquet(folder):
    path = folder / "whole.parquet"
    if not path.exists():
        columns = "i AS n, 'text ' || i AS t, [i] AS l, {'x': i} AS s, DATE '2024-01-01' + i::INTEGER AS d"
        duckdb.sql(f"SELECT {columns} FROM range(100) r(i)").write_parquet(str(path))
    return path.read_bytes()


# What was found wrong once


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\r\n1,2\n3,4\r\n", [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        ("a,b\r1,2\r3,4\r", [{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        ('a,b\r\n"x\r\ny",2\r\n', [{"a": "x\r\ny", "b": 2}]),
        ("\n\r\n\na,b\n1,2\n", [{"a": 1, "b": 2}]),
        ("\ufeff\n\na,b\n1,2\n", [{"a": 1, "b": 2}]),
        ("a,b,\n1,2,\n", [{"a": 1, "b": 2, "column2": None}]),
        ("a,b\n" + "x" * 3_000_000 + ",2\n", [{"a": "x" * 3_000_000, "b": 2}]),
        ("a;b\n1,5;2\n1,6;3\n", [{"a": "1,5", "b": 2}, {"a": "1,6", "b": 3}]),
        ("a\n1e300\n1e400\n", [{"a": "1e300"}, {"a": "1e400"}]),
        ("a\n2024-02-29T10:00:00+01:00\n", [{"a": "2024-02-29T09:00:00Z"}]),
    ],
)
def test_an_unusual_csv_is_read_to_its_last_line(text, found):
    assert rows(text=text, format="csv", max_bytes=10**7) == found


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a,a\n1,2\n", "two columns are called 'a': rename one, or say header: false"),
        ("A report\na,b\n1,2\n", "line 2, 3 "),
        ("a,b\r1,2\r3\r", "line 3 "),
        ("\n\na,b\n1,2\n3\n", "line 5 "),
        ("a\0,b\n1,2\n", "NUL bytes"),
        ("x" * 2_000 + ",b\n1,2\n", "name has 2,000 characters|has 2,000 characters"),
    ],
)
def test_a_csv_that_is_not_sure_to_be_understood_is_refused(text, named):
    with pytest.raises(UnreadableError, match=named):
        process(text=text, format="csv")


@pytest.mark.parametrize(
    ("table", "sql_type", "found"),
    [
        ([{"v": "01-02-2024"}, {"v": "03-04-2024"}], "VARCHAR", ["01-02-2024", "03-04-2024"]),
        ([{"v": 10**24}, {"v": 1}], "HUGEINT", [10**24, 1]),
        ([{"v": -(2**63)}, {"v": 2**63 - 1}], "BIGINT", [-(2**63), 2**63 - 1]),
        ([{"v": 10**50}, {"v": 1}], "VARCHAR", [str(10**50), "1"]),
        ([{"v": 2**53 + 1}, {"v": 1.5}], "VARCHAR", [str(2**53 + 1), "1.5"]),
        ([{"v": 0.1 + 0.2}, {"v": 1}], "DOUBLE", [0.1 + 0.2, 1]),
        ([{"v": 1}, {"v": "x"}, {"v": True}], "VARCHAR", ["1", "x", "true"]),
        ([{"v": 1}, {"v": [1, {"x": 10**30}]}], "JSON", [1, [1, {"x": 10**30}]]),
        ([{"v": {"x": 2**60 + 1}}, {"v": {"x": 0.5}}], "JSON", [{"x": 2**60 + 1}, {"x": 0.5}]),
        ([{"v": {"x_1": 1, "y": "a"}}], "STRUCT(x_1 BIGINT, y VARCHAR)", [{"x_1": 1, "y": "a"}]),
        ([{"v": "123E4567-E89B-12D3-A456-426614174000"}], "VARCHAR", ["123E4567-E89B-12D3-A456-426614174000"]),
        ([{"v": "10:00"}], "VARCHAR", ["10:00"]),
        ([{"v": "0000-01-01"}], "VARCHAR", ["0000-01-01"]),
        ([{"v": "9999-12-31T23:59:59-12:00"}], "VARCHAR", ["9999-12-31T23:59:59-12:00"]),
        ([{"v": "2024-02-30"}, {"v": "2024-02-28"}], "VARCHAR", ["2024-02-30", "2024-02-28"]),
        ([{"v": None}], "VARCHAR", [None]),
        ([{"v": None}, {"v": 1}], "BIGINT", [None, 1]),
        ([{"v": None}, {"v": "2024-01-01"}], "DATE", [None, "2024-01-01"]),
        ([{"v": [["", 1]]}], "JSON", [[["", 1]]]),
        ([{"v": {"x": 1}}, {"v": {"y": 2}}, {"v": None}], "JSON", [{"x": 1}, {"y": 2}, None]),
        ([{"v": [{"x": 1}, {"x": 1, "y": {"z": []}}]}], "JSON", [[{"x": 1}, {"x": 1, "y": {"z": []}}]]),
        ([{"v": []}], "JSON", [[]]),
    ],
)
def test_no_value_of_json_becomes_another_one(table, sql_type, found):
    table = process(rows=table)
    assert table.input_columns[0].type == sql_type
    assert [row["v"] for row in table.rows] == found


def test_objects_of_different_names_have_all_columns_in_the_order_in_which_they_come():
    table = process(rows=[{"z": 1}, {"b": 2}, {"z": 3, "a": 4}])
    assert [column.name for column in table.columns] == ["z", "b", "a"]
    names = list(string.ascii_letters[:26])
    random.Random(5).shuffle(names)
    table = process(rows=[{name: 1} for name in names])
    assert [column.name for column in table.columns] == names
    assert len(process(rows=[{f"k{number}": number} for number in range(500)]).columns) == 500


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1\n2\n", "row 1 is no object"),
        (
            '{"a": 1}\n{"a":',
            r'Malformed JSON in file "input0.jsonl", at byte \d+ in line \d+: unexpected end of data',
        ),
        ('{"a": 1}\n[1]\n', "row 2 is no object"),
        ('[{"a": 1}]', "row 1 is no object"),
        ("", "no row"),
        ("{}", "no names"),
        ('{"": 1}', "no names, or an empty one"),
        ('{"a": 1, "A": 2}', "two names in the objects differ by capitals only"),
        ('{"a": 1, "a_1": 3, "A": 4}', "two names in the objects differ by capitals only"),
        ('{"a": 1}\n{"A": 4}', "two names in the objects differ by capitals only"),
        ('{"a": 1, "a": 2}', 'duplicate key "a"'),
        ('{"a": {"x": 1, "X": 2}}', "Duplicate name"),
        ('{"a": {"x": 1, "x": 2}}', "row 1: an object in the column 'a' has a name twice"),
        ('{"a": 1}\n{"a": {"x": "t", "x": 2}}', "row 2: an object in the column 'a' has a name twice"),
        ('{"a": [[{"x": 1, "y": 1e999, "x": 1' + "0" * 5_000 + "}]]}", "row 1: .* has a name twice"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "recursion depth of 128"),
        ("\n".join(json.dumps({f"k{number}": 1}) for number in range(5_001)), "5,001 names"),
    ],
)
def test_json_lines_that_are_no_table_are_refused(text, named):
    with pytest.raises(InputError, match=named):
        process(text=text, format="jsonl")
