"""What the tests of object stores share."""

import socket

import pytest

from jobtracker.local.ports import free_port
from jobtracker.objects.bucket import BucketStore


@pytest.fixture
def bucket(storage_emulator, bucket_name):
    """A store whose bucket exists."""
    store = BucketStore(bucket_name, project="test", emulator_host=storage_emulator.url, timeout_s=5, retry_s=2)
    store.check()
    return store


@pytest.fixture
def silent_port():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    """A port that nobody listens on."""
    return free_port()
