"""Attaching to a Celery app and detaching from it; which of its tasks are tracked."""

import asyncio
import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery, Task, chain, shared_task, signals
from celery.local import Proxy
from project.tasks.outcomes import ok
from project.tasks.self_reports import Declared
from pydantic import BaseModel
from support.workers_under_test import new_project

from jobtracker import Settings, Status, Tracker, tracked
from jobtracker.core.declarations import declaration_of
from jobtracker.schemas.filters import JobFilter

ALL_SIGNALS = [
    signals.before_task_publish,
    signals.after_task_publish,
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_received,
    signals.task_rejected,
    signals.task_internal_error,
    signals.task_failure,
    signals.task_retry,
    signals.task_revoked,
    signals.task_unknown,
    signals.worker_init,
    signals.worker_process_init,
    signals.worker_ready,
    signals.worker_shutting_down,
    signals.worker_shutdown,
]


def receivers():
    return {signal.name: [key for key, _ in signal.receivers or []] for signal in ALL_SIGNALS}


@pytest.fixture
def app():
    app = Celery("attached", broker="memory://", backend="cache+memory://", set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def settings(redis_server):
    return Settings(redis_url=redis_server.url, tracking_namespace=f"test-{uuid.uuid4().hex}")


@contextlib.contextmanager
def attached(app, settings, **options):
    tracker = Tracker(app, settings, **options)
    try:
        yield tracker
    finally:
        tracker.detach()
        tracker.tracking.client.close()


def lines(count: int):
    """A function to make a task of."""


class WorkerOf:
    """What Celery's signals of a worker's main process come from, as far as jobtracker looks."""

    def __init__(self, app):
        self.app = app


def stored(tracker):
    return tracker.tracking.queries.page(JobFilter()).total


# -- attach and detach ----------------------------------------------------------------------------------------------


def test_detaching_leaves_nothing_behind(app, settings):
    before = receivers(), dict(vars(app)).keys(), app.send_task
    with attached(app, settings):
        assert receivers() != before[0]
    assert (receivers(), dict(vars(app)).keys(), app.send_task) == before


def test_detaching_in_a_worker_leaves_no_guard_on_its_tasks(app, settings):
    class Guarded(Task):
        def before_start(self, task_id, args, kwargs):
            """The user's own."""

    @app.task(shared=False, base=Guarded)
    def one():
        pass

    @app.task(shared=False)
    def two():
        pass

    classes = {type(task) for task in app.tasks.values()}
    before = {(each, name): vars(each).get(name) for each in classes for name in ("before_start", "Request")}
    with attached(app, settings):
        signals.worker_init.send(sender=WorkerOf(app))
        assert not [(each, name) for (each, name), value in before.items() if getattr(each, name) == value]
    assert {(each, name): vars(each).get(name) for each, name in before} == before


def test_attaching_twice_tracks_once(app, settings):
    with attached(app, settings) as tracker:
        before = receivers()
        second = Tracker(app, settings)
        assert receivers() == before
        app.send_task("anything")
        assert stored(tracker) == stored(second) == 1


def test_a_second_tracker_that_is_detached_detaches_the_app(app, settings):
    before = receivers()
    with attached(app, settings):
        Tracker(app, settings).detach()
        assert receivers() == before


def test_what_is_sent_after_detaching_is_not_tracked(app, settings):
    with attached(app, settings) as tracker:
        tracker.detach()
        app.send_task("anything")
        assert stored(tracker) == 0


def test_an_app_may_be_configured_after_the_tracker_attached(settings):
    app = Celery("late", set_as_current=False)
    with attached(app, settings) as tracker:
        app.config_from_object({"broker_url": "memory://", "task_default_queue": "late-queue"})
        job_id = app.send_task("anything").id
        assert tracker.tracking.queries.get(job_id).queue == "late-queue"
    app.close()


def test_two_apps_of_one_process_are_tracked_apart(app, settings, redis_server):
    other_app = Celery("other", broker="memory://", set_as_current=False)
    other_settings = Settings(redis_url=redis_server.url, tracking_namespace=f"test-{uuid.uuid4().hex}")
    untracked = Celery("untracked", broker="memory://", set_as_current=False)
    with attached(app, settings) as tracker, attached(other_app, other_settings) as other:
        app.send_task("mine")
        assert (stored(tracker), stored(other)) == (1, 0)
        other_app.send_task("theirs")
        untracked.send_task("nobody's")
        assert (stored(tracker), stored(other)) == (1, 1)
    other_app.close()
    untracked.close()


def test_a_tracker_of_a_proxy_tracks_the_app_behind_it(app, settings):
    with attached(Proxy(lambda: app), settings) as tracker:
        assert tracker.app is app
        app.send_task("anything")
        assert stored(tracker) == 1
    assert "send_task" not in vars(app)


@pytest.mark.parametrize("attached_first", [True, False])
def test_shared_tasks_are_tracked_before_and_after_the_tracker_is_made(settings, attached_first):
    app = Celery("shared", broker="memory://", set_as_current=False)

    def work():
        pass

    name = f"shared-{uuid.uuid4().hex}"
    if not attached_first:
        shared_task(name=name)(work)
    with attached(app, settings) as tracker:
        if attached_first:
            shared_task(name=name)(work)
        app.finalize()
        app.tasks[name].delay()
        assert [job.task for job in tracker.tracking.queries.page(JobFilter()).jobs] == [name]
    app.close()


def test_what_threads_and_coroutines_publish_at_the_same_time_is_tracked(own_project):
    with ThreadPoolExecutor(4) as threads:
        from_threads = list(threads.map(lambda n: own_project.send("ok", n), range(40)))

    async def publish():
        here = [own_project.send("ok", n) for n in range(5)]
        aside = await asyncio.gather(*(asyncio.to_thread(own_project.send, "ok", n) for n in range(20)))
        return here + aside

    ids = [*from_threads, *asyncio.run(publish())]
    assert len(set(ids)) == 65
    jobs = own_project.queries.page(JobFilter(), size=100).jobs
    assert {job.id for job in jobs} == set(ids)
    assert {job.sent_by for job in jobs} == {None}


# -- which tasks ----------------------------------------------------------------------------------------------------


def test_eager_tasks_are_not_tracked(app, settings):
    @app.task(shared=False)
    def works():
        return 1

    @app.task(shared=False)
    def breaks():
        raise ValueError("as asked")

    @app.task(shared=False, bind=True, max_retries=1)
    def tries(self):
        raise self.retry(countdown=0)

    with attached(app, settings) as tracker:
        assert works.apply().get() == 1
        assert breaks.apply().state == "FAILURE"
        assert tries.apply().state in {"RETRY", "FAILURE"}
        app.conf.task_always_eager = True
        assert works.delay().get() == 1
        assert stored(tracker) == 0


def test_a_tracker_of_declared_tasks_does_not_see_others(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, track="declared") as project, project.worker():
        plain = project.send("ok")
        job = project.expect(project.send("declared", 7), Status.COMPLETED, "SUCCESS", ["began", "returned"])
        assert (job.job_type, job.task, job.args, job.result) == ("declared_type", "declared", [7], 7)
        project.expect_untracked(plain, "SUCCESS", ["began", "returned"])
        project.expect_untracked(project.send("fail"), "FAILURE", ["began"])
        project.expect_untracked(project.send("flaky"), "SUCCESS", ["began attempt 0", "began attempt 1", "returned"])
        project.expect_untracked(project.app.send_task("unheard_of", queue=project.queue).id, "FAILURE", [])
        assert stored(project.tracker) == 1
        announced = project.tracking.registry.all()
        assert announced.keys() >= {"declared_type", "secret"}
        assert announced.keys().isdisjoint({"declared", "ok", "fail", "flaky"})


def test_a_declared_task_that_others_replace_is_tracked_to_its_end(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, track="declared") as project, project.worker():
        for by, did in {"task": ["began", "returned"], "group": []}.items():
            project.expect(project.send("replaced", by), Status.COMPLETED, "SUCCESS", [f"replaced by {by}", *did])
        assert stored(project.tracker) == 2


def test_of_a_tree_the_declared_tasks_are_tracked(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, track="declared") as project, project.worker():
        header = [project.signature("declared", 1), project.signature("ok", 2)]
        declared = project.chord(header, project.signature("collect"))
        undeclared = project.chord(header, project.signature("collect_errors"))
        project.expect(declared, Status.COMPLETED, "SUCCESS", ["began", "returned"])
        assert [sub.task for sub in project.queries.tree(declared).sub_jobs] == ["declared"]
        project.expect_untracked(undeclared, "SUCCESS", ["began", "returned"])
        tasks = [project.signature("declared", 1), project.signature("ok"), project.signature("declared")]
        last = chain(*tasks).apply_async()
        project.expect(last.id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
        project.expect(last.parent.parent.id, Status.COMPLETED, "SUCCESS", ["began", "returned"])


# -- declarations ---------------------------------------------------------------------------------------------------


def test_a_declaration_goes_below_app_task(app, settings):
    @app.task(shared=False, name="below")
    @tracked("invoice", store_arguments="full")
    def below(lines: list[int]):
        pass

    with attached(app, settings) as tracker:
        job_id = below.delay([1, 2]).id
        job = tracker.tracking.queries.get(job_id)
        assert (job.job_type, job.task, job.args) == ("invoice", "below", [[1, 2]])


def test_a_declaration_above_app_task_is_refused_with_a_sentence(app):
    with pytest.raises(TypeError, match="below"):
        tracked("invoice")(app.task(lines, shared=False))
    with pytest.raises(TypeError, match="below"):
        tracked("invoice")(ok)


def test_a_class_based_task_is_declared_on_its_class(app, settings):
    app.register_task(tracked("by_class", store_arguments="full")(Declared)())
    with attached(app, settings) as tracker:
        job_id = app.tasks["declared_class"].apply_async(kwargs={"value": 3}).id
        job = tracker.tracking.queries.get(job_id)
        assert (job.job_type, job.payload) == ("by_class", {"value": 3})


def test_the_decorator_of_a_tracker_names_the_task_after_its_type(app, settings):
    class Payload(BaseModel):
        pages: int

    with attached(app, settings) as tracker:

        @tracker.task("report", payload=Payload, shared=False)
        def make_report(**payload):
            """Write a report.

            At length.
            """

        (announced,) = [each for each in tracker.job_types() if each.name == "report"]
        assert (announced.task, announced.description) == ("report", "Write a report.")
        assert announced.payload_schema == Payload.model_json_schema()
        assert declaration_of(app.tasks["report"]).job_type == "report"


def test_arguments_are_stored_as_a_bounded_repr_unless_a_task_says_full(app, settings):
    app.task(lines, name="plain", shared=False)
    with attached(app, settings) as tracker:
        job_id = app.send_task("plain", args=["x" * 5000], kwargs={"key": 1}).id
        job = tracker.tracking.queries.get(job_id)
        assert (job.args, job.payload) == (None, None)
        assert len(job.arguments_repr) <= 1024
