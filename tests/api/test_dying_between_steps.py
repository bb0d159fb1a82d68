"""A process dies at any step of a request with an Idempotency-Key: sent again, the request is done once.

Each request is answered by the route's own function, in a process that dies before its first command to a Redis, the
broker's included, before its second, and so on. Then another process answers the same request. At the end a worker
does what all of them have left.
"""

import itertools
import json
import uuid
from collections.abc import Collection
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from fastapi import Request, Response
from support.dying import MOST_COMMANDS, SOON, DiedError, dying, hang_up, recorded, states
from support.recount import recount
from support.workers_under_test import Project, job, new_project

from jobtracker import Status
from jobtracker.schemas.requests import Unique
from jobtracker.server.idempotency import REPLAYED, answered_once
from jobtracker.server.routers import jobs as routes
from jobtracker.server.settings import ApiSettings
from jobtracker.store.kept_answers import KeptAnswers
from jobtracker.store.schema import JobRecord

pytestmark = [pytest.mark.long, pytest.mark.thorough, pytest.mark.timeout(300)]


class Asked(NamedTuple):
    """A request.

    Attributes:
        endpoint: The route's function.
        path: Of the request.
        arguments: For the endpoint.
        status: Of the answer.
        makes: How many jobs it makes.
        root: The job that it is about; None: the one that it makes.
        ends: What may become of that job, and of all below it.
        runs: The run that each may have at the end.
        begun: How often each task has begun then, at most.
    """

    endpoint: Any
    path: str
    arguments: dict[str, Any]
    status: int = 200
    makes: int = 0
    root: str | None = None
    ends: Collection[str] = ("completed",)
    runs: Collection[int] = (1,)
    begun: int = 1


def one(**fields):
    return routes.CreateJob(name="ok", job_type="ok", payload={"value": 7}, **fields)


def tree(**fields):
    subs = [job("collect", sub_jobs=[job("ok", {"value": 1})]), job("ok", {"value": 2})]
    return routes.CreateJobTree(name="collect", job_type="collect", payload={}, sub_jobs=subs, **fields)


def creating(endpoint, body, makes, **ends):
    arguments = {"job": body, "settings": ApiSettings(), "response": Response()}
    return Asked(endpoint, "/api/jobs/", arguments, 201, makes, **ends)


UNSENT = {"ends": ("pending",), "runs": (0,), "begun": 0}


def create(living):
    return creating(routes.create_job, one(), 1, **UNSENT)


def create_and_start(living):
    return creating(routes.create_job, one(start=True), 1)


def create_a_tree(living):
    return creating(routes.create_job_with_sub_jobs, tree(), 4, **UNSENT)


def create_and_start_a_tree(living):
    return creating(routes.create_job_with_sub_jobs, tree(start=True), 4)


def create_a_large_tree(living):
    return creating(routes.create_job_with_sub_jobs, tree(), 4, **UNSENT)


def create_and_start_a_large_tree(living):
    return creating(routes.create_job_with_sub_jobs, tree(start=True), 4)


def create_a_unique_tree(living):
    return creating(routes.create_job_with_sub_jobs, tree(unique=Unique(key=str(uuid.uuid4()))), 4, **UNSENT)


def create_and_start_a_unique_tree(living):
    unique = Unique(key=str(uuid.uuid4()))
    return creating(routes.create_job_with_sub_jobs, tree(start=True, unique=unique), 4)


def of_a_job(endpoint, root, **more):
    return Asked(endpoint, f"/api/jobs/{root}/{endpoint.__name__}", {"job_id": root}, root=root, **more)


def start(living):
    return of_a_job(routes.start_job, living.create("ok", {"value": 7}))


def start_a_tree(living):
    return of_a_job(routes.start_job, living.jobs.create(tree()))


def start_a_large_tree(living):
    return of_a_job(routes.start_job, living.jobs.create(tree()))


def cancel(living):
    return of_a_job(routes.cancel_job, living.launch("ok", {"value": 7}), ends=("cancelled",), begun=0)


def cancel_a_tree_that_was_not_started(living):
    return of_a_job(routes.cancel_job, living.jobs.create(tree()), ends=("cancelled",), runs=(0,), begun=0)


def retry(living):
    root = living.launch("ok", {"value": 7})
    living.jobs.cancel(root)
    return of_a_job(routes.retry_job, root, runs=(2,))


