"""The figures of a soak, on made-up samples."""

import json
import time
from pathlib import Path

import pytest
from soak.account import Account, is_part
from soak.load import Load, Refusal
from soak.memory import Memory, Sample, bytes_per_job, role_of, slopes
from soak.orders import Orders
from soak.report import Report
from soak.run import Wanted
from soak.trouble import API, ENGINE, Hit, Trouble
from support.compose_stack import Stack


def samples(process: str, began_s: float, seconds: int, first_mb: float, mb_per_hour: float) -> list[Sample]:
    return [
        Sample(began_s + s, "api: the process", process, first_mb + mb_per_hour * s / 3600)
        for s in range(0, seconds, 10)
    ]


def test_a_leak_is_seen_although_its_process_is_replaced_again_and_again():
    leaking = [each for n in range(5) for each in samples(f"c{n} 7", n * 700, 700, 90 + n, 60)]
    [slope] = slopes(leaking, warm_up_s=60, least_s=300)
    assert slope.mb_per_hour == pytest.approx(60)
    assert (slope.processes, slope.hours) == (5, pytest.approx(5 * 630 / 3600))


def test_processes_of_different_sizes_are_no_leak():
    [slope] = slopes(
        [each for n in range(5) for each in samples(f"c{n} 7", n * 700, 700, 90 + 50 * n, 0)],
        warm_up_s=0,
        least_s=300,
    )
    assert slope.mb_per_hour == pytest.approx(0)
    assert slope.last_mb == pytest.approx(190)


def test_what_a_process_takes_at_its_beginning_is_no_leak():
    start = [Sample(s, "api: the process", "c 7", s) for s in range(0, 60, 10)]
    [slope] = slopes([*start, *samples("c 7", 60, 600, 60, 0)], warm_up_s=60, least_s=300)
    assert slope.mb_per_hour == pytest.approx(0)


def test_a_process_that_lived_for_a_moment_has_no_slope():
    [slope] = slopes(samples("c 7", 0, 100, 90, 600), warm_up_s=0, least_s=300)
    assert (slope.processes, slope.mb_per_hour) == (0, 0)


def test_memory_of_redis_is_told_for_each_job():
    assert bytes_per_job([(10.0 * n, 5_000_000 + 900 * jobs, jobs) for n, jobs in enumerate((0, 100, 900))]) == (
        pytest.approx(900)
    )


def test_the_engines_own_processes_have_no_role():
    assert role_of("api", "/sbin/docker-init -- python -m api.main") is None
    assert role_of("api", "python -m api.main") == "api: the process"
    assert role_of("worker", "/opt/jobtracker/bin/python -m workers --loglevel INFO") == "worker: Celery"


def test_a_result_is_right_if_it_has_all_that_is_expected():
    assert is_part({"a": 1, "b": [{"c": 2}]}, {"a": 1, "b": [{"c": 2, "d": 3}], "e": 4})
    for wrong in ({"a": 2, "b": [{"c": 2}]}, {"a": 1, "b": []}, {"a": 1}, {"a": 1, "b": [{"d": 2}]}, None):
        assert not is_part({"a": 1, "b": [{"c": 2}]}, wrong)


def report(*refusals: Refusal, **found: int) -> Report:
    """A soak of ten minutes, in which an API was killed after 100 s and the engine was away for 20 s after 200 s."""
    stack = Stack()
    load = Load("http://127.0.0.1:1", Orders(1), Path(), lambda _: True)
    load.refusals += refusals
    load.took_s.append((10, 0.005))
    trouble = Trouble(stack, 10, "true", 1)
    trouble.hits += [Hit(API, 100, 100.5), Hit(ENGINE, 200, 220)]
    memory = Memory(stack, load.jobs)
    memory.samples += samples("c 7", time.time(), 1800, 90, 5)
    account = Account(settled_s=3.0)
    account.findings.update(found)
    wanted = Wanted(10, 0.7, "true", 1, 100)
    return Report(wanted, 40.0, 0, 600, load, trouble, memory, account, "", True)


def refused(asked_s: float, *, is_cut: bool = True) -> Refusal:
    return Refusal(asked_s, asked_s + 0.1, "GET /", "refused", is_cut)


def test_only_what_was_done_may_have_a_request_refused():
    right = report(refused(100.2), refused(199.95), refused(210, is_cut=False))
    assert right.off == []
    assert (right.refused[API], right.refused[ENGINE], right.refused[""]) == (1, 2, 0)
    for each in (refused(99), refused(102), refused(100.2, is_cut=False), refused(150), refused(221)):
        assert report(each).off == ["1 requests were refused"]


def test_a_process_that_grows_is_off():
    growing = report()
    growing.memory.samples += samples("c 8", time.time(), 1800, 90, 300)
    [off] = growing.off
    assert off.startswith("api: the process grows by 15")


def test_the_report_says_what_is_off_and_is_json():
    wrong = report(lost=2)
    assert wrong.off == ["2 lost"]
    assert "OFF: 2 lost" in wrong.as_text()
    assert json.loads(wrong.as_json())["account"]["findings"] == {"lost": 2}
