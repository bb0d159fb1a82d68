"""What needs somebody: blocked jobs, failures, unconsumed queues, lost workers; and how often it is looked at."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAwayError
from support.sample_jobs import a_worker
from support.workers_under_test import LONG_AGO_MS, Project, age, eventually, new_project

from jobtracker.core.clock import now_ms
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event, Status
from jobtracker.diagnosis import attention as desks
from jobtracker.diagnosis import blocked_jobs
from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.conclusions import span
from jobtracker.diagnosis.explainer import Explainer, _through_ms
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.local.ports import free_port
from jobtracker.schemas.attention import Attention, BlockedJobs
from jobtracker.schemas.explanation import Code
from jobtracker.schemas.failures import FailureAction
from jobtracker.schemas.webhooks import StoredWebhook, WebhookSecret
from jobtracker.store.leases import Leases
from jobtracker.store.webhook_endpoints import EndpointStore

pytestmark = pytest.mark.thorough


def desk_of(project: Project, timeout_s: float = 0.1) -> AttentionDesk:
    return AttentionDesk(Inspector(project.tracking, timeout_s=timeout_s, cache_s=0))


def look(project: Project) -> Attention:
    return desk_of(project).look()


def blocked(project: Project, code: Code) -> list[BlockedJobs]:
    return [group for group in look(project).blocked if group.code is code]


def broker_of(project: Project) -> Redis:
    return Redis.from_url(project.settings.broker_url)


def queue_key(project: Project) -> bytes:
    """The list in which the messages of its queue are: that of their priority."""
    [key] = broker_of(project).keys(f"{project.name}:{project.queue}*")
    return key


def lease_that_ran_out(project: Project, incarnation: str, **fields: object) -> None:
    Leases(project.client, project.keys, lost_s=0.02).renew(a_worker(incarnation, **fields))
    eventually(lambda: incarnation not in {worker.incarnation for worker in project.leases.live()})


def running_on(project: Project, incarnation: str, name: str) -> str:
    job_id = project.create("ok")
    store = project.tracking.store
    store.apply(Event.ENQUEUE, job_id, at_ms=now_ms() - 500_000)
    store.apply(Event.START, job_id, at_ms=now_ms() - 400_000, fields={"lease": incarnation, "worker": name})
    return job_id


def test_nothing_needs_anybody_where_nothing_is_stored(own_project):
    found = look(own_project)
    assert (found.is_quiet, found.complete, found.looked_at, found.open_jobs, found.failed) == (True, True, 0, 0, 0)


def test_jobs_whose_queue_nobody_consumes_are_one_group_and_the_queue_has_its_depth(own_project):
    own_project.announce()
    jobs = [own_project.launch("ok") for _ in range(7)]
    own_project.create("ok")  # nobody has started it: that is no defect
    found = look(own_project)
    [group] = found.blocked
    assert (group.code, group.count, group.is_exact, group.queue) == (Code.NO_CONSUMER, 7, True, own_project.queue)
    assert group.summary == (
        f"7 jobs wait in queue '{own_project.queue}', which nobody consumes: "
        f"start a worker with --queues {own_project.queue}."
    )
    assert (group.job_ids, group.job_types, group.worker) == (jobs[:5], ["ok"], None)
    assert [(each.queue, each.messages) for each in found.unconsumed_queues] == [(own_project.queue, 7)]
    assert (found.looked_at, found.open_jobs, found.complete, found.is_quiet) == (8, 8, True, False)


def test_a_look_that_does_not_reach_all_open_jobs_says_so(own_project, monkeypatch):
    monkeypatch.setattr(blocked_jobs, "MOST_EXPLAINED", 3)
    own_project.announce()
    for _ in range(5):
        own_project.launch("ok")
    found = look(own_project)
    [group] = found.blocked
    assert (group.count, group.is_exact, found.complete, found.looked_at, found.open_jobs) == (3, False, False, 3, 5)
    assert group.summary.startswith("At least 3 jobs wait ")
    monkeypatch.setattr(blocked_jobs, "MOST_RECORDS", 2)
    assert (look(own_project).looked_at, look(own_project).complete) == (2, False)


def test_a_long_backlog_does_not_hide_another_queue(own_project, monkeypatch):
    monkeypatch.setattr(blocked_jobs, "MOST_OF_A_QUEUE", 2)
    other = f"{own_project.name}-other"
    for queue in [None] * 4 + [other]:
        own_project.send("ok", queue=queue)
    found = look(own_project)
    assert [(group.queue, group.count, group.is_exact) for group in found.blocked] == [
        (own_project.queue, 2, False), (other, 1, False),
    ]  # fmt: skip
    assert (found.looked_at, found.complete) == (3, False)


def test_jobs_that_nobody_has_started_do_not_hide_those_behind_them(own_project, monkeypatch):
    monkeypatch.setattr(blocked_jobs, "MOST_EXPLAINED", 1)
    own_project.announce()
    for _ in range(5):
        own_project.create("ok")
    job_id = own_project.launch("ok")
    [group] = look(own_project).blocked
    assert (group.job_ids, group.is_exact) == ([job_id], True)


def test_a_lost_message_is_named_with_what_is_done_about_it(own_project):
    own_project.announce()
    job_id = own_project.launch("ok")
    broker_of(own_project).delete(queue_key(own_project))
    assert blocked(own_project, Code.MESSAGE_MISSING) == []  # it has just been sent
    age(own_project, job_id)
    [group] = blocked(own_project, Code.MESSAGE_MISSING)
    assert group.summary == f"1 job of queue '{own_project.queue}' has lost its message."
    assert group.oldest_since == datetime.fromtimestamp(LONG_AGO_MS / 1000, UTC)
    assert "nobody will run it" in group.oldest_summary
    assert "sent again" in group.oldest_summary


def test_a_message_that_was_on_its_way_is_not_lost(own_project, monkeypatch):
    own_project.announce()
    job_id = own_project.launch("ok")
    age(own_project, job_id)
    broker, key = broker_of(own_project), queue_key(own_project)
    message = broker.rpop(key)
    looks = []
    monkeypatch.setattr(blocked_jobs.time, "sleep", lambda _: looks.append(broker.rpush(key, message)))
    assert [group.code for group in look(own_project).blocked] == [Code.NO_CONSUMER]
    assert looks == [1]


def test_what_was_lost_in_the_look_before_is_not_waited_for_again(own_project, monkeypatch):
    own_project.announce()
    age(own_project, own_project.launch("ok"))
    broker_of(own_project).delete(queue_key(own_project))
    waits: list[float] = []
    monkeypatch.setattr(blocked_jobs.time, "sleep", waits.append)
    desk = desk_of(own_project)
    assert [[group.count for group in desk.look().blocked] for _ in range(3)] == [[1]] * 3
    assert len(waits) == 1


def test_a_lost_worker_is_named_with_what_it_ran(own_project):
    own_project.announce()
    lease_that_ran_out(own_project, "gone", name="w@lost", queues=["gpu"], release="7.2")
    own_project.leases.renew(a_worker("here", name="w@here"))
    jobs = [running_on(own_project, "gone", "w@lost") for _ in range(2)]
    running_on(own_project, "here", "w@here")
    found = look(own_project)
    [group] = found.blocked
    assert (group.code, group.count, group.worker, group.queue) == (Code.WORKER_LOST, 2, "w@lost", None)
    assert group.summary == "2 jobs were lost with their worker, w@lost."
    [lost] = found.lost_workers
    assert (lost.name, lost.queues, lost.release, lost.is_back) == ("w@lost", ["gpu"], "7.2", False)
    assert (lost.open_jobs, lost.failed_jobs, lost.job_ids) == (2, 0, jobs)
    own_project.tracking.store.apply(Event.LOSE, jobs[0], at_ms=now_ms(), fields={"reason": "WorkerLost: gone"})
    own_project.leases.renew(a_worker("again", name="w@lost"))
    [lost] = look(own_project).lost_workers
    assert (lost.open_jobs, lost.failed_jobs, lost.is_back, set(lost.job_ids)) == (1, 1, True, set(jobs))


def test_a_worker_that_says_that_it_stops_is_not_lost(own_project):
    own_project.leases.renew(a_worker("stopped"))
    own_project.leases.release("stopped")
    assert look(own_project).lost_workers == []


@pytest.mark.parametrize(("ago_ms", "groups"), [(10_000, 0), (120_000, 1)])
def test_a_cancel_hangs_after_a_while(own_project, ago_ms, groups):
    own_project.announce()
    own_project.leases.renew(a_worker("here", name="w@here"))
    job_id = running_on(own_project, "here", "w@here")
    own_project.tracking.store.apply(Event.CANCEL, job_id, at_ms=now_ms() - ago_ms)
    found = blocked(own_project, Code.CANCEL_REQUESTED)
    assert len(found) == groups
    assert all(group.worker == "w@here" and group.job_ids == [job_id] for group in found)


def fail(project: Project, kind: str, *ago_s: float) -> str:
    """Have a job fail this many times, that long ago; returns the id of its group."""
    store = project.tracking.store
    shape = fingerprint(kind, "no <n>")
    for each in ago_s:
        job_id, at_ms = project.create("ok"), now_ms() - int(each * 1000)
        store.apply(Event.ENQUEUE, job_id, at_ms=at_ms - 2)
        store.apply(Event.START, job_id, at_ms=at_ms - 1)
        store.apply(Event.FAIL, job_id, at_ms=at_ms, fields={**shape.fields, "reason": f"{kind}: no 5"})
    return shape.group


DAY_S = 86_400


def test_failures_that_are_new_or_have_regressed_need_somebody_if_they_were_seen_within_a_day(own_project):
    own_project.announce()
    store = own_project.tracking.store
    new = fail(own_project, "NewError", 4000, 300, 200)
    fail(own_project, "OldError", 2 * DAY_S, 200)
    back = fail(own_project, "BackError", 3 * DAY_S)
    fail(own_project, "BackLongAgoError", 4 * DAY_S)
    for kind in ("BackError", "BackLongAgoError"):
        store.mark_failure(fingerprint(kind, "no <n>").group, FailureAction.RESOLVE, now_ms() - 3 * DAY_S * 1000 + 1)
    fail(own_project, "BackError", 100)
    fail(own_project, "BackLongAgoError", 2 * DAY_S)
    store.mark_failure(fail(own_project, "IgnoredError", 50), FailureAction.IGNORE)
    found = look(own_project)
    assert [(each.id, each.state, each.jobs_of_hour, each.jobs_of_day) for each in found.failures] == [
        (new, "new", 2, 3), (back, "regressed", 1, 1),
    ]  # fmt: skip
    assert (found.failed, found.failures_looked_at, found.more_failures) == (5, 5, False)
    assert not found.is_quiet
    for group in (new, back):
        store.mark_failure(group, FailureAction.RESOLVE)
    assert look(own_project).is_quiet


def test_a_look_at_failures_is_bounded_and_says_so(own_project, monkeypatch):
    monkeypatch.setattr(desks, "MOST_FAILURES", 2)
    monkeypatch.setattr(desks, "MOST_GROUPS", 1)
    own_project.announce()
    for n in range(4):
        last = fail(own_project, f"Error{n}", 4 - n)
    found = look(own_project)
    assert (found.failed, found.failures_looked_at, found.more_failures) == (4, 2, True)
    assert [each.id for each in found.failures] == [last]


def test_a_broker_that_is_away_is_a_part_of_the_answer(redis_server, worker_log_dir, own_project):
    own_project.announce()
    age(own_project, own_project.launch("ok"))
    address = f"redis://127.0.0.1:{free_port()}/0"
    with new_project(redis_server, worker_log_dir, like=own_project, celery_broker_url=address) as cut_off:
        cut_off.app.conf.broker_connection_timeout = 0.2
        found = look(cut_off)
    [group] = found.blocked
    assert (group.code, group.count) == (Code.UNKNOWN, 1)
    assert group.summary == f"Why 1 job of queue '{own_project.queue}' does not proceed is not known."
    assert {each.partition(":")[0] for each in found.unavailable} >= {
        "where its message is", "which queues nobody consumes",
    }  # fmt: skip
    assert not found.is_quiet


# -- how often it is looked ------------------------------------------------------------------------------------------


class CountedDesk(AttentionDesk):
    """Counts looks; each waits at a gate."""

    def __init__(self, project: Project) -> None:
        super().__init__(Inspector(project.tracking, timeout_s=0.1, cache_s=0))
        self.looks = 0
        self.gate = threading.Event()

    def look(self) -> Attention:
        self.looks += 1
        assert self.gate.wait(10)
        return super().look()


@pytest.fixture
def desk(own_project) -> CountedDesk:
    return CountedDesk(own_project)


def asked_by(number: int, ask: Callable[[], Attention]) -> tuple[list[threading.Thread], list[Attention]]:
    answers: list[Attention] = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_it_is_looked_once_for_all_who_ask_at_the_same_time(desk):
    threads, answers = asked_by(8, desk.attention)
    time.sleep(0.05)
    desk.gate.set()
    for thread in threads:
        thread.join()
    assert (desk.looks, len(answers), len({answer.at for answer in answers})) == (1, 8, 1)
    assert desk.attention() == answers[0]
    assert desk.looks == 1


def test_an_older_answer_does_while_the_next_look_takes_long(desk, monkeypatch):
    desk.gate.set()
    first = desk.attention()
    desk.gate.clear()
    monkeypatch.setattr(desks, "_KEPT_S", 0)
    assert desk.attention() is first
    desk.gate.set()
    eventually(lambda: desk.attention().at > first.at)


def test_a_look_that_fails_fails_all_who_wait_and_the_next_one_may_succeed(desk, monkeypatch):
    def fail() -> Attention:
        raise RedisAwayError("away")

    with monkeypatch.context() as broken:
        broken.setattr(desk, "look", fail)
        with pytest.raises(RedisAwayError):
            desk.attention()
    desk.gate.set()
    assert desk.attention().is_quiet


@pytest.mark.thorough
def test_what_workers_do_needs_nobody(own_project):
    gate = uuid.uuid4().hex
    with own_project.worker(concurrency=1):
        try:
            running, *waiting = [own_project.send("hold", gate) for _ in range(6)]
            own_project.expect_status(running, Status.RUNNING)
            eventually(lambda: own_project.expect_reserved(waiting[0]) is None)
            found = AttentionDesk(Inspector(own_project.tracking)).look()
        finally:
            own_project.diary.open_gate(gate)
        own_project.expect_settled(running, *waiting)
    assert (found.is_quiet, found.looked_at) == (True, 6), found


def lease_with(project: Project, concurrency: int, incarnation: str = "busy") -> str:
    name = f"{incarnation}@test"
    project.leases.renew(a_worker(incarnation, name=name, queues=[project.queue], concurrency=concurrency))
    return name


def test_jobs_that_wait_behind_long_jobs_are_one_group_that_names_these(own_project):
    own_project.announce()
    name = lease_with(own_project, concurrency=2)
    holders = [running_on(own_project, "busy", name) for _ in range(2)]
    waiting = [own_project.launch("ok") for _ in range(3)]
    assert look(own_project).blocked == []  # they have just been sent
    age(own_project, waiting[0])
    [group] = look(own_project).blocked
    assert (group.code, group.queue, group.worker, group.count) == (Code.QUEUED, own_project.queue, None, 3)
    assert (group.job_ids[0], sorted(group.slot_job_ids)) == (waiting[0], sorted(holders))
    assert group.oldest_since == datetime.fromtimestamp(LONG_AGO_MS / 1000, UTC)
    assert group.slots_taken_since is not None
    assert group.summary == (
        f"3 jobs wait for a slot in queue '{own_project.queue}': a long job has each of the 2 slots of its workers, "
        "and none became free for 7 min."
    )


def test_explain_names_the_jobs_that_have_the_slots(own_project):
    own_project.announce()
    name = lease_with(own_project, concurrency=2)
    first = running_on(own_project, "busy", name)
    waiting = own_project.launch("ok")
    inspector = Inspector(own_project.tracking, timeout_s=0.1, cache_s=0)
    explainer = Explainer(own_project.tracking, inspector)
    assert explainer.explain(waiting).slot_job_ids == []  # one is free
    second = running_on(own_project, "busy", name)
    found = explainer.explain(waiting)
    assert (found.code, sorted(found.slot_job_ids)) == (Code.QUEUED, sorted([first, second]))
    assert "All 2 slots are taken: by " in found.summary
    assert f"({first}) for 7 min" in found.summary
    assert explainer.explain(first).slot_job_ids == []
    lease_with(own_project, 1, incarnation="idle")
    assert explainer.explain(waiting).slot_job_ids == []


def test_an_estimate_counts_the_slots_that_long_jobs_have(own_project):
    own_project.announce()
    store, begun = own_project.tracking.store, now_ms() - 5_000_000
    for ends in [begun + 600_000] * 5:
        job_id = own_project.create("ok")
        for event, at_ms in ((Event.ENQUEUE, begun), (Event.START, begun), (Event.COMPLETE, ends)):
            store.apply(event, job_id, at_ms=at_ms)
    name = lease_with(own_project, concurrency=2)
    known, other = running_on(own_project, "busy", name), running_on(own_project, "busy", name)
    began_ms = own_project.queries.record(known).started
    waiting = [own_project.launch("ok") for _ in range(2)][-1]
    explainer = Explainer(own_project.tracking, Inspector(own_project.tracking, timeout_s=0.1, cache_s=0))
    found = explainer.explain(waiting).finish  # one is ahead of it, on two slots that are free at about that time
    free = began_ms / 1000 + 600
    assert found.started_at.timestamp() == pytest.approx(free + 300, rel=0, abs=60)
    assert found.at.timestamp() == pytest.approx(free + 900, rel=0, abs=120)
    unknown = own_project.create("fail")
    store.apply(Event.ENQUEUE, unknown)
    store.apply(Event.COMPLETE, other)
    store.apply(Event.START, unknown, fields={"lease": "busy", "worker": name})
    found = explainer.explain(waiting)
    assert ("All 2 slots are taken" in found.summary, found.finish) == (True, None)


def test_work_goes_on_at_each_slot_as_soon_as_that_is_free():
    assert [_through_ms([20, 10], work) for work in (0, 4, 10, 30)] == [10, 14, 20, 30]
    assert _through_ms([5, 5, 5], 30) == 15


def test_a_duration_is_told_in_its_largest_unit():
    assert [span(ms) for ms in (0, 8, 90, 12_000, 400_000)] == ["0.0 s", "8 ms", "0.1 s", "12 s", "7 min"]


def test_a_queue_with_a_slot_that_is_or_was_free_a_moment_ago_is_not_stuck(own_project):
    own_project.announce()
    name = lease_with(own_project, concurrency=2)
    running_on(own_project, "busy", name)
    age(own_project, own_project.launch("ok"))
    assert look(own_project).blocked == []
    other = own_project.create("ok")
    own_project.tracking.store.apply(Event.ENQUEUE, other, at_ms=now_ms() - 2000)
    own_project.tracking.store.apply(Event.START, other, at_ms=now_ms(), fields={"lease": "busy", "worker": name})
    assert look(own_project).blocked == []  # it began just now
    lease_with(own_project, 1, incarnation="idle")
    assert look(own_project).blocked == []


def test_a_webhook_that_was_disabled_needs_somebody_until_it_is_enabled(own_project):
    store = EndpointStore(own_project.client, own_project.keys)
    secret, url = WebhookSecret(secret="whsec_c2VjcmV0"), "https://chat.example/hooks/a-secret"
    for name in ("wh_1", "wh_2"):
        store.add(
            StoredWebhook(id=name, url=url, events=["job.failed"], created_at=datetime.now(UTC), secrets=[secret]), 20
        )
    disabled = {"reason": "It has taken nothing for 5 days", "at_ms": now_ms()}
    own_project.client.hset(own_project.keys("webhooks_disabled"), "wh_1", json.dumps(disabled))
    found = look(own_project)
    [webhook] = found.disabled_webhooks
    assert (webhook.id, webhook.host, webhook.reason) == ("wh_1", "chat.example", disabled["reason"])
    assert ("a-secret" in found.model_dump_json(), found.is_quiet) == (False, False)
    store.change("wh_1", lambda endpoint: endpoint, anew=True)
    assert look(own_project).is_quiet
