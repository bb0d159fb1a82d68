"""Recording jobs, and attaching sub-jobs to them."""

from dataclasses import replace

import pytest
from redis.exceptions import ResponseError
from support.raw_records import stored
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, create_in, create_job, create_parent, new_job, report
from support.time_series import stored_series

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.changes import NewJob


def test_a_new_job_is_pending_never_sent_and_in_every_index(client, keys, store, queries):
    job = NewJob(id="j", fields={"type": "custom", "priority": "high", "name": "n"}, data={"payload": "{}"})
    assert store.create(job, at_ms=START_MS) == [Outcome.APPLIED]
    record = queries.record("j").as_texts()
    assert (record["status"], record["run"]) == ("pending", "0")
    assert record["created"] == record["status_changed_at"] == str(START_MS)
    assert client.hgetall(keys("data", "j")) == {"payload": "{}"}
    assert recount(client, keys) == []


def test_a_job_that_plain_celery_sent_is_recorded_in_its_first_run(queries, store):
    store.create(new_job("j", run=1, queued=START_MS))
    assert queries.record("j").as_texts()["run"] == "1"


def test_who_is_about_to_send_a_job_records_it_in_its_first_run_unconfirmed(client, keys, store, queries):
    job = new_job("j")
    store.create(replace(job, sends=True), at_ms=START_MS)
    record = queries.record("j").as_texts()
    assert (record["status"], record["run"], record["queued"]) == ("pending", "1", str(START_MS))
    assert queries.are_unconfirmed(["j"]) == {"j"}
    assert recount(client, keys) == []


def test_creating_it_again_changes_nothing(client, keys, store):
    job = create_in(store, Status.RUNNING)
    record = stored(client, keys, job)
    assert store.create(new_job(job, name="another", priority="low")) == [Outcome.DUPLICATE]
    assert stored(client, keys, job) == record
    assert recount(client, keys) == []


def test_many_jobs_are_created_in_order_and_answered_in_order(client, keys, store):
    create_job(store, "b")
    outcomes = store.create(*(new_job(job) for job in "abc"))
    assert outcomes == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.APPLIED]
    assert recount(client, keys) == []


