"""What becomes of reports that wait when their process ends or is forked."""

import os
import signal
import time

import pytest
from support.reports import TIMEOUT_S, lines, log, record_again, run
from support.workers_under_test import eventually

from jobtracker.reporting.journal import Spool
from jobtracker.reporting.reporter import Reporter

pytestmark = pytest.mark.thorough


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
