"""Traces on other pools than prefork, and on RabbitMQ: many tasks in one process, each in its own trace."""

import pytest
from support.collector import collecting, traced
from support.workers_under_test import broker_settings, eventually, new_project

from jobtracker import Status
from jobtracker.core.traceparent import read

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module", params=[("redis", "threads"), ("redis", "gevent"), ("rabbitmq-classic", "prefork")])
def worked(request, redis_server, rabbitmq, worker_log_dir):
    """A collector, and a project whose worker exports to it."""
    broker, pool = request.param
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROJECT_TRACES", "own" if pool == "prefork" else "main")
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        settings = broker_settings(broker, rabbitmq)
        with (
            new_project(redis_server, worker_log_dir, **settings) as project,
            project.worker(pool=pool, concurrency=4),
        ):
            yield collector, project


def spans_of(collector, task_id, executions=1):
    eventually(lambda: len(collector.executions(task_id)) >= executions and collector.sends(task_id))
    return collector.sends(task_id), collector.executions(task_id)


def test_tasks_that_run_at_once_are_each_in_the_trace_of_what_sent_them(worked, request, monkeypatch):
    collector, project = worked
    gate, sent_in = f"{project.name}-{request.node.name}", {}
    with traced(collector, monkeypatch) as tracer:
        for number in range(4):
            with tracer.start_as_current_span(f"POST /{number}") as span:
                sent_in[project.send("hold", gate)] = f"{span.get_span_context().trace_id:032x}"
    for job_id in sent_in:
        project.expect_status(job_id, Status.RUNNING)
    project.diary.open_gate(gate)
    for job_id, trace_id in sent_in.items():
        project.expect_status(job_id, Status.COMPLETED)
        [sent], [ran] = spans_of(collector, job_id)
        assert (sent.trace_id, ran.trace_id, ran.parent_id) == (trace_id, trace_id, sent.span_id)
        assert ran.attributes["messaging.system"] == project.app.connection_for_write().transport.driver_type.replace(
            "amqp", "rabbitmq"
        )
        assert (sent.name, ran.name) == (f"send {project.queue}", f"process {project.queue}")
        assert read(project.job(job_id).traceparent).span_id == ran.span_id


def test_retries_and_the_body_of_a_chord_are_in_the_trace_too(worked, monkeypatch):
    collector, project = worked
    with traced(collector, monkeypatch) as tracer, tracer.start_as_current_span("POST /orders") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
        flaky = project.send("flaky", 1)
        body_id = project.chord([project.signature("ok", n) for n in range(3)], project.signature("collect"))
    for job_id in (flaky, body_id):
        project.expect_status(job_id, Status.COMPLETED)
    sends, executions = spans_of(collector, flaky, executions=2)
    executions.sort(key=lambda each: each.attributes["jobtracker.job.attempt"])  # two children export when they like
    assert [each.attributes["celery.state"] for each in executions] == ["RETRY", "SUCCESS"]
    by_id = {each.span_id: each for each in sends}
    assert by_id[executions[1].parent_id].parent_id == executions[0].span_id
    [sent], [ran] = spans_of(collector, body_id)
    of_subs = [spans_of(collector, each) for each in project.subs(body_id)]
    assert sorted(ran.links) == sorted(each.span_id for _, [each] in of_subs)
    everything = [*sends, *executions, sent, ran, *(each for pair in of_subs for kind in pair for each in kind)]
    assert {each.trace_id for each in everything} == {trace_id}
