"""Priorities reach the broker: what is urgent overtakes a backlog."""

from workers_under_test import job

from jobtracker import Priority, Status


def order_of(project, *job_ids):
    """The jobs in the order in which they began."""
    return [task_id for task_id, what in project.diary.read_all() if task_id in job_ids and what == "began"]


def test_high_and_critical_jobs_overtake_a_backlog(single):
    blocker = single.send("hold", "backlog")
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    reserved = single.launch("ok", priority=Priority.LOW)
    single.expect_reserved(reserved)  # fetched already: nothing can overtake it
    low = [single.launch("ok", priority=Priority.LOW) for _ in range(10)]
    normal = [single.launch("ok") for _ in range(2)]
    high = single.launch("ok", priority=Priority.HIGH)
    critical = single.launch("ok", priority=Priority.CRITICAL)
    single.diary.open_gate("backlog")
    assert set(single.expect_settled(*low)) == {Status.COMPLETED}
    wanted = [reserved, critical, high, *normal, *low]
    assert order_of(single, *wanted) == wanted


def test_sub_jobs_have_their_parent_s_priority_unless_they_name_their_own(single):
    blocker = single.send("hold", "inherited")
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    reserved = single.launch("ok")
    single.expect_reserved(reserved)
    plain = single.launch("ok")
    root = single.launch("collect", priority="high", sub_jobs=[job("ok"), job("ok", priority="low")])
    urgent, slow = single.subs(root)
    single.diary.open_gate("inherited")
    single.expect(root, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert order_of(single, urgent, plain, slow, root) == [urgent, plain, slow, root]
    assert [single.job(each).priority for each in (root, urgent, slow)] == ["high", "high", "low"]


def test_a_priority_that_plain_celery_code_gives_is_known_by_its_name(single):
    sent = {number: single.send("ok", priority=number) for number in (0, 3, 6, 9)}
    wanted = {0: Priority.CRITICAL, 3: Priority.HIGH, 6: Priority.NORMAL, 9: Priority.LOW}
    assert {number: single.job(job_id).priority for number, job_id in sent.items()} == wanted
    assert single.job(single.send("ok")).priority is Priority.NORMAL
