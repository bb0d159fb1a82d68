"""A real Prometheus for tests."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.ports import free_port
from support.servers import program
from support.serving import ROOT, eventually

RULES = ROOT / "deploy" / "prometheus" / "rules"


class Prometheus:
    """A Prometheus that answers.

    Attributes:
        http: A client of it.
    """

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """The values of an expression by the values of the labels, in the order of the labels' names."""
        answer = self.http.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return {
            tuple(value for name, value in sorted(each["metric"].items()) if name != "__name__"): float(
                each["value"][1]
            )
            for each in answer["data"]["result"]
        }

    def names(self) -> list[str]:
        """The names of all metrics."""
        found: list[str] = self.http.get("/api/v1/label/__name__/values").json()["data"]
        return found

    def exemplars(self, metric: str) -> list[dict[str, Any]]:
        """The exemplars of a metric of the last hour: the labels of its series, with exemplars of each."""
        times = {"start": str(time.time() - 3600), "end": str(time.time() + 60)}
        found: list[dict[str, Any]] = self.http.get(
            "/api/v1/query_exemplars", params={"query": metric, **times}
        ).json()["data"]
        return found

    def firing(self) -> dict[str, list[dict[str, str]]]:
        """The labels of alerts that fire, by name."""
        found: dict[str, list[dict[str, str]]] = {}
        for alert in self.http.get("/api/v1/alerts").json()["data"]["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def expect_alert(self, name: str, **labels: str) -> None:
        """Wait until an alert fires with these labels."""

        def fires() -> bool:
            return any(labels.items() <= each.items() for each in self.firing().get(name, []))

        eventually(fires, lambda: f"{name} {labels} does not fire: {self.firing()}", patience_s=60)


@contextlib.contextmanager
def running_prometheus(
    folder: Path, targets: Sequence[str], *, rules: bool = False, patience_s: int | None = None
) -> Iterator[Prometheus]:
    """A Prometheus that scrapes targets each second.

    Args:
        folder: Where its data lies.
        targets: Hosts with ports.
        rules: With the rules that are shipped; alerts fire at once, not after a while.
        patience_s: What may be so many seconds old, where the rules let it be 300 or 900.
    """
    binary, port = program("prometheus", "prometheus"), free_port()
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "jobtracker", "static_configs": [{"targets": [*targets]}]}],
    }
    if rules:
        config["rule_files"] = []
        for path in RULES.glob("*.yml"):
            text = re.sub(r"^ +for: .*\n", "", path.read_text(), flags=re.MULTILINE)
            if patience_s is not None:
                text = re.sub(r"(?<=> )(300|900)\b", str(patience_s), text)
            (folder / path.name).write_text(text)
            config["rule_files"].append(str(folder / path.name))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
        "enable-feature": "exemplar-storage",
    }
    argv = [binary, *(f"--{name}={value}" for name, value in options.items())]
    process = ChildProcess("Prometheus", argv, log_path=folder / "prometheus.log")
    process.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            process.wait_until_ready(lambda: _is_ready(http), timeout_s=40)
            yield Prometheus(http)
    finally:
        process.stop()


def _is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def promtool(*arguments: str | Path) -> str:
    """What promtool says; it must find nothing wrong."""
    command = [program("promtool", "prometheus"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
