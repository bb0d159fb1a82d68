"""No secret argument is stored once its job has begun, none is told by the API at any time, and none is logged."""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, chain, chord, group
from redis.client import NEVER_DECODE
from support.recount import keys_of
from support.serving import Api, Json, fields_of, job, running_api
from support.workers_under_test import Project, eventually, new_project

from jobtracker import Status, Tracker
from jobtracker.core.masking import MASK
from jobtracker.local.embedded_redis import EmbeddedRedis

BROKER_DB, RESULTS_DB = 11, 12


class Shop:
    """A project with a worker that logs JSON, an API beside it, and all secrets that were ever given to them.

    Attributes:
        project: The project.
        api: The API.
        secrets: What must be found nowhere in the end.
    """

    def __init__(self, project: Project, api: Api) -> None:
        self.project = project
        self.api = api
        self.secrets: list[str] = []

    def secret(self) -> str:
        """A new one, with what is spelled in several ways in it."""
        secret = uuid.uuid4().hex
        self.secrets.append(secret)
        return f'it\'s "{secret}" \\ é'

    def stored(self, *job_ids: str) -> str:
        """All that the tracking Redis holds: of these jobs, or in the whole namespace."""
        client, keys = self.project.client, self.project.keys
        names = [keys(name, job_id) for job_id in job_ids for name in ("job", "data", "log")]
        return "\n".join(f"{name} {read(client, name)}" for name in names or keys_of(client, keys))

    def expect_nowhere(self, *job_ids: str) -> None:
        """Fail where a secret is stored of jobs that have begun, or told of them."""
        told = [json.dumps(self.api.job(each)) + json.dumps(self.api.tree(each)) for each in job_ids]
        for text in (self.stored(*job_ids), *told):
            assert [secret for secret in self.secrets if secret in text] == []

    def create(self, job_type: str, payload: Json, **fields: Any) -> str:
        """Create a job, or with `sub_jobs` a tree, by the API, which must keep its secrets."""
        created = self.api.create(job(job_type, payload, **fields))
        assert self.is_clean(created)
        return str(created["id"])

    def launch(self, job_type: str, payload: Json, **fields: Any) -> str:
        """Create and start it; returns its id."""
        return self.create(job_type, payload, start=True, **fields)

    def is_clean(self, answer: Any) -> bool:
        """An answer tells no secret, and is there."""
        assert answer
        return not any(secret in json.dumps(answer) for secret in self.secrets)


def read(client: Any, key: str) -> Any:
    """What a key holds."""
    readers: dict[str, Callable[[], Any]] = {
        "none": str,
        "string": lambda: str(client.execute_command("GET", key, **{NEVER_DECODE: True})),
        "hash": lambda: client.hgetall(key),
        "zset": lambda: client.zrange(key, 0, -1),
        "list": lambda: client.lrange(key, 0, -1),
        "set": lambda: client.smembers(key),
        "stream": lambda: client.xrange(key),
    }
    return readers[client.type(key)]()


@contextlib.contextmanager
def sender(project: Project) -> Iterator[Celery]:
    """A tracked app of the project that has none of its tasks, as of a process that sends them by name."""
    with untracked(project) as app:
        app.tasks.clear()  # shared tasks join every app
        tracker = Tracker(app, project.settings)
        yield app
        tracker.detach()


def untracked(project: Project) -> Celery:
    """An app that sends to the project's workers."""
    settings = project.settings
    app = Celery("sender", broker=settings.broker_url, backend=settings.result_backend, set_as_current=False)
    app.conf.update(project.conf)
    return app


