"""An API of several processes: they share a port, replace each other, and end together."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from support.liveness import is_alive, processes_below
from support.sample_jobs import create_job
from support.serving import Api, eventually, lines_of, running_api

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc whose child a process is"),
]

PROCESSES = 2


@contextlib.contextmanager
def serving(redis_server, folder) -> Iterator[Api]:
    """An API of two processes, both of which answer."""
    with running_api(folder, redis_url=redis_server.url, redis_db=9, api_workers=PROCESSES) as api:
        eventually(lambda: len(servers(api)) == PROCESSES)
        yield api


@pytest.fixture(scope="module")
def several(redis_server, tmp_path_factory) -> Iterator[Api]:
    with serving(redis_server, tmp_path_factory.mktemp("several")) as api:
        yield api


@pytest.fixture
def ending(redis_server, tmp_path) -> Iterator[Api]:
    """One that the test ends."""
    with serving(redis_server, tmp_path) as api:
        yield api


def servers(api: Api) -> set[int]:
    """The processes that have said that they serve, and are there."""
    said = [json.loads(line)["message"] for line in lines_of(api.process.log_path)]
    pids = {int(line.split("[")[1].rstrip("]")) for line in said if line.startswith("Started server process")}
    return {pid for pid in pids & processes_below(api.process.pid) if is_alive(pid)}


def test_any_of_them_answers_and_knows_the_same(several):
    job_id = create_job(several.store)
    for silent in servers(several):
        os.kill(silent, signal.SIGSTOP)
        try:
            with httpx.Client(base_url=several.http.base_url, timeout=20) as http:  # a connection of its own
                assert http.get(f"/api/jobs/{job_id}").status_code == 200
        finally:
            os.kill(silent, signal.SIGCONT)


def test_one_that_dies_is_replaced_while_the_others_answer(several):
    victim, other = servers(several)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(servers(several) - {victim}) == PROCESSES)
    assert other in servers(several)
    with httpx.Client(base_url=several.http.base_url, timeout=20) as http:
        assert http.get("/api/jobs/").status_code == 200


def test_all_they_log_is_json_and_told_to_stop_all_end_in_time(ending):
    ending.get("/api/jobs/")
    pids = servers(ending)
    began = time.monotonic()
    os.kill(ending.process.pid, signal.SIGTERM)
    eventually(lambda: not any(map(is_alive, pids)) and not is_listening(ending))
    assert time.monotonic() - began < 9  # of the ten seconds that containers are given
    assert {json.loads(line)["service"] for line in lines_of(ending.process.log_path)} == {"distributed_job_tracking"}


def test_when_the_one_that_watches_is_killed_the_others_end_too(ending):
    pids = servers(ending)
    os.kill(ending.process.pid, signal.SIGKILL)
    eventually(lambda: not any(map(is_alive, pids)) and not is_listening(ending))


def is_listening(api: Api) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", api.settings.api_port)).close()
        return True
    return False
