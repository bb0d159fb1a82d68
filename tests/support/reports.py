"""Reports as the tests of reporting make them, in this process and in others."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.reporting.report import Importance, Notice, Report
from jobtracker.reporting.reporter import Reporter
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

TIMEOUT_S = 0.2

EVENTS: dict[Importance, Event | Notice] = {
    Importance.PROGRESS: Notice.LOG,
    Importance.STEP: Event.START,
    Importance.END: Event.COMPLETE,
    Importance.NEW_JOB: Notice.NOT_PUBLISHED,
}


class Written(Report):
    """A report that is written as a test says."""

    def __init__(self, write: Callable[[bool], object], importance: Importance) -> None:
        super().__init__(EVENTS[importance], "a job", at_ms=now_ms())
        self.write = write


def log(job: str, reporter: Reporter, text: str) -> None:
    """Report a log line as a task does."""
    data = {"level": "info", "message": text}
    reporter.report(Report(Notice.LOG, job, data=data, at_ms=int(text)))


def lines(queries: JobQueries, job: str) -> list[int]:
    """What `log` has written."""
    return [int(line.message) for line in queries.log(job, most=10_000)]


def record_again(store: JobStore, reporter: Reporter, job: str) -> Callable[[], list[Outcome] | None]:
    """Record a job as a publisher does, whose message is on its way meanwhile: here one that is there."""
    new = NewJob(id=job, fields={"type": "custom", "priority": "normal"})
    return reporter.begin_create([new], Written(lambda _: store.create(new), Importance.NEW_JOB))


SCRIPT = """
    import os, sys, threading, time
    from jobtracker.connection.client import connect
    from types import SimpleNamespace
    from jobtracker.reporting.applier import Applier
    from jobtracker.reporting.report import Notice, Report
    from jobtracker.store.keys import Keys
    from jobtracker.core.lifecycle import Event
    from jobtracker.store.reader import JobQueries
    from jobtracker.reporting.reporter import Reporter
    from jobtracker.reporting.journal import Spool
    from jobtracker.store.writer import JobStore

    url, namespace, job, folder, limit = sys.argv[1:]
    client, keys = connect(url, {timeout_s}), Keys(namespace)
    store = JobStore(client, keys)
    propagation = SimpleNamespace(propagate=lambda job_id, change, **_: change)
    applier = Applier(store, JobQueries(client, keys), propagation, None, None)
    spool = Spool(folder, namespace) if folder else None
    reporter = Reporter(store, applier, {timeout_s}, int(limit), spool)

    def report(text):
        reporter.report(Report(Notice.LOG, job, data=dict(level="info", message=text), at_ms=1))
"""


def run(
    server: EmbeddedRedis,
    keys: Keys,
    job: str,
    script: str,
    *,
    timeout_s: float = TIMEOUT_S,
    folder: str | Path = "",
    limit: int = 100,
) -> subprocess.Popen[str]:
    """A process that reports on a job while the server is away."""
    code = textwrap.dedent(SCRIPT.format(timeout_s=timeout_s)) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code, server.url, keys.namespace, job, str(folder), str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
