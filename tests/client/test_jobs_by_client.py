"""What both clients do with jobs that real workers do."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from support.serving import ROOT, Json, eventually, waiting

from jobtracker import (
    IllegalTransitionError,
    InvalidJobError,
    JobNotFoundError,
    JobTimeoutError,
    Priority,
    Status,
    SubJobCreate,
)
from jobtracker.client import flows
from jobtracker.client.endpoints import StatusName
from jobtracker.client.errors import ApiError
from jobtracker.schemas.explanation import Code
from jobtracker.schemas.requests import JobCreate

TEXT = {"text": "Ferries leave the harbour at noon."}


def test_a_job_is_created_started_and_waited_for(working):
    job = working.create("document_analysis", TEXT, name="Ferries", priority="high", tags=["sea"])
    assert (job.name, job.status, job.priority, job.tags) == ("Ferries", Status.PENDING, Priority.HIGH, ["sea"])
    assert working.start(job.id).run == 1
    done = working.wait(job.id, timeout_s=15)
    assert (done.status, done.payload) == (Status.COMPLETED, TEXT)
    assert done.result["kind"] == "document_analysis"
    assert working.get(job.id) == done


def test_a_batch_is_created_and_started(working):
    jobs = [JobCreate(job_type="custom", payload=waiting(0)), {"job_type": "document_analysis", "payload": TEXT}]
    ids = working.create_batch(jobs, start=True).ids
    done = [working.wait(each, timeout_s=15) for each in ids]
    assert [(job.job_type, job.status) for job in done] == [
        ("custom", Status.COMPLETED),
        ("document_analysis", Status.COMPLETED),
    ]
    with pytest.raises(InvalidJobError) as refused:
        working.create_batch([*jobs, {"job_type": "unheard"}])
    assert [path for path, _ in refused.value.problems] == [["body", "jobs", "2", "job_type"]]


def test_a_tree_is_watched_until_it_has_settled(working):
    tree = working.create_tree(
        "document_analysis",
        TEXT,
        sub_jobs=[
            SubJobCreate(name="a model", job_type="custom", payload=waiting(0.3, steps=3)),
            {"name": "a mapping", "job_type": "custom", "payload": waiting(0)},
        ],
        priority=Priority.CRITICAL,
        failure_policy="continue",
        start=True,
    )
    assert [(sub.name, sub.priority) for sub in tree.sub_jobs] == [("a model", "critical"), ("a mapping", "critical")]
    seen = list(working.watch(tree.id, timeout_s=15))
    assert all(one != other for one, other in pairwise(seen))
    assert {each.status for each in seen[:-1]} <= {Status.PENDING, Status.RUNNING}
    last = seen[-1]
    assert {job.status for job in [last, *last.sub_jobs]} == {Status.COMPLETED}
    assert last == working.tree(tree.id)
    outline = working.tree_outline(tree.id)
    assert outline.id == [tree.id, *(sub.id for sub in tree.sub_jobs)]
    assert (outline.parent, outline.depth, outline.status) == ([None, 0, 0], [0, 1, 1], ["completed"] * 3)
    assert outline.own_started_at_ms[0] >= max(
        outline.started_at_ms[1:]
    )  # Celery sends it before the end is reported


def test_a_job_is_explained(working):
    job = working.create("custom", waiting(0))
    found = working.explain(job.id)
    assert (found.job_id, found.code, found.status) == (job.id, Code.NOT_STARTED, Status.PENDING)
    with pytest.raises(JobNotFoundError):
        working.explain("nothing")


def test_a_jobs_history_is_read(working):
    job = working.create("custom", waiting(0), start=True)
    working.wait(job.id, timeout_s=15)
    assert [entry.step for entry in working.history(job.id)] == ["created", "queued", "started", "completed"]
    with pytest.raises(JobNotFoundError):
        working.history("nothing")


def test_a_log_is_followed_without_losing_or_doubling_a_line(working, monkeypatch):
    monkeypatch.setattr(flows, "LOG_SIZE", 3)
    job = working.create("custom", waiting(0.4, steps=40), start=True)
    lines = list(working.follow(job.id, last=3, timeout_s=15))
    first = int(lines[0].message.split()[1])
    assert [line.message for line in lines] == [f"step {n} of 40" for n in range(first, 41)]
    assert len({line.id for line in lines}) == len(lines)
    assert first < 40, "it began before the end"


def test_the_log_of_a_settled_job_ends_at_its_last_line(working):
    job_id = working.create("custom", waiting(0, steps=5), start=True).id
    working.wait(job_id, timeout_s=15)
    messages = [line.message for line in working.logs(job_id)]
    assert messages == [f"step {n} of 5" for n in range(1, 6)]
    assert [line.message for line in working.follow(job_id)] == messages
    assert [line.message for line in working.follow(job_id, last=2)] == messages[-2:]


def test_a_running_job_is_cancelled_by_force_and_retried(working):
    job_id = working.create("custom", waiting(60), start=True).id
    next(tree for tree in working.watch(job_id, timeout_s=15) if tree.status is Status.RUNNING)
    working.cancel(job_id, reason="too long", terminate=True)
    cancelled = working.wait(job_id, timeout_s=15)
    assert (cancelled.status, cancelled.reason) == (Status.CANCELLED, "too long, with terminate")
    assert working.retry(job_id).run == 2
    working.cancel(job_id)
    assert working.wait(job_id, timeout_s=15).reason == "cancelled by request"


def test_whoever_waits_for_a_job_that_does_not_settle_gets_to_know_its_status(quiet):
    job_id = quiet.create("document_analysis", TEXT).id
    for wait in (quiet.wait, lambda *args, **kwargs: list(quiet.watch(*args, **kwargs))):
        with pytest.raises(TimeoutError, match=r"has not settled within 0\.2 s: it is pending") as raised:
            wait(job_id, timeout_s=0.2)
        assert isinstance(raised.value, JobTimeoutError)
        assert (raised.value.job_id, raised.value.status) == (job_id, Status.PENDING)


def test_a_job_is_changed_and_deleted(quiet):
    job_id = quiet.create("document_analysis", TEXT).id
    job = quiet.update(job_id, name="renamed", tags=["a", "b"], payload={"text": "x"}, priority="low")
    assert (job.name, job.tags, job.payload, job.priority) == ("renamed", ["a", "b"], {"text": "x"}, "low")
    assert quiet.delete(job_id) is None
    with pytest.raises(JobNotFoundError):
        quiet.get(job_id)


def test_a_job_outside_of_celery_is_reported_on(quiet):
    job_id = quiet.create("document_analysis", TEXT).id
    assert quiet.update(job_id, status="running", progress={"done": 1, "total": 2}).progress.percent == 50
    assert quiet.update(job_id, status="completed", result={"pages": 3}).result == {"pages": 3}


def test_a_list_is_gone_through_page_by_page(quiet, monkeypatch):
    monkeypatch.setattr(flows, "PAGE_SIZE", 2)
    tag = f"paged-{type(quiet).__name__}"
    created = [quiet.create("document_analysis", TEXT, tags=[tag], name=str(n)).id for n in range(5)]
    assert [job.id for job in quiet.jobs(tag=tag)] == created[::-1]
    page = quiet.page(tag=tag, page_size=2, sort="created_at")
    assert [job.id for job in page.jobs] == created[:2]
    rest = quiet.page(tag=tag, page_size=500, cursor=page.next_cursor, sort="created_at")
    assert [job.id for job in rest.jobs] == created[2:]
    assert rest.next_cursor is None


def test_a_filter_may_name_every_status_as_a_text():
    _, texts = get_args(StatusName)
    assert set(get_args(texts)) == set(Status)


def test_every_filter_reaches_the_api(quiet):
    kept = quiet.create("document_analysis", TEXT, name="The kept one", tags=["kept"], priority="critical")
    quiet.update(kept.id, status="running")
    done = quiet.update(kept.id, status="completed")
    at: Json = {"created_from": kept.created_at, "created_to": kept.created_at}
    at |= {"finished_from": done.finished_at, "finished_to": done.finished_at}
    found = quiet.page(
        status="completed", job_type="document_analysis", priority="critical", tag="kept", name="KEPT",
        sort="status_changed_at", **at,
    )  # fmt: skip
    assert [job.id for job in found.jobs] == [kept.id]
    tree = quiet.create_tree("document_analysis", TEXT, sub_jobs=[{"name": "s", "job_type": "data_processing"}])
    assert [job.id for job in quiet.jobs(parent=tree.id)] == [tree.sub_jobs[0].id]
    assert list(quiet.jobs(sent_by=tree.id)) == list(quiet.jobs(group=tree.id)) == []
    assert quiet.page(page=2, page_size=1).page == 2


def test_an_unknown_job_is_the_librarys_own_error(quiet):
    for ask in (quiet.get, quiet.tree, quiet.logs, quiet.start, quiet.cancel, quiet.delete):
        with pytest.raises(JobNotFoundError) as raised:
            ask("no job?#%20")
        assert raised.value.job_id == "no job?#%20"
        assert raised.value.problem.status == 404
    for nobody in ("", ".", ".."):
        with pytest.raises(JobNotFoundError):
            quiet.get(nobody)


def test_a_refusal_is_the_librarys_own_error_with_the_jobs_status(quiet):
    job_id = quiet.create("document_analysis", TEXT).id
    quiet.cancel(job_id)
    with pytest.raises(IllegalTransitionError, match="cancelled") as raised:
        quiet.start(job_id)
    error = raised.value
    assert (error.job_id, error.status, error.action) == (job_id, "cancelled", "start")
    assert (error.problem.status, error.problem.title) == (409, "Not in this status")


def test_a_job_that_can_not_be_names_the_fields_that_are_to_blame(working):
    with pytest.raises(InvalidJobError) as raised:
        working.create("document_analysis", {"document_id": 7})
    assert raised.value.problem.status == 422
    assert "body.payload.document_id" in [error.field for error in raised.value.problem.errors]
    assert raised.value.problems[0][0][:2] == ["body", "payload"]
    with pytest.raises(InvalidJobError, match="Unknown job type 'no_such_type'"):
        working.create("no_such_type")
    with pytest.raises(InvalidJobError) as raised:
        working.page(page_size=501)
    assert raised.value.problem.errors[0].field == "query.page_size"


def test_a_request_id_goes_with_every_request(quiet):
    named = quiet.with_request_id("order-7")
    assert named.create("document_analysis", TEXT).request_id == "order-7"
    with pytest.raises(JobNotFoundError) as raised:
        named.get("nobody")
    assert raised.value.problem.request_id == "order-7"
    assert quiet.create("document_analysis", TEXT).request_id != "order-7"
    for bad in ("", "a b", "a\nb", "ü", "x" * 129):
        with pytest.raises(ValueError, match="is no request id"):
            quiet.with_request_id(bad)


def test_what_json_can_not_carry_is_refused(quiet):
    for payload in ({"a": object()}, {"a": "\udcff"}, {"a": float("nan")}):
        with pytest.raises(InvalidJobError):
            quiet.create("document_analysis", payload)
    assert quiet.page(name="\udcff").jobs == []
    with pytest.raises(JobNotFoundError):
        quiet.get("\udcff")


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("stats", "/stats", {}),
        ("stats_by_status", "/stats/by-status", {}),
        ("stats_by_type", "/stats/by-type", {}),
        ("stats_by_priority", "/stats/by-priority", {}),
        ("active_jobs", "/active-jobs", {"limit": 3}),
        ("failed_jobs", "/failed-jobs", {"page_size": 3}),
        ("queue_series", "/queue-series", {"hours": 2}),
        ("job_types", "/job-types", {}),
        ("examination", "/examination", {}),
    ],
)
def test_figures_are_what_the_api_answers(quiet, quiet_api, method, path, options):
    answer = getattr(quiet, method)(**options)
    assert plain(answer) == quiet_api.get(f"/api/tracking{path}", **options)


def test_an_examination_is_started_and_a_repair_of_something_else_is_refused(quiet):
    run = quiet.examine()
    assert (run.state, run.repair) == ("running", False)
    with pytest.raises(ApiError, match="unheard-of"):
        quiet.repair("unheard-of")
    eventually(lambda: quiet.examination().current is None)
    assert quiet.examination().last.id == run.id


def test_figures_of_time_have_the_asked_size(working):
    assert working.attention().complete
    assert set(working.performance(hours=2, job_type="custom").by_type) == {"custom"}
    assert set(working.performance_series(hours=2, job_type="custom").by_type) == {"custom"}
    flow = working.throughput(minutes=10, bucket_minutes=5)
    assert flow.bucket_minutes == 5
    assert len(flow.points) in {2, 3}


def test_the_workers_are_listed_and_the_health_is_known_either_way(working, quiet):
    assert [each.queue for each in working.queues().queues]
    [figures] = working.worker_report().workers
    assert figures.state == "online"
    until = datetime.now(UTC)
    assert working.timeline(until - timedelta(hours=1), until, worker=figures.name, limit=5).rows <= 5
    [worker] = working.workers()
    assert worker.online
    assert "workers.wait" in worker.registered
    assert working.health().status == "healthy"
    assert quiet.health().status == "unhealthy"
    assert not quiet.health().components["workers"].healthy


def plain(answer):
    if isinstance(answer, list):
        return [plain(each) for each in answer]
    if isinstance(answer, dict):
        return {str(key): plain(value) for key, value in answer.items()}
    return answer.model_dump(mode="json") if hasattr(answer, "model_dump") else answer


def test_the_documented_example_runs_as_it_stands(api, monkeypatch, capsys):
    page = (ROOT / "docs" / "how-to" / "use-from-python.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    monkeypatch.setenv("JOBTRACKER_URL", str(api.http.base_url))
    exec(compile(code, "use-from-python.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "completed"
    assert any(line.startswith("completed [('Extract Entities', <Status.COMPLETED") for line in lines)
    assert any("read doc456" in line for line in lines)
    assert any(line.endswith(" Process Document") for line in lines)
