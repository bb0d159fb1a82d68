"""`jobtracker backup` and `jobtracker restore`: what they say, write and refuse."""

import json
import os
import resource
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from support.backups import back_up
from support.liveness import wait_until
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, a_worker, create_in, create_job, new_job
from typer.testing import CliRunner

from jobtracker.cli.app import app
from jobtracker.core.lifecycle import Status
from jobtracker.errors import RestoreUnfinishedError
from jobtracker.jobs.large_values import LargeValues
from jobtracker.objects.folder import FolderStore
from jobtracker.schemas.audit import AuditFilter
from jobtracker.settings import Settings
from jobtracker.store.audit import AuditLog
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.leases import Leases
from jobtracker.store.object_names import ObjectNames
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.reader import JobQueries
from jobtracker.store.restore import Restore
from jobtracker.store.writer import JobStore


@pytest.fixture
def there(client):
    """A namespace for the restored store."""
    keys = Keys(f"copy-{uuid.uuid4().hex}")
    yield keys
    if names := keys_of(client, keys):
        client.unlink(*names)


@pytest.fixture
def run(redis_server, monkeypatch):
    """Runs a command in this process; a restore does not wait for clients that may use the store."""
    monkeypatch.setitem(Restore.__init__.__kwdefaults__, "patience_s", 0)

    def run(keys, *arguments, status=0, stdin=None, **env):
        environment = {"REDIS_URL": redis_server.url, "TRACKING_NAMESPACE": keys.namespace, **env}
        result = CliRunner().invoke(app, list(arguments), env=environment, input=stdin)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.stderr
        return result

    return run


def filled(client, keys, jobs):
    """A store with jobs that have payloads and results."""
    store = JobStore(client, keys)
    for first in range(0, jobs, 1000):
        ids = [str(uuid.uuid4()) for _ in range(min(1000, jobs - first))]
        fields = {"name": "a job", "priority": "normal", "status": "completed", "finished": START_MS, "run": 1}
        store.create(
            *(
                NewJob(
                    id=each,
                    fields={**fields, "type": f"t{n % 7}"},
                    data={"payload": json.dumps([each] * 5), "result": f'"{each}"'},
                )
                for n, each in enumerate(ids)
            ),
            at_ms=START_MS,
        )


def refused(result):
    return " ".join(result.stderr.split())


def test_there_and_back(run, client, keys, there, tmp_path):
    create_in(JobStore(client, keys), Status.COMPLETED)
    create_in(JobStore(client, keys), Status.RUNNING)
    file = tmp_path / "b"
    made = run(keys, "backup", str(file)).stdout
    assert f"Wrote 2 jobs of the namespace {keys.namespace!r} to {file}: {file.stat().st_size:,} bytes" in made
    assert "secrets of webhooks: keep it as safe as the store" in made
    assert file.stat().st_mode & 0o777 == 0o600
    restored = run(there, "restore", str(file)).stdout
    assert f"Restored 2 jobs into the namespace {there.namespace!r}" in restored
    assert "1 jobs had not ended, and have failed now (RestoredFromBackup)" in restored
    assert "Recounted: every counter and index is right." in restored
    assert recount(client, there) == []
    [entry] = AuditLog(client, there, Settings()).page(AuditFilter(), size=9).entries
    assert (entry.action, entry.target, entry.via) == ("restore_store", str(file), "cli")
    assert not any(entry.name.endswith(".partial") for entry in tmp_path.iterdir())


def test_json_and_standard_streams(run, client, keys, there):
    create_in(JobStore(client, keys), Status.RUNNING)
    made = run(keys, "backup", "-", "--json")
    found = json.loads(made.stderr)
    assert (found["jobs"], found["bytes"], found["file"]) == (1, len(made.stdout_bytes), "-")
    restored = json.loads(run(there, "restore", "-", "--keep-open", "--json", stdin=made.stdout_bytes).stdout)
    assert (restored["jobs"], restored["failed_open_jobs"], restored["differences"]) == (1, 0, [])
    assert restored["moment"] == found["moment"]
    assert recount(client, there) == []


def test_what_is_in_the_way_is_said(run, client, keys, there, tmp_path):
    create_in(JobStore(client, keys), Status.COMPLETED)
    file = str(tmp_path / "b")
    run(keys, "backup", file)
    create_job(JobStore(client, there), "other")
    before = keys_of(client, there)
    said = refused(run(there, "restore", file, status=1))
    assert "is a store with 1 jobs. Restore into another one (TRACKING_NAMESPACE), or say --replace" in said
    assert "It can't be brought back. Nobody is there to answer: say --yes" in refused(
        run(there, "restore", file, "--replace", status=2)
    ).replace("│ ", "")
    leases = Leases(client, there, lost_s=60)
    leases.renew(a_worker("w"))
    assert "in use: these workers use it: w@test" in refused(
        run(there, "restore", file, "--replace", "--yes", status=1)
    )
    assert set(before) <= set(keys_of(client, there))
    run(there, "restore", file, "--replace", "--yes", "--force")
    assert not JobQueries(client, there).records(["other"])[0].exists
    assert recount(client, there) == []


