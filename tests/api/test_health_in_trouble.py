"""`/api/health` when the server is gone without a word: stopped, or vanished with its address."""

import os
import signal

import pytest
from support.serving import running_api
from support.vanishing import VanishingServer

from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.thorough

MOST_S = 2
"""What a health check may take. Its client gives up then, and that is an error of the test."""


def expect_unhealthy(api):
    for _ in range(3):  # the first one finds open connections, the later ones none
        response = api.http.get("/api/health", timeout=MOST_S)
        assert response.status_code == 503
        assert {name: part["healthy"] for name, part in response.json()["components"].items()} == {
            "redis": False,
            "broker": False,
        }


def test_a_server_that_stands_still(tmp_path):
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    try:
        with running_api(tmp_path, redis_url=server.url) as api:
            assert api.http.get("/api/health").status_code == 200
            os.kill(server.pid, signal.SIGSTOP)
            try:
                expect_unhealthy(api)
            finally:
                os.kill(server.pid, signal.SIGCONT)
    finally:
        server.stop()


def test_a_server_that_vanishes(redis_server, tmp_path):
    with VanishingServer(redis_server) as server, running_api(tmp_path, redis_url=server.url) as api:
        assert api.http.get("/api/health").status_code == 200
        server.vanish()
        expect_unhealthy(api)
