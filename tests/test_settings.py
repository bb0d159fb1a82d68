"""Settings from the environment."""

import traceback
import uuid

import pytest
from celery import Celery
from pydantic import ValidationError
from redis import Redis

from jobtracker.broker.config import configure
from jobtracker.connection.urls import SentinelAddress, celery_url, with_database
from jobtracker.core.net import is_loopback
from jobtracker.settings import Settings, SettingsError


def test_nothing_set_means_the_documented_defaults():
    settings = Settings.from_env({})
    assert settings.tracking_url == "redis://localhost:6379/0"
    assert settings.broker_url == settings.result_backend == settings.tracking_url
    assert settings.retention_ms == 7 * 86_400_000


def test_a_variable_is_the_upper_case_name_of_its_setting():
    settings = Settings.from_env({"REDIS_DB": "3", "JOB_RETENTION_DAYS": "0.5", "MAX_RESULT_BYTES": "0"})
    assert settings.tracking_url == "redis://localhost:6379/3"
    assert (settings.retention_ms, settings.max_result_bytes) == (43_200_000, 0)


@pytest.mark.parametrize("name", ["bucket", "my_bucket-1", "logs.example.com", "b" * 63])
def test_a_bucket_may_have_any_name_that_google_allows(name):
    assert Settings.from_env({"GCS_BUCKET_NAME": name}).gcs_bucket_name == name


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("TRACKING_NAMESPACE", "mine")
    assert Settings.from_env().tracking_namespace == "mine"


def test_an_empty_variable_counts_as_not_set():
    assert Settings.from_env({"REDIS_URL": "", "TOMBSTONE_S": ""}) == Settings()


def test_other_variables_are_none_of_its_business():
    assert Settings.from_env({"PATH": "/bin", "redis_db": "5"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_DB", "-1"),
        ("REDIS_DB", "one"),
        ("TRACKING_TIMEOUT_S", "0"),
        ("TRACKING_TIMEOUT_S", "nan"),
        ("JOB_RETENTION_DAYS", "0"),
        ("JOB_RETENTION_DAYS", "inf"),
        ("JOB_RETENTION_DAYS", "a week"),
        ("TOMBSTONE_S", "1.5"),
        ("MAX_LOG_LINES", "0"),
        ("LEASE_LOST_S", "-20"),
        ("LEASE_LOST_S", "5"),
        ("RELEASE_LABEL", "x" * 101),
        ("GCS_BUCKET_NAME", "gs://bucket"),
        ("GCS_BUCKET_NAME", "bucket/folder"),
        ("GCS_BUCKET_NAME", "Bucket"),
        ("GCS_BUCKET_NAME", "ab"),
        ("GCS_BUCKET_NAME", "b" * 64),
        ("GCS_BUCKET_NAME", "10.0.0.1"),
        ("GCS_BUCKET_NAME", "bucket-"),
        ("GCP_PROJECT_ID", "My Project"),
        ("GCP_LOCATION", "in Europe"),
        ("STORAGE_EMULATOR_HOST", "localhost:4443"),
        ("FIRESTORE_EMULATOR_HOST", "http://localhost:8080"),
    ],
)
def test_a_value_that_can_not_be_used_is_an_error_that_names_its_variable(name, value):
    with pytest.raises(SettingsError, match=rf"^Bad settings in the environment\. {name}: "):
        Settings.from_env({name: value})


def test_leases_that_are_renewed_too_rarely_are_an_error_too():
    with pytest.raises(SettingsError, match=r"LEASE_LOST_S: .*more than LEASE_RENEW_S"):
        Settings.from_env({"LEASE_RENEW_S": "30"})


def test_every_bad_variable_is_named_at_once():
    with pytest.raises(SettingsError, match=r"REDIS_DB: .*; TOMBSTONE_S: "):
        Settings.from_env({"REDIS_DB": "x", "TOMBSTONE_S": "y"})


def test_an_error_does_not_show_the_values_of_other_settings():
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"REDIS_URL": "redis://:secret@host", "REDIS_DB": "x"})
    assert "secret" not in str(caught.value)


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().redis_db = 1


def test_broker_and_result_backend_may_be_elsewhere():
    settings = Settings.from_env({"CELERY_BROKER_URL": "amqp://broker", "CELERY_RESULT_BACKEND": "gs://bucket"})
    assert (settings.broker_url, settings.result_backend) == ("amqp://broker", "gs://bucket")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", "redis://h/2"),
        ("redis://h:1/", "redis://h:1/2"),
        ("redis://h:1/5", "redis://h:1/5"),
        ("redis://u:p%40@h:1", "redis://u:p%40@h:1/2"),
        ("rediss://h?ssl_cert_reqs=none", "rediss://h/2?ssl_cert_reqs=none"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=2"),
        ("unix:///run/redis.sock?db=5", "unix:///run/redis.sock?db=5"),
        ("unix:///run/redis.sock?password=p", "unix:///run/redis.sock?password=p&db=2"),
        ("redis://h?db=5", "redis://h?db=5"),
    ],
)
def test_the_database_is_put_where_the_url_names_none(url, expected):
    assert with_database(url, 2) == expected
    client = Redis.from_url(expected)
    assert client.connection_pool.connection_kwargs["db"] == (5 if "5" in expected else 2)
    client.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:1/2", "redis://h:1/2"),
        ("redis://u:p%40@h?db=2", "redis://u:p%40@h/2"),
        ("rediss://h/2", "rediss://h/2?ssl_cert_reqs=required"),
        ("rediss://h/2?ssl_cert_reqs=none", "rediss://h/2?ssl_cert_reqs=none"),
        ("unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"),
        ("unix://u:p%40@/run/redis.sock", "redis+socket://u:p%40@/run/redis.sock"),
        ("unix:///r.sock?password=p%40&db=2", "redis+socket://:p%40@/r.sock?virtual_host=2"),
        ("redis+socket:///r.sock?virtual_host=2", "redis+socket:///r.sock?virtual_host=2"),
        ("amqp://u:p%40@h//", "amqp://u:p%40@h//"),
    ],
)
def test_celery_spells_some_addresses_its_own_way(url, expected):
    assert celery_url(url) == expected


