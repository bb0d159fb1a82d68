"""The manifests for Kubernetes as kustomize builds them. No cluster runs them here."""

import os
import subprocess
import time
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from support.documented_settings import documented_settings
from support.servers import program
from support.serving import ROOT

from jobtracker.schemas.api_keys import Grant
from jobtracker.store.api_keys import ApiKeys

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (FOLDER / "overlays").iterdir())
VERSIONS = (pytest.param("1.30", marks=pytest.mark.thorough), "1.37")
"""The oldest and the newest Kubernetes whose schemas they are checked against."""

OF_OPERATORS = {"ScaledObject": "keda.sh/v1alpha1", "ServiceMonitor": "monitoring.coreos.com/v1"}
"""Kinds that are no part of Kubernetes, so that there are no schemas here."""

OF_CLIENTS = {"JOBTRACKER_URL", "JOBTRACKER_API_KEY"}
OF_MANIFESTS = {"QUEUES", "CONCURRENCY", "REDIS_PASSWORD"}
"""Variables that only the manifests' own commands read."""

Manifest = dict[str, Any]


@cache
def built(overlay: str) -> list[Manifest]:
    command = [program("kustomize", "kustomize"), "build", str(FOLDER / "overlays" / overlay)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # what is deprecated is told there
    return list(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> list[Manifest]:
    return [each for each in built(overlay) if each["kind"] in kinds]


def pods(overlay: str) -> dict[str, Manifest]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in of_kind(overlay, "Deployment", "StatefulSet")
    }


def container(overlay: str, name: str) -> Manifest:
    [found] = pods(overlay)[name]["containers"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_knows_each_field(overlay, version):
    manifests = built(overlay)
    assert len(manifests) > 10
    for each in manifests:
        if each["kind"] in OF_OPERATORS:
            assert each["apiVersion"] == OF_OPERATORS[each["kind"]]
        else:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_kept_small_and_without_rights(overlay):
    for name, pod in pods(overlay).items():
        [each] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"]["limits"]["memory"]
        assert each["resources"]["requests"].keys() == {"cpu", "memory"}
        assert each["readinessProbe"]
        assert ":" in each["image"]
        assert not each["image"].endswith(":latest")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_is_a_setting(overlay):
    known = documented_settings().keys() | OF_CLIENTS | OF_MANIFESTS
    config_maps = {each["metadata"]["name"]: each["data"] for each in of_kind(overlay, "ConfigMap")}
    for name, pod in pods(overlay).items():
        [each] = pod["containers"]
        shared = [config_maps[source["configMapRef"]["name"]] for source in each.get("envFrom", [])]
        assert {
            *(variable["name"] for variable in each["env"]),
            *(key for data in shared for key in data),
        } <= known, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_the_pods_that_they_mean(overlay):
    labels = [
        each["spec"]["template"]["metadata"]["labels"] for each in of_kind(overlay, "Deployment", "StatefulSet")
    ]
    selectors = [each["spec"]["selector"]["matchLabels"] for each in of_kind(overlay, "PodDisruptionBudget")]
    selectors += [each["spec"]["selector"] for each in of_kind(overlay, "Service")]
    assert len(selectors) > 3
    for selector in selectors:
        assert len([each for each in labels if selector.items() <= each.items()]) == 1, selector


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_worker_has_the_time_that_its_drain_and_its_stop_may_take(overlay):
    workers = {name: pod for name, pod in pods(overlay).items() if name.startswith("jobtracker-worker")}
    assert workers
    for name, pod in workers.items():
        each = container(overlay, name)
        variables = {variable["name"]: variable.get("value") for variable in each["env"]}
        words = each["lifecycle"]["preStop"]["exec"]["command"][-1].split()
        drain_s = int(words[words.index("--timeout") + 1])
        assert drain_s + int(variables["WORKER_STOP_S"]) < pod["terminationGracePeriodSeconds"]


def test_workers_are_scaled_by_the_age_of_their_own_queue():
    queues = {}
    for each in of_kind("production", "ScaledObject"):
        [trigger] = each["spec"]["triggers"]
        name = each["spec"]["scaleTargetRef"]["name"]
        [queue] = [
            variable["value"] for variable in container("production", name)["env"] if variable["name"] == "QUEUES"
        ]
        assert f'jobtracker_queue_oldest_message_age_seconds{{queue="{queue}"}}' in trigger["metadata"]["query"]
        queues[name] = queue
    assert queues == {"jobtracker-worker-documents": "documents", "jobtracker-worker-jobtracker": "jobtracker"}
    deployments = {each["metadata"]["name"]: each["spec"] for each in of_kind("production", "Deployment")}
    assert not [name for name in queues if "replicas" in deployments[name]]


def test_the_metrics_are_read_from_the_api_s_own_port():
    [monitor] = of_kind("production", "ServiceMonitor")
    [service] = [each for each in of_kind("production", "Service") if each["metadata"]["name"] == "jobtracker-api"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "jobtracker"
    assert [each["port"] for each in monitor["spec"]["endpoints"]] == [
        each["name"] for each in service["spec"]["ports"]
    ]


def probe(command: list[str], alive: str) -> bool:
    """Whether a probe of the worker finds it well, with another file."""
    return subprocess.run([each.replace("/tmp/alive", alive) for each in command], check=False).returncode == 0


def test_only_a_worker_that_hangs_is_restarted(tmp_path):
    worker, alive = container("trial", "jobtracker-worker"), tmp_path / "alive"
    lives, is_ready, has_begun = (
        worker[each]["exec"]["command"] for each in ("livenessProbe", "readinessProbe", "startupProbe")
    )
    without_broker = [probe(each, str(alive)) for each in (lives, is_ready, has_begun)]
    alive.touch()
    consuming = [probe(each, str(alive)) for each in (lives, is_ready)]
    two_minutes_ago = time.time() - 120
    os.utime(alive, (two_minutes_ago, two_minutes_ago))
    assert (without_broker, consuming, probe(lives, str(alive))) == ([True, False, False], [True, True], False)


@pytest.mark.parametrize("path", ["readinessProbe", "livenessProbe", "startupProbe"])
def test_the_api_answers_its_probes_without_a_key(quiet_api, path):
    ApiKeys(quiet_api.client, quiet_api.keys).create(Grant(owner="ada", role="viewer"))
    asked = container("trial", "jobtracker-api")[path]["httpGet"]["path"]
    assert quiet_api.http.get(asked, headers={"Host": "10.1.2.3:19000"}).status_code == 200
