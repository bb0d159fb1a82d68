"""The live stream when processes and servers come and go: no gap, and nothing twice."""

import contextlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from support.listening import Listening
from support.sample_jobs import create_job, new_job
from support.servers import away
from support.serving import Api, eventually, running_api

from jobtracker.connection.client import connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough


def address(api: Api) -> str:
    return str(api.http.base_url).rstrip("/")


class Following:
    """Listens, and connects again with the last id, as a browser does."""

    def __init__(self, url: str) -> None:
        self.streams = [Listening(url)]
        self.url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        self.streams[-1].close()

    def _follow(self) -> None:
        while not self._stop.wait(0.1):
            last = self.streams[-1]
            if last.has_ended:
                self.streams.append(Listening(self.url, last.last_id))

    @property
    def ids(self) -> list[str]:
        return [job_id for stream in list(self.streams) for job_id in stream.ids]

    @property
    def names(self) -> set[str]:
        return {name for stream in list(self.streams) for name in stream.names}


def hear_all(following, jobs):
    eventually(lambda: set(following.ids) >= set(jobs), lambda: f"missed {set(jobs) - set(following.ids)}")


def test_a_killed_api_is_resumed_without_gap_or_duplicate(redis_server, tmp_path):
    shared = {"redis_url": redis_server.url, "api_port": free_port(), "tracking_namespace": f"kill-{tmp_path.name}"}
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(running_api(tmp_path, **shared))
        store, following = api.store, stack.enter_context(Following(address(api)))
        eventually(lambda: following.names)
        jobs = []
        for _ in range(3):
            jobs += [create_job(store) for _ in range(40)]
            os.kill(api.process.pid, signal.SIGKILL)
            jobs += [create_job(store) for _ in range(40)]
            api = stack.enter_context(running_api(tmp_path, **shared))
            jobs += [create_job(store) for _ in range(40)]
            hear_all(following, jobs)
        assert Counter(following.ids) == Counter(jobs)
        assert following.names == {"ready", "jobs"}


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_a_redis_that_comes_back_is_said_and_nothing_is_missed(tmp_path, how):
    with (
        EmbeddedRedis(tmp_path / "redis", config={"appendfsync": "always"}) as server,
        running_api(tmp_path, redis_url=server.url) as api,
        Listening(address(api)) as heard,
    ):
        heard.until(lambda each: each.names)
        jobs = [create_job(api.store) for _ in range(20)]
        heard.until(lambda each: set(each.ids) == set(jobs))
        with away(server, how):
            heard.until(lambda each: "away" in each.names)
        with connect(server.url, timeout_s=10) as client:
            store = JobStore(client, api.keys)
            jobs += [create_job(store) for _ in range(20)]
            heard.until(lambda each: set(each.ids) >= set(jobs))
        assert Counter(heard.ids) == Counter(jobs)
        assert "reset" not in heard.names
        assert heard.events[[*heard.names].index("away") + 1 :][0] == ("ready", {"resumed": True})


def test_one_that_comes_back_empty_means_that_all_is_read_anew(tmp_path):
    with (
        EmbeddedRedis(tmp_path / "redis") as server,
        running_api(tmp_path, redis_url=server.url) as api,
        Listening(address(api)) as heard,
    ):
        heard.until(lambda each: each.names)
        api.client.flushall()
        with away(server, "stopped"):
            heard.until(lambda each: "away" in each.names)
        heard.until(lambda each: "reset" in each.names)
        with connect(server.url, timeout_s=10) as client:
            job = create_job(JobStore(client, api.keys))
        heard.until(lambda each: job in each.ids)


def test_a_stream_that_begins_while_redis_is_away_says_so(tmp_path):
    with (
        EmbeddedRedis(tmp_path / "redis") as server,
        running_api(tmp_path, redis_url=server.url) as api,
        contextlib.ExitStack() as stack,
    ):
        api.get("/api/tracking/stats")  # from now on it knows that there are no keys, and whom it may answer
        with away(server, "stopped"):
            heard = stack.enter_context(Listening(address(api)))
            heard.until(lambda each: each.names == ["away"])
        heard.until(lambda each: each.names == ["away", "ready"])
        assert heard.events[0][1]["detail"]
        assert heard.status == 200


@contextlib.contextmanager
def several(redis_server, folder, **settings) -> Iterator[Api]:
    with running_api(folder, redis_url=redis_server.url, api_workers=2, **settings) as api:
        yield api


def test_several_processes_and_partitions_tell_the_same_and_go_on_for_each_other(redis_server, tmp_path):
    with several(redis_server, tmp_path, tracking_partitions=3) as api, contextlib.ExitStack() as stack:
        store = JobStore(api.client, Keys(api.settings.tracking_namespace, 3))
        heard = [stack.enter_context(Listening(address(api))) for _ in range(6)]
        for each in heard:
            each.until(lambda each: each.names)
        jobs = [create_job(store) for _ in range(60)]
        for each in heard:
            each.until(lambda each: set(each.ids) >= set(jobs))
            assert Counter(each.ids) == Counter(jobs)
            each.close()
        for _ in range(5):
            later = [create_job(store) for _ in range(30)]
            again = [stack.enter_context(Listening(address(api), each.last_id)) for each in heard]
            later += [create_job(store) for _ in range(30)]
            for each in again:
                hear_all(each, later)
                assert Counter(each.ids) == Counter(later)
                assert each.names[0] == "ready"
                each.close()
            heard = again


def test_on_a_cluster_each_partition_is_heard(cluster, redis_server, tmp_path):
    broker = f"{redis_server.url}/9"
    with running_api(
        tmp_path, redis_url=cluster.url, tracking_partitions=4, celery_broker_url=broker, celery_result_backend=broker
    ) as api:
        store = JobStore(api.client, Keys(api.settings.tracking_namespace, 4))
        with Listening(address(api)) as heard:
            heard.until(lambda each: each.names)
            store.create(*(new_job(f"{tmp_path.name} {n}") for n in range(40)))
            heard.until(lambda each: len(each.ids) == 40)
        with Listening(address(api), heard.last_id) as again:
            again.until(lambda each: each.names)
            assert again.events == [("ready", {"resumed": True})]
