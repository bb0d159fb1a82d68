"""Documents and results in buckets of Google Cloud Storage, on an emulator."""

from pathlib import Path

import pytest
from support.google_emulators import StorageEmulator

from jobtracker.objects.bucket import BucketStore
from jobtracker.objects.opening import open_bucket
from jobtracker.settings import Settings
from workers.buckets import Buckets
from workers.confined.caller import close_idle
from workers.errors import BucketUnusableError, NotFoundError, ResultNotKeptError, TooLargeError
from workers.fetching import fetched
from workers.folder import documents_dir
from workers.formats import MEDIA_TYPES
from workers.tables.result_bucket import PREFIX
from workers.tasks.custom import checksum
from workers.tasks.data_processing import data_processing
from workers.transfers import run_transfer


@pytest.fixture(autouse=True)
def google(storage_emulator, bucket_name, monkeypatch, tmp_path):
    """The settings of a worker with a bucket of its own."""
    (tmp_path / "documents").mkdir()
    monkeypatch.setenv("DOCUMENTS_DIR", str(tmp_path / "documents"))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_emulator.url)
    monkeypatch.setenv("GCP_PROJECT_ID", "test")
    monkeypatch.setenv("GCS_BUCKET_NAME", bucket_name)


@pytest.fixture(autouse=True, scope="module")
def one_process():
    yield
    close_idle()


@pytest.fixture
def bucket(google, bucket_name):
    """The worker's own bucket."""
    store = open_bucket(Settings.from_env(), bucket_name)
    store.check()
    return store


@pytest.fixture
def other_bucket(bucket_name, monkeypatch):
    """Another one that is allowed."""
    store = open_bucket(Settings.from_env(), f"{bucket_name}-2")
    store.check()
    monkeypatch.setenv("DOCUMENT_BUCKETS", f"{bucket_name}-2")
    return store


def sizes(*names):
    """Fetch documents, and give how large they are."""
    buckets = Buckets.from_env()
    with fetched(names, lambda name: buckets.find(name, [documents_dir()], MEDIA_TYPES)) as files:
        return {name: Path(path).stat().st_size for name, path in files.items()}


def test_a_task_reads_documents_of_both_buckets(bucket, other_bucket, tmp_path):
    bucket.put("2031/létter 1.txt", ["naïve".encode()])
    other_bucket.put("a.txt", [b"x" * 5_000_000])
    (tmp_path / "documents" / "b.txt").write_text("xy")
    close_idle()  # one that was started by another test knows another folder
    assert checksum(document_id="2031/létter 1")["characters"] == len("naïve")
    assert checksum(document_id=f"{other_bucket}/a")["characters"] == 5_000_000
    assert checksum(document_id="b")["characters"] == 2
    with pytest.raises(NotFoundError, match=r"\Athere is no 'a'\Z"):
        checksum(document_id="a")


def test_an_object_that_is_too_large_is_not_fetched(bucket, monkeypatch):
    monkeypatch.setenv("DOCUMENT_MAX_BYTES", "100")
    bucket.put("a.txt", [b"x" * 101])
    with pytest.raises(TooLargeError, match="101 bytes"):
        sizes("a")


def test_a_table_is_read_from_the_bucket_and_its_result_is_put_there(bucket, other_bucket):
    bucket.put("visits.csv", [b"clinic,n\nA,1\nB,2\n"])
    other_bucket.put("clinics.csv", [b"clinic,rooms\nA,3\nB,4\n"])
    join = {"step": "join", "table": {"document_id": f"{other_bucket}/clinics"}, "on": ["clinic"]}
    file = data_processing(document_id="visits", steps=[join], output={"format": "csv"})["file"]
    assert file["file"].startswith(f"{bucket}/{PREFIX}")
    data = b"".join(bucket.read(file["file"].removeprefix(f"{bucket}/")))
    assert data == b"clinic,n,rooms\nA,1,3\nB,2,4\n"
    assert data_processing(document_id=file["document_id"])["total_rows"] == 2


def test_results_in_the_bucket_are_bounded(bucket, monkeypatch):
    monkeypatch.setenv("RESULTS_MAX_BYTES", "20")
    data_processing(rows=[{"a": 1}], output={"format": "csv"})
    with pytest.raises(ResultNotKeptError, match=f"below {bucket}/{PREFIX} would take more than RESULTS_MAX_BYTES"):
        data_processing(rows=[{"a": "x" * 20}], output={"format": "csv"})


def test_a_bucket_that_does_not_exist_is_told(bucket_name):
    with pytest.raises(BucketUnusableError, match=r"does not exist .*Retry the job once that is done"):
        sizes("a")


def test_a_bucket_that_is_away_is_told_and_so_is_that_a_retry_may_do(tmp_path, bucket_name):
    with StorageEmulator(tmp_path) as emulator:
        options = {"project": "test", "emulator_host": emulator.url}
        BucketStore(bucket_name, **options).check()
        store = BucketStore(bucket_name, **options, timeout_s=1, retry_s=1)
        emulator.pause()
        with pytest.raises(BucketUnusableError, match=r"has not answered for 0\.2 s"):
            run_transfer(lambda _: store.info("a.txt"), silent_s=0.2)
        buckets = Buckets(bucket_name, [], lambda _: store)
        with (
            pytest.raises(BucketUnusableError, match=r"'a' can't be read: .*does not answer.* once it answers"),
            fetched(["a"], lambda name: buckets.find(name, [], MEDIA_TYPES)),
        ):
            raise AssertionError
        emulator.resume()
