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
from jobtracker.reporting.reporter import Reporting
from jobtracker.store.changes import NewJob, Notice, Rank, Report
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
        def apply(self, report, again):
            return report.write(again) if isinstance(report, Written) else super().apply(report, again)

    return Own(store, queries, propagation, relauncher, None)


OF_RANK = {
    Rank.NOTE: Notice.LOG,
    Rank.COURSE: Event.START,
    Rank.END: Event.COMPLETE,
    Rank.BIRTH: Notice.UNPUBLISHED,
}


class Written(Report):
    """A report that is written as a test says."""

    def __init__(self, write, rank):
        super().__init__(OF_RANK[rank], "a job")
        self.write = write


@pytest.fixture
def reporting(store, applier):
    reporting = Reporting(store, applier, TIMEOUT_S, 10_000)
    yield reporting
    eventually(lambda: not reporting.away)


def log(job, reporting, text):
    """Report a log line as a task does."""
    data = {"level": "info", "message": text}
    reporting.report(Report(Notice.LOG, job, data=data, at_ms=int(text)))


def lines(queries, job):
    return [int(line.message) for line in queries.log(job, most=10_000)]


def test_reports_are_written_once_and_in_order_however_often_the_server_goes_away(
    server, store, queries, job, reporting
):
    done = threading.Event()
    written = []

    def report():
        while not done.is_set():
            log(job, reporting, str(len(written)))
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
        eventually(lambda: not reporting.away)
    done.set()
    thread.join()
    eventually(lambda: not reporting.away)
    assert lines(queries, job) == list(range(len(written)))


def test_only_the_first_call_waits_for_a_server_that_hangs(server, store, queries, job, reporting):
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        log(job, reporting, "0")
        first_s = time.monotonic() - began
        for n in range(1, 1001):
            log(job, reporting, str(n))
        rest_s = time.monotonic() - began - first_s
        assert reporting.ask(lambda: queries.field(job, "cancel"), "unknown") == "unknown"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert TIMEOUT_S <= first_s < TIMEOUT_S + 0.5
    assert rest_s < 0.5
    eventually(lambda: not reporting.away)
    assert lines(queries, job) == list(range(1001))


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
        (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    ],
    ids=["a replica", "full"],
)
def test_reports_wait_for_a_server_that_does_not_write(client, store, queries, job, reporting, begin, end):
    client.execute_command(*begin)
    for n in range(10):
        log(job, reporting, str(n))
    assert reporting.away
    client.execute_command(*end)
    eventually(lambda: not reporting.away)
    assert lines(queries, job) == list(range(10))
    assert queries.dropped() == 0


def test_functions_that_were_flushed_are_loaded_again(client, store, queries, job, reporting):
    client.function_flush()
    client.script_flush()
    log(job, reporting, "0")
    assert not reporting.away
    assert lines(queries, job) == [0]


def test_a_full_buffer_gives_up_notes_first_then_starts_and_keeps_the_order(server, store, queries, applier):
    reporting = Reporting(store, applier, TIMEOUT_S, 4)
    wrote = []
    server.stop()
    for name, rank in [
        ("birth", Rank.BIRTH),
        ("start", Rank.COURSE),
        ("note", Rank.NOTE),
        ("end", Rank.END),
        ("start 2", Rank.COURSE),
        ("note 2", Rank.NOTE),
        ("end 2", Rank.END),
        ("birth 2", Rank.BIRTH),
        ("start 3", Rank.COURSE),
    ]:
        reporting.report(Written(lambda _, name=name: (store.client.ping(), wrote.append(name)), rank))
    server.start()
    eventually(lambda: not reporting.away)
    assert wrote == ["birth", "end", "end 2", "birth 2"]
    assert queries.dropped() == 5


def test_what_would_fail_for_ever_is_given_up_and_counted_and_holds_nothing_up(
    server, client, keys, store, queries, job, reporting
):
    client.hset(keys("job", "bad"), "not", "a record")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        reporting.report(Written(lambda _: store.apply(Event.START, "bad"), Rank.COURSE))
    assert (reporting.away, queries.dropped()) == (False, 1)
    server.stop()
    reporting.report(Written(lambda _: store.apply(Event.START, "bad"), Rank.COURSE))
    log(job, reporting, "0")
    server.start()
    eventually(lambda: not reporting.away)
    assert lines(queries, job) == [0]
    assert queries.dropped() == 2
    client.delete(keys("job", "bad"))


def test_a_report_that_waits_for_somebody_else_is_given_up_in_the_end(queries, job, reporting):
    tries = []

    def ask_another_server(again):
        tries.append(again)
        raise RedisConnectionError("the result backend, say")

    reporting.report(Written(ask_another_server, Rank.END))
    log(job, reporting, "0")
    eventually(lambda: not reporting.away)
    assert tries == [False, *[True] * 5]
    assert lines(queries, job) == [0]
    assert queries.dropped() == 1


