"""What a chaos run prints, what its judge finds, and the proxy that drops answers."""

import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from chaos.proxy import Mood, put_into
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004 (redis-py's own name)
from redis.retry import Retry

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port, is_port_free

pytestmark = pytest.mark.thorough

# In a process of its own: the tasks of a chaos run have names that the tests' own have too.
PROGRAM = """
from chaos.report import Report
made = {"redis": 2, "API ended by itself": 1}
print(Report(seed=1, broker="redis", seconds=9, faults=made, settled_after_s=1.0, figures={}, findings=[]).as_text())
"""


def test_every_kind_of_fault_is_listed_whether_it_occurred_or_not():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout
    rows = [line.rsplit(maxsplit=1) for line in told.splitlines() if line.startswith(("faults", "  "))]
    assert {name.strip(): int(number) for name, number in rows} == {
        "faults": 3,
        "pool children killed": 0,
        "workers killed": 0,
        "workers told to end": 0,
        "API killed": 0,
        "Redis killed": 2,
        "workers paused beyond their lease": 0,
        "result backend killed": 0,
        "times with dropped answers of Redis": 0,
        "API killed amid a large tree": 0,
        "workers with a clock that is behind": 0,
        "API ended by itself": 1,
    }


TESTS = Path(__file__).parent
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}


def test_the_judge_finds_what_can_not_be_and_nothing_else(redis_server: EmbeddedRedis):
    told = subprocess.run(
        [sys.executable, "-m", "chaos.rehearsal", redis_server.url],
        cwd=TESTS,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    wrong, extra = ["wrong"], ["executed too often"]
    assert json.loads(told.stdout) == {
        "as_it_should_be": [[]],
        "again_in_one_run": [extra, [], [], [], extra],
        "again_in_another_run": [extra, extra, [], []],
        "lost_without_a_reason": [wrong, [], wrong],
        "expired_and_begun": [wrong, []],
        "expired_and_failed": [wrong],
        "expired_and_cancelled": [[], wrong],
        "link_with_another_argument": [wrong, []],
        "of_a_tree_that_is_not_recorded": [wrong, []],
        "with_too_few_deliveries": [wrong, [], []],
        "unknown": [["lost"], []],
        "failed_after_it_had_returned": [wrong, []],
        "noted_by_a_clock_that_is_behind": [[], wrong],
    }


def test_the_proxy_lets_requests_through_and_drops_their_answers(redis_server: EmbeddedRedis, tmp_path: Path):
    port, control = free_port(), free_port()
    ports = map(str, (port, redis_server.port, control, random.randrange(100)))
    proxy = ChildProcess(
        "proxy",
        [sys.executable, "-m", "chaos.proxy", *ports],
        log_path=tmp_path / "proxy.log",
        env=ENV,
        stop_steps=[],
    )
    with ExitStack() as endings:
        endings.callback(proxy.stop)
        proxy.start()
        proxy.wait_until_ready(lambda: not is_port_free(control), timeout_s=30)
        client = endings.enter_context(Redis(port=port, retry=Retry(NoBackoff(), 0)))
        key = f"proxy-{port}"
        assert client.incr(key) == 1
        put_into(control, Mood(for_s=30, drops=1, refuses=0, delays_s=0))
        with pytest.raises(ConnectionError):
            client.incr(key)
        put_into(control, Mood(for_s=30, drops=0, refuses=1, delays_s=0))
        with pytest.raises(ConnectionError):
            client.incr(key)
        put_into(control, Mood(for_s=0, drops=0, refuses=0, delays_s=0))
        assert client.get(key) == b"2"
        client.delete(key)
