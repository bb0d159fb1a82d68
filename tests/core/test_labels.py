"""`tagged`: which calls get its labels, and what becomes of values that can be none."""

import asyncio
import logging
import threading
import uuid

import pytest

from jobtracker import tagged
from jobtracker.core.labels import Labels, as_headers, labels_here, labels_in

NONE = Labels()


def test_blocks_nest_and_the_inner_name_counts():
    with tagged("eu", name="outer"):
        with tagged("nightly", "eu", name="inner"):
            assert labels_here() == Labels("inner", ("eu", "nightly"))
        with tagged("nightly"):
            assert labels_here() == Labels("outer", ("eu", "nightly"))
    assert labels_here() == NONE


def test_a_block_ends_where_its_code_fails():
    with pytest.raises(ZeroDivisionError), tagged("eu"):
        1 / 0  # noqa: B018 (asked for what it raises)
    assert labels_here() == NONE


def test_another_thread_has_labels_of_its_own():
    found = []
    with tagged("eu"):
        thread = threading.Thread(target=lambda: found.append(labels_here()))
        thread.start()
        thread.join()
    assert found == [NONE]


def test_coroutines_do_not_mix_their_labels():
    async def send(tag):
        with tagged(tag):
            await asyncio.sleep(0)
            return labels_here().tags

    async def send_all():
        return await asyncio.gather(*(send(f"tag {n}") for n in range(5)))

    assert asyncio.run(send_all()) == [(f"tag {n}",) for n in range(5)]


def test_headers_carry_labels():
    labels = Labels("a name", ("eu", "nightly"))
    assert labels_in(as_headers(labels)) == labels
    assert as_headers(NONE) == {}
    assert labels_in({"jobtracker_tags": "eu"}) == Labels(None, ("eu",))


@pytest.mark.parametrize(
    ("headers", "labels"),
    [
        ({"jobtracker_tags": ["eu", 5, "", "x" * 51, None]}, Labels(None, ("eu",))),
        ({"jobtracker_tags": 5, "jobtracker_name": ["a"]}, NONE),
        ({"jobtracker_tags": [f"tag {n}" for n in range(30)]}, Labels(None, tuple(f"tag {n}" for n in range(20)))),
        ({"jobtracker_name": "x" * 300}, Labels("x" * 200)),
        ({"jobtracker_name": "\ud800"}, Labels("?")),
    ],
)
def test_what_can_be_no_label_is_left_out_with_a_warning(headers, labels, caplog, monkeypatch):
    monkeypatch.setattr("jobtracker.core.labels._warned", set())
    with caplog.at_level(logging.WARNING, logger="jobtracker"):
        assert labels_in(headers) == labels
        first = len(caplog.records)
        assert labels_in(headers) == labels
    assert len(caplog.records) == first  # each is said once
    assert bool(first) == (headers != {"jobtracker_name": "\ud800"})


def test_warnings_are_bounded(caplog, monkeypatch):
    monkeypatch.setattr("jobtracker.core.labels._warned", set())
    for _ in range(300):
        labels_in({"jobtracker_name": uuid.uuid4().hex * 10})
    assert len(caplog.records) == 100
