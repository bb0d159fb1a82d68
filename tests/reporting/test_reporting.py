"""Reports while the tracking Redis is away: their order, what a full buffer gives up, what is no reason to wait."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from support.recount import recount
from support.sample_jobs import create_in
from support.workers_under_test import eventually

from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.errors import BrokerUnavailableError, PartitionsError
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.relaunch import Relauncher
from jobtracker.jobs.signatures import SignatureBuilder
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.reporting.applier import Applier
from jobtracker.reporting.journal import Spool
from jobtracker.reporting.report import Importance, Notice, Report
from jobtracker.reporting.reporter import Reporter
from jobtracker.store.changes import NewJob
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

TIMEOUT_S = 0.2


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
        store, queries, Dispatcher(app, queries, SignatureBuilder(app, queries, None)), Leases(client, keys, 20)
    )
    relauncher = Relauncher(store, queries, propagation, resends=True)

    class Own(Applier):
        def apply(self, report, is_repeat):
            return report.write(is_repeat) if isinstance(report, Written) else super().apply(report, is_repeat)

    return Own(store, queries, propagation, relauncher, None)


EVENTS = {
    Importance.PROGRESS: Notice.LOG,
    Importance.STEP: Event.START,
    Importance.END: Event.COMPLETE,
    Importance.NEW_JOB: Notice.NOT_PUBLISHED,
}


class Written(Report):
    """A report that is written as a test says."""

    def __init__(self, write, importance):
        super().__init__(EVENTS[importance], "a job", at_ms=now_ms())
        self.write = write


@pytest.fixture
def reporter(store, applier):
    reporter = Reporter(store, applier, TIMEOUT_S, 10_000)
    yield reporter
    eventually(lambda: not reporter.away)


def log(job, reporter, text):
    """Report a log line as a task does."""
    data = {"level": "info", "message": text}
    reporter.report(Report(Notice.LOG, job, data=data, at_ms=int(text)))


def lines(queries, job):
    return [int(line.message) for line in queries.log(job, most=10_000)]


def test_reports_are_written_once_and_in_order_through_many_outages(server, store, queries, job, reporter):
    done = threading.Event()
    written = []

    def report():
        while not done.is_set():
            log(job, reporter, str(len(written)))
            written.append(1)
            time.sleep(0.002)  # as a task would work; a busy machine keeps up with it

    store.max_log_lines = 100_000
    thread = threading.Thread(target=report)
    thread.start()
    for how in ("hang", "stop", "hang", "stop"):
        seen = len(written)
        eventually(lambda seen=seen: len(written) > seen + 50)
        if how == "stop":
            server.stop()
        else:
            os.kill(server.pid, signal.SIGSTOP)
        seen = len(written)
        eventually(lambda seen=seen: len(written) > seen + 50)
        if how == "stop":
            server.start()
        else:
            os.kill(server.pid, signal.SIGCONT)
        eventually(lambda: not reporter.away)
    done.set()
    thread.join()
    eventually(lambda: not reporter.away)
    assert lines(queries, job) == list(range(len(written)))


def test_only_the_first_call_waits_for_a_server_that_hangs(server, store, queries, job, reporter):
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        log(job, reporter, "0")
        first_s = time.monotonic() - began
        for n in range(1, 1001):
            log(job, reporter, str(n))
        rest_s = time.monotonic() - began - first_s
        assert reporter.ask(lambda: queries.field(job, "cancel"), "unknown") == "unknown"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert TIMEOUT_S <= first_s < TIMEOUT_S + 0.5
    assert rest_s < 0.5
    eventually(lambda: not reporter.away)
    assert lines(queries, job) == list(range(1001))


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
        (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    ],
    ids=["a replica", "full"],
)
def test_reports_wait_for_a_server_that_does_not_write(client, store, queries, job, reporter, begin, end):
    client.execute_command(*begin)
    for n in range(10):
        log(job, reporter, str(n))
    assert reporter.away
    client.execute_command(*end)
    eventually(lambda: not reporter.away)
    assert lines(queries, job) == list(range(10))
    assert queries.dropped() == 0


def test_functions_that_were_flushed_are_loaded_again(client, store, queries, job, reporter):
    client.function_flush()
    client.script_flush()
    log(job, reporter, "0")
    assert not reporter.away
    assert lines(queries, job) == [0]


def test_a_full_buffer_drops_the_least_important_and_keeps_the_order(server, store, queries, applier):
    reporter = Reporter(store, applier, TIMEOUT_S, 4)
    wrote = []
    server.stop()
    for name, rank in [
        ("birth", Importance.NEW_JOB),
        ("start", Importance.STEP),
        ("note", Importance.PROGRESS),
        ("end", Importance.END),
        ("start 2", Importance.STEP),
        ("note 2", Importance.PROGRESS),
        ("end 2", Importance.END),
        ("birth 2", Importance.NEW_JOB),
        ("start 3", Importance.STEP),
    ]:
        reporter.report(Written(lambda _, name=name: (store.client.ping(), wrote.append(name)), rank))
    server.start()
    eventually(lambda: not reporter.away)
    assert wrote == ["birth", "end", "end 2", "birth 2"]
    assert queries.dropped() == 5


def test_a_report_that_always_fails_is_dropped_and_counted(server, client, keys, store, queries, job, reporter):
    client.hset(keys("job", "bad"), "not", "a record")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        reporter.report(Written(lambda _: store.apply(Event.START, "bad"), Importance.STEP))
    assert (reporter.away, queries.dropped()) == (False, 1)
    server.stop()
    reporter.report(Written(lambda _: store.apply(Event.START, "bad"), Importance.STEP))
    log(job, reporter, "0")
    server.start()
    eventually(lambda: not reporter.away)
    assert lines(queries, job) == [0]
    assert queries.dropped() == 2
    client.delete(keys("job", "bad"))


def test_a_report_that_waits_for_somebody_else_is_given_up_in_the_end(queries, job, reporter):
    tries = []

    def ask_another_server(again):
        tries.append(again)
        raise RedisConnectionError("the result backend, say")

    reporter.report(Written(ask_another_server, Importance.END))
    log(job, reporter, "0")
    eventually(lambda: not reporter.away)
    assert tries == [False, *[True] * 5]
    assert lines(queries, job) == [0]
    assert queries.dropped() == 1


def test_a_report_that_a_time_limit_cuts_off_is_written_later(store, queries, job, reporter):
    tries = []

    def write(again):
        tries.append(again)
        if not again:
            raise SoftTimeLimitExceeded
        store.log(job, [(1, "info", "1")])

    with pytest.raises(SoftTimeLimitExceeded):
        reporter.report(Written(write, Importance.PROGRESS))
    eventually(lambda: not reporter.away)
    assert (tries, lines(queries, job), queries.dropped()) == ([False, True], [1], 0)


def test_what_celery_could_not_do_is_no_report_that_was_given_up(store, queries, reporter):
    def publish(again):
        raise BrokerUnavailableError("away")

    with pytest.raises(BrokerUnavailableError):
        reporter.report(Written(publish, Importance.END))
    assert (reporter.away, queries.dropped()) == (False, 0)


def record_again(store, reporter, job):
    """Record a job as a publisher does, whose message is on its way meanwhile: here one that is there."""

    new = NewJob(id=job, fields={"type": "custom", "priority": "normal"})
    return reporter.begin_create([new], Written(lambda _: store.create(new), Importance.NEW_JOB))


def test_of_many_unanswered_calls_one_is_waited_for_and_all_are_repeated(
    server, client, keys, store, queries, reporter
):
    jobs = [create_in(store, Status.RUNNING) for _ in range(20)]
    idle = [record_again(store, reporter, job) for job in jobs]
    assert all(finish() == [Outcome.DUPLICATE] for finish in idle)  # as many connections are open now
    os.kill(server.pid, signal.SIGSTOP)
    try:
        finishes = [record_again(store, reporter, f"new-{n}") for n in range(20)]
        assert not reporter.away
        began = time.monotonic()
        assert [finish() for finish in finishes] == [None] * 20
        assert time.monotonic() - began < TIMEOUT_S + 0.5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: not reporter.away)
    assert {queries.get(f"new-{n}").status for n in range(20)} == {Status.PENDING}
    assert recount(client, keys) == []


def end(job, result="7"):
    """The report of a job's end, as a task makes it."""
    return Report(Event.COMPLETE, job, data={"result": result}, at_ms=now_ms())


