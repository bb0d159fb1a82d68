"""A server that does not answer is tried by one, and the others don't wait."""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.connection.client import connect
from jobtracker.local.embedded_redis import EmbeddedRedis

TIMEOUT_S = 0.5


@pytest.fixture
def server(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        yield server


def outcomes(client, calls: int) -> Counter:
    """What becomes of so many calls at once."""

    def ask(_: int) -> str:
        try:
            return str(client.ping())
        except (RedisConnectionError, RedisTimeoutError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(calls) as threads:
        return Counter(threads.map(ask, range(calls)))


def test_of_many_that_ask_a_server_that_hangs_one_waits_each_time(server):
    with connect(server.url, TIMEOUT_S, circuit=Circuit(pause_s=0)) as client:
        assert outcomes(client, 8) == {"True": 8}
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(RedisTimeoutError):
                client.ping()
            began = time.monotonic()
            assert outcomes(client, 8) == {"TimeoutError": 1, "ConnectionError": 7}
            assert time.monotonic() - began < 2 * TIMEOUT_S
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert client.ping()
        assert outcomes(client, 8) == {"True": 8}


def test_an_answer_is_an_answer_also_where_it_is_an_error(server):
    circuit = Circuit(pause_s=60)
    with connect(server.url, TIMEOUT_S, circuit=circuit) as client:
        circuit.failed()
        with pytest.raises(RedisConnectionError, match="a moment ago"):
            client.ping()
        circuit.pause_s = 0
        circuit.failed()
        with pytest.raises(ResponseError):
            client.execute_command("NOSUCHCOMMAND")
        assert outcomes(client, 8) == {"True": 8}


def test_without_a_circuit_each_waits_for_itself(server):
    with connect(server.url, TIMEOUT_S) as client:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert outcomes(client, 4) == {"TimeoutError": 4}
        finally:
            os.kill(server.pid, signal.SIGCONT)