def test_a_damaged_file_changes_nothing(run, client, keys, there, tmp_path):
    filled(client, keys, 1500)  # more than is read at once
    file = tmp_path / "b"
    run(keys, "backup", str(file))
    data = file.read_bytes()
    file.write_bytes(data[:-3])
    create_job(JobStore(client, there), "other")
    before = keys_of(client, there)
    said = refused(run(there, "restore", str(file), "--replace", "--yes", status=1))
    assert f"{file} is damaged: it was cut off. Take another backup." in said
    assert keys_of(client, there) == before
    said = refused(run(there, "restore", "-", "--replace", "--yes", stdin=data[:-3], status=1))
    assert "Standard input is damaged: it was cut off" in said
    with pytest.raises(RestoreUnfinishedError):
        expect_partitions(client, there)
    assert "is what a restore has left that was broken off" in refused(
        run(there, "restore", "-", stdin=data, status=1)
    )
    assert "is being restored" in refused(run(there, "backup", str(tmp_path / "c"), status=1))
    assert "is being restored" in refused(run(there, "doctor", status=1))
    run(there, "restore", "-", "--replace", "--yes", stdin=data)
    assert recount(client, there) == []
    file.unlink()
    assert f"{file} can't be read: No such file or directory" in refused(run(there, "restore", str(file), status=1))


def test_what_a_broken_off_restore_has_left_can_be_uninstalled(run, client, keys, there):
    filled(client, keys, 1500)
    run(there, "restore", "-", stdin=back_up(client, keys)[:-3], status=1)
    run(there, "uninstall", "--yes")
    assert keys_of(client, there) == []


def test_values_in_the_object_store_are_not_in_it(run, client, keys, there, tmp_path):
    folder = FolderStore(tmp_path / "objects")
    written = LargeValues(folder, ObjectNames(client, keys).store_id, 0).write("large", "result", '"value"')
    store = JobStore(client, keys)
    job = new_job("large", large="1", run=1)
    store.create(job, at_ms=START_MS)
    client.hset(keys("data", "large"), "result_object", written.model_dump_json())
    file = str(tmp_path / "b")
    assert "Values of about 1 jobs are in the object store" in run(keys, "backup", file).stdout
    objects = {"OBJECTS_DIR": str(folder.path)}
    run(there, "restore", file, "--keep-open", **objects)
    folder.delete(written.object)
    found = run(there, "restore", file, "--keep-open", "--replace", "--yes", status=1, **objects).stdout
    assert "lost_value objects: 1" in found


# -- in processes of their own --------------------------------------------------------------------------------------


def process(redis_server, keys, *arguments, **options):
    environment = {**os.environ, "REDIS_URL": redis_server.url, "TRACKING_NAMESPACE": keys.namespace}
    return subprocess.Popen(
        [sys.executable, "-m", "jobtracker.cli", *arguments],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


@pytest.mark.thorough
def test_a_full_disk_leaves_no_file(redis_server, client, keys, tmp_path):
    filled(client, keys, 2000)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    full = process(redis_server, keys, "backup", str(tmp_path / "b"), preexec_fn=limit)
    _, said = full.communicate(timeout=60)
    assert full.returncode == 1
    assert f"{tmp_path / 'b'} was not written: File too large." in said
    assert list(tmp_path.iterdir()) == []
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as out:
            environment = {**os.environ, "REDIS_URL": redis_server.url, "TRACKING_NAMESPACE": keys.namespace}
            to_full = subprocess.run(
                [sys.executable, "-m", "jobtracker.cli", "backup", "-"],
                env=environment, stdout=out, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert to_full.returncode == 1
        assert "Standard output was not written: No space left on device." in to_full.stderr
        assert "Traceback" not in to_full.stderr


@pytest.mark.thorough
def test_a_restore_that_is_killed_is_begun_anew(redis_server, client, keys, there, tmp_path, run):
    filled(client, keys, 20_000)
    file = str(tmp_path / "b")
    run(keys, "backup", file)
    with process(redis_server, there, "restore", file) as killed:
        try:
            wait_until(lambda: client.zcard(there("type", "t1")) > 100, timeout_s=60)
        finally:
            killed.kill()
    with pytest.raises(RestoreUnfinishedError):
        expect_partitions(client, there)
    assert 0 < sum(client.zcard(there("type", f"t{n}")) for n in range(7)) < 20_000
    again = process(redis_server, there, "restore", file, "--replace", "--yes", "--json")
    told, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert (json.loads(told)["jobs"], json.loads(told)["differences"]) == (20_000, [])
    assert recount(client, there) == []


MEASURED = """
import sys
from jobtracker.cli.app import run
from jobtracker.store.restore import Restore
Restore.__init__.__kwdefaults__["patience_s"] = 0
try:
    run()
finally:
    with open("/proc/self/status") as status:  # ru_maxrss would be that of the process that has started this one
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory it was at most")
def test_the_memory_does_not_grow_with_the_jobs(redis_server, client, keys, there, tmp_path):
    peaks = {}
    for jobs in (5_000, 100_000):
        client.unlink(*keys_of(client, keys) or ["-"])
        filled(client, keys, jobs)
        for arguments, of in (("backup",), keys), (("restore", "--replace", "--yes"), there):
            environment = {**os.environ, "REDIS_URL": redis_server.url, "TRACKING_NAMESPACE": of.namespace}
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, arguments[0], str(tmp_path / "b"), *arguments[1:]],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert f"{jobs:,} jobs" in done.stdout
            peaks[arguments[0], jobs] = int(done.stderr.split()[-1])
    for command in ("backup", "restore"):
        assert peaks[command, 100_000] < 1.3 * peaks[command, 5_000], peaks