def test_of_several_brokers_each_is_spelled_so():
    settings = Settings(celery_broker_url="rediss://a/1;rediss://b/1")
    assert settings.broker_url == "rediss://a/1?ssl_cert_reqs=required;rediss://b/1?ssl_cert_reqs=required"


@pytest.mark.parametrize("missing", ["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"])
def test_where_the_store_is_on_a_cluster_our_applications_need_a_place_for_celery(missing):
    environ = {"CELERY_BROKER_URL": "amqp://h", "CELERY_RESULT_BACKEND": "redis://h"}
    environ |= {"REDIS_URL": "redis+cluster://a:1;redis+cluster://b:2", missing: ""}
    settings = Settings.from_env(environ)  # a project of its own configures Celery itself
    assert settings.tracking_url == environ["REDIS_URL"]
    with pytest.raises(SettingsError, match=rf"{missing}: must be set where REDIS_URL is a cluster's"):
        settings.check()


def test_a_cluster_has_one_database():
    with pytest.raises(SettingsError, match="REDIS_DB: a cluster has database 0 only"):
        Settings.from_env({"REDIS_URL": "redis+cluster://a", "REDIS_DB": "1"})


@pytest.mark.parametrize("url", ["redis://a;redis://b", "sentinel://a;redis://b", "http://a", "redis+cluster://a;"])
def test_an_address_of_the_store_that_is_none_is_an_error(url):
    with pytest.raises(SettingsError, match="REDIS_URL: must begin with "):
        Settings.from_env({"REDIS_URL": url})


def test_sentinels_are_named_as_celery_names_them_with_their_word_for_the_server():
    settings = Settings(
        redis_url="sentinel://u:p%40@a:1;sentinel://b?master_name=shop&sentinel_password=s", redis_db=3
    )
    assert settings.broker_url == settings.result_backend == "sentinel://u:p%40@a:1/3;sentinel://u:p%40@b:26379/3"
    found = SentinelAddress.read(settings.tracking_url)
    assert (found.sentinels, found.service) == ([("a", 1), ("b", 26379)], "shop")
    assert (found.options, found.sentinel_options) == (
        {"username": "u", "password": "p@", "db": 3},
        {"password": "s"},
    )
    app = Celery("shop", set_as_current=False)
    configure(app, settings)
    for options in (app.conf.broker_transport_options, app.conf.result_backend_transport_options):
        assert options["master_name"] == "shop"
        assert options["sentinel_kwargs"]["password"] == "s"
    app.close()


@pytest.mark.parametrize("url", ["redis://a", "sentinel://a/0?master_name=shop"])
def test_the_shipped_app_s_visibility_timeout_is_a_setting(url):
    app = Celery("shop", set_as_current=False)
    configure(app, Settings.from_env({"REDIS_URL": url, "CELERY_VISIBILITY_TIMEOUT_S": "7200"}))
    assert app.conf.broker_transport_options["visibility_timeout"] == 7200
    assert ("master_name" in app.conf.broker_transport_options) == url.startswith("sentinel")
    app.close()


@pytest.mark.parametrize("url", ["http://h", "redis+cluster://h", "amqp//h", "redis:6379", "amqp://a;http://b"])
def test_a_broker_that_is_neither_redis_nor_rabbitmq_is_an_error_that_says_what_is_possible(url):
    with pytest.raises(SettingsError, match=r"CELERY_BROKER_URL: .*must begin with redis://.* amqp://"):
        Settings.from_env({"CELERY_BROKER_URL": url})


def test_passwords_are_neither_in_errors_nor_in_what_is_printed():
    password = uuid.uuid4().hex
    for name in ("REDIS_URL", "CELERY_BROKER_URL"):
        with pytest.raises(SettingsError) as caught:
            Settings.from_env({name: f"http://user:{password}@host"})
        assert password not in "".join(traceback.format_exception(caught.value))
    url = f"redis://:{password}@host"
    assert password not in repr(Settings(redis_url=url, celery_broker_url=url, celery_result_backend=url))


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_what_only_this_machine_reaches_is_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "example.org", "notlocalhost", "localhost.example.org"]
)
def test_what_others_reach_is_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("name", ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"])
def test_a_secret_may_be_in_a_file(tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("redis://:password@redis.example:6379/2\n")
    settings = Settings.from_env({f"{name}_FILE": str(secret), name: ""})
    assert getattr(settings, name.lower()) == "redis://:password@redis.example:6379/2"


def test_a_setting_that_is_no_secret_has_no_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert Settings.from_env({"TRACKING_NAMESPACE_FILE": str(tmp_path / "file")}) == Settings()


def test_a_secret_that_is_set_twice_is_an_error(tmp_path):
    (tmp_path / "secret").write_text("redis://one")
    with pytest.raises(SettingsError, match="REDIS_URL: is set, and REDIS_URL_FILE is too: set one of them"):
        Settings.from_env({"REDIS_URL": "redis://other", "REDIS_URL_FILE": str(tmp_path / "secret")})


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "can't be read: No such file"), (b"\n", "is empty"), (b"\xff\xfe", "can't be read: it is not text")],
)
def test_a_file_without_a_secret_is_an_error_that_names_it(tmp_path, content, message):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"REDIS_URL_FILE: {path} {message}"):
        Settings.from_env({"REDIS_URL_FILE": str(path)})
