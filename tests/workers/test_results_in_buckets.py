"""Tables from buckets, and results of data_processing that are put there."""

import hashlib
import json
import os
import tempfile

import duckdb
import pytest

from jobtracker.objects.folder import FolderStore
from workers.buckets import Buckets
from workers.confined.caller import close_idle
from workers.errors import (
    BucketUnusableError,
    InputError,
    NameRefusedError,
    NotFoundError,
    ResultNotKeptError,
    TooLargeError,
    WorkFailedError,
)
from workers.tables.handing import process_in_confinement
from workers.tables.result_bucket import PREFIX, ResultBucket
from workers.transfers import StoppedError, Transfer

MANY = [{"n": number, "text": f"row é {number}"} for number in range(5_000)]
SUM = {"step": "aggregate", "values": {"rows": {"function": "count"}, "sum": {"function": "sum", "column": "n"}}}
WEEK_S = 7 * 86_400


@pytest.fixture(autouse=True, scope="module")
def one_process():
    """The confined process is kept from test to test."""
    yield
    close_idle()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The document folder, the folder of results, and the buckets beside them, by their names."""
    for name in ("documents", "results", "wards", "archive"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DOCUMENTS_DIR", str(tmp_path / "documents"))
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
    return tmp_path


@pytest.fixture
def buckets(places):
    """`wards` is the worker's own, and `archive` is allowed."""
    return Buckets("wards", ["archive"], lambda name: FolderStore(places / name))


@pytest.fixture
def processed(buckets):
    """Runs data_processing."""

    def process(payload, max_bytes=65_536, buckets=buckets):
        return process_in_confinement(payload, max_bytes=max_bytes, keep_s=WEEK_S, buckets=buckets)

    return process


@pytest.fixture
def store(places):
    return FolderStore(places / "wards")


@pytest.fixture
def results(store):
    """The bucket of results with narrow limits."""
    return ResultBucket(store, max_file_bytes=1000, max_bytes=2000, keep_s=WEEK_S)


def kept(store):
    return sorted(info.name for info in store.list(PREFIX))


def keep(results, folder, job_id, format_="csv", data=b"a\n1\n"):
    """Keep a result as the confined process of a job leaves it."""
    file = results.scratch(folder).write(job_id, format_, 1, [data])
    results.keep(job_id, folder, file.model_dump(mode="json"), Transfer())
    return file


# Tables


def test_a_table_and_those_of_its_joins_may_be_in_buckets(places, processed):
    (places / "wards" / "visits.csv").write_text("clinic,n\nA,1\nB,2\n")
    (places / "archive" / "clinics.jsonl").write_text('{"clinic": "A", "rooms": 3}\n{"clinic": "B", "rooms": 4}\n')
    (places / "documents" / "heads.csv").write_text("clinic,head\nA,Ann\nB,Bob\n")
    close_idle()  # one that was started by another test knows another folder
    names = ("gs://archive/clinics", "heads")
    joins = [{"step": "join", "table": {"document_id": name}, "on": ["clinic"]} for name in names]
    table = processed({"document_id": "visits", "steps": joins})
    assert table["rows"] == [
        {"clinic": "A", "n": 1, "rooms": 3, "head": "Ann"},
        {"clinic": "B", "n": 2, "rooms": 4, "head": "Bob"},
    ]
    assert table["document_id"] == "visits"
    assert table["steps"][0]["joined"]["document_id"] == "gs://archive/clinics"


@pytest.mark.parametrize("name", ["gs://secret/a.csv", "gs://wards/.jobtracker/tables/job.result.csv", "missing"])
def test_a_table_that_may_not_be_read_is_refused_in_a_join_too(places, processed, store, name):
    store.put(f"{PREFIX}job.result.csv", [b"a\n1\n"])
    join = {"step": "join", "table": {"document_id": name}, "on": ["a"]}
    for payload in ({"document_id": name}, {"rows": [{"a": 1}], "steps": [join]}):
        with pytest.raises((NameRefusedError, NotFoundError)):
            processed(payload)


