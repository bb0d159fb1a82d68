"""A POST with an Idempotency-Key: done once, and answered the same each time."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from fastapi import Request, Response
from support.api_under_test import QUIET_DB
from support.servers import Relay
from support.serving import Api, eventually, fields_of, parent, path_of, problem_of, running_api
from support.serving import job as any_job

from jobtracker.core.access import Principal, PrincipalKind, acting
from jobtracker.errors import (
    BrokerUnavailableError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    TooManyRequestsError,
    UnknownJobTypeError,
)
from jobtracker.schemas.problems import MAY_BE_DONE
from jobtracker.server.idempotency import answered_once, has_secret
from jobtracker.store import kept_answers
from jobtracker.store.kept_answers import KeptAnswer, KeptAnswers

TEXT = {"text": "Ferries leave the harbour at noon."}
REPLAYED = "idempotent-replayed"


def job(**fields):
    return any_job("document_analysis", TEXT, **fields)


def large(**fields):
    return any_job("document_analysis", {"text": "A ferry leaves. " * 1000}, **fields)


@pytest.fixture
def key():
    return str(uuid.uuid4())


def send(api: Api, path: str, key: str, body=None):
    return api.http.post(path, json=body, headers={"Idempotency-Key": key})


def jobs_in(api: Api) -> int:
    return int(api.get("/api/jobs/", page_size=1)["total"])


def many(count: int):
    return parent(*(job() for _ in range(count)))


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize(
    "body", [job(), large(), parent(job(), parent(job())), many(60)], ids=["job", "large_job", "tree", "large_tree"]
)
def test_the_same_request_makes_jobs_once_and_gets_the_same_answer(quiet_api, key, body, start):
    before = jobs_in(quiet_api)
    first, again = (send(quiet_api, path_of(body), key, {**body, "start": start}) for _ in range(2))
    assert (first.status_code, REPLAYED in first.headers) == (201, False)
    assert (again.status_code, again.headers[REPLAYED]) == (201, "true")
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert jobs_in(quiet_api) == before + 1 + first.text.count('"parent_id":"')
    other = send(quiet_api, path_of(body), str(uuid.uuid4()), {**body, "start": start})
    assert other.json()["id"] != first.json()["id"]


def test_the_answer_stays_as_it_was_whatever_becomes_of_the_job(quiet_api, key):
    created = send(quiet_api, "/api/jobs/", key, job()).json()
    started = send(quiet_api, f"/api/jobs/{created['id']}/start", f"{key}-start").json()
    cancelled = send(quiet_api, f"/api/jobs/{created['id']}/cancel", f"{key}-cancel", {"reason": "not now"}).json()
    assert (created["run"], started["run"], cancelled["status"]) == (0, 1, "cancelled")
    retried = send(quiet_api, f"/api/jobs/{created['id']}/retry", f"{key}-retry").json()
    assert (retried["run"], retried["status"]) == (2, "pending")
    quiet_api.request("DELETE", f"/api/jobs/{quiet_api.create(job())['id']}", 204)
    assert send(quiet_api, "/api/jobs", key, job()).json() == created
    for verb, answer, body in (("start", started, None), ("cancel", cancelled, {"reason": "not now"})):
        assert send(quiet_api, f"/api/jobs/{created['id']}/{verb}", f"{key}-{verb}", body).json() == answer
    assert send(quiet_api, f"/api/jobs/{created['id']}/retry", f"{key}-retry").json() == retried
    assert quiet_api.job(created["id"])["run"] == 2


def test_a_refusal_is_kept_too_and_names_the_request_that_gets_it(quiet_api, key):
    job_id = quiet_api.create(job())["id"]
    refused = problem_of(send(quiet_api, f"/api/jobs/{job_id}/retry", key), 409)
    quiet_api.post(job_id, "cancel")
    response = send(quiet_api, f"/api/jobs/{job_id}/retry", key)
    again = problem_of(response, 409)
    assert response.headers[REPLAYED] == "true"
    assert {**again, "request_id": None} == {**refused, "request_id": None}
    assert send(quiet_api, f"/api/jobs/{job_id}/retry", f"{key}-2").status_code == 200


@pytest.mark.parametrize("what", ["body", "route", "query"])
def test_a_key_is_for_one_request(quiet_api, key, what):
    first = send(quiet_api, "/api/jobs/", key, job()).json()
    path = f"/api/jobs/{first['id']}/start" if what == "route" else "/api/jobs/"
    before = jobs_in(quiet_api)
    body = {**job(), "name": "another"} if what == "body" else None if what == "route" else job()
    response = send(quiet_api, f"{path}?x=1" if what == "query" else path, key, body)
    problem = problem_of(response, 422)
    assert ("Idempotency-Key" in problem["detail"]) or what == "query"
    assert jobs_in(quiet_api) == before
    assert quiet_api.job(first["id"])["run"] == 0


def test_what_is_wrong_with_the_request_itself_may_be_mended_under_its_key(quiet_api, key):
    assert problem_of(send(quiet_api, "/api/jobs/", key, {"name": "no type"}), 422)["errors"]
    assert send(quiet_api, "/api/jobs/", key, job()).status_code == 201


@pytest.mark.parametrize("wrong", [{"job_type": "no_such_type"}, {"countdown": 60}])
def test_a_job_that_can_not_be_may_be_mended_under_its_key_too(quiet_api, key, wrong):
    assert problem_of(send(quiet_api, "/api/jobs/", key, {**job(), **wrong}), 422)["detail"]
    made = send(quiet_api, "/api/jobs/", key, job())
    assert (made.status_code, REPLAYED in made.headers) == (201, False)
    assert send(quiet_api, "/api/jobs/", key, job()).json() == made.json()


@pytest.mark.parametrize("wrong", ["", '""', "x" * 256, "ümlaut".encode("latin-1")])
def test_what_is_no_key_is_refused(quiet_api, wrong):
    response = quiet_api.http.post("/api/jobs/", json=job(), headers=[(b"Idempotency-Key", wrong)])
    assert fields_of(problem_of(response, 422)) == ["header.idempotency-key"]


def test_a_key_may_stand_in_quotes(quiet_api, key):
    ids = {send(quiet_api, "/api/jobs/", each, job()).json()["id"] for each in (key, f'"{key}"')}
    assert len(ids) == 1


def test_while_it_is_answered_another_one_is_asked_to_come_again(quiet_api, key):
    """Many at once: one is answered, the others are told to wait or get the same answer."""
    before = jobs_in(quiet_api)
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: send(quiet_api, "/api/jobs/with-subjobs", key, many(300)), range(8))]
    done = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(done) + len(waiting) == 8
    assert done
    for answer in waiting:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["type"] == "urn:jobtracker:problem:request-in-progress"
    assert len({answer.json()["id"] for answer in done}) == 1
    assert jobs_in(quiet_api) == before + 301


def test_it_has_the_same_answer_for_an_examination(quiet_api, key):
    first, again = (send(quiet_api, "/api/tracking/examination", key) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()


def test_every_post_takes_a_key(quiet_api):
    for path, methods in quiet_api.get("/openapi.json")["paths"].items():
        operation = methods.get("post")
        if operation and path != "/api/session":  # which makes another cookie each time
            assert "Idempotency-Key" in {each["name"] for each in operation["parameters"]}, path
            assert "409" in operation["responses"], path


@pytest.fixture
def once(client, keys):
    """Answers a request of nobody, with the key "key" and that body, by a function."""

    def once(answer, body: bytes = b"") -> Response:
        state = SimpleNamespace(kept_answers=KeptAnswers(client, keys))
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "endpoint": answer}
        scope |= {"headers": [(b"idempotency-key", b"key")], "app": SimpleNamespace(state=state), "root_path": ""}
        return answered_once(Request(scope), body, answer, {}, 201)

    return once


def failing(error: Exception):
    def answer():
        raise error

    return answer


def test_a_refusal_that_came_before_anything_was_done_leaves_nothing_behind(once, client, keys):
    for error in (ForbiddenError("no"), TooManyRequestsError("soon", 1), UnknownJobTypeError("x", [])):
        with pytest.raises(type(error)):
            once(failing(error), b"one")
        assert not [*client.scan_iter(f"{keys.namespace}:*answer*")]
    assert once(lambda: Response("done", 201), b"another").body == b"done"


def test_after_a_failure_the_key_is_for_the_same_request_only(once):
    with pytest.raises(BrokerUnavailableError):
        once(failing(BrokerUnavailableError("away")), b"one")
    with pytest.raises(UnknownJobTypeError):
        once(failing(UnknownJobTypeError("x", [])), b"one")  # nobody knows how far the first one came
    with pytest.raises(IdempotencyKeyReusedError):
        once(lambda: Response("done", 201), b"another")
    assert once(lambda: Response("done", 201), b"one").body == b"done"


def test_the_same_name_of_another_kind_is_somebody_else(once):
    """And a key that is limited to other jobs gets no answer about any."""
    askers = [Principal("ann", frozenset(), kind=kind) for kind in PrincipalKind]
    askers += [Principal("ann", frozenset(), "k1", (job_type,), kind=PrincipalKind.KEY) for job_type in ("a", "b")]
    for number, principal in enumerate([*askers, *askers]):
        token = acting.set(principal)
        try:
            answer = once(lambda number=number: Response(f"answer {number}", 201))
        finally:
            acting.reset(token)
        assert answer.body == f"answer {number % len(askers)}".encode()


def test_a_secret_is_not_kept(client, keys):
    made = []

    @has_secret
    def make():
        made.append("a secret")
        return Response("a secret", 201)

    state = SimpleNamespace(kept_answers=KeptAnswers(client, keys))
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "endpoint": make}
    scope |= {"headers": [(b"idempotency-key", b"key")], "app": SimpleNamespace(state=state), "root_path": ""}
    first, again = (answered_once(Request(scope), b"", make, {}, 201) for _ in range(2))
    assert (first.status_code, first.body) == (201, b"a secret")
    assert (again.status_code, made) == (409, ["a secret"])
    assert not any(b"a secret" in client.get(key).encode() for key in client.scan_iter(f"{keys.namespace}:*answer:*"))


# -- the store of answers ----------------------------------------------------------------------------------------


@pytest.fixture
def answers(client, keys):
    return KeptAnswers(client, keys)


def test_an_attempt_that_is_given_up_can_be_made_again_with_the_same_ids(answers):
    first = answers.begin("ann", "key", "print")
    answers.give_up(first)
    again = answers.begin("ann", "key", "print")
    assert (again.first_id, again.is_repeated) == (first.first_id, True)


def test_keys_of_others_are_others(answers):
    ids = {answers.begin(who, "key", "print").first_id for who in ("ann", "bob", None)}
    assert len(ids) == 3


def test_a_process_that_works_for_long_keeps_its_lease_and_one_that_died_loses_it(answers, client, keys, monkeypatch):
    monkeypatch.setattr(kept_answers, "LEASE_S", 0.3)
    long_ago = answers.begin(None, "key", "print")
    died = answers.begin(None, "other", "print")
    answers._let_go(died)
    for _ in range(5):
        time.sleep(0.1)
        answers.renew()
    assert client.exists(keys("answering", long_ago.digest))
    assert not client.exists(keys("answering", died.digest))
    assert answers.begin(None, "other", "print").is_repeated


def test_the_oldest_answers_go_when_there_are_too_many(client, keys, monkeypatch):
    monkeypatch.setattr(kept_answers, "MOST_KEPT", 5 * len(keys.parts))
    answers = KeptAnswers(client, keys)
    for n in range(60 * len(keys.parts)):
        answers.keep(answers.begin(None, f"key {n}", "print"), KeptAnswer(200, {}, "x"))
    there = [digest for part in keys.parts for digest in client.zrange(part("answers"), 0, -1)]
    assert len(there) == 5 * len(keys.parts)
    assert sum(client.exists(keys("answer", digest)) for digest in there) == len(there)
    assert isinstance(answers.begin(None, f"key {60 * len(keys.parts) - 1}", "print"), KeptAnswer)
    assert not isinstance(answers.begin(None, "key 0", "print"), KeptAnswer)
    assert all(0 < client.ttl(keys("answer", digest)) <= kept_answers.KEPT_S for digest in there)


@pytest.mark.thorough
def test_what_may_be_done_when_redis_goes_away_says_so_and_is_done_once(redis_server, api_log_dir, key):
    with Relay(redis_server.port) as relay:
        url = f"redis://127.0.0.1:{relay.port}/{QUIET_DB}"
        with running_api(api_log_dir, redis_url=url, celery_broker_url=redis_server.url) as api:
            before = jobs_in(api)
            relay.loses = b"lost on its way"
            lost = send(api, "/api/jobs/", key, job(name="lost on its way"))
            relay.loses = None
            problem = problem_of(lost, 503)
            assert (problem["type"], "with the same Idempotency-Key" in problem["detail"]) == (MAY_BE_DONE, True)
            wanted = job(name="lost on its way")
            eventually(lambda: send(api, "/api/jobs/", key, wanted).status_code == 201)
            assert jobs_in(api) == before + 1
