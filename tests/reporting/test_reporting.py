"""Reports while the tracking Redis is away: their order, what a full buffer drops, what is no reason to wait."""

import os
import signal
import threading
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from support.recount import recount
from support.reports import TIMEOUT_S, Written, lines, log, record_again
from support.sample_jobs import create_in
from support.workers_under_test import eventually

from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.errors import BrokerUnavailableError, PartitionsError
from jobtracker.reporting.report import Importance
from jobtracker.reporting.reporter import Reporter
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore


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
        assert reporter.ask(lambda: queries.field(job, JobRecord.cancel), "unknown") == "unknown"
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
        store.append_log(job, [(1, "info", "1")])

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


def test_a_report_to_a_store_that_has_moved_is_lost_and_counted(client, keys, queries, applier):
    def refuse():
        raise PartitionsError(3, 1)

    moved = JobStore(client, keys, check=refuse)
    reporter = Reporter(moved, applier, TIMEOUT_S, 10_000)
    with pytest.raises(PartitionsError):
        reporter.report(Written(lambda _: moved.apply(Event.START, "x"), Importance.STEP))
    assert (reporter.away, queries.dropped()) == (False, 1)
