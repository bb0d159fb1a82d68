"""Finds the tracking Redis of an app that names none: its broker, if that is a Redis."""

from celery import Celery

from jobtracker.connection.urls import redis_url


def redis_of_broker(app: Celery) -> str | None:
    """The address of an app's broker as that of a tracking Redis; None where it is no Redis.

    Loads the app's configuration.
    """
    url = app.conf.broker_write_url
    urls = url if isinstance(url, str) else ";".join(url or ())
    return redis_url(urls, app.conf.broker_transport_options, app.conf.broker_use_ssl)