@pytest.fixture(scope="module")
def shop(redis_server: EmbeddedRedis, worker_log_dir: Path, api_log_dir: Path) -> Iterator[Shop]:
    """The whole of it. When all is done, no secret stands in the tracking Redis or in a log."""
    urls = {
        "celery_broker_url": f"{redis_server.url}/{BROKER_DB}",
        "celery_result_backend": f"{redis_server.url}/{RESULTS_DB}",
    }
    plain = {"broker_transport_options": {"global_keyprefix": ""}, "result_backend_transport_options": {}}
    conf = {**plain, "json_log": True, "worker_send_task_events": True}
    with (
        new_project(redis_server, worker_log_dir, conf=conf, **urls) as project,
        project.worker("masking", concurrency=2),
        running_api(
            api_log_dir, redis_url=redis_server.url, tracking_namespace=project.name, debug=True, **urls
        ) as api,
    ):
        shop = Shop(project, api)
        yield shop
        [worker_log] = worker_log_dir.glob("masking-*.log")
        for text in (shop.stored(), api.process.log_path.read_text(), worker_log.read_text()):
            assert [secret for secret in shop.secrets if secret in text] == []


# -- plain Celery -------------------------------------------------------------------------------------------------


def plain_calls(shop: Shop) -> dict[str, Callable[[], list[str]]]:
    """Ways to call tasks with a card; each returns the ids of the jobs."""
    pay, bill, collect = (shop.project.app.tasks[name] for name in ("pay", "bill", "collect"))
    app, secret = shop.project.app, shop.secret
    return {
        "by position": lambda: [pay.delay(5, secret()).id],
        "by name": lambda: [pay.delay(5, card=secret(), note="kept").id],
        "inside of another argument": lambda: [pay.delay(5, parts=[{"card": {"number": secret()}}]).id],
        "by the name of the task": lambda: [app.send_task("pay", (5, secret())).id],
        "in a chain": lambda: ids_of(chain(pay.si(5, secret()), pay.s(secret()), app=app).apply_async()),
        "in a group": lambda: [r.id for r in group(pay.s(n, secret()) for n in range(2)).apply_async().results],
        "in a chord's header": lambda: ids_of(chord([pay.s(1, secret())], collect.s(), app=app).apply_async()),
        "in a chord's body": lambda: ids_of(chord([pay.s(1)], bill.s(secret()), app=app).apply_async()),
        "in a map": lambda: [pay.starmap([(1, secret()), (2, secret())]).apply_async().id],
    }


def ids_of(result: Any) -> list[str]:
    """The ids of a chain's or chord's tasks."""
    ids = []
    while result is not None:
        ids += [each.id for each in result.results] if hasattr(result, "results") else [result.id]
        result = result.parent
    return ids[::-1]


@pytest.mark.parametrize(
    "way",
    [
        "by position",
        "by name",
        "inside of another argument",
        "by the name of the task",
        "in a chain",
        "in a group",
        "in a chord's header",
        "in a chord's body",
        "in a map",
    ],
)
def test_a_card_that_plain_celery_code_gives_is_neither_stored_nor_told(shop, way):
    ids = plain_calls(shop)[way]()
    shop.expect_nowhere(*ids)
    assert set(shop.project.expect_settled(*ids)) == {Status.COMPLETED}
    shop.expect_nowhere(*ids)


@pytest.mark.parametrize(
    ("how", "status"), [("fail", Status.FAILED), ("reject", Status.FAILED), ("retry", Status.COMPLETED)]
)
def test_what_a_task_says_of_the_card_when_it_raises_is_masked(shop, how, status):
    job_id = shop.project.send("pay", 5, shop.secret(), how)
    found = shop.project.expect_status(job_id, status)
    shop.expect_nowhere(job_id)
    if status is Status.FAILED:
        assert MASK in found.reason
        assert MASK in found.error.message
        assert f"{found.error.type}: " in found.error.traceback


def test_events_about_an_error_tell_no_card_and_the_log_no_result(shop):
    with events(shop.project.app) as seen:
        eventually(lambda: shop.project.send("ok") and seen)
        failed = shop.project.send("pay", 5, shop.secret(), "fail")
        retried = shop.project.send("pay", amount := uuid.uuid4().hex, shop.secret(), "retry")
        wanted = {(failed, "task-failed"), (retried, "task-retried"), (retried, "task-succeeded")}
        eventually(lambda: wanted <= seen.keys())
    for which in ((failed, "task-failed"), (retried, "task-retried")):
        told = json.dumps(seen[which], default=str)
        assert MASK in told
        assert shop.is_clean(told)
    [worker_log] = shop.project.log_dir.glob("masking-*.log")
    eventually(lambda: f"pay[{retried}] succeeded in " in worker_log.read_text())
    assert amount not in worker_log.read_text()


