"""A Redis Cluster that changes while it is used, and one that is not there."""

import pytest
from redis import exceptions
from redis.crc import key_slot
from support.recount import recount
from support.sample_jobs import a_worker, create_in, new_job
from support.workers_under_test import eventually, job, new_project

from bench.cluster import Cluster
from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.connection.client import connect, is_away, is_unreachable
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.local.ports import free_port
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.keys import Keys
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough

AWAY = (exceptions.ClusterDownError, exceptions.ConnectionError, exceptions.TimeoutError)
RAN = ["began", "returned"]
JOBS = [f"j{n}" for n in range(30)]


@pytest.fixture
def own_cluster(tmp_path):
    with Cluster(tmp_path, 2) as own_cluster:
        yield own_cluster


@pytest.fixture
def client(own_cluster):
    with connect(own_cluster.url, timeout_s=2) as client:
        yield client


@pytest.fixture
def keys(client):
    return Keys("moving", 4)


def test_calls_follow_a_partition_whose_slot_has_moved(own_cluster, client, keys):
    store, queries = JobStore(client, keys), JobQueries(client, keys)
    store.create(*map(new_job, JOBS[:10]))
    part = keys.of(JOBS[20])
    slot = key_slot(part.prefix.encode())
    nodes = [connect(node.url, 2) for node in own_cluster.nodes]
    ids = [node.execute_command("CLUSTER MYID") for node in nodes]
    [source] = [n for n, node in enumerate(nodes) if node.execute_command("CLUSTER COUNTKEYSINSLOT", slot)]
    target = 1 - source
    nodes[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
    nodes[source].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
    names = nodes[source].execute_command("CLUSTER GETKEYSINSLOT", slot, 1000)
    to = own_cluster.nodes[target]
    nodes[source].execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *names)
    for node in nodes[target], nodes[source]:
        node.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])
    assert set(store.create(*map(new_job, JOBS[10:]))) == {Outcome.APPLIED}
    assert store.apply(Event.START, JOBS[20]).applied
    assert queries.page(JobFilter(), size=50).total == len(JOBS)
    assert recount(client, keys) == []
    for node in nodes:
        node.close()


def test_where_one_server_is_away_the_others_serve_and_it_is_found_again(own_cluster, client, keys):
    store = JobStore(client, keys)
    store.create(*map(new_job, JOBS))
    leases = Leases(client, keys, lost_s=60)
    gone, _ = own_cluster.nodes
    lost = [job for job in JOBS if client.server_of(keys("job", job)).get_connection_kwargs()["port"] == gone.port]
    kept = [job for job in JOBS if job not in lost]
    assert lost
    assert kept
    gone.stop()
    with pytest.raises(AWAY) as caught:
        store.apply(Event.START, lost[0])
    assert is_away(caught.value)
    assert store.apply(Event.START, kept[0]).applied
    with pytest.raises(AWAY):  # it says that not all partitions have it
        leases.renew(a_worker("w"))
    assert any(client.exists(part("lease", "w")) for part in {keys.of(job) for job in kept})
    gone.start()

    def serves():
        try:
            return store.apply(Event.START, lost[1]).applied
        except AWAY:  # the servers have yet to hear of it
            return False

    eventually(serves)


def test_a_cluster_that_is_not_there_is_away_and_is_found_when_it_is_asked_again(tmp_path):
    with connect(f"redis+cluster://127.0.0.1:{free_port()}", timeout_s=0.5) as nobody:
        with pytest.raises(exceptions.ConnectionError) as caught:
            JobStore(nobody, Keys("nobody", 2)).create(new_job("x"))
        assert is_unreachable(caught.value)


@pytest.fixture
def clustered_project(cluster, redis_server, worker_log_dir):
    """A project whose jobs are tracked on a cluster; Celery's own things are on one server."""
    with new_project(redis_server, worker_log_dir, redis_url=cluster.url, tracking_partitions=4) as project:
        yield project


def test_real_workers_run_chords_and_trees_that_lie_anywhere(clustered_project):
    project = clustered_project
    with project.worker():
        sig = project.signature
        good = project.chord([sig("ok", n) for n in range(8)], sig("collect"))
        bad = project.chord([sig("ok"), sig("fail", "no ink"), sig("ok")], sig("collect"))
        tree = project.jobs.submit(job("collect", sub_jobs=[job("ok", {"value": n}) for n in range(6)]))
        project.expect(good, Status.COMPLETED, "SUCCESS", RAN)
        project.expect(bad, Status.FAILED, "FAILURE", [])
        project.expect(tree, Status.COMPLETED, "SUCCESS", RAN)
        assert len({project.keys.of(sub).number for sub in project.subs(good)}) > 1
        assert {project.keys.of(sub) for sub in project.subs(tree)} == {project.keys.of(tree)}
        said = f"1 of 3 sub-jobs did not complete: fail ({project.subs(bad)[1]}) failed: ValueError: no ink"
        eventually(lambda: project.job(bad).error.message == said)
        assert project.job(good).sub_job_counts.completed == 8
        eventually(lambda: project.queries.unnotified(2**53, 10) == [])
        assert [worker.pool for worker in project.leases.live()]


def test_a_worker_of_a_clustered_project_that_is_lost_has_its_job_settled(clustered_project):
    project = clustered_project
    lost = create_in(project.tracking.store, Status.PENDING, at_ms=now_ms() - 60_000)
    project.tracking.store.apply(Event.START, lost, at_ms=now_ms() - 60_000, fields={"lease": "x", "worker": "w"})
    for part in project.keys.parts:
        project.client.set(part("watched"), now_ms() - 60_000)
    MaintenanceRunner(project.tracking).step()
    assert project.job(lost).status is Status.FAILED


def test_who_asks_a_server_of_a_cluster_is_not_refused_for_another_one_that_is_away(own_cluster, keys):
    with connect(own_cluster.url, timeout_s=2, circuit=Circuit(pause_s=60)) as client:
        store = JobStore(client, keys)
        store.create(*map(new_job, JOBS))
        gone, _ = own_cluster.nodes
        port_of = {job: client.server_of(keys("job", job)).get_connection_kwargs()["port"] for job in JOBS}
        lost, *_ = [job for job in JOBS if port_of[job] == gone.port]
        kept = [job for job in JOBS if port_of[job] != gone.port]
        gone.stop()
        for job in kept[:3]:
            with pytest.raises(AWAY):
                store.apply(Event.START, lost)
            assert store.apply(Event.START, job).applied