def no_thread_sends():
    return not [thread for thread in threading.enumerate() if thread.name == "jobtracker-batch"]


def test_an_enqueued_report_goes_with_the_next_one(store, queries, reporter):
    first, second, third = (create_in(store, Status.RUNNING) for _ in range(3))
    reporter._batch._has_thread = True  # as if its thread was late
    reporter.enqueue(end(first, "1"))
    reporter.enqueue(end(second, "2"))
    assert {queries.get(job).status for job in (first, second)} == {Status.RUNNING}
    assert reporter.send(end(third, "3")).applied
    assert [queries.get(job).result for job in (first, second, third)] == [1, 2, 3]


def test_an_enqueued_report_is_flushed_by_a_thread_that_then_ends(store, queries, reporter):
    for _ in range(2):
        job = create_in(store, Status.RUNNING)
        reporter.enqueue(end(job))
        eventually(lambda job=job: queries.get(job).status is Status.COMPLETED)
    eventually(no_thread_sends)


def test_a_report_that_fails_in_a_batch_does_not_harm_the_others(store, queries, reporter, caplog):
    good, last = create_in(store, Status.RUNNING), create_in(store, Status.RUNNING)
    reporter._batch._has_thread = True
    bad = end(good)
    bad.event = "no such event"
    reporter.enqueue(bad)
    reporter.enqueue(end(good))
    assert reporter.send(end(last)).applied
    assert queries.get(good).status is Status.COMPLETED
    assert "a report was not written" in caplog.text
    assert queries.dropped() == 1