@contextlib.contextmanager
def events(app: Celery) -> Iterator[dict[tuple[str, str], Any]]:
    """Celery's events of tasks, by task id and type, as Flower gets them."""
    seen: dict[tuple[str, str], Any] = {}
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(
            connection, handlers={"*": lambda event: seen.update({(event.get("uuid"), event["type"]): event})}
        )
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            receiver.should_stop = True
            thread.join()


def test_a_repr_shows_the_rest_of_the_arguments(shop):
    job_id = shop.project.send("pay", 5, shop.secret(), kwargs={"note": "birthday"})
    found = shop.project.expect_status(job_id, Status.COMPLETED)
    assert found.arguments_repr == "(5, '***') {'note': 'birthday'}"


def test_a_repr_that_the_call_brings_is_respected(shop):
    job_id = shop.project.send("pay", 5, shop.secret(), argsrepr="(an amount, a card)")
    body = shop.project.signature("bill", shop.secret(), argsrepr="(a card)")
    parent = shop.project.chord([shop.project.signature("pay", 1)], body)
    shop.project.expect_settled(job_id, parent)
    assert shop.project.job(job_id).arguments_repr == "(an amount, a card) {}"
    assert shop.project.job(parent).arguments_repr == "(a card) {}"


def test_what_an_earlier_task_passes_on_is_left_out_too(shop):
    passed = uuid.uuid4().hex
    app = shop.project.app
    first, then = ids_of(chain(app.tasks["ok"].si(passed), app.tasks["silent"].s(), app=app).apply_async())
    shop.project.expect_status(then, Status.COMPLETED)
    assert passed in shop.stored(first)
    assert passed not in shop.stored(then)


def test_a_process_that_knows_a_task_by_its_name_masks_as_the_workers_have_announced(shop):
    with sender(shop.project) as app:
        job_id = app.send_task("pay", (5, shop.secret())).id
        shop.expect_nowhere(job_id)
        assert shop.project.expect_status(job_id, Status.COMPLETED).arguments_repr == "(5, '***') {}"


def test_of_a_task_that_nobody_has_announced_no_arguments_are_recorded(shop):
    with sender(shop.project) as app:
        job_id = app.send_task("nobody's", (shop.secret(),), queue="nobody's").id
        shop.expect_nowhere(job_id)
        assert shop.api.job(job_id)["arguments_repr"] is None


def test_arguments_that_are_stored_whole_lack_the_card_and_can_not_run_again(shop):
    job_id = shop.project.send("pay_and_keep", 5, shop.secret())
    found = shop.project.expect_status(job_id, Status.FAILED)
    assert (found.args, found.payload) == ([5, MASK], {})
    assert "pay_and_keep masks card" in shop.api.refused(job_id, "retry")
    without_card = shop.project.send("pay_and_keep", 5)
    shop.project.expect_status(without_card, Status.FAILED)
    assert shop.api.post(without_card, "retry")["run"] == 2
    shop.project.expect_status(without_card, Status.FAILED)


def test_a_job_that_its_publisher_did_not_record_is_recorded_by_the_worker_without_the_card(shop):
    with untracked(shop.project) as app:
        plain = app.send_task("pay", (5, shop.secret()), retry=False).id
        own = app.send_task("pay", (5, shop.secret()), argsrepr="(hidden)").id
        shop.project.expect_status(plain, Status.COMPLETED)
        shop.project.expect_status(own, Status.COMPLETED)
    assert shop.project.job(plain).arguments_repr == "(5, '***') {}"
    assert shop.project.job(own).arguments_repr == "*** {}"


# -- through the API ----------------------------------------------------------------------------------------------