# Results


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_a_result_is_in_the_bucket_and_the_next_job_reads_it(places, processed, store, format_):
    table = processed({"rows": MANY, "output": {"format": format_}})
    file = table["file"]
    assert file["file"].startswith(f"{store}/{PREFIX}")
    data = b"".join(store.read(file["file"].removeprefix(f"{store}/")))
    assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert list((places / "results").iterdir()) == []
    for document_id in (file["document_id"], file["document_id"].removesuffix(f".{format_}")):
        again = processed({"document_id": document_id, "steps": [SUM]})
        assert again["rows"] == [{"rows": 5_000, "sum": 12_497_500}]
    join = {"step": "join", "table": {"document_id": file["document_id"]}, "on": ["n"]}
    assert processed({"rows": [{"n": 7}], "steps": [join]})["rows"] == [{"n": 7, "text": "row é 7"}]


def test_the_record_of_a_result_in_the_bucket_is_never_too_large(processed):
    table = processed({"rows": MANY}, max_bytes=2_000)
    assert 1_800 < len(json.dumps(table)) <= 2_000
    assert table["file"]["rows"] == 5_000


def test_without_a_bucket_of_its_own_a_worker_leaves_results_in_its_folder(places, processed):
    buckets = Buckets(None, ["archive"], lambda name: FolderStore(places / name))
    file = processed({"rows": MANY, "output": {"format": "csv"}}, buckets=buckets)["file"]
    assert [path.name for path in (places / "results").iterdir()] == [file["file"]]
    assert processed({"document_id": file["document_id"]}, buckets=buckets)["total_rows"] == 5_000


def test_nothing_temporary_is_left(places, processed, monkeypatch):
    (places / "temporary").mkdir()
    (places / "wards" / "a.csv").write_text("a\n1\n")
    processed({"rows": [{"a": 1}]})  # the confined process, which has a folder, is there
    monkeypatch.setattr(tempfile, "tempdir", str(places / "temporary"))
    processed({"document_id": "a", "output": {"format": "csv"}})
    with pytest.raises(InputError):
        processed({"document_id": "a", "steps": [{"step": "select", "columns": ["b"]}]})
    assert list((places / "temporary").iterdir()) == []


def test_a_job_that_runs_again_replaces_what_it_has_left(results, store, tmp_path):
    for number, format_ in enumerate(["csv", "parquet", "parquet"]):
        keep(results, tmp_path / str(number), "job", format_)
        keep(results, tmp_path / f"other{number}", f"job.{number}")
    assert [name for name in kept(store) if "%2E" not in name] == [f"{PREFIX}job.result.parquet"]
    results.keep("job", tmp_path, None, Transfer())
    assert kept(store) == [f"{PREFIX}job%2E{number}.result.csv" for number in range(3)]
    with pytest.raises(NotFoundError, match=r"there is no 'result:job' in .*results stay as long as their jobs"):
        results.find("result:job")


def test_while_a_result_is_replaced_the_newer_one_is_read(results, store):
    for format_, at in (("csv", 100), ("jsonl", 300), ("parquet", 200)):
        store.put(f"{PREFIX}job.result.{format_}", [b"x"])
        os.utime(store.path / f"{PREFIX}job.result.{format_}", (at, at))
    assert results.find("result:job").info.name == f"{PREFIX}job.result.jsonl"
    assert results.find("result:job.csv").info.name == f"{PREFIX}job.result.csv"


@pytest.mark.parametrize("name", ["", "../values/secret", "a/b", ".x", "job.exe", "*", "job."])
def test_only_results_are_found_by_the_name_of_a_result(results, store, name):
    for each in ("job.result.csv", "a/b.result.csv", "job.result.exe"):
        store.put(PREFIX + each, [b"x"])
    store.put(".jobtracker/values/secret.result.csv", [b"x"])
    with pytest.raises((NotFoundError, NameRefusedError)):
        results.find(f"result:{name}")


