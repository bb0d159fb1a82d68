"""`jobtracker doctor`, from the environment to the exit status."""

import json

import pytest
from support.commands import run
from support.recount import recount
from support.sample_jobs import create_in

from jobtracker.connection.client import connect
from jobtracker.core.lifecycle import Status
from jobtracker.local.ports import free_port
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough

NO_API = "http://127.0.0.1:9"


@pytest.fixture
def store(redis_server, keys, monkeypatch):
    """A store in a database of its own, which the environment names."""
    monkeypatch.setenv("REDIS_URL", f"{redis_server.url}/15")
    monkeypatch.setenv("TRACKING_NAMESPACE", keys.namespace)
    with connect(f"{redis_server.url}/15", timeout_s=5) as client:
        yield JobStore(client, keys)
        client.flushdb()


def test_it_names_what_is_wrong_repairs_it_and_says_so_with_its_exit_status(store):
    create_in(store, Status.COMPLETED)
    store.client.zadd(store.keys("entered", "failed", "normal", "custom"), {"j": 1})
    found = run(NO_API, "doctor")
    assert found.exit_code == 1
    assert "1 job recounted: 1 difference." in found.stdout
    assert "stray    entered:failed" in found.stdout
    assert "jobtracker doctor --repair" in found.stdout
    repaired = run(NO_API, "doctor", "--repair")
    assert (repaired.exit_code, "what differed is repaired" in repaired.stdout) == (0, True)
    again = run(NO_API, "doctor", "--json")
    document = json.loads(again.stdout)
    assert (again.exit_code, document["healthy"], document["jobs"]) == (0, True, 1)
    assert (document["differences"], document["traps"]) == ([], [])
    assert recount(store.client, store.keys) == []


def test_after_a_move_to_more_partitions_it_wants_their_number_and_finds_nothing_wrong(store, monkeypatch):
    create_in(store, Status.COMPLETED)
    moved = run(NO_API, "repartition", "--to", "4")
    assert moved.exit_code == 0
    assert moved.stdout.splitlines()[-1].startswith("Set TRACKING_PARTITIONS=4 for all processes")
    refused = run(NO_API, "doctor")
    assert (refused.exit_code, "TRACKING_PARTITIONS is 1 here" in refused.stderr) == (1, True)
    monkeypatch.setenv("TRACKING_PARTITIONS", "4")
    found = run(NO_API, "doctor", "--json")
    document = json.loads(found.stdout)
    assert (found.exit_code, document["healthy"], document["jobs"]) == (0, True, 1)


@pytest.mark.parametrize("command", [("doctor",), ("uninstall", "--dry-run"), ("repartition", "--to", "2")])
def test_without_the_tracking_redis_it_says_so(monkeypatch, command):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}")
    found = run(NO_API, *command)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "The tracking Redis does not answer" in found.stderr
