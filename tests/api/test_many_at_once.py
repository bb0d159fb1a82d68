"""Two hundred requests at once on one job: whoever wins, no half state, and nothing runs that must not."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from support.raw_records import stored
from support.recount import keys_of, recount
from support.serving import SETTLED, Api, Json, eventually, job, running_api
from support.workers_under_test import Project, new_project

from jobtracker.core.job import job_and_run_of

pytestmark = [pytest.mark.long, pytest.mark.thorough]

REQUESTS = 200
BROKER_DB = 12
LEGAL = {200, 204, 404, 409}


class Shop(NamedTuple):
    """A project with a worker, and two processes of an API for its jobs."""

    project: Project
    api: Api
    other_api: Api


@pytest.fixture(scope="module")
def shop(redis_server, worker_log_dir, api_log_dir) -> Iterator[Shop]:
    brokers = {
        "celery_broker_url": f"{redis_server.url}/{BROKER_DB}",
        "celery_result_backend": f"{redis_server.url}/{BROKER_DB}",
    }
    shared = {"redis_url": redis_server.url, **brokers}
    conf: Json = {"broker_transport_options": {"global_keyprefix": ""}, "result_backend_transport_options": {}}
    with (
        new_project(redis_server, worker_log_dir, conf=conf, **brokers) as project,
        project.worker("shop", concurrency=2),
        running_api(api_log_dir, tracking_namespace=project.name, **shared) as api,
        running_api(api_log_dir, tracking_namespace=project.name, **shared) as other_api,
    ):
        yield Shop(project, api, other_api)


class Answer(NamedTuple):
    """What one of the requests got, and what the tasks had done by then."""

    what: str
    status: int
    body: Json
    began: Counter[str]


def began(shop: Shop) -> Counter[str]:
    """How often each task has begun."""
    return Counter(task_id for task_id, what in shop.project.diary.read_all() if what == "began")


def ask_at_once(shop: Shop, ids: list[str], mix: dict[str, int]) -> list[Answer]:
    """Make the requests, as many of each kind as its weight says."""
    chosen = random.Random(1)
    kinds = chosen.choices(list(mix), list(mix.values()), k=REQUESTS)
    targets = [ids[0] if chosen.random() < 0.7 else chosen.choice(ids) for _ in kinds]

    async def ask(client: httpx.AsyncClient, kind: str, job_id: str) -> Answer:
        base_url = chosen.choice([shop.api, shop.other_api]).http.base_url
        path = f"{base_url}/api/jobs/{job_id}"
        if kind in PUTS:
            response = await client.put(path, json=PUTS[kind])
        elif kind == "delete":
            response = await client.delete(path)
        elif kind in {"get", "with-subjobs"}:
            response = await client.get(path if kind == "get" else f"{path}/{kind}")
        else:
            response = await client.post(f"{path}/{kind}")
        body: Json = response.json() if response.content else {"id": job_id}
        return Answer(kind, response.status_code, body, began(shop))

    async def ask_all() -> list[Answer]:
        limits = httpx.Limits(max_connections=REQUESTS)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return await asyncio.gather(*map(ask, [client] * REQUESTS, kinds, targets))

    return asyncio.run(ask_all())


PUTS: dict[str, Json] = {
    "rename": {"name": "another", "tags": ["a"]},
    "hurry": {"priority": "critical", "name": "urgent"},
    "begin": {"status": "running", "progress": {"done": 1, "total": 2}},
    "end": {"status": "completed", "result": 1},
    "give up": {"status": "failed", "error": {"type": "Error", "message": "no"}},
}
MIXES: dict[str, dict[str, int]] = {
    "all": {
        "start": 4,
        "cancel": 4,
        "retry": 4,
        "delete": 2,
        "rename": 1,
        "hurry": 1,
        "begin": 1,
        "end": 1,
        "get": 2,
    },
    "runs": {"start": 2, "cancel": 3, "retry": 6, "with-subjobs": 1, "rename": 1},
    "outside": {"start": 1, "begin": 3, "end": 1, "give up": 2, "hurry": 3, "retry": 1, "cancel": 1},
    "short": {"start": 2, "delete": 2, "cancel": 1, "get": 1},
}


def one(task: str = "ok", **payload: Any) -> Json:
    return job(task, payload)


def family() -> Json:
    inner = {**job("collect", {"label": "inner"}), "sub_jobs": [one(), one()]}
    return {**job("collect", {"label": "root"}), "sub_jobs": [one(), inner, one("fail"), one()]}


def families_of(tree: Json) -> list[str]:
    return [tree["id"], *(each for sub in tree.get("sub_jobs", []) for each in families_of(sub))]


@pytest.mark.parametrize(
    ("what", "mix"),
    [
        ("job", "short"),
        ("job", "outside"),
        ("failing", "all"),
        ("failing", "runs"),
        *(("tree", mix) for mix in MIXES),
    ],
)
def test_whatever_is_asked_at_once_leaves_one_state(shop, what, mix):
    body = {"job": one(), "failing": one("fail"), "tree": family()}[what]
    ids = families_of(shop.api.create(body))
    answers = ask_at_once(shop, ids, MIXES[mix])

    strange = [answer for answer in answers if answer.status not in LEGAL]
    assert not strange, strange[:3]
    assert any(answer.status in {200, 204} for answer in answers)

    def unsettled() -> dict[str, Any]:
        found = {
            i: [stored(shop.project.client, shop.project.keys, i).get(field) for field in ("status", "run")]
            for i in ids
        }
        # One that nobody has started may wait, and one that is reported on from outside may run.
        return {i: s for i, s in found.items() if s[0] and s[0] not in SETTLED and s[1] != "0"}

    eventually(lambda: not unsettled(), lambda: f"these do not settle: {unsettled()}")
    eventually(lambda: shop.project.client.llen(shop.project.queue) == 0)
    assert recount(shop.project.client, shop.project.keys) == []

    times = {task: n for task, n in began(shop).items() if job_and_run_of(task)[0] in ids}
    assert all(n == 1 for n in times.values()), f"executed more than once: {times}"
    for answer in answers:
        if answer.what == "delete" and answer.status == 204:
            gone = ids if answer.body["id"] == ids[0] else [answer.body["id"]]
            later = {t: n for t, n in times.items() if job_and_run_of(t)[0] in gone and n > answer.began[t]}
            assert not later, f"begun after the delete was answered: {later}"
            left = [key for key in keys_of(shop.project.client, shop.project.keys) if any(i in key for i in gone)]
            assert not [key for key in left if not re.search(":tombstone:", key)]
        elif answer.what == "cancel" and answer.status == 200 and answer.body["status"] == "cancelled":
            task = answer.body["task_id"] or answer.body["id"]
            assert times.get(task, 0) <= answer.began[task], f"{task} began after its cancel was answered"
