"""Groups of plain Celery tasks, which no index has."""

import uuid

import pytest
from support.sample_jobs import create_job

from jobtracker.errors import JobNotFoundError
from jobtracker.store import groups
from jobtracker.store.reader import JobQueries


def test_an_id_that_is_no_groups_is_not_looked_for_again_for_some_seconds(store, queries, monkeypatch):
    group_id = str(uuid.uuid4())
    monkeypatch.setattr(groups, "REMEMBERED_S", 1000.0)
    for _ in range(2):  # the second time nothing is looked through: it would be found
        with pytest.raises(JobNotFoundError, match=group_id):
            queries.group(group_id)
        create_job(store, group=group_id)
    with pytest.raises(JobNotFoundError):
        list(queries.tree_or_group_json(group_id))
    assert len(JobQueries(queries.client, queries.keys).group(group_id).members) == 2


def test_an_id_is_looked_for_again_after_these_seconds(store, queries, monkeypatch):
    group_id = str(uuid.uuid4())
    monkeypatch.setattr(groups, "REMEMBERED_S", 0.0)
    with pytest.raises(JobNotFoundError):
        queries.group(group_id)
    member = create_job(store, group=group_id)
    assert [record.id for record in queries.group(group_id).members] == [member]


def test_few_ids_are_remembered(monkeypatch):
    monkeypatch.setattr(groups, "_MOST_REMEMBERED", 2)
    missing = groups.NotFound()
    for name in ("a", "b", "a", "c"):
        missing.add(name)
    assert ("a" in missing, "b" in missing, "c" in missing, len(missing)) == (True, False, True, 2)
