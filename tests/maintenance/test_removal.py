"""The removal of a namespace, whatever number of partitions it has."""

import uuid

import pytest
from support.recount import keys_of
from support.sample_jobs import create_job

from jobtracker.connection.client import connect
from jobtracker.errors import RepartitionInProgressError
from jobtracker.maintenance.uninstall import Uninstall
from jobtracker.store.keys import Keys
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.writer import JobStore


def filled(client, partitions: int) -> Keys:
    keys = Keys(f"gone-{uuid.uuid4().hex}", partitions)
    expect_partitions(client, keys)
    for _ in range(20):
        create_job(JobStore(client, keys))
    return keys


def test_all_partitions_are_emptied(client):
    keys = filled(client, 3)
    removal = Uninstall(client, keys.namespace, lost_s=20)
    contents = removal.contents()
    assert contents.keys["job"] == 20
    assert removal.run() == sum(contents.keys.values())
    assert keys_of(client, keys) == []
    assert Uninstall(client, keys.namespace, lost_s=20).contents().is_empty


@pytest.mark.thorough
def test_all_servers_of_a_cluster_are_emptied(cluster):
    with connect(cluster.url, timeout_s=10) as client:
        keys = filled(client, 6)
        removal = Uninstall(client, keys.namespace, lost_s=20)
        assert removal.contents().keys["job"] == 20
        removal.run()
        left = [key for part in keys.parts for key in client.server_of(part.prefix).scan_iter(f"{part.prefix}*")]
        assert left == []


def test_a_store_that_is_being_moved_is_left_alone(client):
    keys = filled(client, 2)
    try:
        client.set(keys("partitions"), "2>3")
        with pytest.raises(RepartitionInProgressError):
            Uninstall(client, keys.namespace, lost_s=20)
    finally:
        client.unlink(*keys_of(client, keys))
