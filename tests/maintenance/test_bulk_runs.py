"""Bulk runs: what they change, what they leave alone, and that whoever goes on changes nothing twice."""

import json
import time

import pytest
from pydantic import ValidationError
from support.recount import recount
from support.sample_jobs import bring_to, create_job, create_parent
from support.servers import Relay
from support.workers_under_test import new_project

from jobtracker.core.access import Principal, Scope, acting
from jobtracker.core.job import BULK_TYPE
from jobtracker.core.labels import MOST_TAGS
from jobtracker.core.lifecycle import SETTLED, Event, Status
from jobtracker.errors import IllegalTransitionError, JobNotFoundError
from jobtracker.jobs import bulk as bulk_module
from jobtracker.jobs.bulk import TooManyBulkRunsError
from jobtracker.maintenance import bulk_runner
from jobtracker.maintenance.bulk_runner import BulkRunner
from jobtracker.schemas.bulk import BulkRequest
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.requests import JobUpdate
from jobtracker.store.changes import NewJob


@pytest.fixture
def bulk(own_project):
    return own_project.tracking.jobs.bulk


@pytest.fixture
def bulk_run(own_project, bulk):
    """Does a bulk run from begin to end, and returns what became of it."""

    def do(action, **wanted):
        run = bulk.begin(BulkRequest(action=action, **wanted))
        BulkRunner(own_project.tracking).step()
        return bulk.get(run.id)

    return do


@pytest.fixture
def statuses(own_project):
    return lambda *ids: [each.status for each in own_project.queries.records(ids)]


def jobs_of_each_status(store, **fields):
    """A job in each status; one that runs and one that waits were sent."""
    found = {status: create_job(store, **fields) for status in Status}
    for status, job_id in found.items():
        if status is not Status.PENDING:
            store.apply(Event.ENQUEUE, job_id)
        bring_to(store, job_id, status)
    return found


def counts(run):
    return {name: getattr(run, name) for name in ("done", "below", "left_alone", "refused") if getattr(run, name)}


POSSIBLE = {
    "cancel": {Status.PENDING, Status.RUNNING, Status.RETRYING},
    "delete": SETTLED | {Status.PENDING},
    "tag": set(Status),
    "untag": set(Status),
    "reprioritise": {Status.PENDING},
}
OPTIONS = {"tag": {"tags": ["new"]}, "untag": {"tags": ["old"]}, "reprioritise": {"priority": "high"}}


def is_changed(action, before, record):
    return {
        "cancel": record.status is Status.CANCELLED or bool(record.cancel),
        "delete": not record.exists,
        "tag": record.tags == ["old", "new"],
        "untag": list(record.tags) == [],
        "reprioritise": record.priority == "high",
    }[action]


@pytest.mark.parametrize("by", ["filter", "ids"])
@pytest.mark.parametrize("action", POSSIBLE)
def test_jobs_are_changed_where_that_is_possible_and_others_stay(own_project, store, bulk, bulk_run, action, by):
    jobs = jobs_of_each_status(store, tags='["old"]')
    other = create_job(store, tags='["another"]', type="other")
    wanted = {"filter": "tag:old"} if by == "filter" else {"ids": [*jobs.values(), "nobody"]}
    preview = bulk.preview(BulkRequest(action=action, **wanted, **OPTIONS.get(action, {})))
    before = {record.id: record for record in own_project.queries.records(jobs.values())}
    run = bulk_run(action, **wanted, **OPTIONS.get(action, {}))
    assert (run.status, run.looked_at, run.reason) == (Status.COMPLETED, run.total, None)
    possible = {jobs[status] for status in POSSIBLE[action]}
    assert (preview.count, preview.is_exact, preview.below) == (len(possible), True, 0)
    assert preview.left_alone == len(jobs) - len(possible)
    assert run.done == len(possible)
    assert run.refused == (len(jobs) - len(possible) + 1 if by == "ids" else 0)
    after = {record.id: record for record in own_project.queries.records(jobs.values())}
    for each, record in after.items():
        if each in possible:
            assert is_changed(action, before[each], record), each
            assert record.bulk in {run.id, None if action == "delete" else run.id}
        else:
            assert record.as_texts() == before[each].as_texts()
    assert own_project.queries.record(other).bulk is None
    assert recount(own_project.client, own_project.keys) == []


