"""Traces of the shipped API and worker, as they set them up by themselves; and what both write, from start to end."""

import json
import os
import signal

import pytest
from support.collector import collecting
from support.serving import SHIPPED_DOCUMENTS, eventually, job, parent, running_api, running_worker, waiting

pytestmark = pytest.mark.thorough

CALLER = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def processes(redis_server, api_log_dir, collector):
    """An API of two processes, and a worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        template = "https://traces.example/{trace_id}/{span_id}"
        settings = {"redis_url": redis_server.url, "redis_db": 13, "trace_url_template": template}
        with (
            running_api(api_log_dir, api_workers=2, **settings) as api,
            running_worker(api, SHIPPED_DOCUMENTS, "--queues", "jobtracker") as worker,
        ):
            yield api, worker


@pytest.fixture
def api(processes):
    return processes[0]


@pytest.fixture
def caller():
    """The trace of a caller, and the headers that say so."""
    trace = os.urandom(16).hex()
    return trace, {"headers": {"traceparent": f"00-{trace}-{CALLER}-01"}}


def spans_of(collector, task_id):
    eventually(
        lambda: collector.sends(task_id) and collector.executions(task_id), lambda: f"of {task_id} are not all"
    )
    return collector.sends(task_id), collector.executions(task_id)


def server_span(collector, trace, name):
    def found():
        return [span for span in collector.spans if span.trace_id == trace and span.name == name]

    eventually(found, lambda: f"{name} is not there")
    [span] = found()
    return span


def documents(*texts):
    return [job("document_analysis", {"text": text}) for text in texts]


def test_a_request_its_tree_and_all_runs_are_one_trace(api, collector, caller):
    trace, headers = caller
    body = parent(*documents("A", "B", "C"), start=True)
    tree = api.http.post("/api/jobs/with-subjobs", json=body, **headers).json()
    api.expect(tree["id"], "completed")
    asked = server_span(collector, trace, "POST /api/jobs/with-subjobs")
    assert (asked.kind, asked.parent_id) == ("server", CALLER)
    [sent], [ran] = spans_of(collector, tree["id"])
    assert sent.parent_id == asked.span_id
    of_subs = [spans_of(collector, each["id"]) for each in tree["sub_jobs"]]
    assert [sends[0].parent_id for sends, _ in of_subs] == [asked.span_id] * 3
    assert sorted(ran.links) == sorted(executed.span_id for _, [executed] in of_subs)
    everything = [sent, ran, *(span for sends, executions in of_subs for span in sends + executions)]
    assert {span.trace_id for span in everything} == {trace}
    assert {span.attributes["messaging.message.conversation_id"] for span in everything} == {tree["id"]}
    assert {span.service for span in everything} == {"distributed_job_tracking", "workers"}
    found = api.job(tree["id"])
    assert found["trace_url"] == f"https://traces.example/{trace}/{ran.span_id}"
    explained = api.get(f"/api/jobs/{tree['id']}/explain")
    assert [explained[name] for name in ("traceparent", "trace_url")] == [found["traceparent"], found["trace_url"]]


def test_a_job_that_another_request_starts_and_a_third_retries_stays_in_its_trace(api, collector, caller):
    trace, headers = caller
    job_id = api.http.post("/api/jobs/", json=job("document_analysis", {"document_id": "nowhere"}), **headers).json()[
        "id"
    ]
    api.http.post(f"/api/jobs/{job_id}/start", headers={"traceparent": f"00-{'c' * 32}-{CALLER}-01"})
    api.expect(job_id, "failed")
    start = server_span(collector, "c" * 32, "POST /api/jobs/{job_id}/start")
    eventually(lambda: collector.sends(job_id))
    [sent] = collector.sends(job_id)
    assert (sent.trace_id, sent.links) == (trace, [start.span_id])
    request = {"action": "retry", "ids": [job_id]}
    answer = api.http.post("/api/jobs/bulk", json=request, headers={"traceparent": f"00-{'d' * 32}-{CALLER}-01"})
    assert answer.status_code in {200, 201, 202}, answer.text
    eventually(lambda: collector.sends(f"{job_id}~2"))
    [again] = collector.sends(f"{job_id}~2")
    bulk = server_span(collector, "d" * 32, "POST /api/jobs/bulk")
    assert (again.trace_id, again.links) == (trace, [bulk.span_id])


def test_the_jobs_of_a_batch_and_of_a_large_request_are_in_its_trace(api, collector, caller):
    trace, headers = caller
    batch = {"jobs": [job(payload=waiting(0)) for _ in range(60)], "start": True}
    ids = api.http.post("/api/jobs/batch", json=batch, **headers).json()["ids"]
    large = job("document_analysis", {"text": "A ferry. " * 9_000}, start=True)
    ids.append(api.http.post("/api/jobs/", json=large, **headers).json()["id"])
    for each in ids:
        sends, executions = spans_of(collector, each)
        assert {span.trace_id for span in sends + executions} == {trace}
        assert len(sends) == len(executions) == 1
    requests = [span for span in collector.spans if span.trace_id == trace and span.kind == "server"]
    # Another process answers the large one: its route is not known here.
    assert sorted(span.name for span in requests) == ["POST", "POST /api/jobs/batch"]


def test_probes_are_not_traced(api, collector, caller):
    trace, headers = caller
    assert api.http.get("/api/health", **headers).status_code == 200
    api.http.get("/api/jobs/", **headers)
    server_span(collector, trace, "GET /api/jobs/")
    assert len([span for span in collector.spans if span.trace_id == trace]) == 1


def test_every_line_of_api_and_worker_is_json_from_start_to_end(processes):
    api, worker = processes
    job_id = api.launch()
    api.expect(job_id, "completed")
    logs = []
    for process in (worker, api.process):
        os.kill(process.pid, signal.SIGTERM)
        eventually(lambda process=process: process.exit_status() is not None)
        logs.append([json.loads(line) for line in process.log_path.read_text().splitlines()])
    of_worker, of_api = logs
    assert all({"time", "level", "logger", "message", "service"} <= line.keys() for line in of_worker + of_api)
    assert {line["service"] for line in of_worker} == {"workers"}
    assert of_worker[0]["message"] == "the worker starts"
    assert any(line["message"] == "the worker shuts down" for line in of_worker)
    about_job = [line for line in of_worker if line.get("job_id") == job_id]
    assert {line["logger"] for line in about_job} == {"celery.worker.strategy", "celery.app.trace"}
    assert all(line["run"] == 1 for line in about_job)
    [done] = [line for line in about_job if line["logger"] == "celery.app.trace"]
    [asked] = [line for line in of_api if line.get("request_id") == done["request_id"]]
    assert done["trace_id"] == asked["trace_id"]
