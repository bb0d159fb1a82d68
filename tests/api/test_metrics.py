"""GET /metrics: what the store has, in both formats, under the documented names."""

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from support.sample_jobs import create_job
from support.serving import ROOT, Api, eventually, problem_of, running_api

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.job_types import JobType
from jobtracker.server.metrics.catalog import METRICS, PREFIX
from jobtracker.server.metrics.high_water import HighWater
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.job_types import Registry

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
DOCUMENTED = ROOT / "docs" / "reference" / "metrics.md"


def scraped(api: Api, accept: str = "") -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and values of labels, in the order of the labels' names."""
    answer = api.http.get("/metrics", headers={"Accept": accept} if accept else {})
    assert answer.status_code == 200, answer.text[:500]
    read = read_openmetrics if accept else read_text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in read(answer.text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            assert labels not in found.get(sample.name, {}), sample
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


@pytest.fixture(scope="module")
def past(redis_server, api_log_dir):
    """An API over jobs whose past is known."""
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=11, metrics_celery_exporter=True, inspect_timeout_s=0.1
    ) as api:
        store, now = api.store, now_ms()
        ends = [Event.COMPLETE] * 5 + [Event.FAIL] * 2 + [Event.CANCELLED, None, None]
        for n, end in enumerate(ends):
            job_id, at_ms = f"job-{n}", now - 7_200_000
            create_job(store, job_id, at_ms=at_ms, type="letters" if n % 2 else "stamps")
            store.apply(Event.ENQUEUE, job_id, at_ms=at_ms)
            if end:
                store.apply(Event.START, job_id, at_ms=at_ms + 40, fields={"worker": "celery@past"})
                fields = {"error_type": "shop.errors.NoInk"} if end is Event.FAIL else {}
                store.apply(end, job_id, at_ms=at_ms + 2040, fields=fields)
        store.delete("job-0")
        Registry(api.client, api.keys).announce(JobType(name="letters", task="shop.letters", queue="post"))
        yield api


def test_both_formats_tell_the_same(past):
    def steady(found):
        return {name: of for name, of in found.items() if "duration" not in name and "timestamp" not in name}

    assert steady(scraped(past)) == steady(scraped(past, OPENMETRICS))
    assert past.http.get("/metrics").headers["content-type"].startswith("text/plain; version=")
    answer = past.http.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["vary"] == "Accept"
    assert past.http.head("/metrics").status_code == 200


def test_sums_equal_the_stores(past):
    found, stats = scraped(past), past.get("/api/tracking/stats")
    jobs = found["jobtracker_jobs"]
    for status in Status:
        assert sum(n for labels, n in jobs.items() if labels[0] == status) == stats["by_status"].get(status, 0)
    assert found["jobtracker_jobs_created_total"] == {("letters",): 5, ("stamps",): 5}
    settled = found["jobtracker_jobs_settled_total"]
    overall = past.get("/api/tracking/performance")["overall"]
    for status in ("completed", "failed", "cancelled"):
        assert sum(n for labels, n in settled.items() if labels[0] == status) == overall[status]
    assert sum(found["jobtracker_deliveries_total"].values()) == overall["deliveries"]
    failures = found["jobtracker_job_failures_total"]
    assert failures == {("shop.errors.NoInk", "letters"): 1, ("shop.errors.NoInk", "stamps"): 1}


def test_histograms_are_cumulative_and_their_buckets_say_which_durations(past):
    found = scraped(past)

    def buckets(name, label):
        return {le: n for (le, of), n in found[f"jobtracker_{name}_bucket"].items() if of == label}

    run = buckets("job_run_seconds", "letters")
    assert (run["1.0"], run["2.5"], run["+Inf"]) == (0, 3, 3)
    wait = {
        labels[0]: n for labels, n in found["jobtracker_job_wait_seconds_bucket"].items() if labels[1] == "stamps"
    }
    assert (wait["0.025"], wait["0.05"], wait["+Inf"]) == (0, 4, 4)
    assert found["jobtracker_job_run_seconds_count"]["letters",] == 3
    assert found["jobtracker_job_run_seconds_sum"]["letters",] == pytest.approx(6.0)


def test_every_metric_is_in_the_catalog_and_every_one_of_the_catalog_is_there(past):
    eventually(lambda: "jobtracker_jobs_blocked" in past.http.get("/metrics").text)
    text = past.http.get("/metrics").text
    found = dict(re.findall(r"^# TYPE (jobtracker_\w+) (\w+)$", text, re.MULTILINE))
    suffix = {"counter": "_total", "info": "_info"}
    kinds = {"info": "gauge"}
    assert found == {
        PREFIX + metric.name + suffix.get(metric.kind, ""): kinds.get(metric.kind, metric.kind)
        for metric in METRICS.values()
    }
    for family in read_text(text):
        if family.name.startswith(PREFIX):
            metric = METRICS[family.name.removeprefix(PREFIX).removesuffix("_info")]
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(metric.labels), sample


def test_no_label_names_a_job(past):
    assert not re.search(r"job-\d", past.http.get("/metrics").text)


def test_the_documentation_has_the_catalog():
    rows = re.findall(r"^\| `jobtracker_(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", DOCUMENTED.read_text(), re.MULTILINE)
    assert rows == [table_row(each) for each in METRICS.values()]


def table_row(metric):
    """Name, kind, labels and help, as the table has them."""
    name = metric.name + {"counter": "_total", "info": "_info"}.get(metric.kind, "")
    return name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels) or "none", metric.help


def test_the_names_of_celery_exporter_are_there_on_wish(past, quiet_api):
    found = scraped(past)
    assert found["celery_task_succeeded_total"]["generic", "shop.letters", "post"] == 2
    failed = {labels: n for labels, n in found["celery_task_failed_total"].items() if n}
    assert failed == {
        ("NoInk", "generic", "shop.letters", "post"): 1,
        ("NoInk", "generic", "stamps", "jobtracker"): 1,
    }
    for name in ("sent", "received", "started", "rejected", "revoked", "retried"):
        assert f"celery_task_{name}_total" in found
    assert found["celery_task_runtime_count"]["generic", "shop.letters", "post"] == 3
    assert "celery_queue_length" in found
    assert not [name for name in scraped(quiet_api) if name.startswith("celery_")]


def test_with_keys_it_needs_one_that_may_read_all_jobs(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=11) as api:
        keys = ApiKeys(api.client, api.keys)
        viewer = keys.create(Grant(owner="prometheus", role="viewer"))
        limited = keys.create(Grant(owner="some", role="viewer", job_types=["letters"]))
        problem_of(api.http.get("/metrics"), 401)
        problem_of(api.http.get("/metrics", headers={"Authorization": f"Bearer {limited.key}"}), 403)
        assert api.http.get("/metrics", headers={"Authorization": f"Bearer {viewer.key}"}).status_code == 200


def test_a_counter_does_not_go_back_where_the_store_has_lost_its_last_second():
    high = HighWater()
    told = []
    for value in (100, 98, 99, 103, 40, 41):
        told.append(high.of("jobs", value))
        high.end()
    assert told == [100, 100, 100, 103, 40, 41]
