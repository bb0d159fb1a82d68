"""`jobtracker uninstall`: what it says, what it removes, and what it leaves."""

import uuid

import pytest
from support.liveness import wait_until
from support.raw_records import stored
from support.recount import keys_of
from support.sample_jobs import a_worker, create_job, create_parent
from support.serving import running_api
from typer.testing import CliRunner, Result

from jobtracker.cli.app import app
from jobtracker.jobs.large_values import LargeValues
from jobtracker.objects.folder import FolderStore
from jobtracker.store.keys import Keys
from jobtracker.store.leases import Leases
from jobtracker.store.libraries import Libraries
from jobtracker.store.object_names import ObjectNames
from jobtracker.store.writer import JobStore


@pytest.fixture
def old_store(client, keys):
    """A store with jobs, and a library that no other test uses."""
    store = JobStore(client, keys, retention_ms=11 * 86_400_000)
    create_job(store)
    create_parent(store, 2)
    Libraries(client, keys, {store._functions.name}).renew()
    return store


def uninstall(redis_server, namespace: str, *arguments: str, answer: str | None = None, **more: str) -> Result:
    env = {"REDIS_URL": redis_server.url, "TRACKING_NAMESPACE": namespace, **more}
    return CliRunner().invoke(app, ["uninstall", *arguments], env=env, input=answer)


@pytest.mark.usefixtures("old_store")
def test_a_dry_run_says_what_there_is_and_removes_nothing(redis_server, client, keys, old_store):
    before = keys_of(client, keys)
    result = uninstall(redis_server, keys.namespace, "--dry-run")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["job", "4"] in lines
    assert ["all", str(len(before))] in lines
    assert old_store._functions.name in result.stdout
    assert keys_of(client, keys) == before


def test_it_removes_all_of_its_namespace_and_its_library_and_nothing_else(redis_server, client, keys, old_store):
    other = Keys(f"{keys.namespace}-2")
    kept = create_job(JobStore(client, other))
    try:
        result = uninstall(redis_server, keys.namespace, "--yes")
        assert result.exit_code == 0, result.output
        assert keys_of(client, keys) == []
        assert not client.function_list(old_store._functions.name)
        assert stored(client, other, kept)["status"] == "pending"
        assert "There is nothing in" in uninstall(redis_server, keys.namespace, "--yes").stdout
    finally:
        client.unlink(*keys_of(client, other))


@pytest.mark.usefixtures("old_store")
def test_it_removes_the_objects_of_its_namespace_and_no_others(redis_server, client, keys, tmp_path):
    folder = FolderStore(tmp_path / "objects")
    written = LargeValues(folder, ObjectNames(client, keys).store_id, 0).write("job", "result", '"large"')
    folder.put(".jobtracker/another/job/result-1", [b"1"])
    refused = uninstall(redis_server, keys.namespace, "--yes")
    assert refused.exit_code == 1
    assert "Set OBJECTS_DIR or GCS_BUCKET_NAME as the API has it" in " ".join(refused.stderr.split())
    gone = uninstall(redis_server, keys.namespace, "--yes", OBJECTS_DIR=str(tmp_path / "not mounted"))
    assert "Is it mounted?" in " ".join(gone.stderr.split())
    assert keys_of(client, keys)
    assert folder.info(written.object)
    result = uninstall(redis_server, keys.namespace, "--yes", OBJECTS_DIR=str(folder.path))
    assert "and 1 objects" in result.stdout
    assert [each.name for each in folder.list("")] == [".jobtracker/another/job/result-1"]
    assert keys_of(client, keys) == []


def test_nobody_who_could_be_asked_is_a_usage_error(redis_server, client, keys, old_store):
    result = uninstall(redis_server, keys.namespace)
    assert result.exit_code == 2
    assert "Nobody is there to answer: say --yes" in " ".join(result.stderr.split())
    assert keys_of(client, keys)


def test_while_a_worker_lives_nothing_is_removed(redis_server, client, keys, old_store):
    Leases(client, keys, 60).renew(a_worker(name="shop@here"))
    result = uninstall(redis_server, keys.namespace, "--yes")
    assert result.exit_code == 1
    assert "these workers use it: shop@here. Stop the workers" in result.stderr
    assert keys_of(client, keys)


def test_while_an_api_lives_nothing_is_removed(redis_server, client, tmp_path):
    with running_api(tmp_path, redis_url=redis_server.url, redis_db=0) as api:
        wait_until(lambda: client.exists(api.keys.parts[0]("leader")))
        result = uninstall(redis_server, api.keys.namespace, "--yes")
        assert result.exit_code == 1
        assert "an API, or a worker, uses it. Stop the workers" in result.stderr
    client.unlink(*keys_of(client, api.keys))


def test_an_empty_namespace_is_no_error(redis_server):
    result = uninstall(redis_server, f"test-{uuid.uuid4().hex}", "--yes")
    assert (result.exit_code, result.stdout[:19]) == (0, "There is nothing in")
