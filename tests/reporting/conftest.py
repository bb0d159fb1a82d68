"""A store on a server that may be stopped, and a reporter that writes to it."""

import pytest
from celery import Celery
from support.reports import TIMEOUT_S, Written
from support.sample_jobs import create_in
from support.workers_under_test import eventually

from jobtracker.connection.client import connect
from jobtracker.core.lifecycle import Status
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.relaunch import Relauncher
from jobtracker.jobs.signatures import SignatureBuilder
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.reporting.applier import Applier
from jobtracker.reporting.reporter import Reporter
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of the module's own, to be stopped."""
    with EmbeddedRedis(tmp_path_factory.mktemp("away")) as server:
        yield server


@pytest.fixture
def client(server):
    with connect(server.url, TIMEOUT_S) as client:
        yield client


@pytest.fixture
def job(store):
    return create_in(store, Status.RUNNING)


@pytest.fixture
def queries(client, keys):
    return JobQueries(client, keys)


@pytest.fixture
def applier(client, keys, store, queries):
    """Writes reports, and what a test wants to happen in their place."""
    app = Celery()
    propagation = Propagation(
        store, queries, Dispatcher(app, queries, SignatureBuilder(app, queries, None, None)), Leases(client, keys, 20)
    )
    relauncher = Relauncher(store, queries, propagation, resends=True)

    class Own(Applier):
        def apply(self, report, is_repeat):
            return report.write(is_repeat) if isinstance(report, Written) else super().apply(report, is_repeat)

    return Own(store, queries, propagation, relauncher, None)


@pytest.fixture
def reporter(store, applier):
    reporter = Reporter(store, applier, TIMEOUT_S, 10_000)
    yield reporter
    eventually(lambda: not reporter.away)
