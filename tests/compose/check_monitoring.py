"""The Compose profile `monitoring` for real, but for Grafana: `make test-compose`.

PROMETHEUS_IMAGE and OTEL_COLLECTOR_IMAGE say what runs. Grafana itself is not started: what its dashboard asks
Prometheus is asked here.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from support.compose_stack import Stack
from support.liveness import wait_until
from support.prometheus import RULES, Prometheus
from support.serving import ROOT, waiting

from jobtracker.core.lifecycle import Status
from jobtracker.local.ports import free_port

pytestmark = pytest.mark.timeout(1200)

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "jobtracker.json"
WORKERS = {"WORKERS": "2", "API_REPLICAS": "2"}
SEEN_S = 90
"""Until then what has changed is in Prometheus, and in the rules: it asks every 15 s, and so do the rules."""
LOST_S = 240
"""Until then a lost worker is told of: after LEASE_LOST_S, two scrapes and the minute that the alert waits."""


@pytest.fixture(scope="module")
def monitored(stack: Stack) -> Iterator[dict[str, str]]:
    """The environment in which the stack has Prometheus and a collector."""
    env = {
        **WORKERS,
        "COMPOSE_PROFILES": "monitoring",
        "PROMETHEUS_PORT": str(free_port()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_BSP_SCHEDULE_DELAY": "1000",
    }
    stack.make("run", "api worker prometheus collector", **env)
    try:
        yield env
    finally:
        stack.make("clean", **env)


@pytest.fixture(scope="module")
def prometheus(stack: Stack, monitored: dict[str, str]) -> Iterator[Prometheus]:
    with httpx.Client(
        base_url=f"http://127.0.0.1:{monitored['PROMETHEUS_PORT']}", timeout=20, trust_env=False
    ) as http:
        yield Prometheus(http)


def rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    """The rules that Prometheus has, and how they are."""
    return [
        rule for group in prometheus.http.get("/api/v1/rules").json()["data"]["groups"] for rule in group["rules"]
    ]


def test_prometheus_scrapes_the_api_by_the_listener_and_has_the_rules(prometheus):
    def targets():
        return prometheus.http.get("/api/v1/targets").json()["data"]["activeTargets"]

    wait_until(lambda: [each["health"] for each in targets()] == ["up"], SEEN_S)
    assert targets()[0]["scrapeUrl"] == "http://listener:19000/metrics"
    groups = [group for path in RULES.glob("*.yml") for group in yaml.safe_load(path.read_text())["groups"]]
    shipped = {rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]}
    wait_until(lambda: {rule["health"] for rule in rules(prometheus)} == {"ok"}, SEEN_S)
    assert {rule["name"] for rule in rules(prometheus)} == shipped
    wait_until(lambda: prometheus.query("sum(jobtracker_worker_up)") == {(): 2}, SEEN_S)


def test_both_are_confined_and_prometheus_keeps_its_data(stack, monitored, prometheus):
    for service in ("prometheus", "collector"):
        [container] = stack.containers(service)
        facts = json.loads(stack.run("docker", "inspect", container))[0]
        host, config = facts["HostConfig"], facts["Config"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Memory"] > 0) == (True, ["ALL"], True)
        assert config["User"] not in {"", "0", "root"}
        assert facts["RestartCount"] == 0
    first = "min_over_time(timestamp(up)[1h:1s])"
    [before] = prometheus.query(first).values()
    stack.compose("up", "--detach", "--force-recreate", "--no-deps", "prometheus", **monitored)
    wait_until(lambda: is_ready(prometheus), SEEN_S)
    assert [*prometheus.query(first).values()] == [before]


def is_ready(prometheus: Prometheus) -> bool:
    try:
        return prometheus.http.get("/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def spans(stack: Stack) -> int:
    """How many spans the collector has told of."""
    lines = stack.compose("logs", "--no-log-prefix", "collector")
    return sum(int(number) for number in re.findall(r'Traces.*"spans": (\d+)', lines))


def test_the_spans_of_api_and_workers_reach_the_collector_by_their_networks(stack, monitored):
    stack.compose("stop", "worker", **monitored)
    before = spans(stack)
    job_id = stack.client.create("custom", waiting(0.1), start=True).id
    wait_until(lambda: spans(stack) > before, SEEN_S)
    wait_until(lambda: stack.client.get(job_id).status is Status.PENDING)
    of_api = spans(stack)
    stack.make("run", "api worker prometheus collector", **monitored)
    stack.client.wait(job_id, timeout_s=120)
    wait_until(lambda: spans(stack) > of_api, SEEN_S)


def test_a_killed_worker_fires_its_alert_until_it_is_back(stack, prometheus):
    job = stack.client.create("custom", waiting(60), start=True)
    wait_until(lambda: stack.client.get(job.id).status is Status.RUNNING, 60)
    worker = stack.client.get(job.id).worker
    container = worker.partition("@")[2]
    stack.docker("kill", "--signal", "KILL", container)

    def fires() -> bool:
        return any(alert.get("worker") == worker for alert in prometheus.firing().get("JobtrackerWorkerLost", []))

    wait_until(fires, LOST_S)
    stack.docker("start", container)
    wait_until(lambda: not fires(), LOST_S)


def panels() -> list[tuple[str, str]]:
    """What the dashboard's panels ask, with all jobs and all types chosen."""
    asked = [
        (panel["title"], target["expr"])
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel.get("targets", [])
    ]
    return [(title, re.sub(r"\$(job|type)\b", ".*", expr).replace("$__range", "3h")) for title, expr in asked]


def test_each_panel_of_the_dashboard_has_data(stack, prometheus):
    """The worker was killed; a job fails, and again when the first failure was scraped; one waits for nobody."""
    failing = {"task": "workers.checksum", "kwargs": {"document_id": "none"}}
    total = "sum(jobtracker_job_failures_total)"
    for number in (1, 2):
        failed = stack.client.create("custom", failing, start=True)
        stack.client.wait(failed.id, timeout_s=60)
        wait_until(lambda number=number: prometheus.query(total) == {(): number}, SEEN_S)
    stack.client.create("custom", waiting(0.1), start=True, queue="nobodys")
    assert len(panels()) > 20

    def empty() -> list[str]:
        return [title for title, expression in panels() if not prometheus.query(expression)]

    wait_until(lambda: empty() == [], LOST_S)
