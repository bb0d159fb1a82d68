"""One Redis for everything at addresses that are not plain: TLS with user and password, a unix socket, a database."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from celery import Celery
from redis.exceptions import ConnectionError as RedisConnectionError
from support.servers import PASSWORD, Certificate, TlsRedis
from support.serving import Api, job, parent, running_api, running_worker

from jobtracker import Settings
from jobtracker.broker.config import SHIPPED_QUEUE, configure
from jobtracker.broker.errors import broker_errors
from jobtracker.connection.client import connect
from jobtracker.errors import BrokerUnavailableError
from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.thorough

DB = 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def tls_redis(certificate, tmp_path_factory) -> Iterator[TlsRedis]:
    with TlsRedis(tmp_path_factory.mktemp("tls-redis"), certificate) as server:
        yield server


@contextlib.contextmanager
def on_unix_socket(folder) -> Iterator[str]:
    """The address of a server with a password on a unix socket."""
    path = folder / "a socket"
    with EmbeddedRedis(folder / "data", config={"unixsocket": str(path)}) as server:
        connect(server.url, 5).config_set("requirepass", PASSWORD)
        yield f"unix://{quote(str(path))}?password={quote(PASSWORD, safe='')}"


def run_jobs(url, api_log_dir, documents) -> Api:
    with running_api(api_log_dir, redis_url=url, redis_db=DB) as api, running_worker(api, documents) as worker:
        api.expect(api.launch(parent(job(), job())), "completed")
        assert {depth["queue"] for depth in api.get("/api/tracking/queue-depth")["queues"]} == {SHIPPED_QUEUE}
        answers = [api.http.get(f"/api/tracking/{path}").text for path in ("worker-stats", "health", "queue-depth")]
        assert api.client.connection_pool.connection_kwargs["db"] == DB
        told = "".join([*answers, *api.log_lines(), worker.log_path.read_text()])
        assert PASSWORD not in told
        assert quote(PASSWORD, safe="") not in told
    return api


def test_jobs_run_over_tls_with_user_and_password(tls_redis, certificate, api_log_dir, documents):
    run_jobs(f"{tls_redis.url}?ssl_ca_certs={quote(str(certificate.path))}", api_log_dir, documents)


def test_jobs_run_over_a_unix_socket_with_a_password(tmp_path_factory, api_log_dir, documents):
    with on_unix_socket(tmp_path_factory.mktemp("s")) as url:
        run_jobs(url, api_log_dir, documents)


def test_a_server_whose_certificate_nobody_vouches_for_is_refused(tls_redis):
    settings = Settings(redis_url=tls_redis.url)
    with connect(settings.tracking_url, 2) as client, pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY"):
        client.ping()
    app = Celery()
    configure(app, settings)
    with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY"):
        app.backend.client.ping()
    with (
        app.connection_for_write() as connection,
        pytest.raises(BrokerUnavailableError, match="CERTIFICATE_VERIFY") as caught,
        broker_errors(),
    ):
        connection.ensure_connection(max_retries=1, interval_start=0)
    assert PASSWORD not in str(caught.value)
    app.close()