def test_the_reports_of_a_batch_wait_where_the_server_does_not_answer(server, client, keys, store, queries, reporter):
    jobs = [create_in(store, Status.RUNNING) for _ in range(3)]
    reporter._batch._has_thread = True
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for job in jobs[:2]:
            reporter.enqueue(end(job))
        began = time.monotonic()
        assert reporter.send(end(jobs[2])) is None
        assert time.monotonic() - began < TIMEOUT_S + 0.5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: not reporter.away)
    assert {(queries.get(job).status, queries.get(job).result) for job in jobs} == {(Status.COMPLETED, 7)}
    assert recount(client, keys) == []


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


def run(server, keys, job, script, timeout_s=TIMEOUT_S, folder="", limit=100):
    """A process that reports on a job while the server is away."""
    code = textwrap.dedent(SCRIPT.format(timeout_s=timeout_s)) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code, server.url, keys.namespace, job, str(folder), str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_process_that_ends_makes_a_last_attempt(server, keys, queries, job):
    server.stop()
    script = """
        reporter.outage._probe.is_running = True  # as if its thread was in a pause
        report("1")
        print("reported", flush=True)
        sys.stdin.readline()
    """
    process = run(server, keys, job, script, timeout_s=5)
    assert process.stdout.readline() == "reported\n"
    server.start()
    process.communicate("end\n", timeout=20)
    assert lines(queries, job) == [1]


def test_a_process_ends_in_time_where_the_last_attempt_fails(server, keys, job):
    os.kill(server.pid, signal.SIGSTOP)
    try:
        process = run(server, keys, job, 'report("1"); print("reported", flush=True)')
        assert process.stdout.readline() == "reported\n"
        began = time.monotonic()
        process.communicate(timeout=20)
        assert time.monotonic() - began < 3
    finally:
        os.kill(server.pid, signal.SIGCONT)


