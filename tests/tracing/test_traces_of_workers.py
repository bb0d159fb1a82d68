"""Traces of a project's own workers: real pools, OpenTelemetry's own SDK and exporter, a real endpoint."""

import os
import signal

import pytest
from celery import chain
from support.collector import collecting, traced
from support.workers_under_test import eventually, new_project

from jobtracker import Status
from jobtracker.core.traceparent import read
from jobtracker.schemas.history import Step

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def project(redis_server, worker_log_dir, collector):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROJECT_TRACES", "own")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with new_project(redis_server, worker_log_dir) as project, project.worker():
            yield project


@pytest.fixture
def request_span(collector, monkeypatch):
    """The span of what a web application is asked for, and of what it sends meanwhile."""
    with traced(collector, monkeypatch) as tracer, tracer.start_as_current_span("POST /orders") as span:
        yield f"{span.get_span_context().trace_id:032x}"


def spans_of(collector, task_id, executions=1):
    eventually(
        lambda: len(collector.executions(task_id)) >= executions and collector.sends(task_id),
        lambda: f"of {task_id}: {[span for span in collector.spans if span.task_id == task_id]}",
    )
    return collector.sends(task_id), collector.executions(task_id)


def test_a_task_is_one_span_where_it_is_sent_and_one_where_it_runs(project, collector, request_span):
    job_id = project.send("ok", 1)
    project.expect_status(job_id, Status.COMPLETED)
    [sent], [ran] = spans_of(collector, job_id)
    assert (sent.name, ran.name) == (f"send {project.queue}", f"process {project.queue}")
    assert (sent.service, ran.service) == ("publisher", "project")
    assert sent.trace_id == ran.trace_id == request_span
    assert ran.parent_id == sent.span_id
    assert ran.attributes == {
        "messaging.system": "redis",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": project.queue,
        "messaging.message.id": job_id,
        "messaging.message.conversation_id": job_id,
        "celery.task_name": "ok",
        "celery.state": "SUCCESS",
        "jobtracker.job.id": job_id,
        "jobtracker.job.run": 1,
        "jobtracker.job.type": "ok",
        "jobtracker.job.attempt": 0,
    }
    named = read(project.job(job_id).traceparent)
    assert (named.trace_id, named.span_id, named.is_sampled) == (request_span, ran.span_id, True)


def test_a_failure_names_its_error_and_no_secret(project, collector, request_span):
    job_id = project.send("fail", "a bad order")
    project.expect_status(job_id, Status.FAILED)
    _, [ran] = spans_of(collector, job_id)
    assert ran.is_error
    assert ran.attributes["error.type"] == project.job(job_id).error_type
    assert "a bad order" in ran.message
    secret = project.app.tasks["pay"].apply_async(kwargs={"card": "4111-1111", "how": "fail"}).id
    project.expect_status(secret, Status.FAILED)
    _, [ran] = spans_of(collector, secret)
    assert "4111-1111" not in str(ran)


def test_the_attempts_of_a_task_are_spans_of_one_trace(project, collector, request_span):
    job_id = project.send("flaky", 2)
    project.expect_status(job_id, Status.COMPLETED)
    sent, ran = spans_of(collector, job_id, executions=3)
    assert [span.attributes["jobtracker.job.attempt"] for span in ran] == [0, 1, 2]
    assert [span.attributes["celery.state"] for span in ran] == ["RETRY", "RETRY", "SUCCESS"]
    assert {span.trace_id for span in sent + ran} == {request_span}
    by_id = {span.span_id: span for span in sent}
    assert [by_id[span.parent_id].parent_id for span in ran[1:]] == [span.span_id for span in ran[:-1]]
    began = [entry for entry in project.queries.history(job_id) if entry.step is Step.STARTED]
    assert len(ran) == len(sent) == len(began) == 3


def test_the_body_of_a_chord_refers_to_its_header_and_belongs_to_what_sent_it(project, collector, request_span):
    header = [project.signature("ok", number) for number in range(4)]
    body_id = project.chord(header, project.signature("collect"))
    project.expect_status(body_id, Status.COMPLETED)
    [sent], [ran] = spans_of(collector, body_id)
    of_subs = [spans_of(collector, each) for each in project.subs(body_id)]
    assert sorted(ran.links) == sorted(executed.span_id for _, [executed] in of_subs)
    everything = [sent, ran, *(span for sends, executions in of_subs for span in sends + executions)]
    assert len(everything) == 10
    assert {span.trace_id for span in everything} == {request_span}
    assert {span.attributes["messaging.message.conversation_id"] for span in everything} == {body_id}
    assert sent.parent_id not in {executed.span_id for _, [executed] in of_subs}


def test_a_chord_that_no_request_sends_is_one_trace_too(project, collector, monkeypatch):
    with traced(collector, monkeypatch):
        header = [project.signature("ok", number) for number in range(3)]
        body_id = project.chord(header, project.signature("collect"))
    project.expect_status(body_id, Status.COMPLETED)
    found = [
        span for each in [body_id, *project.subs(body_id)] for kind in spans_of(collector, each) for span in kind
    ]
    assert len(found) == 8
    assert len({span.trace_id for span in found}) == 1


def test_the_tasks_of_a_chain_are_one_trace(project, collector, request_span):
    last = chain(project.signature("add", 1, 2), project.signature("add", 3)).apply_async()
    project.expect_status(last.id, Status.COMPLETED)
    found = [span for each in (last.parent.id, last.id) for kind in spans_of(collector, each) for span in kind]
    assert len(found) == 4
    assert {span.trace_id for span in found} == {request_span}


