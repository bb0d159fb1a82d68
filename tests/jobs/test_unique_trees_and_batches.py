"""Trees and batches with unique keys: all or none of it, whatever fails midway."""

import uuid

import pytest
from support.recount import recount
from support.workers_under_test import job, new_project

from jobtracker.core.access import Principal, acting
from jobtracker.errors import BrokerUnavailableError, DeletedIdError, ForbiddenError
from jobtracker.jobs.create_batch import InvalidBatchError
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.local.ports import free_port
from jobtracker.schemas.requests import BatchJob, Unique
from jobtracker.store.drafts import DraftWriter
from jobtracker.store.following_ids import FollowingIds

LARGE = "x" * 70_000


@pytest.fixture
def project(own_project):
    own_project.announce()
    return own_project


def one(key=None, **fields):
    unique = {"unique": Unique(key=key)} if key else {}
    return BatchJob(job_type="ok", payload={"value": 1}, **unique, **fields)


def tree(**fields):
    return job("collect", {}, sub_jobs=[job("ok", {"value": n}) for n in range(3)], **fields)


def jobs_in(project):
    return sum(count.count for count in project.queries.counts())


class _DiedError(BaseException):
    pass


def test_a_batch_that_is_asked_for_again_after_a_death_is_made_once_and_its_jobs_are_sent(project, monkeypatch):
    there = project.jobs.create_batch([one("a")], start=False).ids[0]
    first_id, wanted = str(uuid.uuid4()), [one("b"), one("a"), one(), one("b")]

    def ask():
        return project.jobs.create_batch(wanted, start=True, ids=FollowingIds(project.keys, first_id))

    def dies(*_):
        raise _DiedError

    with monkeypatch.context() as patch:
        patch.setattr(Dispatcher, "publish_all", dies)
        with pytest.raises(_DiedError):
            ask()
    made = ask()
    assert (made.joined, made.ids[1], made.ids[3]) == ([1, 3], there, made.ids[0])
    assert jobs_in(project) == 3
    assert {*project.queries.unconfirmed(2**53, 100)} == {made.ids[0], made.ids[2]}, "the relay sends them"
    project.jobs.cancel(there)
    later = ask()  # the key is free now, and this one of its jobs was not made before
    assert (later.joined, later.ids[0], jobs_in(project)) == ([3], made.ids[0], 4)
    assert {*project.queries.unconfirmed(2**53, 100)} == {later.ids[0], later.ids[2]}, "it is sent at once"
    assert recount(project.client, project.keys) == []


def test_of_what_can_not_be_sent_nothing_stays_and_its_keys_are_free(redis_server, worker_log_dir):
    url = f"redis://127.0.0.1:{free_port()}/1"
    with new_project(redis_server, worker_log_dir, celery_broker_url=url) as project:
        project.announce()
        there = project.jobs.create_batch([one("a")], start=False).ids
        with pytest.raises(BrokerUnavailableError):
            project.jobs.create_batch([one("a"), one("b"), one()], start=True)
        with pytest.raises(BrokerUnavailableError):
            project.jobs.create_unique_tree(tree(), Unique(key="c"), start=True)
        assert jobs_in(project) == 1
        assert project.jobs.create_batch([one("a"), one("b")], start=False).joined == [0]
        assert project.queries.record(there[0]).run == 0
        assert not project.jobs.create_unique_tree(tree(), Unique(key="c"), start=False)[1]
        assert recount(project.client, project.keys) == []


def test_with_several_partitions_a_tree_has_a_key_and_a_batch_says_why_it_has_none(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, tracking_partitions=3) as project:
        project.announce()
        for key in "abcdef":
            made, joined = (project.jobs.create_unique_tree(tree(), Unique(key=key), start=False) for _ in range(2))
            assert (made[1], joined) == (False, (made[0], True))
        with pytest.raises(InvalidBatchError, match="the store has 3 partitions") as raised:
            project.jobs.create_batch([one(), one("x")], start=False)
        assert [path for path, _ in raised.value.problems] == [["jobs", 1, "unique"]]
        assert jobs_in(project) == 6 * 4
        assert recount(project.client, project.keys) == []


