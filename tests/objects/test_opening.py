"""Which object store the settings name, and whether it can be used when a process starts."""

import pytest

from jobtracker.errors import MissingExtraError
from jobtracker.objects.object_store import ObjectStoreError
from jobtracker.objects.opening import check_object_store, open_bucket, open_object_store
from jobtracker.settings import Settings


def test_without_a_setting_there_is_none():
    assert open_object_store(Settings()) is None
    check_object_store(Settings())


def test_a_bucket_counts_more_than_a_folder(tmp_path):
    assert str(open_object_store(Settings(objects_dir=tmp_path))) == str(tmp_path)
    assert str(open_object_store(Settings(objects_dir=tmp_path, gcs_bucket_name="our-bucket"))) == "gs://our-bucket"


def test_another_bucket_is_opened_with_the_same_settings(storage_emulator, bucket):
    bucket.put("one", [b"x"])
    settings = Settings(storage_emulator_host=storage_emulator.url)
    other = open_bucket(settings, str(bucket).removeprefix("gs://"))
    assert b"".join(other.read("one")) == b"x"


def test_a_bucket_is_made_when_a_process_starts(storage_emulator, bucket_name):
    settings = Settings(
        gcs_bucket_name=bucket_name, gcp_project_id="test", storage_emulator_host=storage_emulator.url
    )
    check_object_store(settings)
    store = open_object_store(settings)
    assert store.put("one", [b"x"]) == 1


def test_one_that_can_not_be_used_is_an_error_when_a_process_starts(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ObjectStoreError, match="OBJECTS_DIR"):
        check_object_store(Settings(objects_dir=tmp_path / "file" / "objects"))


def test_a_bucket_that_does_not_answer_is_a_warning_when_a_process_starts(caplog, bucket_name, closed_port):
    url = f"http://127.0.0.1:{closed_port}"
    check_object_store(Settings(gcs_bucket_name=bucket_name, storage_emulator_host=url))
    assert f"gs://{bucket_name} can't be written to, for {url} does not answer" in caplog.text


def test_without_the_extra_a_bucket_is_an_error_that_names_it(monkeypatch):
    def find_spec(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("jobtracker.errors.find_spec", find_spec)
    with pytest.raises(MissingExtraError, match=r"celery-jobtracker\[gcp\]"):
        open_object_store(Settings(gcs_bucket_name="our-bucket"))
