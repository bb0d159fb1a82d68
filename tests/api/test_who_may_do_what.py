"""Each route by each role; and no key, or one that is wrong, expired, revoked, or for another type."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from support.api_under_test import QUIET_DB
from support.sample_jobs import create_job
from support.serving import Api, problem_of, running_api

from jobtracker.core.access import ROLES, Scope
from jobtracker.schemas.api_keys import Grant
from jobtracker.server import ApiSettings, create_app
from jobtracker.server.access.needs import Reach, needs
from jobtracker.server.page_files import PageRoute
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.store.api_keys import ApiKeys

OF_FASTAPI = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc", "/static-offline-docs"}
OPEN = {("GET", "/api/health"), ("POST", "/api/session"), ("DELETE", "/api/session")}
"""Whoever asks gets an answer: whether it lives, and the login."""

PARAMETERS = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "a": "1", "b": "2"}
LATER = datetime(2100, 1, 1, tzinfo=UTC)


class Way(NamedTuple):
    """A route, and one of its methods."""

    method: str
    path: str
    route: ThreadRoute

    def to(self, job_id: str) -> str:
        path = re.sub(r"\{[a-z_]*job_id\}", job_id, self.path)
        return re.sub(r"\{\w+\}", "none-such", path)


def ways() -> list[Way]:
    routes = create_app(ApiSettings()).routes
    known = [each for each in routes if isinstance(each, ThreadRoute)]
    others = {getattr(each, "path", type(each)) for each in routes if each not in known}
    assert others == {*OF_FASTAPI, PageRoute}
    return [Way(method, each.path, each) for each in known for method in sorted(each.methods)]


WAYS = ways()
CHECKED = [way for way in WAYS if (way.method, way.path) not in OPEN]


@pytest.fixture(scope="module")
def guarded(redis_server, api_log_dir):
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB, inspect_timeout_s=0.05, inspect_cache_s=60
    ) as api:
        yield api


@pytest.fixture(scope="module")
def keys(guarded: Api) -> ApiKeys:
    return ApiKeys(guarded.client, guarded.keys)


@pytest.fixture(scope="module")
def shown(keys):
    """What a request may show of the caller, by name."""

    def bearer(text: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {text}"}

    found = {role: bearer(keys.create(Grant(owner=role, role=role)).key) for role in ROLES}
    admin = keys.create(Grant(owner="gone", role="admin"))
    keys.revoke(admin.id)
    past = datetime.now(UTC) - timedelta(seconds=1)
    others = {"job_types": ["another"]}
    tagged = {"tags": ["another"]}
    wrong = f"jt_{admin.id}_{'0' * 64}"
    return found | {
        "nothing": {},
        "wrong": bearer(wrong),
        "half": bearer(wrong[:40]),
        "basic": {"Authorization": "Basic YTpi"},
        "expired": bearer(keys.create(Grant(owner="old", role="admin", expires_at=past)).key),
        "revoked": bearer(admin.key),
        "of another type": bearer(keys.create(Grant(owner="some", role="admin", **others)).key),
        "of another tag": bearer(keys.create(Grant(owner="some", role="admin", **tagged)).key),
        "of the type": bearer(keys.create(Grant(owner="some", role="admin", job_types=["custom"])).key),
    }


def ask(api: Api, way: Way, headers: dict[str, str], job_id: str = "none-such"):
    query = {**PARAMETERS, "for_s": "0.01"} if way.path.endswith("/events") else PARAMETERS
    known = {field.alias for field in way.route.dependant.query_params} | {"for_s"}
    body = {"json": {}} if way.route.dependant.body_params else {}
    return api.http.request(
        way.method,
        way.to(job_id),
        params={name: value for name, value in query.items() if name in known},
        headers=headers,
        **body,
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_its_scopes_say_on_every_route(guarded, shown, role):
    for way in CHECKED:
        answer = ask(guarded, way, shown[role])
        allowed = way.route.needs.scope in {None, *ROLES[role]}
        if allowed:
            assert answer.status_code not in {401, 403}, (way.method, way.path, answer.text)
            assert answer.status_code < 500 or answer.status_code == 503, (way.method, way.path, answer.text)
        else:
            problem = problem_of(answer, 403)
            assert role in problem["detail"]
            assert way.route.needs.scope in problem["detail"]
            assert problem["type"] == "urn:jobtracker:problem:forbidden"


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nothing", "keys create"),
        ("wrong", "is not known"),
        ("half", "is not known"),
        ("basic", "keys create"),
        ("expired", "is expired"),
        ("revoked", "is revoked"),
    ],
)
def test_nobody_else_may_do_anything_once_there_is_a_key(guarded, shown, what, says):
    for way in CHECKED:
        answer = ask(guarded, way, shown[what])
        problem = problem_of(answer, 401)
        assert says in problem["detail"]
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/docs", "/redoc", "/openapi.json", "/api/none-such", "/api", "/api//jobs/", "/api%2Fjobs%2F"):
        assert guarded.http.get(path, headers=shown[what]).status_code == 401, path
    assert guarded.http.head("/api/jobs/", headers=shown[what]).status_code == 401
    assert guarded.http.request("OPTIONS", "/api/jobs/", headers=shown[what]).status_code == 401


@pytest.mark.parametrize("what", ["of another type", "of another tag"])
def test_a_key_for_other_jobs_gets_nothing_of_a_job_and_no_figures_of_all(guarded, shown, what):
    job_id = create_job(guarded.store, type="custom")
    for way in CHECKED:
        answer = ask(guarded, way, shown[what], job_id)
        reach = way.route.needs.reach
        if reach is Reach.EVERYTHING:
            assert "without job types and tags" in problem_of(answer, 403)["detail"], (way.method, way.path)
        elif reach is not Reach.LIMITED:
            assert problem_of(answer, 404)["job_id"] == job_id, (way.method, way.path)
        elif answer.status_code == 200:
            assert job_id not in answer.text, (way.method, way.path)
    assert guarded.request("GET", f"/api/jobs/{job_id}", 200, headers=shown["of the type"])["status"] == "pending"


def test_the_document_says_what_each_route_needs():
    document = create_app(ApiSettings()).openapi()
    [scheme] = document["components"]["securitySchemes"]
    for way in WAYS:
        if way.route.include_in_schema:
            says = document["paths"][way.path][way.method.lower()]
            assert says.get("x-scope") == way.route.needs.scope
            assert says.get("security") == ([{scheme: []}, {}] if way.route.needs.scope else None)


def test_each_route_that_is_not_a_get_needs_more_than_to_read():
    writes = [way for way in CHECKED if way.method != "GET"]
    assert len(writes) > 10
    assert [way for way in writes if way.route.needs.scope in {None, Scope.JOBS_READ}] == []


def test_all_may_ask_what_is_open_and_nothing_else():
    assert {(way.method, way.path) for way in WAYS if way.route.needs.scope is None} == {*OPEN, ("GET", "/api/me")}


def test_a_route_that_declares_nothing_or_two_things_does_not_start():
    def endpoint() -> None: ...

    options = {"methods": ["GET"], "responses": {}, "openapi_extra": None}
    for declared in ([], [needs(Scope.ADMIN), needs(Scope.JOBS_READ)]):
        with pytest.raises(TypeError, match="/api/new must declare what it needs"):
            ThreadRoute("/api/new", endpoint, dependencies=declared, **options)