LEAVE = """
    def leave(text):
        propagation.propagate = lambda _, change, **__: follow(change)
        reporter.enqueue(Report(Event.PROGRESS, job, data={text: text}, at_ms=1))
"""


def test_a_process_that_ends_flushes_its_batch(server, keys, queries, job):
    script = """
    def follow(change):
        if "b" in sys.argv:
            return change
        sys.argv.append("b")
        began.set()
        time.sleep(0.5)
        report("1")
        return change

    began = threading.Event()
    leave("1")
    began.wait()
    leave("2")
    """
    run(server, keys, job, textwrap.dedent(LEAVE) + textwrap.dedent(script), timeout_s=5).communicate(timeout=20)
    [(_, data)] = queries.load([job])
    assert (data["1"], data["2"], lines(queries, job)) == ("1", "2", [1])


def test_a_forked_process_flushes_its_own_batch_and_not_its_parents(server, keys, queries, job):
    script = """
    def follow(change):
        report(str(os.getpid()))
        done.set()
        return change

    done = threading.Event()
    reporter._batch._has_thread = True  # as if its thread was late
    leave("1")
    if os.fork() == 0:
        done.clear()
        leave("2")
        done.wait(20)
        os._exit(0)
    child, _ = os.wait()
    leave("3")
    print(os.getpid(), child)
    """
    process = run(server, keys, job, textwrap.dedent(LEAVE) + textwrap.dedent(script))
    parent, child = process.communicate(timeout=30)[0].split()
    assert sorted(lines(queries, job)) == sorted(map(int, (child, parent, parent)))


def test_a_forked_process_writes_its_own_reports_and_not_its_parents(server, keys, queries, job):
    server.stop()
    script = """
        report("1")
        if os.fork() == 0:
            report("2")
            print("reported", flush=True)
            while reporter.away:
                time.sleep(0.01)
            os._exit(0)
        os.wait()
        while reporter.away:
            time.sleep(0.01)
    """
    process = run(server, keys, job, script)
    assert process.stdout.readline() == "reported\n"
    server.start()
    process.communicate(timeout=20)
    assert sorted(lines(queries, job)) == [1, 2]


def test_a_report_to_a_store_that_has_moved_is_lost_and_counted(client, keys, queries, applier):
    def refuse():
        raise PartitionsError(3, 1)

    moved = JobStore(client, keys, check=refuse)
    reporter = Reporter(moved, applier, TIMEOUT_S, 10_000)
    with pytest.raises(PartitionsError):
        reporter.report(Written(lambda _: moved.apply(Event.START, "x"), Importance.STEP))
    assert (reporter.away, queries.dropped()) == (False, 1)


# -- what outlives a process ----------------------------------------------------------------------------------------


@pytest.fixture
def heir(store, applier, keys, tmp_path):
    """The reports of another process, which goes on with what is left in the folder."""
    reporter = Reporter(store, applier, TIMEOUT_S, 10_000, Spool(tmp_path, keys.namespace))
    yield reporter
    eventually(lambda: not reporter.away)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def reports(server, keys, job, folder, first, limit=100, count=12, chars=0):
    """A process that makes reports on a job, and waits then for its end."""
    script = f"""
    for n in range({first}, {first + count}):
        report(str(n).rjust({chars}))
    print("reported", flush=True)
    sys.stdin.readline()
    """
    return run(server, keys, job, script, folder=folder, limit=limit)


def kill(process):
    process.kill()
    process.communicate(timeout=20)


