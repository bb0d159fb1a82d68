"""Documents in buckets: looked up and fetched by the task, and parsed in a process that gets their bytes alone."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from support.serving import ROOT

from jobtracker.objects.folder import FolderStore
from jobtracker.objects.object_store import ObjectStoreAwayError, ObjectStoreError
from jobtracker.settings import SettingsError
from workers.buckets import Buckets, unusable
from workers.confined.caller import close_idle
from workers.confined.folder import LockedFolder
from workers.documents import DocumentInput
from workers.errors import (
    DISK_FULL,
    BucketUnusableError,
    InputError,
    NameRefusedError,
    NotFoundError,
    OverBudgetError,
    TooLargeError,
)
from workers.fetching import fetched, run_on_document
from workers.folder import documents_dir
from workers.formats import MEDIA_TYPES
from workers.limits import DocumentSettings
from workers.transfers import run_transfer


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The temporary folder, in which nothing may be left."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    close_idle()
    yield path
    close_idle()
    assert list(path.iterdir()) == []


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The document folder, and the buckets beside it, by their names."""
    for name in ("documents", "wards", "archive", "secret"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DOCUMENTS_DIR", str(tmp_path / "documents"))
    return tmp_path


@pytest.fixture
def buckets(places):
    """`wards` is the worker's own, `archive` is allowed, and `secret` is neither."""
    return Buckets("wards", ["archive"], lambda name: FolderStore(places / name))


def texts(buckets, *names):
    """What the documents say that are fetched."""

    def find(name):
        return buckets.find(name, [documents_dir()], MEDIA_TYPES)

    with fetched(names, find) as files:
        return {name: Path(path).read_text() for name, path in files.items()}


def test_a_name_is_that_of_a_file_or_else_of_an_object(places, buckets):
    (places / "documents" / "both.txt").write_text("file")
    (places / "wards" / "both.txt").write_text("object")
    (places / "wards" / "2031").mkdir()
    (places / "wards" / "2031" / "létter 1.txt").write_text("in the bucket")
    assert texts(buckets, "both", "both.txt", "2031/létter 1", "2031/létter 1.txt") == {
        "2031/létter 1": "in the bucket",
        "2031/létter 1.txt": "in the bucket",
    }


def test_a_bucket_that_is_allowed_can_be_named(places, buckets):
    (places / "documents" / "a.txt").write_text("file")
    for bucket in ("wards", "archive"):
        (places / bucket / "a.txt").write_text(bucket)
    assert texts(buckets, "gs://wards/a.txt", "gs://archive/a") == {
        "gs://wards/a.txt": "wards",
        "gs://archive/a": "archive",
    }


@pytest.mark.parametrize(
    "name",
    ["gs://secret/a.txt", "gs://", "gs:///a.txt", "gs://WARDS/a.txt", "gs://wards.secret/a", "gs://../secret/a"],
)
def test_a_bucket_that_is_not_allowed_is_refused(places, buckets, name):
    (places / "secret" / "a.txt").write_text("secret")
    with pytest.raises(NameRefusedError, match="GCS_BUCKET_NAME or DOCUMENT_BUCKETS must name it"):
        texts(buckets, name)


def test_without_a_bucket_of_its_own_a_worker_reads_those_that_are_named(places):
    buckets = Buckets(None, ["archive"], lambda name: FolderStore(places / name))
    (places / "archive" / "a.txt").write_text("x")
    assert texts(buckets, "gs://archive/a") == {"gs://archive/a": "x"}
    with pytest.raises(NotFoundError, match=r"\Athere is no 'a'\Z"):
        texts(buckets, "a")


@pytest.mark.parametrize(
    "name",
    [
        ".jobtracker/values/1",
        "wards/.jobtracker/values/1",
        "../secret/a.txt",
        "a/../../secret/a.txt",
        "/a.txt",
        "a//b",
        "a\\b",
        "a\n",
        "",
    ],
)
@pytest.mark.parametrize("scheme", ["", "gs://wards/", "gs://archive/"])
def test_no_payload_reads_what_begins_with_a_dot_or_leads_elsewhere(places, buckets, name, scheme):
    for each in ("wards", "archive"):
        (places / each / ".jobtracker" / "values").mkdir(parents=True)
        (places / each / ".jobtracker" / "values" / "1").write_text("somebody's result")
    with pytest.raises(NameRefusedError):
        texts(buckets, scheme + name)


def test_a_refusal_names_no_other_document(places, buckets):
    (places / "wards" / "meier-anna.txt").write_text("x")
    for name in ("meier", "gs://wards/meier", "x" * 200, "gs://archive/meier-anna"):
        with pytest.raises(NotFoundError) as caught:
            texts(buckets, name)
        assert str(caught.value) == f"there is no {name!r}"


def test_a_name_that_no_object_can_have_is_not_asked_for(places):
    buckets = Buckets("wards", [], lambda name: FolderStore(places / name))
    with pytest.raises(NotFoundError):
        texts(buckets, "/".join(["é" * 100] * 6))


def test_a_name_that_fits_two_objects_asks_for_the_suffix(places, buckets):
    for suffix in ("txt", "md"):
        (places / "wards" / f"a.{suffix}").write_text(suffix)
    for name in ("a", "gs://wards/a"):
        with pytest.raises(NotFoundError, match=r"fits several files: give the suffix too \(\.md, \.txt\)"):
            texts(buckets, name)


def test_an_announced_size_over_the_limit_is_refused_before_anything_is_read(places, monkeypatch):
    class Store(FolderStore):
        opened = 0

        def read(self, *arguments):
            self.opened += 1
            return super().read(*arguments)

    store = Store(places / "wards")
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "1000")
    for size in (1000, 1001):
        (places / "wards" / f"{size}.txt").write_bytes(b"x" * size)
    buckets = Buckets("wards", [], lambda _: store)
    assert len(texts(buckets, "1000")["1000"]) == 1000
    with pytest.raises(TooLargeError, match=r"1,001 bytes, DOCUMENT_MAX_BYTES allows 1,000"):
        texts(buckets, "1001")
    assert store.opened == 1