def test_jobs_of_several_partitions_are_changed(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, tracking_partitions=3) as project:
        store, bulk = project.tracking.store, project.jobs.bulk
        jobs = [create_job(store, type="mine") for _ in range(30)]
        root, _ = create_parent(store, 3, name="tree", sent=False, type="mine", sub_fields={"type": "mine"})
        for action in ("cancel", "tag", "delete"):
            options = {"tags": ["x"]} if action == "tag" else {}
            wanted = BulkRequest(action=action, filter="type:mine", **options)
            preview = bulk.preview(wanted)
            run = bulk.begin(wanted)
            BulkRunner(project.tracking).step()
            assert (preview.count, bulk.get(run.id).status) == (34, Status.COMPLETED)
            assert bulk.get(run.id).done + bulk.get(run.id).below + bulk.get(run.id).left_alone == 34
            assert bulk.get(run.id).refused == 0
        assert not any(record.exists for record in project.queries.records([*jobs, root]))
        assert recount(project.client, project.keys) == []


def test_what_could_not_be_changed_is_told_page_by_page_and_goes_with_the_run(own_project, store, bulk, bulk_run):
    ids = [f"nobody-{n}" for n in range(450)]
    run = bulk_run("cancel", ids=ids)
    assert counts(run) == {"refused": 450}
    seen, cursor, pages = [], 0, 0
    while cursor is not None:
        page = bulk.refused(run.id, cursor, 170)
        seen += [each.id for each in page.refused]
        cursor, pages = page.next_cursor, pages + 1
        assert page.total == 450
    assert (seen, pages) == (ids, 3)
    assert "There is no job 'nobody-0'" in bulk.refused(run.id).refused[0].reason
    assert json.loads(own_project.queries.load([run.id])[0][1]["result"])["refused"] == 450
    own_project.jobs.delete(run.id)
    assert not own_project.client.exists(own_project.keys("bulk", run.id))
    for ask in (bulk.get, bulk.refused):
        with pytest.raises(JobNotFoundError):
            ask(run.id)


def test_of_very_many_refused_jobs_the_first_are_kept_and_all_counted(bulk, bulk_run, monkeypatch):
    monkeypatch.setattr(bulk_runner, "MOST_KEPT", 5)
    run = bulk_run("cancel", ids=[f"nobody-{n}" for n in range(8)])
    page = bulk.refused(run.id)
    assert (len(page.refused), page.next_cursor, page.total, run.refused) == (5, None, 8, 8)


def test_what_follows_from_a_parent_is_left_to_it(own_project, store, bulk, bulk_run, statuses):
    root, subs = create_parent(store, 3, sent=False, tags='["t"]', sub_fields={"tags": '["t"]'})
    alone = create_job(store, tags='["t"]')
    preview = bulk.preview(BulkRequest(action="cancel", filter="tag:t"))
    assert (preview.count, preview.below, preview.sample[0].id in {root, *subs, alone}) == (5, 3, True)
    run = bulk_run("cancel", filter="tag:t")
    assert run.done + run.below + run.left_alone == 5
    assert {*statuses(root, *subs, alone)} == {Status.CANCELLED}
    run = bulk_run("delete", filter="tag:t")
    assert counts(run) == {"done": 2, "below": 3}
    assert own_project.queries.page(JobFilter(tag=("t",))).total == 0
    assert recount(own_project.client, own_project.keys) == []


def test_a_part_of_a_tree_is_not_deleted_and_says_why(store, bulk, bulk_run):
    _, (first, _) = create_parent(store, 2, sent=False)
    run = bulk_run("delete", ids=[first])
    assert "delete its parent" in bulk.refused(run.id).refused[0].reason


