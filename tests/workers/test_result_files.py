import hashlib
import json
import os
import stat
import threading
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.tables_under_test import process, rows

from jobtracker.settings import SettingsError
from workers.confined.caller import close_idle
from workers.encoding import without_surrogates
from workers.errors import InputError, NameRefusedError, NotFoundError, ResultNotKeptError, TooLargeError
from workers.tables import output
from workers.tables.results import ResultFolder
from workers.tasks.data_processing import data_processing
from workers.work.data_processing import DataProcessingPayload

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("results_dir")]

MANY = [{"n": number, "text": f"row é {number}"} for number in range(5_000)]
SUM = {"step": "aggregate", "values": {"rows": {"function": "count"}, "sum": {"function": "sum", "column": "n"}}}
FORMATS = ["jsonl", "csv", "parquet"]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What the record holds


@pytest.mark.parametrize("max_bytes", [2_000, 65_536, 100_000])
@pytest.mark.parametrize("output", [None, "csv"])
def test_the_record_is_never_larger_than_the_tracker_keeps_and_holds_what_fits(max_bytes, output):
    table = process(rows=MANY, max_bytes=max_bytes, output=output)
    size = len(json.dumps(table.model_dump(mode="json")))
    assert max_bytes - 200 < size <= max_bytes
    assert table.rows == MANY[: len(table.rows)]
    assert (table.truncated, table.total_rows, table.file.rows) == (True, 5_000, 5_000)


@pytest.mark.parametrize("more_bytes", range(-3, 4))
def test_a_result_that_just_fits_is_given_whole_without_a_file(more_bytes, results_dir):
    whole = process()
    size = len(json.dumps(whole.model_dump(mode="json")))
    table = process(max_bytes=size + more_bytes)
    assert len(json.dumps(table.model_dump(mode="json"))) <= size + more_bytes
    if more_bytes >= 2:  # of a list of rows the last one has no comma
        assert (table.rows, table.file, left_in(results_dir)) == (whole.rows, None, [])


@pytest.mark.parametrize("max_bytes", [0, 100])
def test_where_the_tracker_keeps_nothing_all_is_in_the_file(max_bytes):
    table = process(max_bytes=max_bytes)
    assert (table.rows, table.total_rows, table.file.rows) == ([], 4, 4)


def test_one_row_that_is_larger_than_the_record_is_in_the_file():
    text = "x" * 100_000
    table = process(rows=[{"v": text}], max_bytes=65_536)
    assert table.rows == []
    assert rows(document_id=table.file.document_id) == [{"v": text}]


def test_a_part_that_was_asked_for_needs_no_file(results_dir):
    table = process(rows=MANY, max_rows=3)
    assert (table.rows, table.truncated, table.file) == (MANY[:3], True, None)
    assert left_in(results_dir) == []
    assert process(rows=MANY, max_rows=4_000, max_bytes=2_000).file.rows == 5_000


def test_more_rows_than_a_record_may_have_are_in_a_file(monkeypatch):
    monkeypatch.setattr(output, "MAX_ROWS", 100)
    table = process(rows=MANY)
    assert (len(table.rows), table.file.rows) == (100, 5_000)


# The file


@pytest.mark.parametrize("format_", FORMATS)
def test_the_file_is_what_the_record_says_and_another_job_reads_it(format_, results_dir):
    file = process(rows=MANY, output=format_, job_id="3f2a").file
    path = results_dir / file.file
    data = path.read_bytes()
    assert (file.format, file.rows, file.bytes) == (format_, 5_000, len(data))
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file.document_id == f"result:3f2a.{format_}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert left_in(results_dir) == [file.file]
    for document_id in (file.document_id, "result:3f2a"):
        assert rows(SUM, document_id=document_id) == [{"rows": 5_000, "sum": 12_497_500}]


