"""Celery's results in a bucket: what of it is ours, on emulators."""

import os
import time
import uuid

import pytest
from celery import Celery
from celery.backends.gcs import GCSBackend
from celery.exceptions import ImproperlyConfigured
from google.api_core.exceptions import PermissionDenied
from support.google_emulators import FirestoreEmulator, StorageEmulator

from jobtracker.broker.config import check_results, configure
from jobtracker.errors import BrokerUnavailableError, MissingExtraError
from jobtracker.jobs.result_backend import ResultBackend, Silence
from jobtracker.local.ports import free_port
from jobtracker.objects.bucket import BucketStore
from jobtracker.settings import Settings, SettingsError


def new_app(settings, **conf):
    app = Celery("results", set_as_current=False)
    configure(app, Settings.model_validate(settings))
    app.conf.update(conf)
    return app


@pytest.fixture
def app(results_in_bucket, bucket_name):
    return new_app({**results_in_bucket, "celery_result_backend": f"gs://{bucket_name}/results"})


def test_the_bucket_is_made_and_holds_the_results(app, bucket_name, storage_emulator):
    app.backend.store_result("one", 7, "SUCCESS")
    assert app.AsyncResult("one").get(timeout=10) == 7
    objects = BucketStore(bucket_name, emulator_host=storage_emulator.url).list("")
    assert [each.name for each in objects] == ["results/celery-task-meta-one"]
    app.backend.forget("one")
    assert app.AsyncResult("one").state == "PENDING"


def test_all_threads_of_a_process_share_its_clients(app):
    kept = ResultBackend(app).kept_of("one")  # which it asks in a thread of its own
    assert kept["status"] == "PENDING"
    assert app._backend_cache is app.backend


def test_parts_of_a_chord_are_counted(app):
    key = uuid.uuid4().hex.encode()
    app.backend._expire_chord_key(key.decode(), 60)
    assert [app.backend.incr(key) for _ in range(3)] == [1, 2, 3]
    app.backend._delete_chord_key(key)
    assert app.backend.incr(key) == 1


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_a_bucket_that_is_away_is_silence_and_an_error_that_says_so(tmp_path, results_in_bucket, how):
    with StorageEmulator(tmp_path) as emulator:
        settings = {**results_in_bucket, "storage_emulator_host": emulator.url}
        app = new_app(settings, gcs_timeout_s=1, gcs_retry_s=1)
        app.backend.store_result("one", 7, "SUCCESS")
        asked = ResultBackend(app)
        assert asked.kept_of("one")["result"] == 7
        if how == "silent":
            emulator.pause()
        else:
            emulator.process.stop()
        began = time.monotonic()
        assert asked.kept_of("one") is Silence.NO_ANSWER
        assert asked.silent_s > 0
        with pytest.raises(BrokerUnavailableError, match=f"{emulator.url} does not answer"):
            app.backend.store_result("two", 8, "SUCCESS")
        assert time.monotonic() - began < 30  # Celery's own limit is two minutes
        if how == "silent":
            emulator.resume()
            assert app.AsyncResult("one").state == "SUCCESS"


def test_a_firestore_that_is_away_is_an_error_that_says_so(tmp_path, results_in_bucket, monkeypatch):
    with FirestoreEmulator(tmp_path) as emulator:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.address)
        app = new_app(results_in_bucket, gcs_timeout_s=1, gcs_retry_s=1)
        assert app.backend.incr(b"one") == 1
    with pytest.raises(BrokerUnavailableError, match="Firestore in the project jobtracker-test does not count"):
        app.backend.incr(b"one")
    with pytest.raises(BrokerUnavailableError, match="Firestore in the project jobtracker-test does not count"):
        app.backend._expire_chord_key("one", 60)


def test_without_a_project_nothing_starts():
    settings = Settings(celery_result_backend="gs://our-bucket/results")
    with pytest.raises(SettingsError, match="GCP_PROJECT_ID: must be set where CELERY_RESULT_BACKEND is gs://"):
        settings.check()
    Settings(celery_result_backend="gs://our-bucket/results", gcp_project_id="ours").check()
    Settings(celery_result_backend="gs://our-bucket/results?gcs_project=ours").check()


def test_a_bucket_that_can_not_be_made_is_an_error_that_says_what_to_set(results_in_bucket):
    app = new_app({**results_in_bucket, "celery_result_backend": "gs://Not_A_Bucket!/results"})
    with pytest.raises(ImproperlyConfigured, match="CELERY_RESULT_BACKEND"):
        app.backend  # noqa: B018 (it is made now)


def test_without_the_extra_it_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr("jobtracker.errors.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"celery-jobtracker\[gcp\]"):
        new_app({"celery_result_backend": "gs://our-bucket/results", "gcp_project_id": "ours"})


def test_without_credentials_a_check_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("STORAGE_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.setenv(name, "")  # counts as not set
    settings = Settings(celery_result_backend="gs://our-bucket/results", gcp_project_id="ours")
    with pytest.raises(SettingsError, match=r"no credentials for Google Cloud .* Set GOOGLE_APPLICATION_CREDENTIALS"):
        check_results(settings)
    assert "FIRESTORE_EMULATOR_HOST" not in os.environ  # Google's client takes an empty one for an address


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            PermissionDenied("no"),
            "Firestore does not say whether .* has a TTL policy .*PermissionDenied.* GCP_PROJECT_ID",
        ),
        (False, "Missing TTL policy"),
    ],
    ids=["forbidden", "missing"],
)
def test_without_a_ttl_policy_nothing_starts(app, monkeypatch, answer, said):
    def asked(backend):  # at Google: no emulator knows of policies
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST")
    monkeypatch.setattr(GCSBackend, "_is_firestore_ttl_policy_enabled", asked)
    with pytest.raises(ImproperlyConfigured, match=said):
        app.backend  # noqa: B018 (it is made now)


def test_a_bucket_that_does_not_answer_is_a_warning_when_a_process_starts(results_in_bucket, caplog):
    url = f"http://127.0.0.1:{free_port()}"
    check_results(Settings.model_validate({**results_in_bucket, "storage_emulator_host": url}))
    assert f"{url} does not answer" in caplog.text
    check_results(Settings())