def test_jobs_are_retried_once_though_they_fail_again_meanwhile(own_project, store, bulk, bulk_run):
    own_project.announce()
    failed = [own_project.launch("ok", name=f"f{n}") for n in range(5)]
    for each in failed:
        bring_to(store, each, Status.FAILED)
    retry = own_project.jobs.bulk_actions.retrying.__class__.retry
    with pytest.MonkeyPatch.context() as patch:

        def and_fails(self, job_id, **options):
            answer = retry(self, job_id, **options)
            store.apply(Event.START, job_id)  # at a time that is before the run began, by this worker's clock
            store.apply(Event.FAIL, job_id, at_ms=1_790_000_100_000)
            return answer

        patch.setattr(own_project.jobs.bulk_actions.retrying.__class__, "retry", and_fails)
        patch.setattr(bulk_runner, "_MOST_AT_ONCE", 2)
        run = bulk_run("retry", filter="status:failed")
    assert counts(run) == {"done": 5}
    assert {record.run for record in own_project.queries.records(failed)} == {2}


def test_a_retry_waits_for_a_broker_that_goes_away_in_the_middle_and_no_job_is_refused(redis_server, worker_log_dir):
    with (
        Relay(redis_server.port) as relay,
        new_project(redis_server, worker_log_dir, celery_broker_url=f"redis://127.0.0.1:{relay.port}/1") as project,
    ):
        project.announce()
        jobs = [project.create("ok") for _ in range(3)]
        for each in jobs:
            project.jobs.cancel(each)
        relay.loses = jobs[1].encode()
        run = project.jobs.bulk.begin(BulkRequest(action="retry", ids=jobs))
        BulkRunner(project.tracking).step()
        waiting = project.jobs.bulk.get(run.id)
        assert (waiting.status, counts(waiting)) == (Status.RUNNING, {"done": 1})
        assert project.job(jobs[1]).status is Status.FAILED
        relay.loses = None
        BulkRunner(project.tracking).step()  # whoever goes on
        done = project.jobs.bulk.get(run.id)
        assert (done.status, counts(done)) == (Status.COMPLETED, {"done": 3})
        assert {each.status for each in project.queries.records(jobs)} == {Status.PENDING}


def test_jobs_that_come_later_are_not_changed(own_project, store, bulk, statuses):
    before = create_job(store, at_ms=own_project.queries.server_ms())
    run = bulk.begin(BulkRequest(action="cancel", all=True))
    later = create_job(store, at_ms=own_project.queries.server_ms() + 1000)
    BulkRunner(own_project.tracking).step()
    assert statuses(before, later) == [Status.CANCELLED, Status.PENDING]
    assert bulk.get(run.id).done == 1


@pytest.mark.parametrize(("which", "is_found"), [({"all": True}, True), ({"filter": "status:pending"}, False)])
def test_a_job_that_begins_before_its_turn_is_cancelled_unless_a_status_was_asked_for(
    own_project, store, bulk, which, is_found
):
    begins = create_job(store)
    later_ms = own_project.queries.server_ms() + 1000
    bulk.begin(BulkRequest(action="cancel", **which))
    store.apply(Event.ENQUEUE, begins)
    store.apply(Event.START, begins, run=1, at_ms=later_ms)
    later = create_job(store, at_ms=later_ms)
    BulkRunner(own_project.tracking).step()
    changed, unchanged = own_project.queries.records([begins, later])
    assert (bool(changed.cancel), unchanged.status) == (is_found, Status.PENDING)


def test_a_job_that_ends_meanwhile_is_left_alone(own_project, store, bulk, monkeypatch, statuses):
    first, second = create_job(store), create_job(store)
    run = bulk.begin(BulkRequest(action="cancel", filter="type:custom"))
    choose = bulk_runner._Turn._choose

    def and_it_ends(turn):
        acted = choose(turn)
        bring_to(store, second, Status.COMPLETED)
        return acted

    monkeypatch.setattr(bulk_runner._Turn, "_choose", and_it_ends)
    BulkRunner(own_project.tracking).step()
    assert counts(bulk.get(run.id)) == {"done": 1, "left_alone": 1}
    assert statuses(first, second) == [Status.CANCELLED, Status.COMPLETED]