def test_a_later_run_goes_on_with_the_trace_and_refers_to_who_asked_for_it(project, collector, monkeypatch):
    with traced(collector, monkeypatch) as tracer:
        with tracer.start_as_current_span("POST /orders"):
            job_id = project.send("mended_and_kept", "a later run")
        project.expect_status(job_id, Status.FAILED)
        _, [first] = spans_of(collector, job_id)
        project.diary.open_gate("a later run")
        with tracer.start_as_current_span("POST /retry") as asked:
            project.jobs.retry(job_id)
            asker = f"{asked.get_span_context().span_id:016x}"
    project.expect_status(job_id, Status.COMPLETED)
    [sent], [ran] = spans_of(collector, f"{job_id}~2")
    assert sent.trace_id == ran.trace_id == first.trace_id
    assert sent.parent_id == first.span_id
    assert sent.links == [asker]
    assert ran.attributes["jobtracker.job.run"] == 2


def test_a_tree_that_our_dispatcher_sends_is_one_trace(project, collector, request_span):
    subs = [{"name": "ok", "job_type": "ok"} for _ in range(3)]
    job_id = project.launch("collect", sub_jobs=subs)
    project.expect_status(job_id, Status.COMPLETED)
    [sent], [ran] = spans_of(collector, job_id)
    of_subs = [spans_of(collector, each) for each in project.subs(job_id)]
    assert sorted(ran.links) == sorted(executed.span_id for _, [executed] in of_subs)
    everything = [sent, ran, *(span for sends, executions in of_subs for span in sends + executions)]
    assert {span.trace_id for span in everything} == {request_span}
    assert {span.attributes["messaging.message.conversation_id"] for span in everything} == {job_id}


def test_what_is_not_sampled_stays_out(project, collector):
    before = len(collector.spans)
    out = f"00-{'a' * 32}-{'b' * 16}-00"
    job_id = project.send("ok", 1, headers={"traceparent": out})
    project.expect_status(job_id, Status.COMPLETED)
    follower = project.send("flaky", 1)
    project.expect_status(follower, Status.COMPLETED)
    eventually(lambda: len(collector.executions(follower)) == 2)
    assert not [span for span in collector.spans[before:] if span.trace_id == "a" * 32 or span.task_id == job_id]


def test_of_an_execution_whose_process_was_killed_there_is_no_span(redis_server, worker_log_dir, collector):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROJECT_TRACES", "own")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with new_project(redis_server, worker_log_dir) as project, project.worker(concurrency=1):
            lost = project.send("lost", "SIGKILL")
            project.expect_status(lost, Status.FAILED)
            again = project.send("lost_once_rejected")
            project.expect_status(again, Status.COMPLETED)
            eventually(lambda: collector.executions(again))
    assert collector.executions(lost) == []
    [ran] = collector.executions(again)
    assert ran.attributes["celery.state"] == "SUCCESS"


def test_what_a_main_process_sends_for_a_lost_child_stays_in_the_trace(project, collector, request_span):
    job_id = project.send("lost_once_retried")
    project.expect_status(job_id, Status.COMPLETED)
    eventually(lambda: collector.executions(job_id))
    [sent], [ran] = spans_of(collector, job_id)
    assert sent.trace_id == ran.trace_id == request_span
    assert ran.attributes["jobtracker.job.attempt"] == 1


def test_a_worker_without_an_sdk_hands_traces_on(redis_server, worker_log_dir, monkeypatch):
    monkeypatch.delenv("PROJECT_TRACES", raising=False)
    with new_project(redis_server, worker_log_dir) as project, project.worker(concurrency=1):
        given = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
        first = project.signature("add", 1, 2, headers={"traceparent": given})
        last = chain(first, project.signature("flaky")).apply_async()
        project.expect_status(last.id, Status.COMPLETED)
        assert [project.job(each).traceparent for each in (last.parent.id, last.id)] == [given, given]


def test_a_child_exports_its_last_spans_before_it_ends(redis_server, worker_log_dir, collector):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROJECT_TRACES", "own")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with new_project(redis_server, worker_log_dir) as project, project.worker(concurrency=1) as worker:
            job_id = project.send("ok", 1)
            project.expect_status(job_id, Status.COMPLETED)
            worker.signal(signal.SIGTERM)
            worker.wait_for_exit()
    assert len(collector.executions(job_id)) == 1


def test_beside_opentelemetrys_own_instrumentation_no_span_is_made_twice(redis_server, worker_log_dir, collector):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROJECT_TRACES", "celery")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with new_project(redis_server, worker_log_dir) as project, project.worker():
            given = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
            job_id = project.send("flaky", 1, headers={"traceparent": given})
            project.expect_status(job_id, Status.COMPLETED)
            header = [project.signature("ok", number, headers={"traceparent": given}) for number in range(2)]
            body_id = project.chord(header, project.signature("collect"))
            project.expect_status(body_id, Status.COMPLETED)
            subs = project.subs(body_id)
            eventually(lambda: len(collector.executions(job_id)) == 2)
            eventually(lambda: all(collector.executions(each) for each in [body_id, *subs]))
            traceparent = project.job(job_id).traceparent
    ran = collector.executions(job_id)
    assert [span.name for span in ran] == ["run/flaky", "run/flaky"]
    assert all(span.attributes["jobtracker.job.id"] == job_id for span in ran)
    assert {span.trace_id for span in ran} == {given[3:35]}
    assert read(traceparent).trace_id == given[3:35]
    assert [len(collector.executions(each)) for each in [body_id, *subs]] == [1, 1, 1]
