"""The address of Celery's broker as that of the tracking Redis; addresses as they may be shown."""

import ssl

import pytest
from celery import Celery

from jobtracker.broker.tracking_redis import redis_of_broker
from jobtracker.connection.client import connect
from jobtracker.connection.urls import redis_url, without_passwords
from jobtracker.errors import JobTrackerError
from jobtracker.settings import Settings, SettingsError

CERTIFICATES = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/etc/ca.pem", "ssl_keyfile": None}


@pytest.mark.parametrize(
    ("broker", "found"),
    [
        ("redis://localhost:6379/3", "redis://localhost:6379/3"),
        ("redis://:p%40ss@a:1/0;redis://b:1/0", "redis://:p%40ss@a:1/0"),
        ("unix:///tmp/r.sock?db=2", "unix:///tmp/r.sock?db=2"),
        ("redis+socket://:p%40ss@/tmp/r.sock?virtual_host=2", "unix:///tmp/r.sock?db=2&password=p%40ss"),
        ("redis+socket:///tmp/r.sock", "unix:///tmp/r.sock"),
        ("rediss://h:1/0", "rediss://h:1/0?ssl_cert_reqs=none"),
        ("rediss://h:1/0?ssl_cert_reqs=CERT_REQUIRED", "rediss://h:1/0?ssl_cert_reqs=required"),
        ("sentinel://a:1;sentinel://b:1/2", "sentinel://a:1;sentinel://b:1/2"),
        ("amqp://guest@localhost//", None),
        ("memory://", None),
        ("", None),
    ],
)
def test_a_broker_that_is_a_redis_is_spelled_as_redis_py_has_it(broker, found):
    assert redis_url(broker) == found
    if found:
        assert Settings(redis_url=found).tracking_url.startswith(found.split("?")[0])
        connect(Settings(redis_url=found).tracking_url, 1).close()


def test_certificates_and_the_service_name_come_from_the_apps_options():
    app = Celery("a", broker="rediss://h:1/0", broker_use_ssl=CERTIFICATES, set_as_current=False)
    assert redis_of_broker(app) == "rediss://h:1/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fetc%2Fca.pem"
    options = {"master_name": "main", "sentinel_kwargs": {"password": "p&q"}}
    app = Celery("b", broker="sentinel://a:1/0", broker_transport_options=options, set_as_current=False)
    assert redis_of_broker(app) == "sentinel://a:1/0?master_name=main&sentinel_password=p%26q"
    assert redis_of_broker(Celery("c", set_as_current=False)) is None


def test_without_redis_url_a_redis_in_celery_broker_url_is_used():
    assert Settings.from_env({"CELERY_BROKER_URL": "redis://broker:1/4"}).tracking_url == "redis://broker:1/4"
    both = {"CELERY_BROKER_URL": "redis://broker:1/4", "REDIS_URL": "redis://own:1"}
    assert Settings.from_env(both).tracking_url == "redis://own:1/0"
    assert not Settings.from_env({}).names_redis


def test_rabbitmq_without_a_redis_is_one_sentence_that_says_what_to_set(monkeypatch):
    settings = Settings.from_env({"CELERY_BROKER_URL": "amqp://broker"})
    with pytest.raises(SettingsError, match=r"REDIS_URL: must be set where CELERY_BROKER_URL is RabbitMQ's"):
        settings.check()
    assert issubclass(SettingsError, JobTrackerError)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@h:1/0", "redis://:***@h:1/0"),
        ("redis://user:s%40cret@h/1;redis://h2", "redis://user:***@h/1;redis://h2"),
        ("unix:///tmp/s?password=secret&db=1", "unix:///tmp/s?password=***&db=1"),
        (
            "sentinel://:secret@h:1;sentinel://:secret@i/0?sentinel_password=secret",
            "sentinel://:***@h:1;sentinel://:***@i/0?sentinel_password=***",
        ),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
    ],
)
def test_an_address_is_shown_without_its_passwords(url, shown):
    assert without_passwords(url) == shown