def test_a_file_may_be_the_second_table_of_a_join():
    file = process(rows=MANY, output="parquet").file
    step = {"step": "join", "table": {"document_id": file.document_id}, "on": ["n"]}
    assert rows(step, rows=[{"n": 7}]) == [{"n": 7, "text": "row é 7"}]


VALUES = {
    "text": 'a "quoted", é\ntext',
    "big": 12345678901234567890123,
    "number": 1.5,
    "flag": True,
    "none": None,
    "day": "2024-02-29",
    "at": "2024-02-29T10:00:00",
    "zoned": "2024-02-29T10:00:00Z",
    "code": "007",
    "object": {"x": [1, 2]},
}


def test_parquet_and_jsonl_keep_each_value():
    table = process(rows=[VALUES], output="parquet")
    assert table.rows == [VALUES]
    back = process(document_id=table.file.document_id)
    # a whole number of more than 64 bits is a decimal there
    assert back.rows == [{**VALUES, "big": str(VALUES["big"])}]
    types = {column.name: column.type for column in back.input_columns}
    assert types | {"big": "HUGEINT"} == {column.name: column.type for column in table.columns}
    lines = process(rows=[VALUES], output="jsonl")
    assert process(document_id=lines.file.document_id).rows == [VALUES]


def test_csv_has_names_and_values_that_any_program_reads(results_dir):
    file = process(rows=[VALUES, {"text": "second"}], output="csv").file
    [row, second] = duckdb.read_csv(str(results_dir / file.file), all_varchar=True).fetchall()
    found = dict(zip(VALUES, row, strict=True))
    assert found["text"] == VALUES["text"]
    assert (found["big"], found["code"]) == ("12345678901234567890123", "007")
    assert json.loads(found["object"]) == VALUES["object"]
    assert second == ("second", *[None] * 9)
    back = rows({"step": "select", "columns": ["day", "at", "zoned", "flag"]}, document_id=file.document_id)
    assert back[0] == {name: VALUES[name] for name in ("day", "at", "zoned", "flag")}


def reread(table: list, **csv) -> list:
    """The rows, read again from the CSV file of a job that gave them."""
    file = process(rows=table, output="csv").file
    return rows(document_id=file.document_id, csv=csv) if csv else rows(document_id=file.document_id)


@pytest.mark.parametrize(
    "table",
    [
        [{"a": None}, {"a": "x"}, {"a": ""}, {"a": None}],
        [{"a": "", "b": None}, {"a": None, "b": ""}],
        [{"2024": "x", "b": 1}],
        [{"a;b": "x;y"}],
        [{"a": "x\ry"}, {"a": "\r\n"}],
        [{"a,b": 1, 'c"d': 2, "e\nf": 3}],
    ],
)
def test_a_job_reads_the_csv_file_of_another_as_it_was_written(table):
    assert reread(table) == table


@pytest.mark.thorough
@given(
    st.lists(st.fixed_dictionaries({name: st.none() | st.text(max_size=5) for name in "ab"}), min_size=1, max_size=5)
)
@example([{"a": "\0", "b": "\ufeff"}, {"a": "\\", "b": "'"}])
def test_any_text_in_a_csv_file_is_read_again_as_it_is(table):
    written = [{name: value and without_surrogates(value) for name, value in row.items()} for row in table]
    assert reread(written, types={"a": "text", "b": "text"}) == written


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_an_empty_result_keeps_its_columns(format_):
    file = process([{"step": "limit", "rows": 0}], output=format_).file
    table = process(document_id=file.document_id)
    assert [column.name for column in table.input_columns] == ["name", "town", "age", "fee"]
    assert table.total_rows == 0


