"""What a worker's processes use, as Linux says it."""

import os
import subprocess
import sys
import time

import pytest
from support.workers_under_test import eventually

from jobtracker.instrumentation.process_usage import UsageMeter, usage_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

PROGRAM = """
import os, sys, time
held = bytearray(os.urandom(1)) * 60_000_000
if os.fork():
    print("ready", flush=True)
    time.sleep(60)
while True:
    pass
"""


@pytest.fixture
def busy():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        os.killpg(process.pid, 9)


def test_children_count_with_their_parent(busy):
    eventually(lambda: usage_of(busy.pid).processes == 2)
    found = usage_of(busy.pid)
    assert found.memory_bytes >= 2 * 60_000_000
    eventually(lambda: usage_of(busy.pid).cpu_s > found.cpu_s)


def test_the_cores_that_are_busy_are_told_from_the_second_time_on(busy):
    meter = UsageMeter(busy.pid)
    first, began = meter.measure(), time.monotonic()
    assert first.keys() == {"memory_bytes", "processes"}
    told = {}

    def is_known():
        told.update(meter.measure())
        return told.get("cpu_cores", 0) > 0

    eventually(is_known)
    assert told["cpu_cores"] <= 2
    assert time.monotonic() > began


def test_of_a_process_that_is_gone_nothing_is_known(busy):
    meter = UsageMeter(busy.pid)
    os.killpg(busy.pid, 9)
    busy.wait()
    assert meter.measure() == {}
