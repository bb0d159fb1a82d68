"""What a task logs goes into its job's log, where the project wants that: capped, masked, and never in its way."""

import logging

import pytest
from support.workers_under_test import new_project

from jobtracker import Settings, Status
from jobtracker.instrumentation.line_budget import BURST, BURST_S, LINES_A_SECOND, SHARE, LineBudget
from jobtracker.instrumentation.task_logs import TaskLogHandler

RAN = ["began", "returned"]


def log_of(project, job_id):
    return [(line.level, line.message) for line in project.queries.log(job_id)]


@pytest.mark.thorough
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_lines_of_any_logger_are_in_the_log_of_the_job(redis_server, worker_log_dir, pool):
    with new_project(redis_server, worker_log_dir, task_log_level="info") as project, project.worker(pool=pool):
        project.announce()
        job_id = project.launch("logs", {"password": "hush-hush-hush"})
        project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
        first, second, third = log_of(project, job_id)
        assert first == ("info", "as Celery's logger")
        assert second == ("warning", "as any other, with ***")
        assert third[1].startswith("it failed xxx")
        assert len(third[1]) == 2000
        long = project.send("logs", 3 * BURST)
        project.expect(long, Status.COMPLETED, "SUCCESS", RAN)
        assert BURST <= len(log_of(project, long)) < 3 * BURST


def test_without_the_setting_the_log_is_the_jobs_own(project):
    job_id = project.send("logs")
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert log_of(project, job_id) == []


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    times = [0.0]
    monkeypatch.setattr("jobtracker.instrumentation.line_budget.time.monotonic", lambda: times[0])
    return times


def test_a_budget_counts_what_it_leaves_out(clock):
    budget = LineBudget(BURST + 3)
    assert [len(budget.lines("x")) for _ in range(BURST + 5)] == [1] * BURST + [0] * 5
    clock[0] = 2 / LINES_A_SECOND + 1e-6
    left_out, line = budget.lines("y")
    assert left_out.startswith(f"[5 lines left out: more than {LINES_A_SECOND} in a second")
    assert line == "y"
    clock[0] = 1.0
    assert budget.lines("z") == ["z", "[further lines are left out: MAX_LOG_LINES]"]
    assert budget.lines("after all") == []


def test_a_steady_flood_is_bounded_per_second(clock):
    budget = LineBudget(10**6)
    written = 0
    for n in range(20_000):  # a thousand lines in each of 20 seconds
        clock[0] = n / 1000
        written += len(budget.lines("x"))
    assert written <= BURST + 20 * LINES_A_SECOND
    assert written > 19 * LINES_A_SECOND


def test_writing_takes_no_more_than_a_share_of_the_tasks_time(clock):
    budget = LineBudget(10**6)
    writing_s = 0.0
    for _ in range(1000):  # each line takes 0.2 s to write, and 0.1 s is worked between two
        clock[0] += 0.1
        if lines := budget.lines("x"):
            took_s = 0.2 * len(lines)
            budget.took(took_s)
            clock[0] += took_s
            writing_s += took_s
    assert BURST_S < writing_s <= BURST_S + SHARE * clock[0] + 0.4


def test_outside_of_a_task_nothing_is_written_and_nothing_fails():
    handler = TaskLogHandler(Settings(task_log_level="debug"))
    handler.attach()
    handler.attach()
    try:
        assert logging.getLogger().handlers.count(handler) == 1
        logging.getLogger("shop").info("nobody's line")
        handler.handle(logging.makeLogRecord({"name": "shop", "msg": "a bad format: %d", "args": ("none",)}))
    finally:
        handler.detach()
    assert handler not in logging.getLogger().handlers