@pytest.mark.parametrize(
    "job_id",
    [
        "../../etc/x",
        "/abs",
        ".hidden",
        "a b/c",
        "é" * 100,
        "x" * 5_000,
        "a.csv",
        "%41",
        "nul\0",
        "\ud800",
        "~",
        "a:b",
    ],
)
def test_whatever_a_job_is_called_its_file_lies_in_the_folder_and_is_found(job_id, results_dir):
    file = process(output="jsonl", job_id=job_id).file
    assert left_in(results_dir) == [file.file]
    assert process(document_id=file.document_id).total_rows == 4
    assert DataProcessingPayload(document_id=file.document_id)


def test_no_two_ids_have_one_file(results_dir):
    ids = ["A", "%41", "a.b", "a%2Eb", "x" * 500, "x" * 501, ".a", "a", ""]
    assert len({process(output="jsonl", job_id=each).file.document_id for each in [*ids, ""]}) == len(ids) + 1


def test_a_job_that_runs_again_replaces_its_file_and_leaves_no_other(results_dir):
    process(output="csv")
    process([{"step": "limit", "rows": 1}], output="parquet")
    process([{"step": "limit", "rows": 2}], output="parquet")
    assert left_in(results_dir) == ["job.result.parquet"]
    assert process(document_id="result:job").total_rows == 2


def test_a_job_that_runs_again_and_needs_no_file_leaves_none_of_its_earlier_run(results_dir):
    process(output="csv")
    process(output="csv", job_id="other")
    process([{"step": "limit", "rows": 1}])
    assert left_in(results_dir) == ["other.result.csv"]
    with pytest.raises(NotFoundError):
        process(document_id="result:job")