def test_a_payload_is_told_masked_from_the_start_and_stored_masked_from_when_its_job_begins(shop):
    secret = shop.secret()
    gate = f"gate {shop.secrets[-1][:3]}"
    job_id = shop.create("payment", {"amount": 5, "card": secret, "how": gate})
    assert shop.is_clean(shop.api.job(job_id))
    assert shop.secrets[-1] in shop.stored(job_id)
    started = shop.api.post(job_id, "start")
    assert started["payload"] == {"amount": 5, "card": MASK, "how": gate}
    shop.project.expect_status(job_id, Status.RUNNING)
    shop.expect_nowhere(job_id)
    assert shop.is_clean(shop.project.app.control.inspect().active(safe=True))
    [worker] = shop.api.get("/api/tracking/worker-stats")
    assert [told["kwargs"] for told in worker["active"]] == [{"amount": 5, "card": MASK, "how": gate}]
    shop.project.diary.open_gate(gate)
    shop.project.expect_status(job_id, Status.COMPLETED)
    assert shop.api.job(job_id)["payload"] == {"amount": 5, "card": MASK, "how": gate}


@pytest.mark.parametrize(
    ("job_type", "payload", "shown"),
    [
        ("payment", {"parts": [{"card": ...}]}, {"parts": [{"card": MASK}]}),
        ("custom", {"task": "pay", "kwargs": {"card": ...}}, {"task": "pay", "kwargs": {"card": MASK}}),
        ("custom", {"task": "payment", "args": [5, ...]}, {"task": "payment", "args": [5, MASK], "kwargs": {}}),
        ("login", {"account": {"user": "ann", "pin": ...}}, {"account": {"user": "ann", "pin": MASK}}),
        ("login", {"account": {"user": "ann"}, "password": ...}, {"account": {"user": "ann"}, "password": MASK}),
        ("silent", {"note": ...}, None),
        ("custom", {"task": "silent", "kwargs": {"note": ...}}, {"task": "silent"}),
    ],
)
def test_a_payload_is_masked_wherever_the_secret_stands(shop, job_type, payload, shown):
    filled = fill(payload, shop.secret())
    job_id = shop.create(job_type, filled)
    assert shop.api.job(job_id)["payload"] == shown
    shop.api.post(job_id, "start")
    shop.api.expect(job_id, "completed")
    shop.expect_nowhere(job_id)
    assert shop.api.job(job_id)["payload"] == shown


def fill(value: Any, secret: str) -> Any:
    """A payload with the secret where dots stand."""
    if isinstance(value, dict):
        return {key: fill(item, secret) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, secret) for item in value]
    return secret if value is ... else value


def test_a_tree_tells_and_keeps_no_card_of_any_of_its_jobs(shop):
    subs = [job("payment", {"amount": n, "card": shop.secret()}) for n in range(2)]
    subs.append(
        job("bill", {"card": shop.secret()}, sub_jobs=[job("custom", {"task": "pay", "args": [3, shop.secret()]})])
    )
    root = shop.launch("bill", {"card": shop.secret()}, sub_jobs=subs)
    assert shop.is_clean(shop.api.tree(root))
    done = shop.api.expect(root, "completed")
    assert (done["result"], done["payload"], done["args"]) == ([0, 1, [3]], {"card": MASK}, None)
    shop.expect_nowhere(*shop.project.queries.families(root))


def test_a_failed_job_can_not_run_again_and_says_why(shop):
    job_id = shop.launch("payment", {"card": shop.secret(), "how": "fail"})
    shop.api.expect(job_id, "failed")
    shop.expect_nowhere(job_id)
    assert "its type payment masks card" in shop.api.refused(job_id, "retry")
    silent = shop.launch("silent", {"note": shop.secret(), "fails": True})
    shop.api.expect(silent, "failed")
    assert "its type silent stores none" in shop.api.refused(silent, "retry")


def test_a_failed_tree_can_not_run_again_where_one_job_can_not_and_names_all_of_these(shop):
    subs = [job("payment", {"card": shop.secret(), "how": "refuse"}) for _ in range(2)]
    root = shop.launch("bill", {"card": shop.secret()}, sub_jobs=[*subs, job("fail", {})])
    shop.api.expect(root, "failed")
    families = shop.project.queries.families(root)
    shop.project.expect_settled(*families)
    why = shop.api.refused(root, "retry")
    assert [sub in why for sub in families[root]] == [True, True, False]
    assert root not in why  # its own task has not begun
    assert {shop.project.job(each).run for each in families} == {1}
    shop.api.request("DELETE", f"/api/jobs/{root}", 204)


