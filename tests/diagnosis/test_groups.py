"""`explain` and the tree of a Celery group's id."""

import json
import uuid

import pytest
from celery import chord, group

from jobtracker import JobNotFoundError
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.schemas.explanation import Code
from jobtracker.schemas.jobs import JobTree
from jobtracker.store import groups


@pytest.fixture
def explain(own_project):
    return Explainer(own_project.tracking, Inspector(own_project.tracking, cache_s=0.1)).explain


def send(project, *signatures):
    """Send a group; returns its id and those of its members."""
    result = group(signatures, app=project.app).apply_async()
    return result.id, [child.id for child in result.children]


def tree_of(project, job_id):
    return JobTree.model_validate(json.loads(b"".join(project.queries.tree_or_group_json(job_id))))


def test_a_group_is_explained_by_its_members(own_project, explain):
    group_id, ids = send(own_project, *(own_project.signature("ok", n) for n in range(3)))
    own_project.jobs.cancel(ids[1])
    found = explain(group_id)
    assert (found.job_id, found.code, found.status) == (group_id, Code.WAITING_FOR_SUB_JOBS, "running")
    assert found.summary.startswith("It is a Celery group, not a job: 3 jobs, 1 cancelled, 2 pending. 2 of them are")
    assert found.group.model_dump() == {"total": 3, "is_complete": True, "by_status": {"pending": 2, "cancelled": 1}}
    assert {sub.id: sub.code for sub in found.sub_jobs} == dict.fromkeys([ids[0], ids[2]], Code.NO_CONSUMER)


def test_a_group_that_has_settled_names_what_did_not_complete(own_project, explain):
    group_id, ids = send(own_project, own_project.signature("ok", 1), own_project.signature("ok", 2))
    for each in ids:
        own_project.jobs.cancel(each)
    found = explain(group_id)
    assert (found.code, found.status, found.sub_jobs_open) == (Code.SETTLED, "cancelled", 0)
    assert {sub.id for sub in found.sub_jobs} == set(ids)
    assert tree_of(own_project, group_id).finished_at


def test_the_tree_of_a_group_has_its_members_and_what_is_below_them(own_project):
    sig = own_project.signature
    inner = chord([sig("ok", 1), sig("ok", 2)], sig("collect"), app=own_project.app)
    group_id, _ = send(own_project, sig("ok", 3), inner)
    tree = tree_of(own_project, group_id)
    assert (tree.id, tree.job_type, tree.name) == (group_id, groups.GROUP, "group of 2 jobs")
    assert sorted((sub.job_type, len(sub.sub_jobs)) for sub in tree.sub_jobs) == [("collect", 2), ("ok", 0)]
    assert tree.sub_job_counts.total == 2


def test_what_is_shown_of_a_group_is_bounded_and_says_so(own_project, explain, monkeypatch):
    monkeypatch.setattr(groups, "MOST_SHOWN", 2)
    monkeypatch.setattr(groups, "MOST_MEMBERS", 3)
    monkeypatch.setattr(groups, "_PAGE", 2)
    group_id, _ = send(own_project, *(own_project.signature("ok", n) for n in range(5)))
    tree = tree_of(own_project, group_id)
    assert (len(tree.sub_jobs), tree.sub_job_counts.total) == (2, 3)
    assert "The first 2 are shown" in tree.reason
    found = explain(group_id)
    assert not found.group.is_complete
    assert found.summary.endswith("It may have more: only the latest jobs were looked at.")


def test_an_id_that_is_neither_is_not_found(own_project, explain):
    with pytest.raises(JobNotFoundError):
        explain(str(uuid.uuid4()))
    with pytest.raises(JobNotFoundError):
        own_project.queries.tree_or_group_json(str(uuid.uuid4()))