def test_who_may_not_see_the_job_that_has_the_key_is_refused_and_nothing_is_made(project):
    project.jobs.create_batch([one("a")], start=False)
    root, _ = project.jobs.create_unique_tree(tree(tags=["mine"]), Unique(key="t"), start=False)
    token = acting.set(Principal("ann", frozenset(), "key", None, ("mine",)))
    try:
        with pytest.raises(ForbiddenError):
            project.jobs.create_batch([one(tags=["mine"]), one("a", tags=["mine"])], start=False)
        wanted = tree(tags=["mine"])
        for sub in wanted.sub_jobs:
            sub.tags = ["mine"]
        with pytest.raises(ForbiddenError):  # she may see the parent that has the key, and not its sub-jobs
            project.jobs.create_unique_tree(wanted, Unique(key="t"), start=False)
    finally:
        acting.reset(token)
    assert jobs_in(project) == 1 + 4
    assert project.queries.record(root).exists


def test_whoever_records_the_rest_of_a_tree_its_key_is_taken_with_its_first_part(project, monkeypatch):
    monkeypatch.setattr("jobtracker.store.drafts._PLANTED", 1)
    call_all, left = project.tracking.store._functions.call_all, []

    def and_another_one_comes(client, verb, calls):
        if verb == "bulk_create" and not left:
            left.append(project.jobs.create_unique_tree(tree(), Unique(key="t"), start=True))
        call_all(client, verb, calls)

    monkeypatch.setattr(project.tracking.store._functions, "call_all", and_another_one_comes)
    root, is_other = project.jobs.create_unique_tree(tree(), Unique(key="t"), start=True)
    assert (left, is_other) == ([(root, True)], False)
    assert (jobs_in(project), project.queries.drafts(10)) == (4, [])
    names = project.client.keys(f"{project.keys.namespace}:*draft:*")
    assert names == [], "nor does the draft of the other one stay"


def test_what_a_tree_that_is_not_made_has_written_to_the_object_store_is_removed(redis_server, tmp_path):
    with new_project(redis_server, tmp_path, objects_dir=tmp_path / "objects") as project:
        project.announce()
        values = project.tracking.large_values
        wanted = job("collect", {}, sub_jobs=[job("ok", {"value": LARGE})])
        for _ in range(2):
            project.jobs.create_unique_tree(wanted, Unique(key="t"), start=False)
        project.jobs.create_batch([one("a"), one("a").model_copy(update={"payload": {"value": LARGE}})], start=False)
        assert len(list(values.objects.list(values.root()))) == 1


def test_a_parent_gives_its_key_back_however_its_tree_ends(project):
    store = project.tracking.store
    assert isinstance(store, DraftWriter)
    for end in ("completed", "failed", "deleted"):
        root, is_other = project.jobs.create_unique_tree(tree(), Unique(key="t"), start=end != "deleted")
        assert not is_other, end
        if end == "deleted":
            project.jobs.delete(root)
        for sub in project.subs(root) if end != "deleted" else ():
            project.tracking.store.apply("start", sub, run=1)
            change = project.tracking.store.apply("complete" if end == "completed" else "fail", sub, run=1)
            project.jobs.create_unique_tree(tree(), Unique(key="t"), start=False)[1] or pytest.fail("it was free")
            project.tracking.propagation.propagate(sub, change)
        if end == "completed":
            project.tracking.store.apply("start", root, run=1)
            project.tracking.store.apply("complete", root, run=1)
    assert not project.jobs.create_unique_tree(tree(), Unique(key="t"), start=False)[1]


def test_a_batch_that_was_taken_back_is_not_answered_as_if_it_were_there(project):
    first_id, wanted = str(uuid.uuid4()), [one("a"), one("b")]

    def ask():
        return project.jobs.create_batch(wanted, start=False, ids=FollowingIds(project.keys, first_id))

    made = ask()
    project.tracking.store.delete(*made.ids)  # its undo did that, and died
    with pytest.raises(DeletedIdError):
        ask()
    assert jobs_in(project) == 0