def test_a_tree_runs_again_where_what_is_masked_had_not_begun_or_completed(shop):
    gate = f"mended {uuid.uuid4().hex[:6]}"
    good = job("payment", {"amount": 1, "card": shop.secret()})
    root = shop.launch("bill", {"card": shop.secret()}, sub_jobs=[good, job("mended", {"name": gate, "value": 2})])
    shop.api.expect(root, "failed")
    shop.project.expect_settled(*shop.project.queries.families(root))
    shop.project.diary.open_gate(gate)
    shop.api.post(root, "retry")
    assert shop.api.expect(root, "completed")["result"] == [1, 2]
    shop.expect_nowhere(*shop.project.queries.families(root))


def test_a_job_that_was_cancelled_before_it_began_runs_again_with_its_card(shop):
    job_id = shop.create("payment", {"amount": 5, "card": shop.secret()})
    assert shop.is_clean(shop.api.post(job_id, "cancel"))
    shop.api.post(job_id, "retry")
    assert shop.api.expect(job_id, "completed")["result"] == 5
    shop.expect_nowhere(job_id)


def test_a_running_job_that_is_killed_leaves_no_card(shop):
    gate = f"gate {uuid.uuid4().hex[:6]}"
    job_id = shop.launch("payment", {"card": shop.secret(), "how": gate})
    shop.project.expect_status(job_id, Status.RUNNING)
    shop.api.post(job_id, "cancel", json={"terminate": True})
    shop.api.expect(job_id, "cancelled")
    shop.expect_nowhere(job_id)


def test_a_changed_payload_is_masked_and_what_an_answer_shows_is_no_value(shop):
    job_id = shop.create("payment", {"amount": 1, "card": shop.secret()})
    path = f"/api/jobs/{job_id}"
    changed = shop.api.request("PUT", path, 200, json={"payload": {"amount": 2, "card": shop.secret()}})
    assert changed["payload"] == {"amount": 2, "card": MASK}
    problem = shop.api.problem("PUT", path, 422, json={"payload": changed["payload"]})
    assert fields_of(problem) == ["body.payload"]
    assert "send the value" in problem["detail"]
    shop.api.post(job_id, "start")
    assert shop.api.expect(job_id, "completed")["result"] == 2
    shop.expect_nowhere(job_id)


def test_a_job_that_runs_outside_of_celery_keeps_no_card_once_it_has_begun(shop):
    job_id = shop.create("payment", {"amount": 1, "card": shop.secret()})
    answer = shop.api.request("PUT", f"/api/jobs/{job_id}", 200, json={"status": "running"})
    assert answer["payload"] == {"amount": 1, "card": MASK}
    shop.expect_nowhere(job_id)
    shop.api.request("PUT", f"/api/jobs/{job_id}", 200, json={"status": "completed", "result": 1})


@pytest.mark.parametrize(
    ("job_type", "payload", "field"),
    [
        ("login", {"account": {"user": "ann", "pin": [...]}}, "body.payload.account.pin"),
        ("login", {"account": {"user": {"pin": ...}}}, "body.payload.account.user"),
        ("login", {"account": [{"pin": ...}]}, "body.payload.account"),
        ("login", {"account": {"user": "ann"}, "password": {"x": ...}}, "body.payload.password"),
        ("custom", {"task": "login", "kwargs": {"account": {"pin": ...}}}, "body.payload.kwargs.account"),
        ("silent", {"fails": ...}, "body.payload.fails"),
    ],
)
def test_a_refusal_of_a_payload_tells_no_secret(shop, job_type, payload, field):
    body = job(job_type, fill(payload, shop.secret()))
    problem = shop.api.problem("POST", "/api/jobs/", 422, json=body)
    assert shop.is_clean(problem)
    assert field in fields_of(problem)
