"""Priorities reach the broker: what is urgent overtakes a backlog."""

import pytest
from support.workers_under_test import job

from jobtracker import Priority, Status

LIKE_REDIS = pytest.mark.parametrize("single", ["redis", "rabbitmq-classic"], indirect=True)
ON_QUORUM_QUEUES = pytest.mark.parametrize("single", ["rabbitmq-quorum"], indirect=True)


def order_of(project, *job_ids):
    """The jobs in the order in which they began."""
    return [task_id for task_id, what in project.diary.read_all() if task_id in job_ids and what == "began"]


def blocked(project, gate):
    """Keep its process busy until a gate opens, with a job behind in the worker, which nothing can overtake."""
    blocker = project.send("hold", gate)
    project.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    reserved = project.launch("ok", priority=Priority.LOW)
    project.expect_reserved(reserved)
    return reserved


@LIKE_REDIS
def test_high_and_critical_jobs_overtake_a_backlog(single):
    reserved = blocked(single, "backlog")
    low = [single.launch("ok", priority=Priority.LOW) for _ in range(10)]
    normal = [single.launch("ok") for _ in range(2)]
    high = single.launch("ok", priority=Priority.HIGH)
    critical = single.launch("ok", priority=Priority.CRITICAL)
    single.diary.open_gate("backlog")
    assert set(single.expect_settled(*low)) == {Status.COMPLETED}
    wanted = [reserved, critical, high, *normal, *low]
    assert order_of(single, *wanted) == wanted


@ON_QUORUM_QUEUES
def test_a_quorum_queue_has_two_priorities(single):
    reserved = blocked(single, "quorum")
    jobs = [single.launch("ok", priority=priority) for priority in ("low", "normal", "high", "critical") * 3]
    single.diary.open_gate("quorum")
    assert set(single.expect_settled(*jobs)) == {Status.COMPLETED}
    urgent = [each for each in jobs if single.job(each).priority in {"high", "critical"}]
    others = [each for each in jobs if each not in urgent]
    order = order_of(single, reserved, *jobs)
    assert order[0] == reserved
    # Two urgent ones, then one of the others, so that these get their turn (RabbitMQ 4).
    assert [each for each in order if each in urgent] == urgent
    assert [each for each in order if each in others] == others
    assert order.index(urgent[-1]) < order.index(others[-3])


@LIKE_REDIS
def test_sub_jobs_have_their_parent_s_priority_unless_they_name_their_own(single):
    reserved = blocked(single, "inherited")
    plain = single.launch("ok")
    root = single.launch("collect", priority="high", sub_jobs=[job("ok"), job("ok", priority="low")])
    urgent, slow = single.subs(root)
    single.diary.open_gate("inherited")
    single.expect(root, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert order_of(single, reserved, urgent, plain, slow, root) == [reserved, urgent, plain, slow, root]
    assert [single.job(each).priority for each in (root, urgent, slow)] == ["high", "high", "low"]


@pytest.mark.parametrize(
    ("single", "numbers"),
    [("redis", (0, 3, 6, 9)), ("rabbitmq-classic", (9, 6, 3, 0)), ("rabbitmq-quorum", (9, 6, 3, 0))],
    indirect=["single"],
)
def test_a_priority_that_plain_celery_code_gives_is_known_by_its_name(single, numbers):
    sent = [single.send("ok", priority=number) for number in numbers]
    wanted = [Priority.CRITICAL, Priority.HIGH, Priority.NORMAL, Priority.LOW]
    assert [single.job(job_id).priority for job_id in sent] == wanted
    assert single.job(single.send("ok")).priority is Priority.NORMAL
