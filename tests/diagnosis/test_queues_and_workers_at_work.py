"""How queues move and how workers do: real brokers, real workers, known answers."""

import uuid

import pytest
from support.sample_jobs import a_worker, create_job
from support.workers_under_test import eventually

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.diagnosis.worker_desk import WorkerDesk
from jobtracker.schemas.timeline import Timeline, TimelineFilter
from jobtracker.store.leases import Leases

ON_BOTH = pytest.mark.parametrize("single", ["redis", "rabbitmq-classic"], indirect=True)


def queue_of(project, name=None):
    report = QueueDesk(Inspector(project.tracking, cache_s=0)).report()
    [found] = [each for each in report.queues if each.queue == (name or project.queue)]
    return found


def report_of(project):
    return WorkerDesk(Inspector(project.tracking, cache_s=0)).look()


def ran(project, worker, began_ms, took_ms, event=Event.COMPLETE, **fields):
    store = project.tracking.store
    job = create_job(store, at_ms=began_ms, run=1, queued=began_ms, type="work", **fields)
    known = {"run": 1, "attempt": 0, "execution": f"{began_ms}-{worker}-1"}
    store.apply(Event.START, job, at_ms=began_ms, fields={"worker": f"{worker}@test", "lease": worker}, **known)
    if event:
        store.apply(event, job, at_ms=began_ms + took_ms, **known)
    return job


def test_a_slow_worker_is_found_with_what_that_stands_on(own_project):
    now = now_ms()
    for worker, took_ms in (("w1", 1000), ("w2", 1000), ("w3", 2500)):
        own_project.leases.renew(a_worker(worker, name=f"{worker}@test"))
        for n in range(30):
            ran(own_project, worker, now - 600_000 + 1000 * n, took_ms + 10 * n)
    ran(own_project, "w1", now - 5000, 1000, Event.FAIL)
    running = ran(own_project, "w2", now - 3000, 0, None)
    found = report_of(own_project)
    one, two, three = found.workers
    assert [worker.name for worker in found.workers] == ["w1@test", "w2@test", "w3@test"]
    assert (one.slow_types, two.slow_types, three.slow_types) == ([], [], ["work"])
    times = three.by_type["work"]
    assert (times.here.count, times.elsewhere.count, times.here.p50_s, times.elsewhere.p50_s) == (30, 60, 2.64, 1.14)
    assert times.p_value < found.level
    assert (found.looked_at, found.settled, found.tested) == (91, 91, 3)
    assert (one.jobs, one.failed, one.lost) == (31, 1, 0)
    assert one.jobs_per_minute == pytest.approx(31 / 60, rel=0.02)
    assert [job.job_id for job in two.running] == [running]
    assert found.fleet["work"].count == 90


def test_a_worker_that_went_is_shown_as_lost_or_stopped_with_its_restarts(own_project):
    leases = own_project.leases
    leases.renew(a_worker("a1", name="a@test", started_at_ms=1))
    leases.release("a1")
    leases.renew(a_worker("a2", name="a@test", started_at_ms=2, memory_bytes=5, processes=2, cpu_cores=0.5))
    Leases(own_project.client, own_project.keys, lost_s=0.02).renew(a_worker("b1", name="b@test"))
    leases.renew(a_worker("c1", name="c@test"))
    leases.release("c1")
    eventually(lambda: len(leases.live()) == 1)
    a, b, c = report_of(own_project).workers
    assert (a.state, a.restarts, a.times_lost, a.incarnation) == ("silent", 1, 0, "a2")
    assert (a.memory_bytes, a.processes, a.cpu_cores, a.prefetched) == (5, 2, 0.5, None)
    assert (b.state, b.times_lost, b.ended_at is None) == ("lost", 1, False)
    assert (c.state, c.times_lost, c.ended_at is None) == ("stopped", 0, False)