def test_waiting_reports_outlive_their_process_and_drops_are_counted(server, keys, queries, job, heir, tmp_path):
    server.stop()
    processes = [reports(server, keys, job, tmp_path, first, limit) for first, limit in [(0, 100), (100, 5)] * 2]
    processes.insert(0, reports(server, keys, job, tmp_path, 200, limit=5, count=60, chars=500_000))
    assert [process.stdout.readline() for process in processes] == ["reported\n"] * 5
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.reports")) < 20 * 2**20
    heir.take_over()
    assert not heir.away  # they live, and go on by themselves
    for process in processes[:3]:
        kill(process)
        heir.take_over()
    for process in processes[3:]:
        process.communicate("end\n", timeout=20)
        heir.take_over()
    server.start()
    eventually(lambda: not heir.away)
    # What two have said stands there once.
    assert lines(queries, job) == [*range(255, 260), *range(12), *range(107, 112)]
    assert queries.dropped() == 55 + 7 + 7


def test_a_process_that_took_reports_over_leaves_them_when_it_dies(server, keys, queries, job, heir, tmp_path):
    server.stop()
    first = reports(server, keys, job, tmp_path, 0)
    assert first.stdout.readline() == "reported\n"
    kill(first)
    between = reports(server, keys, job, tmp_path, 100, limit=20)
    assert between.stdout.readline() == "reported\n"
    eventually(lambda: len(list(tmp_path.rglob("*.reports"))) == 1)
    kill(between)
    heir.take_over()
    server.start()
    eventually(lambda: not heir.away)
    assert len(set(lines(queries, job))) == 20
    assert queries.dropped() == 4


def test_a_process_that_begins_to_send_takes_over_abandoned_reports(
    server, keys, store, queries, job, heir, tmp_path
):
    server.stop()
    process = reports(server, keys, job, tmp_path, 0)
    assert process.stdout.readline() == "reported\n"
    kill(process)
    [path] = tmp_path.rglob("*.reports")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-20])  # as if it had been killed amidst the last entry
    server.start()
    record_again(store, heir, job)()
    eventually(lambda: lines(queries, job) == list(range(11)))
    eventually(lambda: queries.dropped() == 1)


def test_a_forked_process_knows_from_waiting_reports_of_an_outage(server, keys, queries, job, tmp_path):
    server.stop()
    others = reports(server, keys, job, tmp_path, 100)
    script = """
    sys.stdin.readline()
    if os.fork() == 0:
        report("1")
        print(reporter.away, flush=True)
        reporter.close(is_followed=True)
        os._exit(0)
    os.wait()
    reporter.take_over()
    while reporter.away:
        time.sleep(0.01)
    """
    process = run(server, keys, job, script, folder=tmp_path)
    assert others.stdout.readline() == "reported\n"
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "True\n"
    server.start()
    process.communicate("", timeout=20)
    others.communicate("end\n", timeout=20)
    assert sorted(lines(queries, job)) == [1, *range(100, 112)]


def test_a_forked_process_checks_whether_there_still_is_an_outage(server, keys, queries, job, tmp_path):
    server.stop()
    others = reports(server, keys, job, tmp_path, 100)
    assert others.stdout.readline() == "reported\n"
    os.kill(others.pid, signal.SIGSTOP)  # it holds what it has, when the server is back
    server.start()
    script = """
    if os.fork() == 0:
        report("1")
        print(reporter.away, flush=True)
        os._exit(0)
    os.wait()
    """
    process = run(server, keys, job, script, folder=tmp_path)
    assert process.communicate(timeout=20)[0] == "False\n"
    assert lines(queries, job) == [1]
    os.kill(others.pid, signal.SIGCONT)
    others.communicate("end\n", timeout=20)


def test_reports_wait_in_memory_where_the_disk_can_not_be_written(
    server, keys, store, queries, applier, job, tmp_path, caplog
):
    (tmp_path / f"jobtracker-{os.geteuid()}").mkdir(mode=0o755)  # anybody may look into it
    reporter = Reporter(store, applier, TIMEOUT_S, 10_000, Spool(tmp_path, keys.namespace))
    server.stop()
    for n in range(12):
        log(job, reporter, str(n))
    assert len([line for line in caplog.messages if "in memory only" in line]) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    server.start()
    eventually(lambda: not reporter.away)
    assert lines(queries, job) == list(range(12))