def test_each_created_job_counts_in_its_minute(client, keys, store):
    for at_ms in (START_MS, START_MS + 1, START_MS + 60_000):
        create_job(store, at_ms=at_ms)
    hour, minute = divmod(START_MS // 60_000, 60)
    flow = stored_series(client, keys)[f"flow:{hour}"]
    assert flow == {f"{minute}:created": 2, f"{minute + 1}:created": 1}


def test_time_series_expire_a_day_after_the_retention(client, keys, store):
    part = keys.of(create_in(store, Status.COMPLETED))
    store.fold_totals(part)
    hour = START_MS // 3_600_000
    for key in (part("flow", hour), part("settled", hour, "custom")):
        assert 8 * 86_400 - 60 < client.ttl(key) <= 8 * 86_400


def test_what_is_no_more_than_another_sub_job_makes_no_parent(client, keys, store, queries):
    store.create(new_job("a", parent="p"), new_job("b", parent="p"))
    assert store.create(NewJob(id="p", fields={}, subs={0: "a"})) == [Outcome.MISSING]
    assert client.exists(keys("job", "p"), keys("subs", "p")) == 0
    store.create(new_job("p", subs=["a"]))
    assert store.create(NewJob(id="p", fields={}, subs={1: "b"})) == [Outcome.DUPLICATE]
    assert queries.sub_ids("p") == ["a", "b"]
    assert recount(client, keys) == []


@pytest.mark.parametrize("fields", [{"type": "custom"}, {"priority": "low"}])
def test_a_job_without_a_type_or_a_priority_is_refused_and_leaves_nothing(client, keys, store, fields):
    with pytest.raises(ResponseError, match="type and a priority"):
        store.create(NewJob(id="j", fields=fields, data={"payload": "{}"}, subs={0: "s"}))
    assert keys_of(client, keys) == []


def test_sub_jobs_keep_their_order(store, queries):
    store.create(NewJob(id="p", fields={"type": "t", "priority": "low"}, subs={2: "c", 0: "z", 1: "b"}))
    assert queries.sub_ids("p") == ["z", "b", "c"]


def test_sub_jobs_can_be_attached_one_after_the_other_and_twice(client, keys, store, queries):
    for position, sub in [(0, "a"), (1, "b"), (0, "a"), (5, "a")]:
        store.create(new_job(sub, parent="p"))
        store.create(NewJob(id="p", fields={"type": "t", "priority": "low"}, subs={position: sub}))
    assert queries.sub_ids("p") == ["a", "b"]
    assert queries.record("p").as_texts()["subs"] == "2"
    assert recount(client, keys) == []


def test_a_parent_that_failed_by_its_sub_jobs_is_open_again_with_another_one(client, keys, store, queries):
    parent, subs = create_parent(store, 1)
    assert report(store, parent, subs[0], Event.FAIL).status is Status.FAILED
    store.create(new_job("late", parent=parent), NewJob(id=parent, fields={}, subs={1: "late"}))
    record = queries.record(parent).as_texts()
    assert record["status"] == "running"
    assert not {"inferred", "finished"} & record.keys()
    assert recount(client, keys) == []


@pytest.mark.parametrize("event", [Event.FAIL, Event.CANCELLED, Event.COMPLETE, Event.LOSE])
def test_a_parent_that_settled_otherwise_stays_so_with_another_sub_job(client, keys, store, event):
    parent, _ = create_parent(store, 1)
    store.apply(Event.START, parent)
    after = store.apply(event, parent).after
    store.create(new_job("late", parent=parent), NewJob(id=parent, fields={}, subs={1: "late"}))
    assert stored(client, keys, parent).get("status") == after
    assert recount(client, keys) == []


def test_a_parent_that_settled_is_not_opened_by_a_sub_job_that_it_has(store, queries):
    parent, subs = create_parent(store, 1)
    report(store, parent, subs[0], Event.FAIL)
    store.create(NewJob(id=parent, fields={}, subs={0: subs[0]}))
    assert queries.record(parent).as_texts()["status"] == "failed"


def test_a_job_that_was_announced_ahead_is_completed_by_its_own_message(store, queries):
    ahead = {"name": "n", "type": "t", "priority": "normal", "run": 1}
    store.create(NewJob(id="j", fields=ahead, data={"arguments_repr": "()"}), at_ms=START_MS)
    sent = {"queue": "q", "queued": START_MS + 1, "eta": START_MS + 2, "expires": START_MS + 3}
    message = NewJob(id="j", fields={**ahead, "name": "other", **sent}, data={"args": "[1]"})
    assert store.create(message) == [Outcome.DUPLICATE]
    job = queries.get("j")
    assert (job.name, job.queue, job.queued_at) == ("n", "q", from_ms(START_MS + 1))
    assert (job.not_before, job.expires_at) == (from_ms(START_MS + 2), from_ms(START_MS + 3))
    assert (job.args, job.arguments_repr) == ([1], None)


@pytest.mark.parametrize("told", [{}, {"queued": START_MS}])
def test_a_job_that_its_worker_has_recorded_gets_its_parent_also_before_its_start_is_told(store, queries, told):
    store.create(new_job("j", run=1, **told))  # from its message, which says when it was sent, or does not
    birth = new_job("j", run=1, queued=START_MS, parent="p", next="n", request_id="r")
    store.create(replace(birth, published=True))
    store.apply(Event.START, "j", run=1)
    record = queries.record("j").as_texts()
    assert [record[name] for name in ("parent", "next", "request_id")] == ["p", "n", "r"]


@pytest.mark.parametrize("events", [(Event.START,), (Event.START, Event.COMPLETE)])
def test_a_message_that_is_recorded_late_changes_nothing_of_a_job_that_began(store, queries, events):
    ahead = {"name": "n", "type": "t", "priority": "normal", "run": 1}
    store.create(NewJob(id="j", fields=ahead, data={"arguments_repr": "()"}), at_ms=START_MS)
    for event in events:
        store.apply(event, "j", at_ms=START_MS)
    before = queries.get("j")
    store.create(NewJob(id="j", fields={**ahead, "queue": "q", "queued": START_MS, "eta": START_MS}))
    assert queries.get("j") == before


def test_the_arguments_of_a_parent_stay_those_it_was_sent_with(store, queries):
    parent, _ = create_parent(store, 2, sent=False)
    store.create(NewJob(id=parent, fields={"queued": START_MS}, data={"arguments_repr": "([1, 2],)"}))
    job = queries.get(parent)
    assert (job.queued_at, job.arguments_repr) == (from_ms(START_MS), None)


def test_a_record_of_ordinary_values_is_small(client, keys, store, queries):
    uuid = "0d9ff1d2-8a40-4b5b-9e34-1f0a4a1c2b3d"
    parent = uuid.replace("0", "1")
    store.create(
        new_job(
            uuid,
            name="Extract Medications from discharge letter",
            type="medication_extraction",
            task="medication_extraction",
            queue="documents",
            parent=parent,
            policy="fail_fast",
            origin="api",
            request_id=uuid,
            tags='["ward-4", "discharge", "batch-2026-11"]',
            subs=["a", "b"],
        )
    )
    store.apply(Event.ENQUEUE, uuid)
    store.apply(
        Event.START, uuid, fields={"worker": "celery@worker-7f9c6d5b8-x2x4q", "lease": uuid, "acks_late": "1"}
    )
    store.apply(Event.PROGRESS, uuid, fields={"progress_done": 3, "progress_total": 12, "progress_message": "page 3"})
    store.apply(Event.CANCEL, uuid, fields={"reason": "cancelled by request"})
    store.apply(Event.RETRY, uuid, attempt=0, fields={"eta": START_MS, "reason": "TimeoutError: the service is busy"})
    store.apply(Event.LOSE, uuid)
    texts = queries.record(uuid).as_texts()
    assert len(texts) > 24
    assert client.strlen(keys("job", uuid)) < sum(map(len, [uuid, *texts.values()])) + 60


def unnotified(client, keys):
    """The jobs of which others are to be told."""
    return [job_id for part in keys.parts for job_id in client.zrange(part("unnotified"), 0, -1)]


@pytest.fixture(params=[1000, 7])
def attached(request, monkeypatch):
    """How many sub-jobs a part of a draft attaches; a parent of these tests has 30."""
    monkeypatch.setattr("jobtracker.store.drafts._ATTACHED", request.param)


@pytest.mark.parametrize("started", [True, False])
def test_planting_records_as_creating_does(client, keys, store, queries, attached, started):
    both = {}
    for way in ("planted", "created"):
        fields, data = {"name": "é", "priority": "normal", "parent": way}, {"payload": '"é"'}
        sent = {"run": 1, "queued": START_MS} if started and way == "created" else {}
        ids = [keys.new_id(beside=way) for _ in range(30)]
        jobs = [
            NewJob(id=each, fields={**fields, **sent, "type": f"t{n // 2 % 2}"}, data=data)
            for n, each in enumerate(ids)
        ]
        root = new_job(way, subs=ids, **sent)
        if way == "planted":
            store.bulk_create([*jobs, root], at_ms=START_MS, started=started)
            assert set(queries.unsent(2**53, 100)) == (set(ids) if started else set())
        else:
            store.create(*jobs, root, at_ms=START_MS)
        assert queries.sub_ids(way) == ids
        records = [{**stored(client, keys, each), "parent": ""} for each in [*ids, way]]
        both[way] = records, [client.hgetall(keys("data", each)) for each in ids]
    assert both["planted"] == both["created"]
    assert unnotified(client, keys) == []
    assert recount(client, keys) == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_parent_gets_many_sub_jobs_of_which_one_has_settled_already(client, keys, store, queries, at_once):
    subs = [f"sub{n:03}" for n in range(30)]
    store.create(*(new_job(each, parent="p") for each in subs))
    store.apply(Event.CANCEL, subs[7])
    parent = new_job("p", subs=subs)
    assert store.create(parent) if at_once else store.begin_create(parent)() == [Outcome.APPLIED]
    assert store.begin_create(parent, parent)() == store.create(parent, parent) == [Outcome.DUPLICATE] * 2
    assert queries.sub_ids("p") == subs
    assert stored(client, keys, "p").get("subs") == "30"
    assert unnotified(client, keys) == [subs[7]]
    assert recount(client, keys) == []


def test_a_normal_priority_is_not_stored_and_shown_all_the_same(client, keys, store, queries):
    jobs = [create_job(store, priority=priority) for priority in ("normal", "low")]
    assert [queries.record(job).as_texts().get("priority") for job in jobs] == [None, "low"]
    assert [job.priority for job in queries.get_many(jobs)] == ["normal", "low"]
    for wanted in (JobFilter(priority="normal"), JobFilter(priority="normal", status=Status.PENDING)):
        assert [job.id for job in queries.page(wanted).jobs] == jobs[:1]
    store.update(jobs[0], fields={"priority": "high"})
    store.update(jobs[0], fields={"priority": "normal"})
    assert {(count.priority, count.count) for count in queries.counts()} == {("normal", 1), ("low", 1)}
    assert recount(client, keys) == []


def test_a_name_and_a_task_that_are_the_same_as_the_type_are_not_stored_twice(store, queries):
    named = {"type": "app.add", "priority": "low"}
    store.create(NewJob(id="same", fields={**named, "name": "app.add", "task": "app.add"}))
    store.create(NewJob(id="other", fields={**named, "name": "Adds", "task": "add"}))
    assert not {"name", "task"} & queries.record("same").as_texts().keys()
    shown = [(job.name, job.task) for job in queries.get_many(["same", "other"])]
    assert shown == [("app.add", "app.add"), ("Adds", "add")]
    assert {job.id for job in queries.page(JobFilter(name="ADD")).jobs} == {"same", "other"}
    assert [job.id for job in queries.page(JobFilter(name="app.")).jobs] == ["same"]