def test_a_result_that_needs_no_file_needs_no_folder_that_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.delenv("RESULTS_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process(output="csv")
    [folder] = tmp_path.glob("jobtracker-*/results")
    folder.chmod(0o777)
    assert process().total_rows == 4


def test_an_earlier_result_that_cannot_be_removed_is_an_error_that_names_the_setting(results_dir):
    (results_dir / "job.result.csv").mkdir()
    with pytest.raises(ResultNotKeptError, match="what an earlier run left in RESULTS_DIR"):
        process()


def test_readers_see_the_old_file_or_the_new_one_while_jobs_replace_it():
    process(rows=MANY, output="jsonl")
    errors = []

    def write(count):
        try:
            for _ in range(5):
                process(rows=MANY[:count], output="jsonl")
        except Exception as error:  # noqa: BLE001 (any is a failure of the test)
            errors.append(error)

    writers = [threading.Thread(target=write, args=(count,)) for count in (1_000, 4_000)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(process(document_id="result:job", max_rows=0, job_id="reader").total_rows)
    for writer in writers:
        writer.join()
    assert errors == []
    assert seen <= {1_000, 4_000, 5_000}


# What goes wrong


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_that_could_not_be_read_again_is_not_written(format_, results_dir, monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "300000")
    process(rows=MANY, output="csv")
    [kept] = left_in(results_dir)
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "300")
    with pytest.raises(
        TooLargeError, match="the result takes more than DOCUMENT_MAX_BYTES allows, 300 bytes: raise it"
    ):
        process(
            [{"step": "derive", "column": "m", "value": {"column": "a"}}],
            text="a\n" + "1\n" * 140,
            format="csv",
            output=format_,
        )
    assert left_in(results_dir) == [kept]


def test_the_files_of_all_jobs_are_bounded_and_the_error_says_by_what(results_dir, monkeypatch):
    size = process(output="jsonl", job_id="first").file.bytes
    monkeypatch.setenv("RESULTS_MAX_BYTES", str(2 * size))
    process(output="jsonl", job_id="second")
    process(output="jsonl", job_id="second")
    with pytest.raises(ResultNotKeptError, match="RESULTS_MAX_BYTES"):
        process(output="jsonl", job_id="third")
    assert left_in(results_dir) == ["first.result.jsonl", "second.result.jsonl"]


def test_a_folder_that_cannot_be_written_to_is_an_error_that_names_the_setting(results_dir, monkeypatch):
    (results_dir / "file").touch()
    monkeypatch.setenv("RESULTS_DIR", str(results_dir / "file" / "folder"))
    assert process().rows
    with pytest.raises(ResultNotKeptError, match=r"RESULTS_DIR \(.+\): set it to a folder") as caught:
        process(rows=MANY, max_bytes=2_000)
    assert str(results_dir) not in str(caught.value)
    with pytest.raises(NotFoundError):
        process(document_id="result:job")


def test_a_setting_that_is_no_number_is_told(monkeypatch):
    monkeypatch.setenv("RESULTS_MAX_BYTES", "much")
    with pytest.raises(SettingsError, match="RESULTS_MAX_BYTES"):
        process(output="jsonl")


def test_a_job_that_is_stopped_while_it_writes_leaves_nothing(results_dir):
    class StopError(Exception):
        pass

    def chunks():
        yield b"x"
        raise StopError

    with pytest.raises(StopError):
        ResultFolder.of_settings().write("job", "csv", 1, chunks())
    assert left_in(results_dir) == []


def test_old_results_and_what_killed_workers_left_go_with_the_next_one_and_nothing_else(results_dir):
    old, killed, writing, other = (
        results_dir / name
        for name in ("old.result.csv", ".0badcafe.result.part", ".cafe.result.part", "document.csv")
    )
    for path, days in ((old, 8), (killed, 1), (writing, 0), (other, 100)):
        path.write_text("x")
        os.utime(path, (path.stat().st_mtime - days * 86_400,) * 2)
    process(output="csv")
    assert left_in(results_dir) == [".cafe.result.part", "document.csv", "job.result.csv"]


def test_by_default_the_folder_is_this_users_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("RESULTS_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process(output="csv")
    [folder] = tmp_path.glob("jobtracker-*/results")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o700}
    assert process(document_id="result:job").total_rows == 4
    folder.chmod(0o777)
    with pytest.raises(ResultNotKeptError, match="others can write"):
        process(output="csv")
    with pytest.raises(NotFoundError):
        process(document_id="result:job")


def test_the_file_of_a_task_stays_when_the_process_that_did_the_work_has_gone(tmp_path, monkeypatch):
    monkeypatch.delenv("RESULTS_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    close_idle()
    result = data_processing(rows=MANY)
    close_idle()
    assert [path.name for path in tmp_path.glob("jobtracker-*/results/*")] == [result["file"]["file"]]
    again = data_processing(document_id=result["file"]["document_id"], steps=[SUM])
    assert again["rows"] == [{"rows": 5_000, "sum": 12_497_500}]
    close_idle()


@pytest.mark.parametrize(
    "name", ["result:", "result:../secret", "result:/etc/passwd", "result:.x", "result:*", "result:missing.csv"]
)
def test_only_results_are_found_by_the_name_of_a_result(name, results_dir):
    (results_dir.parent / "secret.result.csv").write_text("a\nb\n")
    (results_dir / "document.csv").write_text("a\nb\n")
    for document_id in (name, "result:document.csv", "result:document"):
        with pytest.raises((NotFoundError, NameRefusedError)):
            process(document_id=document_id)


def test_a_link_in_the_folder_leads_nowhere(results_dir):
    (results_dir.parent / "secret.csv").write_text("a\nb\n")
    (results_dir / "job.result.csv").symlink_to(results_dir.parent / "secret.csv")
    with pytest.raises(InputError):
        process(document_id="result:job.csv")
    process(output="csv")
    assert (results_dir.parent / "secret.csv").read_text() == "a\nb\n"
    assert process(document_id="result:job.csv").total_rows == 4


@pytest.mark.parametrize("output", [{}, {"format": "xlsx"}, {"format": "csv", "path": "/tmp/x"}, "csv"])
def test_an_output_that_is_not_as_declared_is_refused(output):
    with pytest.raises(ValidationError):
        DataProcessingPayload.model_validate({"rows": [{"a": 1}], "output": output})