def test_what_grows_while_it_is_read_is_refused(places, monkeypatch):
    path = places / "wards" / "a.txt"
    path.write_text("x" * 10)
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "1000")

    class Store(FolderStore):
        grown_to = 0

        def read(self, *arguments):
            path.write_text("x" * self.grown_to)
            return super().read(*arguments)

    store = Store(places / "wards")
    buckets = Buckets("wards", [], lambda _: store)
    store.grown_to = 11
    with pytest.raises(BucketUnusableError, match=r"replaced .*: 11 bytes came, not 10\. Retry the job"):
        texts(buckets, "a")
    path.write_text("x" * 10)
    store.grown_to = 1001
    with pytest.raises(TooLargeError):
        texts(buckets, "a")


def test_a_full_disk_is_told_as_such(places, buckets, monkeypatch):
    (places / "wards" / "a.txt").write_text("x")
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space") as raised:
        full.write(b"x")

    def no_room(*_, **__):
        raise raised.value

    monkeypatch.setattr(tempfile, "mkdtemp", no_room)
    with pytest.raises(OverBudgetError, match=DISK_FULL):
        texts(buckets, "a")


def test_an_error_says_whether_to_retry_the_job():
    away = unusable("'a' can't be read", ObjectStoreAwayError("The bucket does not answer."))
    assert str(away) == "'a' can't be read: The bucket does not answer. Retry the job once it answers"
    refused = unusable("'a' can't be read", ObjectStoreError("Give its account a role."))
    assert str(refused) == "'a' can't be read: Give its account a role. Retry the job once that is done"
    assert not isinstance(away, InputError)


# What hangs


@pytest.fixture
def hanging(places):
    """The name of an object that is not sent: a pipe that nobody writes to."""
    path = places / "wards" / "pipe.txt"
    os.mkfifo(path)
    yield "pipe"
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # let the thread go that waits for it


def test_a_bucket_that_hangs_is_waited_for_no_longer_than_bounded(buckets, hanging):
    def hang(transfer):
        transfer.moves("fetching pipe")
        return buckets.own.read("pipe.txt")

    with pytest.raises(BucketUnusableError, match=r"has not answered for 0\.3 s \(fetching pipe\). Retry the job"):
        run_transfer(hang, silent_s=0.3)