# Limits


def test_a_result_that_could_not_be_read_again_is_not_kept(results, store, tmp_path):
    keep(results, tmp_path, "job", data=b"x" * 1000)
    with pytest.raises(TooLargeError, match="DOCUMENT_MAX_BYTES allows, 1,000 bytes"):
        keep(results, tmp_path, "job", data=b"x" * 1001)
    assert store.info(f"{PREFIX}job.result.csv").size_bytes == 1000


def test_all_results_together_are_bounded(results, store, tmp_path):
    for job_id in ("first", "second", "second"):
        keep(results, tmp_path / job_id, job_id, data=b"x" * 1000)
    with pytest.raises(ResultNotKeptError, match="RESULTS_MAX_BYTES allows, 2,000 bytes: raise it, or delete"):
        keep(results, tmp_path / "third", "third", data=b"x")
    assert len(kept(store)) == 2


def test_old_results_go_with_the_next_one_and_nothing_else(results, store, tmp_path):
    for name, age_s in (("old.result.csv", WEEK_S + 60), ("young.result.csv", WEEK_S - 60), ("other", 10 * WEEK_S)):
        store.put(PREFIX + name, [b"x"])
        path = store.path / (PREFIX + name)
        os.utime(path, (path.stat().st_mtime - age_s,) * 2)
    keep(results, tmp_path, "job")
    assert kept(store) == [PREFIX + name for name in ("job.result.csv", "other", "young.result.csv")]


def test_a_bucket_that_can_not_be_written_to_is_an_error_that_says_so(places, processed):
    (places / "wards" / ".jobtracker").touch()
    with pytest.raises(BucketUnusableError, match=r"the result can't be kept in the bucket: .* Retry the job once"):
        processed({"rows": MANY})


def test_a_job_that_is_stopped_while_its_result_is_kept_leaves_the_earlier_one(results, store, tmp_path):
    class Stopping(Transfer):
        """A job that is cancelled when its result is about to be sent."""

        moved = 0

        def moves(self, note=None):
            self.moved += 1
            if self.moved == 3:  # at the start, at the one object that is listed, and at the piece
                self.stop()
            super().moves(note)

    keep(results, tmp_path, "job", data=b"earlier")
    file = results.scratch(tmp_path).write("job", "csv", 1, [b"later"])
    with pytest.raises(StoppedError):
        results.keep("job", tmp_path, file.model_dump(), Stopping())
    assert b"".join(store.read(f"{PREFIX}job.result.csv")) == b"earlier"


# What a confined process may do that hostile bytes have taken over


def test_what_is_not_as_it_was_said_is_not_kept(results, store, tmp_path):
    (tmp_path / "secret").write_text("secret")
    file = results.scratch(tmp_path).write("job", "csv", 1, [b"a\n1\n"]).model_dump(mode="json")
    path = tmp_path / "job.result.csv"

    def refused(said):
        with pytest.raises(WorkFailedError, match="not what the process says"):
            results.keep("job", tmp_path, said, Transfer())

    refused({**file, "bytes": 5})
    refused({**file, "sha256": "0" * 64})
    refused({**file, "format": "../../secret"})
    refused({**file, "format": "parquet"})
    refused("all of it")
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    refused({**file, "bytes": 6, "sha256": hashlib.sha256(b"secret").hexdigest()})
    path.unlink()
    os.mkfifo(path)
    refused(file)
    path.unlink()
    path.mkdir()
    refused(file)
    assert kept(store) == []


def test_a_result_is_a_file_that_any_program_reads(processed, store):
    file = processed({"rows": MANY, "output": {"format": "parquet"}})["file"]
    [(count,)] = duckdb.sql(f"SELECT count(*) FROM read_parquet('{file['file']}')").fetchall()
    assert count == 5_000
