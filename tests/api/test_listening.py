"""A listening socket that outlives the APIs that accept from it: deploy/listener.py and `API_LISTENER`."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.askers import Asker
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


@pytest.mark.thorough
@pytest.mark.parametrize("processes", [1, 2])
def test_no_request_is_refused_while_one_api_replaces_another(tmp_path, redis_server, processes):
    settings = {"redis_url": redis_server.url, "redis_db": 9, "api_workers": processes}
    with listener(tmp_path) as (port, path, _), contextlib.ExitStack() as clients:
        first = running_api(tmp_path, api_listener=path, **settings)
        with first as old:
            askers = [Asker(port, "/api/health", keeps=keeps) for keeps in (True, True, False)]
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