class DiesError(BaseException):
    """The process is gone."""


WRITES = ["hold_bulk", "apply_many", "apply", "delete", "tag_all"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("action", ["cancel", "delete", "tag"])
def test_whichever_step_a_process_dies_at_each_job_is_changed_once_and_counted_once(
    own_project, store, bulk, monkeypatch, action, after
):
    """One process after the other dies, each at another write and when the lease of the last one is over."""
    monkeypatch.setattr(bulk_runner, "_MOST_AT_ONCE", 3)
    monkeypatch.setattr(bulk_runner, "HELD_MS", 1)
    jobs = [create_job(store) for _ in range(10)]
    options = {"tags": ["x"]} if action == "tag" else {}
    run = bulk.begin(BulkRequest(action=action, filter="type:custom", **options))
    changed = []
    _note_changes(monkeypatch, type(store), jobs, changed)
    deaths = 0
    for dies_at in range(1, 200):
        with pytest.MonkeyPatch.context() as patch:
            _die_at(patch, type(store), dies_at % 5 + 1, after=after)
            try:
                BulkRunner(own_project.tracking).step()
            except DiesError:
                deaths += 1
            else:
                break
        time.sleep(0.003)  # the lease of a millisecond is over
    done = bulk.get(run.id)
    assert (done.status, counts(done)) == (Status.COMPLETED, {"done": 10})
    assert deaths > 5
    assert sorted(changed) == sorted(jobs)
    assert recount(own_project.client, own_project.keys) == []


def _die_at(patch, kind, number, *, after):
    """Let a process die before or after its n-th write."""
    seen = 0

    def dying(write):
        def call(*args, **options):
            nonlocal seen
            seen += 1
            if seen == number and not after:
                raise DiesError
            answer = write(*args, **options)
            if seen == number:
                raise DiesError
            return answer

        return call

    for name in WRITES:
        patch.setattr(kind, name, dying(getattr(kind, name)))


def _note_changes(patch, kind, jobs, changed):
    """Note which jobs were changed, by the answers of the store."""
    apply_many, delete, tag_all = kind.apply_many, kind.delete, kind.tag_all

    def noting_events(self, event, some, runs=None):
        answers = apply_many(self, event, some, runs)
        changed.extend(each for each, change in answers.items() if change.applied and each in jobs)
        return answers

    def noting_deletes(self, *ids, **options):
        answers = delete(self, *ids, **options)
        changed.extend(each for each, outcome in zip(ids, answers, strict=True) if outcome == "applied")
        return answers

    def noting_tags(self, ids, *args):
        answers = tag_all(self, ids, *args)
        changed.extend(ids)
        return answers

    patch.setattr(kind, "apply_many", noting_events)
    patch.setattr(kind, "delete", noting_deletes)
    patch.setattr(kind, "tag_all", noting_tags)


def test_one_process_at_a_time_works_at_a_run(own_project, store, bulk):
    create_job(store)
    run = bulk.begin(BulkRequest(action="cancel", all=True))
    held = store.hold_bulk(run.id, "another", 60_000)
    BulkRunner(own_project.tracking).step()
    assert bulk.get(run.id).status is Status.PENDING
    assert store.hold_bulk(run.id, "a third", 60_000) is None
    assert store.hold_bulk(run.id, "another", 0) == held
    BulkRunner(own_project.tracking).step()
    assert bulk.get(run.id).done == 1


def test_who_took_too_long_for_a_step_overwrites_nothing_of_who_went_on(own_project, store, bulk, monkeypatch):
    monkeypatch.setattr(bulk_runner, "HELD_MS", 0)
    jobs = [create_job(store) for _ in range(2)]
    run = bulk.begin(BulkRequest(action="cancel", ids=jobs))
    act, others = own_project.jobs.bulk_actions.__class__.act, []

    def slowly(*args, **options):
        acted = act(*args, **options)
        if not others:
            others.append(BulkRunner(own_project.tracking))
            others[0].step()
        return acted

    monkeypatch.setattr(own_project.jobs.bulk_actions.__class__, "act", slowly)
    BulkRunner(own_project.tracking).step()
    done = bulk.get(run.id)
    assert (done.status, counts(done)) == (Status.COMPLETED, {"done": 2})
    assert store.hold_bulk(run.id, "whoever is late", 0, state="{}") is None
    assert bulk.get(run.id) == done


def test_a_process_that_is_to_end_stops_between_two_parts_and_another_one_goes_on_at_once(
    own_project, store, bulk, monkeypatch
):
    monkeypatch.setattr(bulk_runner, "_MOST_AT_ONCE", 1)
    for _ in range(3):
        create_job(store)
    runs = [bulk.begin(BulkRequest(action="tag", all=True, tags=[tag])) for tag in ("a", "b")]
    runner, tell = BulkRunner(own_project.tracking), bulk_runner._Turn._tell

    def and_it_is_to_end(turn, message):
        runner.stop()
        return tell(turn, message)

    with monkeypatch.context() as patch:
        patch.setattr(bulk_runner._Turn, "_tell", and_it_is_to_end)
        runner.step()
    first, second = (bulk.get(each.id) for each in runs)
    assert [(each.status, each.done) for each in (first, second)] == [("running", 1), ("pending", 0)]
    BulkRunner(own_project.tracking).step()
    assert [bulk.get(each.id).done for each in runs] == [3, 3]


def test_what_can_be_done_to_a_bulk_run_by_another_one(own_project, bulk, bulk_run):
    """It is not sent to Celery: what is about that is refused, and it goes on as it was."""
    waits, ended = (bulk.begin(BulkRequest(action="cancel", ids=["nobody"])) for _ in range(2))
    own_project.jobs.cancel(ended.id)
    runs = {"reprioritise": waits.id, "retry": ended.id}
    for action, its in runs.items():
        options = OPTIONS.get(action, {})
        assert bulk.preview(BulkRequest(action=action, ids=[its], **options)).count == 0
        refusing = bulk.begin(BulkRequest(action=action, ids=[its], **options))
        BulkRunner(own_project.tracking).step()
        assert f"which nobody can {action}" in bulk.refused(refusing.id).refused[0].reason
    assert (bulk.get(waits.id).status, bulk.get(ended.id).status) == (Status.COMPLETED, Status.CANCELLED)
    for action in ("tag", "untag", "delete"):
        assert counts(bulk_run(action, ids=[ended.id], **{"tags": ["old"]} if "tag" in action else {})) == {"done": 1}


@pytest.mark.parametrize("action", ["cancel", "terminate"])
def test_a_bulk_run_that_cancels_another_one_stops_it(own_project, store, bulk, action):
    create_job(store)
    stopped = bulk.begin(BulkRequest(action="cancel", all=True))
    stopping = bulk.begin(BulkRequest(action=action, ids=[stopped.id]))
    store.apply(Event.START, stopped.id, run=0)
    store.hold_bulk(stopped.id, "a process that is busy", 60_000)
    BulkRunner(own_project.tracking).step()
    assert counts(bulk.get(stopping.id)) == {"done": 1}
    assert bulk.get(stopped.id).status is Status.CANCELLED


def test_a_cancelled_run_stops(own_project, store, bulk, monkeypatch, statuses):
    monkeypatch.setattr(bulk_runner, "_MOST_AT_ONCE", 1)
    jobs = [create_job(store) for _ in range(4)]
    run = bulk.begin(BulkRequest(action="cancel", filter="type:custom"))
    tell = bulk_runner._Turn._tell

    def and_it_is_cancelled(turn, message):
        own_project.jobs.cancel(run.id, reason="enough")
        return tell(turn, message)

    monkeypatch.setattr(bulk_runner._Turn, "_tell", and_it_is_cancelled)
    BulkRunner(own_project.tracking).step()
    done = bulk.get(run.id)
    assert (done.status, done.reason, done.done) == (Status.CANCELLED, "enough", 1)
    assert statuses(*jobs).count(Status.PENDING) == 3
    assert own_project.queries.open_bulk_runs() == []


def test_a_run_whose_state_is_gone_or_that_can_not_go_on_fails_and_says_so(own_project, store, bulk, monkeypatch):
    lost = bulk.begin(BulkRequest(action="cancel", all=True))
    own_project.client.delete(own_project.keys("bulk", lost.id))
    BulkRunner(own_project.tracking).step()
    assert "its state is gone" in own_project.queries.record(lost.id).reason
    create_job(store)
    broken = bulk.begin(BulkRequest(action="cancel", all=True))

    def fail(*_, **__):
        raise ValueError("it is broken")

    monkeypatch.setattr(own_project.jobs.bulk_actions.__class__, "act", fail)
    runner = BulkRunner(own_project.tracking)
    for _ in range(3):
        runner.step()
    done = bulk.get(broken.id)
    assert (done.status, done.reason) == (Status.FAILED, "it can't go on: ValueError: it is broken")


def test_only_so_many_runs_are_under_way_and_none_touches_another(own_project, store, bulk, monkeypatch):
    monkeypatch.setattr(bulk_module, "MOST_RUNS", 2)
    runs = [bulk.begin(BulkRequest(action="cancel", all=True)).id for _ in range(2)]
    with pytest.raises(TooManyBulkRunsError, match="2 bulk runs have not ended"):
        bulk.begin(BulkRequest(action="cancel", all=True))
    BulkRunner(own_project.tracking).step()
    assert {bulk.get(each).status for each in runs} == {Status.COMPLETED}


def test_a_run_is_a_job_that_can_only_be_cancelled_and_deleted(own_project, bulk):
    run = bulk.begin(BulkRequest(action="tag", tags=["x"], all=True))
    job = own_project.queries.get(run.id)
    assert (job.job_type, job.name, job.payload) == (
        BULK_TYPE,
        "tag all jobs",
        {"action": "tag", "all": True, "tags": ["x"]},
    )
    for act in (
        own_project.jobs.start,
        own_project.jobs.retry,
        lambda each: own_project.jobs.update(each, JobUpdate(status="completed")),
    ):
        with pytest.raises(IllegalTransitionError, match="it is a bulk run"):
            act(run.id)
    own_project.jobs.cancel(run.id)
    own_project.jobs.delete(run.id)


def test_whoever_is_limited_to_some_jobs_changes_only_these(own_project, store, bulk, statuses):
    mine, other = create_job(store, type="mine"), create_job(store, type="other")
    token = acting.set(Principal("Ada", frozenset(Scope), job_types=("mine",)))
    try:
        assert bulk.preview(BulkRequest(action="cancel", all=True)).count == 1
        runs = [
            bulk.begin(BulkRequest(action="cancel", **which)) for which in ({"all": True}, {"ids": [mine, other]})
        ]
    finally:
        acting.reset(token)
    BulkRunner(own_project.tracking).step()
    assert statuses(mine, other) == [Status.CANCELLED, Status.PENDING]
    assert {bulk.get(each.id).asked_by for each in runs} == {"Ada"}
    assert [entry.by for entry in own_project.queries.history(mine) if entry.by] == ["Ada"]
    assert "There is no job" in bulk.refused(runs[1].id).refused[-1].reason


def test_a_job_gets_no_more_tags_than_it_may_have(own_project, store, bulk, bulk_run):
    full = create_job(store, tags=json.dumps([f"t{n}" for n in range(MOST_TAGS)]))
    room = create_job(store, tags='["é"]')
    run = bulk_run("tag", tags=["new"], filter="type:custom")
    assert counts(run) == {"done": 1, "refused": 1}
    assert own_project.queries.record(room).tags == ["é", "new"]
    assert bulk.refused(run.id).refused[0].id == full
    assert counts(bulk_run("tag", tags=["t0"], ids=[full])) == {"done": 1}


def test_a_preview_that_can_not_look_at_all_says_how_far_it_came(store, bulk, monkeypatch):
    monkeypatch.setattr(bulk_module, "_PREVIEWED", 4)
    monkeypatch.setattr(bulk_module, "_AT_ONCE", 2)
    for n in range(9):
        create_job(store, tags='["t"]', at_ms=1_790_000_000_000 + n)
    by_scan = bulk.preview(BulkRequest(action="cancel", filter="tag:t"))
    assert (by_scan.count, by_scan.is_exact, by_scan.looked_at, by_scan.below, by_scan.left_alone) == (
        4, False, 4, None, None,
    )  # fmt: skip
    assert by_scan.looked_to.timestamp() * 1000 == 1_790_000_000_003
    by_index = bulk.preview(BulkRequest(action="cancel", filter="type:custom"))
    assert (by_index.count, by_index.is_exact, by_index.below) == (9, True, None)
    assert sum(kind.count for kind in by_index.kinds) == 4
    to_delete = bulk.preview(BulkRequest(action="delete", filter="type:custom"))
    assert (to_delete.count, to_delete.is_exact) == (4, False)


def test_a_preview_of_a_retry_names_types_that_no_worker_announces(own_project, store, bulk):
    own_project.tracking.registry.announce(JobType(name="mail", task="tasks.mail"))
    kinds = [("mail", "tasks.mail"), ("invoice", "tasks.invoice"), ("custom", "tasks.mail"), ("custom", "tasks.old")]
    jobs = [create_job(store, type=name, task=task, tags='["t"]') for name, task in kinds for _ in range(2)]
    for each in jobs:
        store.apply(Event.ENQUEUE, each)
        bring_to(store, each, Status.FAILED)
    create_job(store, type="open", task="tasks.open", tags='["t"]')
    for which in ({"filter": "tag:t"}, {"ids": jobs}):
        assert bulk.preview(BulkRequest(action="retry", **which)).unannounced == ["invoice", "tasks.old"]
    assert bulk.preview(BulkRequest(action="tag", tags=["x"], filter="tag:t")).unannounced == []


def test_a_retry_without_stored_arguments_is_refused_by_name(store, bulk, bulk_run):
    job_id = "invoice-17"
    store.create(
        NewJob(id=job_id, fields={"type": "invoice", "priority": "normal"}, data={"arguments_repr": "(17,) {}"})
    )
    store.apply(Event.ENQUEUE, job_id)
    bring_to(store, job_id, Status.FAILED)
    run = bulk_run("retry", ids=[job_id])
    [refused] = bulk.refused(run.id).refused
    assert (refused.id, "arguments" in refused.reason) == (job_id, True)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"action": "cancel"}, "an empty filter means all jobs"),
        ({"action": "cancel", "filter": "  "}, "an empty filter means all jobs"),
        ({"action": "cancel", "filter": "type:x", "all": True}, "give one of filter, ids and all"),
        ({"action": "cancel", "filter": "type:x", "ids": ["a"]}, "give one of filter, ids and all"),
        ({"action": "tag", "all": True}, "tag needs tags"),
        ({"action": "reprioritise", "all": True}, "reprioritise needs priority"),
        ({"action": "cancel", "all": True, "tags": ["x"]}, "tags is for tag and untag"),
        ({"action": "tag", "tags": ["x"], "all": True, "reason": "no"}, "reason is for cancel and terminate"),
        ({"action": "cancel", "ids": []}, "at least 1 item"),
        ({"action": "cancel", "ids": ["x"] * 10_001}, "at most 10000 items"),
        ({"action": "start", "all": True}, "Input should be 'cancel'"),
    ],
)
def test_what_is_no_bulk_request_is_refused(wanted, text):
    with pytest.raises(ValidationError, match=text):
        BulkRequest(**wanted)
