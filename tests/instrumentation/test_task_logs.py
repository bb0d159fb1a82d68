"""What a task logs goes into its job's log, where the project wants that: capped, masked, and never in its way."""

import logging

import pytest
from support.workers_under_test import new_project

from jobtracker import Settings, Status
from jobtracker.instrumentation.line_budget import BURST, LINES_A_SECOND, LineBudget
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


def test_a_budget_counts_what_it_leaves_out(monkeypatch):
    now = 0.0
    monkeypatch.setattr("jobtracker.instrumentation.line_budget.time.monotonic", lambda: now)
    budget = LineBudget(BURST + 2)
    assert [len(budget.lines("x")) for _ in range(BURST + 5)] == [1] * BURST + [0] * 5
    now = 1 / LINES_A_SECOND + 1e-6
    assert budget.lines("y") == [f"[5 lines left out: more than {LINES_A_SECOND} in a second]", "y"]
    now = 1.0
    assert budget.lines("z") == ["z", "[further lines are left out: MAX_LOG_LINES]"]
    assert budget.lines("after all") == []


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
