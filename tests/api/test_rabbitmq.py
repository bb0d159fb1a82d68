"""The API over RabbitMQ: queues that others have declared, the broker's own figures, and a broker that goes away."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

import amqp
import pytest
from celery import Celery
from support.servers import OTHER_HOST, PASSWORD, USER, Certificate, RabbitMQ
from support.serving import Api, Json, eventually, job, parent, problem_of, running_api, running_worker, waiting

from jobtracker import Settings
from jobtracker.broker.config import SHIPPED_QUEUE, configure
from jobtracker.broker.errors import broker_errors
from jobtracker.errors import BrokerUnavailableError
from jobtracker.local.child_process import ChildProcess
from jobtracker.store.job_types import JobType, Registry

pytestmark = [pytest.mark.long, pytest.mark.thorough]

QUICK_S = 2.0
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loopback interface has one address")
ARGUMENTS = {
    "x-queue-type": "quorum",
    "x-message-ttl": 60_000,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "dead",
}
PRIORITIES = {"low": 0, "normal": 3, "high": 6, "critical": 9}


def address_of(url):
    """Host and virtual host of an AMQP address."""
    host, _, vhost = url.rpartition("@")[2].partition("/")
    return host, vhost


@contextlib.contextmanager
def channel_to(url) -> Iterator[amqp.Channel]:
    """A channel of a client that is none of ours."""
    host, vhost = address_of(url)
    with amqp.Connection(host, USER, PASSWORD, virtual_host=vhost) as connection:
        yield connection.channel()


def announce(api: Api, job_type: str, queue: str) -> None:
    """Make a type known, as its worker would."""
    Registry(api.client, api.keys).announce(JobType(name=job_type, task=f"tests.{job_type}", queue=queue))


def depth_of(api: Api, queue: str) -> Json:
    [found] = [depth for depth in api.get("/api/tracking/queue-depth")["queues"] if depth["queue"] == queue]
    return dict(found)


@pytest.fixture(scope="module", params=["classic", "quorum"])
def api(request, redis_server, rabbitmq, api_log_dir) -> Iterator[Api]:
    """An API over RabbitMQ."""
    settings = {"celery_broker_url": rabbitmq.new_url(), "celery_queue_type": request.param}
    with running_api(api_log_dir, redis_url=redis_server.url, inspect_cache_s=0.5, **settings) as api:
        yield api


@pytest.fixture(scope="module")
def early(api) -> str:
    """A job that was started before the first worker came."""
    return api.launch(job("document_analysis", {"text": "Ferries leave at noon.", "analysis_type": "summary"}))


@pytest.fixture(scope="module")
def worker(api, early, documents) -> Iterator[ChildProcess]:
    with running_worker(api, documents) as process:
        yield process


def test_what_was_started_before_the_first_worker_came_is_done_when_it_comes(api, early, worker):
    api.expect(early, "completed")


def test_jobs_and_trees_are_done(api, worker):
    api.expect(api.launch(parent(job(), parent(job()), job(priority="critical"))), "completed")


def test_the_broker_and_the_workers_tell_what_they_do_and_no_password(api, worker):
    running = api.launch(payload=waiting(60, steps=600))
    api.expect(running, "running")
    depth = depth_of(api, SHIPPED_QUEUE)
    assert (depth["messages"], len(depth["consumers"]), depth["consumer_count"]) == (0, 1, 1)
    assert api.get("/api/tracking/queue-depth")["unacknowledged"] is None
    [stats] = api.get("/api/tracking/worker-stats")
    assert stats["online"]
    health = api.get("/api/tracking/health")["components"]
    assert (health["broker"]["facts"]["transport"], health["workers"]["healthy"]) == ("amqp", True)
    api.post(running, "cancel")
    api.expect(running, "cancelled")
    told = "".join([str(stats), str(health), *api.log_lines(), worker.log_path.read_text()])
    assert PASSWORD not in told
    assert "p%40ss" not in told


def test_a_parent_whose_own_task_is_for_others_goes_into_their_queue_when_its_sub_jobs_are_done(api, worker):
    announce(api, "their_parent", "queue of their parents")
    with channel_to(api.settings.celery_broker_url) as channel:
        channel.queue_declare("queue of their parents", durable=True, auto_delete=False, arguments=ARGUMENTS)
        tree = api.launch(job("their_parent", sub_jobs=[job(), job()]))
        eventually(lambda: depth_of(api, "queue of their parents")["messages"] == 1)
        message = channel.basic_get("queue of their parents", no_ack=True)
    assert message.headers["id"] == tree
    assert {sub["status"] for sub in api.tree(tree)["sub_jobs"]} == {"completed"}


def test_a_job_goes_into_a_queue_that_others_declared_in_their_own_way(api):
    announce(api, "theirs", "their queue")
    with channel_to(api.settings.celery_broker_url) as channel:
        channel.queue_declare("their queue", durable=True, auto_delete=False, arguments=ARGUMENTS)
        sent = {api.launch(job("theirs", priority=priority)): number for priority, number in PRIORITIES.items()}
        eventually(lambda: depth_of(api, "their queue")["messages"] == len(sent))
        messages = [channel.basic_get("their queue", no_ack=True) for _ in sent]
    assert {message.headers["id"]: message.properties["priority"] for message in messages} == sent


def test_a_job_for_a_queue_that_nobody_has_declared_is_refused_and_not_lost(api):
    announce(api, "nobody", "nowhere")
    created = api.create(parent(job("document_analysis", {"text": "x"}), job("nobody")))
    assert "Start a worker" in api.refused(created["id"], "start")
    tree = api.tree(created["id"])
    assert [tree["status"], *(sub["status"] for sub in tree["sub_jobs"])] == ["pending"] * 3
    assert tree["run"] == 0
    depth = depth_of(api, "nowhere")
    assert (depth["messages"], depth["consumers"], depth["consumer_count"]) == (0, [], None)
    with channel_to(api.settings.celery_broker_url) as channel:
        channel.queue_declare("nowhere", durable=True, auto_delete=False)
    api.post(created["id"], "start")


# -- a broker of the tests' own ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def own_rabbitmq(certificate, tmp_path_factory) -> Iterator[RabbitMQ]:
    """A node that tests may stop."""
    with RabbitMQ(tmp_path_factory.mktemp("own-rabbitmq"), certificate) as server:
        yield server


@pytest.fixture(scope="module")
def own_api(own_rabbitmq, redis_server, api_log_dir) -> Iterator[Api]:
    """An API on that node, without a worker."""
    url = own_rabbitmq.new_url()
    with running_api(api_log_dir, redis_url=redis_server.url, celery_broker_url=url) as api:
        yield api


def unavailable(api: Api, method: str, path: str) -> str:
    """The detail of an answer that must be quick and say that the broker is away."""
    began = time.monotonic()
    problem = problem_of(api.http.request(method, path), 503)
    took_s = time.monotonic() - began
    assert problem["title"] == "The broker is away"
    assert took_s < QUICK_S, f"{method} {path} took {took_s:.1f} s"
    return str(problem["detail"])


def broker_health(api: Api) -> tuple[int, str]:
    began = time.monotonic()
    response = api.http.get("/api/health")
    assert time.monotonic() - began < QUICK_S
    return response.status_code, response.json()["components"]["broker"]["detail"] or ""


def test_while_the_broker_is_away_a_start_says_so_and_what_was_started_before_is_kept(own_api, own_rabbitmq):
    announce(own_api, "theirs", SHIPPED_QUEUE)
    before = own_api.launch(job("document_analysis", {"text": "x"}))
    created = own_api.create(parent(job("document_analysis", {"text": "x"})))["id"]
    own_rabbitmq.stop()
    for method, path in [
        ("POST", f"/api/jobs/{created}/start"),
        ("GET", "/api/tracking/queue-depth"),
        ("GET", "/api/tracking/worker-stats"),
    ]:
        unavailable(own_api, method, path)
    assert broker_health(own_api)[0] == 503
    assert own_api.job(created)["status"] == "pending"
    assert own_api.post(before, "cancel")["status"] == "cancelled"
    own_rabbitmq.start()
    assert broker_health(own_api) == (200, "")
    assert depth_of(own_api, SHIPPED_QUEUE)["messages"] == 1
    own_api.post(created, "start")


def test_a_connection_that_was_kept_while_the_broker_was_restarted_is_replaced(own_api, own_rabbitmq):
    own_api.launch(job("document_analysis", {"text": "x"}))
    waiting = depth_of(own_api, SHIPPED_QUEUE)["messages"]
    own_rabbitmq.stop()
    own_rabbitmq.start()
    assert depth_of(own_api, SHIPPED_QUEUE)["messages"] == waiting


def test_a_broker_that_hangs_holds_up_nothing_for_long(own_api, own_rabbitmq):
    before = own_api.launch(job("document_analysis", {"text": "x"}))
    created = own_api.create(job("document_analysis", {"text": "x"}))["id"]
    os.kill(own_rabbitmq.pid, signal.SIGSTOP)
    try:
        for method, path in [("POST", f"/api/jobs/{created}/start"), ("GET", "/api/tracking/queue-depth")]:
            began = time.monotonic()
            problem_of(own_api.http.request(method, path), 503)
            assert time.monotonic() - began < 4
        began = time.monotonic()
        found = own_api.get(f"/api/jobs/{before}/explain")
        assert time.monotonic() - began < QUICK_S
        assert (found["code"], found["message"]["where"]) == ("unknown", "unknown")
        assert own_api.http.get("/api/health").status_code == 503
        assert PASSWORD not in str(found)
    finally:
        os.kill(own_rabbitmq.pid, signal.SIGCONT)
    eventually(lambda: own_api.http.get("/api/health").status_code == 200)
    own_api.post(created, "start")


def test_a_wrong_password_is_the_brokers_problem_and_is_told_to_nobody(own_rabbitmq, redis_server, api_log_dir):
    host, vhost = address_of(own_rabbitmq.new_url())
    url = f"amqp://{USER}:not-the-word@{host}/{vhost}"
    with running_api(api_log_dir, redis_url=redis_server.url, celery_broker_url=url) as api:
        status, detail = broker_health(api)
        assert (status, "ACCESS_REFUSED" in detail) == (503, True)
        told = unavailable(api, "GET", "/api/tracking/queue-depth")
        assert "not-the-word" not in "".join([told, detail, *api.log_lines()])


@pytest.mark.parametrize(
    ("host", "is_trusted", "told"),
    [
        ("127.0.0.1", True, None),
        ("127.0.0.1", False, "self-signed certificate"),
        pytest.param(OTHER_HOST, True, "IP address mismatch", marks=ON_LINUX),
    ],
)
def test_over_tls_the_broker_has_to_be_the_one_that_its_certificate_names(
    own_rabbitmq, certificate, monkeypatch, host, is_trusted, told
):
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    app = Celery()
    configure(app, Settings(celery_broker_url=own_rabbitmq.new_tls_url().replace("127.0.0.1", host)))
    refused = pytest.raises(BrokerUnavailableError, match=told) if told else contextlib.nullcontext()
    with app.connection_for_write() as connection, refused, broker_errors():
        connection.ensure_connection(max_retries=1, interval_start=0)
    app.close()
