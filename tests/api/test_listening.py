"""A listening socket that outlives the APIs that accept from it: deploy/listener.py and `API_LISTENER`."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.liveness import wait_until
from support.serving import ROOT, running, running_api

from jobtracker.local.ports import free_port
from jobtracker.server.listening import HandedSocket, ListenerError


@contextlib.contextmanager
def listener(folder: Path) -> Iterator[tuple[int, Path, "subprocess.Popen[bytes]"]]:
    """The holder of a port: the port, its Unix socket, and its process."""
    port, path = free_port(), folder / "listener"
    process = subprocess.Popen([sys.executable, "-IS", str(ROOT / "deploy" / "listener.py"), str(port), str(path)])
    try:
        yield port, path, process
    finally:
        process.kill()
        process.wait()


def test_connections_wait_for_whoever_accepts_next(tmp_path):
    with listener(tmp_path) as (port, path, _):
        first, second = HandedSocket(path), HandedSocket(path)
        assert (first.is_shared, second.is_shared) == (False, True)
        first.close()
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, address = second.socket.accept()
            assert address == client.getsockname()
            accepted.close()
        second.close()


def test_an_api_is_told_to_stop_when_the_holder_ends(tmp_path):
    got = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: got.set())
    try:
        with listener(tmp_path) as (_, path, process):
            handed = HandedSocket(path)
            handed.stop_with_holder()
            process.kill()
            wait_until(got.is_set)
            handed.close()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_a_holder_the_error_says_what_to_do(tmp_path):
    with pytest.raises(ListenerError, match=r"nobody listens at .*nobody .*Start what holds the port"):
        HandedSocket(tmp_path / "nobody", wait_s=0)


class Asker(threading.Thread):
    """A client that asks all the time, by one connection as long as it is open, or by a new one each time."""

    def __init__(self, port: int, *, keeps: bool) -> None:
        super().__init__()
        self.answered, self.errors, self.done = 0, list[str](), threading.Event()
        self._port, self._keeps = port, keeps

    def run(self) -> None:
        connection = None
        while not self.done.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                connection.request("GET", "/api/health")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.errors.append(str(response.status))
                self.answered += 1
                if response.will_close or not self._keeps:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                connection = None
            time.sleep(0.05)
        if connection:
            connection.close()


@pytest.mark.thorough
@pytest.mark.parametrize("processes", [1, 2])
def test_no_request_is_refused_while_one_api_replaces_another(tmp_path, redis_server, processes):
    settings = {"redis_url": redis_server.url, "redis_db": 9, "api_workers": processes}
    with listener(tmp_path) as (port, path, _), contextlib.ExitStack() as clients:
        first = running_api(tmp_path, api_listener=path, **settings)
        with first as old:
            askers = [Asker(port, keeps=True), Asker(port, keeps=True), Asker(port, keeps=False)]
            for each in askers:
                each.start()
                clients.callback(each.join)
                clients.callback(each.done.set)
            wait_until(lambda: all(each.answered > 20 for each in askers))
            with running_api(tmp_path, api_listener=path, **settings):
                os.kill(old.process.pid, signal.SIGTERM)
                wait_until(lambda: old.process.exit_status() is not None)
                so_far = [each.answered for each in askers]
                wait_until(lambda: all(each.answered > n + 20 for each, n in zip(askers, so_far, strict=True)))
                for each in askers:
                    each.done.set()
                    each.join()
    assert [each.errors for each in askers] == [[]] * 3


@pytest.mark.thorough
def test_an_api_that_can_do_nothing_takes_no_request_from_one_that_can(tmp_path, redis_server):
    with listener(tmp_path) as (port, path, _), running_api(tmp_path, api_listener=path, redis_url=redis_server.url):
        nothing_there = f"redis://127.0.0.1:{free_port()}"
        settings = {
            "api_listener": path,
            "redis_url": nothing_there,
            "api_host": "127.0.0.1",
            "api_port": free_port(),
        }
        with running("API", ["api.main"], tmp_path / "other.log", settings) as other:
            wait_until(lambda: "waits_until_useful" in other.log_tail(), timeout_s=60)
            for _ in range(20):
                assert httpx.get(f"http://127.0.0.1:{port}/api/health").status_code == 200