def retry_a_tree(living):
    root = living.jobs.create(tree())
    living.jobs.start(root)
    living.jobs.cancel(root)
    # Who dies when only some of its jobs are about to run again leaves a parent that fails again, and says why.
    return of_a_job(routes.retry_job, root, ends=("completed", "failed", "cancelled"), runs=(1, 2))


REQUESTS = [
    *(create, create_and_start, create_a_tree, create_and_start_a_tree),
    *(create_a_unique_tree, create_and_start_a_unique_tree),
    *(create_a_large_tree, create_and_start_a_large_tree, start, start_a_tree, start_a_large_tree),
    *(cancel, cancel_a_tree_that_was_not_started, retry, retry_a_tree),
]


def answer(project: Project, asked: Asked, key: str) -> Response:
    state = SimpleNamespace(tracking=project.tracking, kept_answers=KeptAnswers(project.client, project.keys))
    scope = {
        "type": "http",
        "method": "POST",
        "path": asked.path,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"idempotency-key", key.encode())],
        "endpoint": asked.endpoint,
        "app": SimpleNamespace(state=state),
    }
    arguments = {**asked.arguments, "tracking": project.tracking}
    return answered_once(Request(scope), b"", asked.endpoint, arguments, asked.status)


class Case(NamedTuple):
    asked: Asked
    after: int | None
    root: str
    made: set[str]
    told: Any


def cases_of(server, living: Project, make) -> list[Case]:
    found = []
    conf = {"broker_transport_options": {"of": make.__name__}}
    with (
        closing(Project(server, living.log_dir, like=living, conf=conf, **SOON)) as mortal,
        pytest.MonkeyPatch.context() as patch,
    ):
        if "large" in make.__name__:
            for number in ("jobs.dispatcher.AT_ONCE", "jobs.dispatcher.HANDED_OVER", "store.drafts._PLANTED"):
                patch.setattr(f"jobtracker.{number}", 1)
        for after in range(MOST_COMMANDS):
            hang_up(mortal, f"{make.__name__} {after}")
            asked, key = make(living), f"{make.__name__}-{after}"
            known, died = recorded(living), None
            try:
                with dying(after):
                    answer(mortal, asked, key)
            except DiedError:
                died = after
            for each in living.client.scan_iter(f"{living.keys.namespace}:*answering:*"):
                living.client.delete(each)  # its lease has run out
            first, again = answer(living, asked, key), answer(living, asked, key)
            assert (first.status_code, again.status_code) == (asked.status, asked.status), (make, died, first.body)
            assert again.headers[REPLAYED] == "true"
            assert again.body == first.body
            told = json.loads(first.body)
            found.append(Case(asked, died, asked.root or told["id"], recorded(living) - known, told))
            if died is None:
                return found
    pytest.fail("it does not come to its end")


@pytest.fixture(scope="module")
def deaths(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as living:
        living.announce()
        living.launch("ok")  # so that the server knows the scripts
        cases = {make.__name__: cases_of(redis_server, living, make) for make in REQUESTS}
        roots = [case.root for case in itertools.chain(*cases.values()) if 0 not in case.asked.runs]
        with living.worker(concurrency=2):
            living.expect_settled(*roots)
            living.expect_status(living.launch("ok"), Status.COMPLETED)  # behind all others
            yield living, cases


@pytest.mark.parametrize("name", [make.__name__ for make in REQUESTS])
def test_what_is_asked_again_after_a_death_is_done_once(deaths, name):
    project, cases = deaths
    assert len(cases[name]) > 3
    wrong = [f"died after {case.after}: {text}" for case in cases[name] for text in check(project, case)]
    assert not wrong, "\n".join(wrong)


def check(project, case):
    now = states(project, [case.root])
    relaunched = dict(zip(now, project.queries.fields([*now], JobRecord.relaunched), strict=True))
    if case.asked.makes and len(now) != case.asked.makes:
        yield f"it has made {len(now)} jobs"
    if apart := case.made - (set(now) if case.asked.makes else set()):
        yield f"it has made {len(apart)} jobs that nobody has asked for"
    for job_id, state in now.items():
        run = state.run - int(relaunched[job_id] or 0)  # nobody has asked for those
        if state.status not in case.asked.ends or run not in case.asked.runs or state.begun > case.asked.begun:
            yield f"{job_id} of {case.root} is {state}"


def test_nothing_else_is_left_of_it(deaths):
    project, _ = deaths
    assert recount(project.client, project.keys) == []
