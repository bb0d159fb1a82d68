"""The rules that are shipped: valid, and each alert fires for its fault and not without."""

import re

import pytest
import yaml
from support.prometheus import RULES, promtool
from support.serving import ROOT

from jobtracker.server.metrics.catalog import METRICS, PREFIX

PROMETHEUS = ROOT / "deploy" / "prometheus"
TESTS = PROMETHEUS / "tests" / "alerts.yml"
KINDS = {"counter": "_total", "info": "_info"}


def rules():
    for path in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def test_promtool_finds_nothing_wrong():
    promtool("check", "rules", *sorted(RULES.glob("*.yml")))
    promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    promtool("test", "rules", TESTS)


def test_each_alert_is_tested_with_its_fault_and_without():
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    tested = yaml.safe_load(TESTS.read_text())["tests"]
    fires = [(test["alertname"], bool(test["exp_alerts"])) for each in tested for test in each["alert_rule_test"]]
    assert sorted(fires) == sorted((alert, does) for alert in alerts for does in (True, False))


@pytest.mark.parametrize("where", ["rules", "dashboard"])
def test_rules_and_dashboard_use_metrics_that_there_are(where):
    if where == "rules":
        texts = [rule["expr"] for rule in rules()]
    else:
        texts = [(ROOT / "deploy" / "grafana" / "dashboards" / "jobtracker.json").read_text()]
    known = {PREFIX + each.name + KINDS.get(each.kind, "") for each in METRICS.values()}
    known |= {name + part for name in known for part in ("_bucket", "_sum", "_count") if name.endswith("_seconds")}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for text in texts for name in re.findall(r"\bjobtracker[_:][\w:]+", text)}
    assert used
    assert used - known - recorded == set()
