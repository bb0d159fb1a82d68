"""A real Prometheus: no counter goes back whatever happens, sums are the store's, and faults fire alerts."""

import json
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from support.prometheus import running_prometheus
from support.sample_jobs import create_job, new_job
from support.serving import ROOT, eventually, job, running_api, running_worker, waiting

from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough

HOUR_MS = 3_600_000
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "jobtracker.json").read_text())
ENDS = [Event.COMPLETE, Event.COMPLETE, Event.FAIL, Event.CANCELLED]


def panel(title: str) -> str:
    """What a panel of the dashboard asks, for all jobs."""
    [expression] = [
        each["targets"][0]["expr"] for each in DASHBOARD["panels"] if each.get("title") == title and each["targets"]
    ]
    return str(expression).replace("$job", ".*").replace("$type", ".*")


class Traffic:
    """Jobs that are created, end, run again, are deleted and forgotten, until it is stopped."""

    def __init__(self, client, keys):
        self.client, self.store, self.keys = client, JobStore(client, keys), keys
        self.created, self.settled = 0, 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        while not self._is_over.is_set():
            n, at_ms = self.created, now_ms() - self.created % 5 * HOUR_MS
            job_id, end = f"job-{n}", ENDS[n % len(ENDS)]
            create_job(self.store, job_id, at_ms=at_ms, type=f"type {n % 7}")
            self.created += 1
            self._end(job_id, end, 1, at_ms)
            if end is Event.FAIL and self.store.apply(Event.RERUN, job_id, at_ms=at_ms + 50).applied:
                self._end(job_id, Event.COMPLETE, 2, at_ms + 60)
            if n % 3 == 0:
                self.store.delete(f"job-{n // 2}")
            if n % 20 == 0:
                for part in self.keys.parts:
                    self.store.fold_totals(part, all_of_them=n % 40 == 0)
            if n % 50 == 0:  # some of what is folded expires
                for part in self.keys.parts:
                    series = part("settled", at_ms // HOUR_MS - 3, "type 1")
                    if self.client.ttl(series) > 0:
                        self.client.delete(series)

    def _end(self, job_id, event, run, at_ms):
        if run == 1:
            self.store.apply(Event.ENQUEUE, job_id, at_ms=at_ms)
        self.store.apply(Event.START, job_id, run=run, at_ms=at_ms + 5, execution=f"{at_ms + 5}-w-{run}")
        fields = {"error_type": "E"} if event is Event.FAIL else {}
        self.settled += self.store.apply(event, job_id, run=run, at_ms=at_ms + 40, fields=fields).applied


def test_no_counter_goes_back_over_two_processes_a_restart_and_three_partitions(cluster, redis_server, tmp_path):
    ports = free_port(), free_port()
    settings = {
        "redis_url": cluster.url,
        "tracking_partitions": 3,
        "tracking_namespace": f"metrics-{ports[0]}",
        "celery_broker_url": redis_server.url,
        "celery_result_backend": redis_server.url,
        "metrics_celery_exporter": True,
    }
    keys = Keys(settings["tracking_namespace"], 3)
    targets = [f"127.0.0.1:{port}" for port in ports]
    with (
        connect(cluster.url, timeout_s=10) as client,
        running_api(tmp_path, api_port=ports[0], **settings) as first,
        running_prometheus(tmp_path, targets) as prometheus,
        Traffic(client, keys) as traffic,
    ):
        for _ in range(2):  # the second process is started again
            with running_api(tmp_path, api_port=ports[1], **settings):
                seen = traffic.created
                eventually(lambda seen=seen: traffic.created > seen + 100)
                up = f'max_over_time(up{{instance="{targets[1]}"}}[5s]) == 1'
                eventually(lambda up=up: prometheus.query(up))
                time.sleep(6)  # an answer of its own after the one that it kept
        traffic.__exit__(None, None, None)
        queries = JobQueries(client, keys)
        assert first.get("/api/tracking/stats")["total"] == sum(each.count for each in queries.counts())
        created = f'sum(jobtracker_jobs_created_total{{instance="{targets[0]}"}})'
        eventually(lambda: prometheus.query(created) == {(): traffic.created}, lambda: str(prometheus.query(created)))
        settled = f'sum(jobtracker_jobs_settled_total{{instance="{targets[0]}"}})'
        assert prometheus.query(settled) == {(): traffic.settled}
        counters = [name for name in prometheus.names() if name.endswith(("_total", "_bucket", "_count", "_sum"))]
        counters = [name for name in counters if name.startswith(("jobtracker_", "celery_"))]
        assert len(counters) > 20
        for name in counters:
            assert set(prometheus.query(f"resets({name}[10m])").values()) == {0}, name


def test_prometheus_keeps_the_jobs_that_are_named_for_buckets(tmp_path, redis_server):
    with (
        running_api(tmp_path, redis_url=redis_server.url, tracking_namespace="exemplars") as api,
        running_prometheus(tmp_path, [f"127.0.0.1:{api.settings.api_port}"]) as prometheus,
    ):
        eventually(lambda: prometheus.query("jobtracker_build_info"))
        for n, took_ms in enumerate((300, 700_000)):
            at_ms = now_ms() - took_ms - 2000
            create_job(api.store, f"job-{n}", at_ms=at_ms, type="letters", traceparent=f"00-{n + 1:032x}-{1:016x}-01")
            api.store.apply(Event.ENQUEUE, f"job-{n}", at_ms=at_ms)
            api.store.apply(Event.START, f"job-{n}", at_ms=at_ms + 40)
            api.store.apply(Event.COMPLETE, f"job-{n}", at_ms=at_ms + 40 + took_ms)
        buckets = "jobtracker_job_run_seconds_bucket"
        eventually(lambda: len(prometheus.exemplars(buckets)) == 2, lambda: str(prometheus.exemplars(buckets)))
        found = {each["seriesLabels"]["le"]: each["exemplars"] for each in prometheus.exemplars(buckets)}
        assert {le: [each["labels"] for each in of] for le, of in found.items()} == {
            "0.5": [{"job_id": "job-0", "trace_id": f"{1:032x}"}],
            "900.0": [{"job_id": "job-1", "trace_id": f"{2:032x}"}],
        }
        assert [float(each["value"]) for of in found.values() for each in of] == [0.3, 700]
        shown = [
            target["expr"]
            for panel in DASHBOARD["panels"]
            for target in panel.get("targets", ())
            if target.get("exemplar")
        ]
        assert len(shown) == 2
        for expression in shown:
            assert prometheus.exemplars(expression.replace("$job", ".*").replace("$type", ".*"))


@pytest.mark.timeout(240)
def test_faults_fire_alerts(tmp_path, documents):
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    fast = {"lease_renew_s": 0.5, "lease_lost_s": 2.5, "maintenance_interval_s": 0.5}
    with (
        running_api(tmp_path, redis_url=server.url, **fast) as api,
        running_prometheus(tmp_path, [f"127.0.0.1:{api.settings.api_port}"], rules=True) as prometheus,
    ):
        with running_worker(api, documents, **fast) as worker:
            for _ in range(3):
                api.expect(api.launch(), "completed")
            eventually(
                lambda: prometheus.query("jobtracker_worker_up == 1 and on() jobtracker_jobs_settled_total > 0")
            )
            assert set(prometheus.firing()) <= {"JobtrackerMaintenanceStale"}  # no round may have ended yet
            eventually(lambda: prometheus.firing() == {})
            wrong = job("document_analysis", {"document_id": "none"})
            time.sleep(2)  # it has scraped before the range begins
            before_s = time.time()
            api.expect(api.launch(wrong), "failed")
            eventually(lambda: prometheus.query('jobtracker_jobs_settled_total{type="document_analysis"} == 1'))
            for _ in range(8):
                api.expect(api.launch(wrong), "failed")
            prometheus.expect_alert("JobtrackerHighFailureRate", type="document_analysis")
            failures, label = (
                panel("Failures of the range, by error"),
                ("workers.errors.NotFoundError", "document_analysis"),
            )
            for range_s, number in ((time.time() - before_s, 9), (3600, 8)):  # an hour ago there was no Prometheus
                assert prometheus.query(failures.replace("$__range", f"{range_s:.0f}s")) == {label: number}
            api.get("/api/tracking/attention")
            prometheus.expect_alert("JobtrackerNewFailureGroup", state="new")
            api.launch(job(payload=waiting(0)), queue="nobody")
            prometheus.expect_alert("JobtrackerQueueWithoutWorker", queue="nobody")
            for _ in range(101):
                api.launch(job(payload=waiting(0)), queue="nobody")
            prometheus.expect_alert("JobtrackerQueueLong", queue="nobody")
            os.killpg(worker.pid, signal.SIGKILL)
            prometheus.expect_alert("JobtrackerWorkerLost")
        server.stop()
        prometheus.expect_alert("JobtrackerPartitionDown", partition="0")
        assert not prometheus.query("jobtracker_jobs_created_total")  # another process may have told more
        assert not prometheus.query("jobtracker_jobs")
        api.process.stop()
        prometheus.expect_alert("JobtrackerDown")


@pytest.mark.timeout(240)
def test_faults_of_the_broker_and_of_workers_fire_alerts(tmp_path, documents):
    fast = {"lease_renew_s": 0.5, "lease_lost_s": 2.5, "maintenance_interval_s": 0.5}
    with (
        EmbeddedRedis(tmp_path / "redis") as server,
        EmbeddedRedis(tmp_path / "broker") as broker,
        running_api(
            tmp_path,
            redis_url=server.url,
            celery_broker_url=broker.url,
            celery_result_backend=broker.url,
            **fast,
        ) as api,
        running_prometheus(tmp_path, [f"127.0.0.1:{api.settings.api_port}"], rules=True, patience_s=3) as prometheus,
    ):
        with running_worker(api, documents, "--concurrency", "6", **fast) as worker:
            api.expect(api.launch(), "completed")
            eventually(lambda: prometheus.query("jobtracker_redeliveries_total"))
            assert set(prometheus.firing()) <= {"JobtrackerMaintenanceStale"}  # no round may have ended yet
            killed = [api.launch(job(payload=waiting(1))) for _ in range(6)]
            eventually(lambda: all(api.job(each)["status"] == "running" for each in killed))
            os.killpg(worker.pid, signal.SIGKILL)
        narrow = {"report_buffer_size": 1, "progress_interval_s": 0.1}
        with running_worker(api, documents, "--concurrency", "6", **narrow, **fast):
            for each in killed:
                api.expect(each, "completed")
            prometheus.expect_alert("JobtrackerRedeliveries", type="custom")
            held = [api.launch(job(payload=waiting(5, steps=20))) for _ in range(6)]
            eventually(lambda: all(api.job(each)["status"] == "running" for each in held))
            os.kill(server.pid, signal.SIGSTOP)
            time.sleep(5)
            os.kill(server.pid, signal.SIGCONT)
            prometheus.expect_alert("JobtrackerReportsDropped")
        api.launch()
        prometheus.expect_alert("JobtrackerOldMessage")
        prometheus.expect_alert("JobtrackerJobsBlocked")
        # As an API process leaves it that dies between recording and sending.
        broker.stop()
        api.store.create(replace(new_job("unsent"), sends=True))
        prometheus.expect_alert("JobtrackerBrokerDown")
        prometheus.expect_alert("JobtrackerOutboxStale")


def test_maintenance_that_does_not_run_fires_an_alert(tmp_path, redis_server):
    with (
        running_api(tmp_path, redis_url=redis_server.url, maintenance_interval_s=3600) as api,
        running_prometheus(tmp_path, [f"127.0.0.1:{api.settings.api_port}"], rules=True, patience_s=3) as prometheus,
    ):
        prometheus.expect_alert("JobtrackerMaintenanceStale")