def test_the_oldest_message_of_a_queue_is_told_by_the_message_itself(own_project):
    first, _ = own_project.send("add", 1, 2), own_project.send("add", 1, 2)
    found = queue_of(own_project)
    assert (found.messages, found.oldest_job_id, found.oldest_is_known) == (2, first, True)
    assert int(found.oldest_at.timestamp() * 1000) == own_project.queries.record(first).queued
    assert (found.last_5_min.sent, found.last_5_min.started, found.drained_in_s) == (2, 0, None)


@pytest.mark.thorough
@ON_BOTH
def test_a_queue_tells_its_oldest_message_and_moves_as_workers_take_them(single, other_queue):
    first, second = single.send("add", 1, 2, queue=other_queue), single.send("add", 1, 2, queue=other_queue)
    eventually(lambda: queue_of(single, other_queue).messages == 2)
    found = queue_of(single, other_queue)
    assert (found.oldest_job_id, found.oldest_is_known, found.slots) == (first, True, 0)
    assert int(found.oldest_at.timestamp() * 1000) == single.queries.record(first).queued
    assert (found.last_hour.sent, found.last_hour.started, found.last_hour.wait_p95_s) == (2, 0, None)
    assert found.drained_in_s is None
    single.consume(other_queue)
    single.expect_settled(first, second)
    moved = queue_of(single, other_queue)
    assert (moved.messages, moved.oldest_at, moved.oldest_is_known, moved.drained_in_s) == (0, None, True, 0)
    assert (moved.last_hour.sent, moved.last_hour.started, moved.last_hour.ended) == (2, 2, 2)
    records = [single.queries.record(job) for job in (first, second)]
    waits = sorted((record.started - record.queued) / 1000 for record in records)
    assert moved.last_hour.wait_p50_s == pytest.approx(waits[0], rel=0.02, abs=0.001)
    assert moved.last_hour.wait_p95_s == pytest.approx(waits[1], rel=0.02, abs=0.001)
    series = QueueDesk(Inspector(single.tracking)).series(1, other_queue)
    assert sum(series.by_queue[other_queue].sent) == 2
    assert len(series.at) == len(series.by_queue[other_queue].wait_p95_s) == 12


@pytest.mark.thorough
@ON_BOTH
def test_a_countdown_is_no_wait(single, other_queue):
    single.consume(other_queue)
    job = single.send("add", 1, 2, queue=other_queue, countdown=1.5)
    single.expect_settled(job)
    record = single.queries.record(job)
    assert 1400 <= record.waits_from - record.queued <= 1500
    wait_s = (record.started - record.waits_from) / 1000
    found = queue_of(single, other_queue).last_hour
    assert found.wait_p95_s == pytest.approx(max(wait_s, 0), rel=0.02, abs=0.001)
    shown = single.job(job)
    assert (shown.started_at - shown.due_at).total_seconds() == pytest.approx(wait_s)


@pytest.mark.thorough
@ON_BOTH
def test_a_worker_tells_what_it_uses_runs_and_has_prefetched(single):
    gate = uuid.uuid4().hex
    job = single.send("hold", gate)
    single.expect_status(job, Status.RUNNING)
    waiting = single.send("add", 1, 2)
    single.expect_reserved(waiting)

    def is_measured():
        [worker] = [each for each in report_of(single).workers if each.state == "online"]
        return worker if worker.cpu_cores is not None else None

    try:
        eventually(is_measured)
        worker = is_measured()
        assert [each.job_id for each in worker.running] == [job]
        assert worker.prefetched >= 1
        assert worker.processes >= 2
        assert 10_000_000 < worker.memory_bytes < 2**32
    finally:
        single.diary.open_gate(gate)
    single.expect_settled(job, waiting)
    [worker] = [each for each in report_of(single).workers if each.state == "online"]
    assert worker.jobs >= 2
    assert worker.by_type["hold"].here.count >= 1
    now = now_ms()
    line = Timeline.model_validate_json(
        single.queries.timeline_json(TimelineFilter(from_ms=now - 60_000, to_ms=now + 60_000, job_type="hold"), 100)
    )
    assert job in line.job_id
    assert worker.name in line.worker
