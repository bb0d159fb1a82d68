"""Enqueued reports: they go with the next report, or by themselves a moment later."""

import os
import signal
import textwrap
import threading
import time

from support.recount import recount
from support.reports import TIMEOUT_S, lines, run
from support.sample_jobs import create_in
from support.workers_under_test import eventually

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.reporting.report import Report


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
