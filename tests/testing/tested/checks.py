"""The tests of that project, as users write them."""

import pytest
from celery import chain, chord, group
from shop.app import app, invoice, order, passes_on, read, report, tracker, wait

from jobtracker import InvalidJobError


def test_a_task_runs_and_tells_of_itself(tracked_jobs):
    job = tracked_jobs.run(invoice.s("ACME", [1, 2]))
    assert job.status == "completed"
    assert job.result == 3
    assert (job.progress.done, job.progress.note) == (2, "ACME")
    assert tracked_jobs.log(job) == ["line 1", "line 2"]


def test_a_result_can_be_waited_for_the_plain_way(tracked_jobs):
    assert invoice.delay("ACME", [1, 2]).get(timeout=5) == 3


def test_a_chord_is_a_tree(tracked_jobs):
    tree = tracked_jobs.run(chord([invoice.s("a", [1]), invoice.s("b", [2])], report.s(title="March")))
    assert tree.result == {"title": "March", "total": 3}
    assert [sub_job.result for sub_job in tree.sub_jobs] == [1, 2]


def test_a_chain_is_waited_for_to_its_end(tracked_jobs):
    assert tracked_jobs.run(chain(invoice.s("a", [1]), read.si("/nowhere"))).error.type == "FileNotFoundError"
    assert {job.name for job in tracked_jobs.all()} == {"shop.app.invoice", "shop.app.read"}


def test_a_job_type_is_started_with_a_payload_that_is_checked(tracked_jobs):
    sub_job = {"name": "one", "job_type": "invoice", "payload": {"customer": "a", "lines": [5]}}
    assert tracked_jobs.run("report", {"title": "May"}, sub_jobs=[sub_job]).result == {"title": "May", "total": 5}
    with pytest.raises(InvalidJobError, match="lines"):
        tracked_jobs.start("invoice", {"customer": "a"})


def test_what_the_code_under_test_sends_is_there(tracked_jobs):
    assert tracked_jobs.wait(order()).result == 4
    (job,) = tracked_jobs.all()
    assert job.result == 4


def test_a_running_job_is_cancelled(tracked_jobs):
    job = tracked_jobs.send(wait.s())
    tracked_jobs.wait(job, until="running")
    tracked_jobs.cancel(job, reason="enough")
    assert tracked_jobs.wait(job).reason == "enough"


def test_a_failed_job_is_retried(tracked_jobs, tmp_path):
    path = tmp_path / "later"
    job = tracked_jobs.run("read", {"path": str(path)})
    assert (job.status, job.error.type) == ("failed", "FileNotFoundError")
    path.write_text("here")
    assert tracked_jobs.retry(job).result == "here"


def test_what_is_no_single_job_is_refused(tracked_jobs):
    many = group(invoice.s("a", [1]), invoice.s("b", [2]))
    for signature in (many, chain(invoice.s("a", [1]), many)):
        with pytest.raises(TypeError, match="A group is many jobs: nothing was sent"):
            tracked_jobs.send(signature)
    with pytest.raises(TypeError, match="A signature has its arguments"):
        tracked_jobs.run(invoice.s("a", [1]), {"customer": "b"})
    assert tracked_jobs.all() == []


def test_a_queue_that_only_a_call_names_is_consumed(tracked_jobs):
    assert tracked_jobs.run(invoice.s("ACME", [1]).set(queue="mail")).result == 1
    assert tracked_jobs.run(passes_on.s("letters")).status == "completed"
    (sent,) = [job for job in tracked_jobs.all() if job.sent_by]
    assert tracked_jobs.wait(sent).result["total"] == 3


@pytest.mark.jobtracker(pool="prefork")
def test_a_queue_that_only_a_task_names_is_consumed_by_a_process(tracked_jobs):
    tracked_jobs.run(passes_on.s("letters"))
    (sent,) = [job for job in tracked_jobs.all() if job.sent_by]
    assert tracked_jobs.wait(sent).status == "completed"


def test_the_app_is_as_it_was_where_the_fixture_is_not_used():
    assert app.conf.broker_url == "amqp://nowhere.invalid//"
    assert app.connection_for_write().hostname == "nowhere.invalid"
    assert app.backend.as_uri() == "redis://nowhere.invalid/5"
    assert tracker.settings.tracking_namespace == "jobtracker"
    assert invoice.delay("a", [1]).get() == 1


@pytest.mark.jobtracker(pool="prefork", concurrency=2)
def test_a_process_can_be_killed(tracked_jobs):
    job = tracked_jobs.send(wait.s(looks=False))
    tracked_jobs.wait(job, until="running")
    tracked_jobs.cancel(job, terminate=True)
    assert tracked_jobs.wait(job).status == "cancelled"
    assert tracked_jobs.run(report.s([1, 2])).result == {"title": "", "total": 3}
