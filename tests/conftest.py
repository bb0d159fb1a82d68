"""What every test stands on: a real server, and a key namespace of its own for each test."""

import os
import uuid
from binascii import crc32
from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.recount import keys_of

from bench.cluster import Cluster
from jobtracker.connection.client import RedisClient, connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytest_plugins = [
    "support.workers_under_test",
    "support.api_under_test",
    "support.tables_under_test",
    "support.google_emulators",
    "support.browser",
    "pytester",
]

settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server for the whole run; tests keep apart by their namespaces."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), config={"appendfsync": "no"}) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Redis Cluster for the whole run."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Iterator[RedisClient]:
    server = request.getfixturevalue("cluster" if request.config.getoption("--cluster") else "redis_server")
    with connect(server.url, timeout_s=10) as client:
        yield client


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--partitions", type=int, default=1, help="Of the stores of tests of the store and of queries.")
    parser.addoption("--results", choices=["redis", "gs"], default="redis", help="Where Celery keeps results.")
    parser.addoption("--part", metavar="K/N", help="Of the files of thorough tests only each N-th, from the K-th on.")
    parser.addoption("--cluster", action="store_true", help="These stores are on a cluster of three servers.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--cluster"):  # what hypothesis finds it finds on one server
        settings.register_profile("few", parent=settings.default, max_examples=10)
        settings.load_profile("few")


@pytest.fixture(scope="session")
def partitions(request: pytest.FixtureRequest) -> int:
    """How many partitions a test's store has."""
    found: int = request.config.getoption("--partitions")
    return found


@pytest.fixture
def keys(client: RedisClient, partitions: int) -> Iterator[Keys]:
    """A namespace that no other test has; what is in it goes with the test."""
    keys = Keys(f"test-{uuid.uuid4().hex}", partitions)
    yield keys
    leftover = keys_of(client, keys)
    for first in range(0, len(leftover), 1000):
        client.unlink(*leftover[first : first + 1000])


@pytest.fixture
def store(client: RedisClient, keys: Keys) -> JobStore:
    return JobStore(client, keys)


@pytest.fixture
def queries(client: RedisClient, keys: Keys) -> JobQueries:
    return JobQueries(client, keys)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the long files first, and keep the tests of a thorough file together, but for the longest one.

    So no long file is left over for the end, when the other processes have nothing to do.
    """
    groups: dict[pytest.Item, str] = {}
    for item in items:
        if item.get_closest_marker("thorough"):
            is_longest = item.path.stem == "test_on_a_cluster"
            groups[item] = item.name if is_longest else item.path.stem
            if not is_longest:
                item.add_marker(pytest.mark.xdist_group(item.path.stem))
    if part := config.getoption("--part"):
        number, parts = map(int, part.split("/"))
        others = [item for item, group in groups.items() if crc32(group.encode()) % parts != number % parts]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