def test_a_report_that_the_tasks_time_limit_cuts_off_is_written_all_the_same(store, queries, job, reporting):
    tries = []

    def write(again):
        tries.append(again)
        if not again:
            raise SoftTimeLimitExceeded
        store.log(job, [(1, "info", "1")])

    with pytest.raises(SoftTimeLimitExceeded):
        reporting.report(Written(write, Rank.NOTE))
    eventually(lambda: not reporting.away)
    assert (tries, lines(queries, job), queries.dropped()) == ([False, True], [1], 0)


def test_what_celery_could_not_do_is_no_report_that_was_given_up(store, queries, reporting):
    def publish(again):
        raise BrokerUnavailableError("away")

    with pytest.raises(BrokerUnavailableError):
        reporting.report(Written(publish, Rank.END))
    assert (reporting.away, queries.dropped()) == (False, 0)


def record_again(store, reporting, job):
    """Record a job as a publisher does, whose message is on its way meanwhile: here one that is there."""

    new = NewJob(id=job, fields={"type": "custom", "priority": "normal"})
    return reporting.begin(lambda: store.begin_create(new), Written(lambda _: store.create(new), Rank.BIRTH))


def test_of_calls_under_way_that_are_not_answered_one_is_waited_for_and_all_are_made_again(
    server, client, keys, store, queries, reporting
):
    jobs = [create_in(store, Status.RUNNING) for _ in range(20)]
    idle = [record_again(store, reporting, job) for job in jobs]
    assert all(finish() == [Outcome.DUPLICATE] for finish in idle)  # as many connections are open now
    os.kill(server.pid, signal.SIGSTOP)
    try:
        finishes = [record_again(store, reporting, f"new-{n}") for n in range(20)]
        assert not reporting.away
        began = time.monotonic()
        assert [finish() for finish in finishes] == [None] * 20
        assert time.monotonic() - began < TIMEOUT_S + 0.5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: not reporting.away)
    assert {queries.get(f"new-{n}").status for n in range(20)} == {Status.PENDING}
    assert recount(client, keys) == []


def end(job, result="7"):
    """The report of a job's end, as a task makes it."""
    return Report(Event.COMPLETE, job, data={"result": result}, at_ms=now_ms())


def no_thread_sends():
    return not [thread for thread in threading.enumerate() if thread.name == "jobtracker-left"]


def test_a_report_that_is_left_goes_with_the_next_one(store, queries, reporting):
    first, second, third = (create_in(store, Status.RUNNING) for _ in range(3))
    reporting._is_sent_soon = True  # as if its thread was late
    reporting.leave(end(first, "1"))
    reporting.leave(end(second, "2"))
    assert {queries.get(job).status for job in (first, second)} == {Status.RUNNING}
    assert reporting.send(end(third, "3")).applied
    assert [queries.get(job).result for job in (first, second, third)] == [1, 2, 3]


def test_a_report_that_is_left_alone_is_sent_soon_by_a_thread_that_is_there_only_meanwhile(store, queries, reporting):
    for _ in range(2):
        job = create_in(store, Status.RUNNING)
        reporting.leave(end(job))
        eventually(lambda job=job: queries.get(job).status is Status.COMPLETED)
    eventually(no_thread_sends)


def test_what_fails_of_the_reports_that_go_together_is_none_of_the_others_concern(store, queries, reporting, caplog):
    good, last = create_in(store, Status.RUNNING), create_in(store, Status.RUNNING)
    reporting._is_sent_soon = True
    bad = end(good)
    bad.event = "no such event"
    reporting.leave(bad)
    reporting.leave(end(good))
    assert reporting.send(end(last)).applied
    assert queries.get(good).status is Status.COMPLETED
    assert "a report was not written" in caplog.text
    assert queries.dropped() == 1


def test_reports_that_go_together_wait_together_where_the_server_does_not_answer(
    server, client, keys, store, queries, reporting
):
    jobs = [create_in(store, Status.RUNNING) for _ in range(3)]
    reporting._is_sent_soon = True
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for job in jobs[:2]:
            reporting.leave(end(job))
        began = time.monotonic()
        assert reporting.send(end(jobs[2])) is None
        assert time.monotonic() - began < TIMEOUT_S + 0.5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: not reporting.away)
    assert {(queries.get(job).status, queries.get(job).result) for job in jobs} == {(Status.COMPLETED, 7)}
    assert recount(client, keys) == []


