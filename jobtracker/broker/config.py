"""How an app is configured for Redis or RabbitMQ as its broker: priorities, queue types, time limits."""

import logging
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery
from celery.exceptions import ImproperlyConfigured
from kombu.utils.url import maybe_sanitize_url

from jobtracker.connection.client import how_to_ask
from jobtracker.connection.urls import SentinelAddress, is_sentinel
from jobtracker.core.lifecycle import Priority
from jobtracker.errors import BrokerUnavailableError, need_packages
from jobtracker.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

_REDIS_PRIORITIES = {Priority.CRITICAL: 0, Priority.HIGH: 3, Priority.NORMAL: 6, Priority.LOW: 9}
_AMQP_PRIORITIES = {Priority.LOW: 0, Priority.NORMAL: 3, Priority.HIGH: 6, Priority.CRITICAL: 9}


SHIPPED_QUEUE = "jobtracker"
"""Where expected job types go, until a worker that announces them says otherwise; the sample project's queue."""


def configure(app: Celery, settings: Settings) -> None:
    """Give a Celery app the broker and the result backend of `settings`, and the options that this broker needs.

    The workers' app and the API's both call this: the first process that uses a queue declares it, and RabbitMQ
    rejects redeclaring a queue with different arguments.
    """
    # Celery prefers the variables CELERY_… of the environment to `broker_url` and `result_backend`, as they are
    # spelled there, but not to these (celery/app/utils.py, celery/app/base.py).
    app.conf.update(broker_read_url=settings.broker_url, broker_write_url=settings.broker_url)
    app.backend_cls = settings.result_backend
    if settings.results_are_in_bucket:
        need_packages("CELERY_RESULT_BACKEND", "gcp", "google.cloud.storage", "google.cloud.firestore", "grpc")
        app.backend_cls = f"{_GCS_RESULTS}+{settings.result_backend}"
        app.conf.update(
            gcs_project=settings.gcp_project_id,
            gcs_location=settings.gcp_location,
            gcs_emulator_host=settings.storage_emulator_host,
            result_backend_thread_safe=True,  # or each thread would have clients of its own, with connections
        )
    # Not Celery's own `celery`: workers of other projects on the same broker consume that, and know other tasks.
    app.conf.update(task_default_queue=SHIPPED_QUEUE)
    app.conf.update(_amqp_conf(settings) if settings.broker_is_amqp else _REDIS_CONF)
    if settings.celery_visibility_timeout_s is not None and not settings.broker_is_amqp:
        app.conf.broker_transport_options = {"visibility_timeout": settings.celery_visibility_timeout_s}
    for name, url in (
        ("broker_transport_options", settings.celery_broker_url),
        ("result_backend_transport_options", settings.celery_result_backend),
    ):
        if is_sentinel(url or settings.tracking_url):
            address = SentinelAddress.read(url or settings.tracking_url)
            app.conf[name] = {
                **app.conf[name],
                "master_name": address.service,
                "sentinel_kwargs": how_to_ask(address, _SENTINELS_WITHIN_S),
            }


def check_results(settings: Settings) -> None:
    """Do nothing where Celery's results can be kept in the bucket that is set, or are kept elsewhere.

    A missing bucket is made. One that does not answer is a warning only: it may be back when it is needed.

    Raises:
        SettingsError: They can't. It says what to set.
        MissingExtraError: The extra `gcp` is not installed.
    """
    if not settings.results_are_in_bucket:
        return
    app = Celery("jobtracker-check", set_as_current=False)
    configure(app, settings)
    app.conf.update(gcs_retry_s=_CHECK_RETRY_S)
    try:
        app.backend  # noqa: B018 (Celery looks when it makes it)
    except BrokerUnavailableError as error:
        logger.warning("%s", error)
    except ImproperlyConfigured as error:
        raise SettingsError(str(error)) from error


_CHECK_RETRY_S = 3.0
"""For how long a request that has failed in a passing way is repeated then."""

_GCS_RESULTS = "jobtracker.broker.gcs_results:GcsResults"
"""Celery's own, with what it lacks. By name: it is imported when an app needs it."""

_SENTINELS_WITHIN_S = 1
"""How long a Sentinel may take to answer, in seconds."""

_REDIS_CONF = {
    # kombu takes messages without a priority for the most urgent (kombu/transport/redis.py).
    "task_default_priority": _REDIS_PRIORITIES[Priority.NORMAL],
}


def _amqp_conf(settings: Settings) -> dict[str, Any]:
    conf: dict[str, Any] = {
        "task_default_priority": _AMQP_PRIORITIES[Priority.NORMAL],
        # A message counts as sent when RabbitMQ has it: what a process has only written is lost where it is killed.
        "broker_transport_options": {"confirm_publish": True},
    }
    if settings.broker_url.startswith("amqps:"):
        conf["broker_use_ssl"] = {"server_hostname": None}  # that of the URL: without it py-amqp checks no name
    if settings.celery_queue_type == "classic":
        return conf | {"task_queue_max_priority": max(_AMQP_PRIORITIES.values())}
    return conf | {
        "task_default_queue_type": "quorum",
        "task_create_missing_queue_type": "quorum",
        # Messages with an ETA wait at the broker, which can't be where they are sent to queues directly.
        "task_default_exchange": "jobtracker",
        "task_default_exchange_type": "topic",
    }


_speaks_amqp: "WeakKeyDictionary[Celery, bool]" = WeakKeyDictionary()
_systems: "WeakKeyDictionary[Celery, str]" = WeakKeyDictionary()
_SYSTEMS = {"amqp": "rabbitmq", "sqs": "aws_sqs"}
"""OpenTelemetry's names of brokers by kombu's, where they differ."""
"""By app. An app keeps one broker for life, and to find out takes longer than to record a job."""


def is_amqp(app: Celery) -> bool:
    """Whether an app's broker speaks AMQP, as RabbitMQ does."""
    if app not in _speaks_amqp:
        _speaks_amqp[app] = app.connection_for_write().transport.driver_type == "amqp"
    return _speaks_amqp[app]


def messaging_system(app: Celery) -> str:
    """The name of an app's broker, as OpenTelemetry's conventions for messaging have it."""
    if app not in _systems:
        driver = str(app.connection_for_write().transport.driver_type)
        _systems[app] = _SYSTEMS.get(driver, driver)
    return _systems[app]


def broker_priorities(app: Celery) -> dict[Priority, int]:
    """The broker's own numbers: kombu's Redis transport takes 0 first, AMQP takes the highest first.

    A quorum queue has two levels, up to 4 and above (RabbitMQ 4): there low equals normal, and high equals critical.
    """
    return _AMQP_PRIORITIES if is_amqp(app) else _REDIS_PRIORITIES


def priority_of(app: Celery, number: int | None) -> Priority:
    """The priority that is nearest to a broker's number; normal where the message has none."""
    if number is None:
        return Priority.NORMAL
    numbers = broker_priorities(app)
    return min(numbers, key=lambda priority: abs(numbers[priority] - number))


def without_secrets(broker: Mapping[str, Any]) -> dict[str, Any]:
    """A worker's description of its broker connection, without the passwords that Celery leaves in it.

    For a unix socket the host name is a URL with a password (kombu/transport/redis.py). Any transport option may hold
    a secret, so only `visibility_timeout` is kept.
    """
    known = {name: value for name, value in broker.items() if name != "transport_options"}
    timeout_s = (broker.get("transport_options") or {}).get("visibility_timeout")
    told = {"transport_options": {"visibility_timeout": timeout_s}} if timeout_s is not None else {}
    return known | told | {"hostname": maybe_sanitize_url(known.get("hostname"))}
