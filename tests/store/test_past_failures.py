"""The made-up failures of the documentation's pictures are recorded as real workers would have reported them."""

import sys
from pathlib import Path

import pytest

from jobtracker.core.lifecycle import Status
from jobtracker.schemas.filters import JobFilter


@pytest.fixture
def past_failures(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    import past_failures

    yield past_failures
    del sys.modules["past_failures"]


def test_each_has_an_execution_so_that_the_timeline_shows_it(store, queries, past_failures):
    where = ("billing", "render", "raise")
    past_failures.fail(store, ("KeyError", "'{n}'"), where, ["invoice"], past_failures.RELEASES, [1.0, 2.0])
    jobs = queries.page(JobFilter(status=(Status.FAILED,))).jobs
    records = queries.records([each.id for each in jobs])
    assert [bool(each.execution) for each in records] == [True, True]
    assert {each.release for each in records} <= set(past_failures.RELEASES)