SCRIPT = """
    import os, sys, threading, time
    from jobtracker.connection.client import connect
    from types import SimpleNamespace
    from jobtracker.reporting.applier import Applier
    from jobtracker.store.changes import Notice, Report
    from jobtracker.store.keys import Keys
    from jobtracker.core.lifecycle import Event
    from jobtracker.store.reader import JobQueries
    from jobtracker.reporting.reporter import Reporting
    from jobtracker.reporting.journal import Spool
    from jobtracker.store.writer import JobStore

    url, namespace, job, folder, limit = sys.argv[1:]
    client, keys = connect(url, {timeout_s}), Keys(namespace)
    store = JobStore(client, keys)
    propagation = SimpleNamespace(propagate=lambda job_id, change, **_: change)
    applier = Applier(store, JobQueries(client, keys), propagation, None, None)
    spool = Spool(folder, namespace) if folder else None
    reporting = Reporting(store, applier, {timeout_s}, int(limit), spool)

    def report(text):
        reporting.report(Report(Notice.LOG, job, data=dict(level="info", message=text), at_ms=1))
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
        reporting._is_looked_for = True  # as if its thread was in a pause
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
        reporting.leave(Report(Event.PROGRESS, job, data={text: text}, at_ms=1))
"""


def test_a_process_that_ends_sends_what_is_left(server, keys, queries, job):
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


def test_a_process_that_was_forked_sends_its_own_and_not_its_parents(server, keys, queries, job):
    script = """
    def follow(change):
        report(str(os.getpid()))
        done.set()
        return change

    done = threading.Event()
    reporting._is_sent_soon = True  # as if its thread was late
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


def test_a_process_that_was_forked_writes_its_own_reports_and_not_its_parents(server, keys, queries, job):
    server.stop()
    script = """
        report("1")
        if os.fork() == 0:
            report("2")
            print("reported", flush=True)
            while reporting.away:
                time.sleep(0.01)
            os._exit(0)
        os.wait()
        while reporting.away:
            time.sleep(0.01)
    """
    process = run(server, keys, job, script)
    assert process.stdout.readline() == "reported\n"
    server.start()
    process.communicate(timeout=20)
    assert sorted(lines(queries, job)) == [1, 2]


def test_a_report_to_a_store_that_has_been_moved_is_lost_and_counted(client, keys, queries, applier):
    def refuse():
        raise PartitionsError(3, 1)

    moved = JobStore(client, keys, check=refuse)
    reporting = Reporting(moved, applier, TIMEOUT_S, 10_000)
    with pytest.raises(PartitionsError):
        reporting.report(Written(lambda _: moved.apply(Event.START, "x"), Rank.COURSE))
    assert (reporting.away, queries.dropped()) == (False, 1)


# -- what outlives a process ----------------------------------------------------------------------------------------


@pytest.fixture
def heir(store, applier, keys, tmp_path):
    """The reports of another process, which goes on with what is left in the folder."""
    reporting = Reporting(store, applier, TIMEOUT_S, 10_000, Spool(tmp_path, keys.namespace))
    yield reporting
    eventually(lambda: not reporting.away)
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


def test_what_waits_outlives_its_process_and_what_was_too_much_is_counted(server, keys, queries, job, heir, tmp_path):
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


def test_an_heir_that_dies_leaves_what_it_has_taken_over_within_its_own_limit(
    server, keys, queries, job, heir, tmp_path
):
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


def test_a_process_that_begins_to_send_goes_on_with_what_others_have_left(
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


def test_a_process_that_is_forked_knows_from_what_waits_that_the_server_is_away(server, keys, queries, job, tmp_path):
    server.stop()
    others = reports(server, keys, job, tmp_path, 100)
    script = """
    sys.stdin.readline()
    if os.fork() == 0:
        report("1")
        print(reporting.away, flush=True)
        reporting.close(is_followed=True)
        os._exit(0)
    os.wait()
    reporting.take_over()
    while reporting.away:
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


def test_a_process_that_is_forked_does_not_take_what_another_one_holds_for_an_outage(
    server, keys, queries, job, tmp_path
):
    server.stop()
    others = reports(server, keys, job, tmp_path, 100)
    assert others.stdout.readline() == "reported\n"
    os.kill(others.pid, signal.SIGSTOP)  # it holds what it has, when the server is back
    server.start()
    script = """
    if os.fork() == 0:
        report("1")
        print(reporting.away, flush=True)
        os._exit(0)
    os.wait()
    """
    process = run(server, keys, job, script, folder=tmp_path)
    assert process.communicate(timeout=20)[0] == "False\n"
    assert lines(queries, job) == [1]
    os.kill(others.pid, signal.SIGCONT)
    others.communicate("end\n", timeout=20)


def test_where_nothing_can_be_kept_on_disk_reports_wait_in_memory(
    server, keys, store, queries, applier, job, tmp_path, caplog
):
    (tmp_path / f"jobtracker-{os.geteuid()}").mkdir(mode=0o755)  # anybody may look into it
    reporting = Reporting(store, applier, TIMEOUT_S, 10_000, Spool(tmp_path, keys.namespace))
    server.stop()
    for n in range(12):
        log(job, reporting, str(n))
    assert len([line for line in caplog.messages if "in memory only" in line]) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    server.start()
    eventually(lambda: not reporting.away)
    assert lines(queries, job) == list(range(12))