def test_the_time_of_a_job_counts_for_what_it_fetches(buckets, hanging, monkeypatch):
    monkeypatch.setenv("JOB_WALL_S", "0.3")
    with pytest.raises(OverBudgetError, match=r"took longer than 0\.3 s \(JOB_WALL_S\)"):
        texts(buckets, hanging)


def test_a_time_limit_ends_a_task_that_waits_for_a_bucket(buckets, hanging):
    class TimeLimitError(Exception):
        """As Celery raises it, in the handler of a signal."""

    def limit(*_):
        raise TimeLimitError

    earlier = signal.signal(signal.SIGUSR1, limit)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(TimeLimitError):
            texts(buckets, hanging)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, earlier)


def test_what_a_killed_task_has_fetched_is_removed_by_the_next(places, temporary):
    (places / "wards" / "a.txt").write_text("x" * 100)
    code = f"""
import tempfile; tempfile.tempdir = {str(temporary)!r}
from pathlib import Path
from jobtracker.objects.folder import FolderStore
from workers.buckets import Buckets
from workers.fetching import fetched
buckets = Buckets("wards", [], lambda name: FolderStore(Path({str(places)!r}, name)))
with fetched(["a"], lambda name: buckets.find(name, [], [".txt"])):
    print("ready", flush=True)
    input()
"""
    task = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with task:
        assert task.stdout is not None
        assert task.stdout.readline() == "ready\n"
        task.kill()
    [left] = temporary.iterdir()
    assert [path.stat().st_size for path in left.iterdir()] == [100]
    os.utime(left, (0, 0))
    LockedFolder().close()


# In a confined process


def checksum(buckets, name):
    payload = {"document_id": name}
    return run_on_document("checksum:run", DocumentInput, payload, buckets=buckets, algorithm="sha256")


def test_work_is_done_on_an_object_as_on_a_file(places, buckets):
    for bucket in ("wards", "archive"):
        (places / bucket / "letter.txt").write_text("Grüße")
    for name in ("letter", "gs://archive/letter.txt"):
        assert checksum(buckets, name)["digest"] == hashlib.sha256("Grüße".encode()).hexdigest()


def test_the_format_is_told_by_the_name_of_the_object(places, buckets):
    (places / "wards" / "page.html").write_text("<p>shown<script>not</script>")
    (places / "wards" / "picture.xyz").write_text("x")
    found = checksum(buckets, "page")
    assert found["characters"] == len("shown")
    with pytest.raises(InputError, match=r"ends in .*, not in '\.xyz'"):
        checksum(buckets, "picture.xyz")


def test_a_payload_can_name_no_file_of_the_worker(places):
    for others in ([], ["archive"]):
        buckets = Buckets(None, others, lambda name: FolderStore(places / name))
        for name in ("gs://secret/a", "/etc/passwd", "../secret/a"):
            with pytest.raises(NameRefusedError):
                checksum(buckets, name)


def test_a_payload_that_does_not_fit_fetches_nothing(buckets):
    with pytest.raises(InputError, match="the payload does not fit"):
        run_on_document("checksum:run", DocumentInput, {"document_id": "a", "text": "b"}, buckets=buckets)


# Settings


def test_the_buckets_are_those_of_the_settings(monkeypatch):
    monkeypatch.setenv("GCS_BUCKET_NAME", "wards")
    monkeypatch.setenv("DOCUMENT_BUCKETS", " archive, other-bucket ,")
    assert DocumentSettings.from_env().document_buckets == ("archive", "other-bucket")
    assert Buckets.from_env()
    monkeypatch.setenv("GCS_BUCKET_NAME", "")
    assert Buckets.from_env().own is None
    monkeypatch.setenv("DOCUMENT_BUCKETS", "")
    assert not Buckets.from_env()


@pytest.mark.parametrize("names", ["gs://archive", "archive/folder", "Archive", "a"])
def test_what_is_no_bucket_is_told(monkeypatch, names):
    monkeypatch.setenv("DOCUMENT_BUCKETS", f"wards,{names}")
    with pytest.raises(SettingsError, match="DOCUMENT_BUCKETS: "):
        DocumentSettings.from_env()
