"""The API away, slow, or something else: what both clients do."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self

import pytest
from support.serving import job, running_api

from jobtracker import ApiError, ApiUnavailableError, InvalidJobError, JobNotFoundError, JobTimeoutError
from jobtracker.client import patience
from jobtracker.client.calls import Call
from jobtracker.client.steps import Pause
from jobtracker.local.ports import free_port
from jobtracker.schemas.jobs import Job
from jobtracker.schemas.problems import MAY_BE_DONE, REQUEST_IN_PROGRESS

pytestmark = pytest.mark.thorough

TEXT = {"text": "Ferries leave the harbour at noon."}
NO_ANSWER = b""


def problem(status: int, kind: str) -> bytes:
    body = json.dumps({"type": kind, "title": "No", "status": status, "detail": "No.", "instance": "/"}).encode()
    return b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


IN_PROGRESS = problem(409, REQUEST_IN_PROGRESS)
AWAY = problem(503, "about:blank")
IN_DOUBT = problem(503, MAY_BE_DONE)
EMPTY_LIST = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n[1, 2,"
A_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>"


class Server:
    """A server on loopback: it gives prepared answers, one a connection, and then refuses connections."""

    def __init__(self, answers: list[bytes]) -> None:
        self.requests: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with self._listener:
            for answer in self._answers:
                connection, _ = self._listener.accept()
                with connection:
                    self.requests.append(connection.recv(65536))
                    connection.sendall(answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


@contextmanager
def silence() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_api_that_is_not_there_is_an_error_that_says_what_to_do(connect):
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ApiUnavailableError) as raised:
        connect(url).stats()
    assert f"The API at {url} does not answer" in str(raised.value)
    assert "`jobtracker up`" in str(raised.value)
    assert "JOBTRACKER_URL" in str(raised.value)
    assert raised.value.problem is None


def test_the_address_comes_from_the_environment_unless_it_is_given(connect, monkeypatch):
    assert connect().url == "http://localhost:19000"
    monkeypatch.setenv("JOBTRACKER_URL", "http://127.0.0.1:7/jobs/")
    assert connect().url == "http://127.0.0.1:7/jobs"
    assert connect("http://127.0.0.1:8").url == "http://127.0.0.1:8"


@pytest.mark.parametrize(
    "url", ["localhost:19000", "ftp://localhost", "http://", "http://[", "http://x:99999", "http://x:y", "x"]
)
def test_what_is_no_address_is_refused_at_once(connect, url):
    with pytest.raises(ApiError, match=re.escape(f"{url!r} (JOBTRACKER_URL) is no address of an API")):
        connect(url)


def test_a_proxy_in_the_environment_is_no_way_to_this_machine(connect, quiet_api, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    port = quiet_api.settings.api_port
    for host in ("127.0.0.1", "localhost"):
        assert connect(f"http://{host}:{port}").stats().total >= 0
    with pytest.raises(ApiUnavailableError):
        connect(f"http://jobtracker.invalid:{port}").stats()


def test_a_silent_api_is_given_up_in_time(connect):
    with silence() as url, pytest.raises(ApiUnavailableError, match=r"not within 0\.2 s"):
        connect(url, timeout_s=0.2).stats()


def test_a_wait_has_an_end_even_if_the_api_is_silent(connect, monkeypatch):
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.1)
    with silence() as url, pytest.raises(JobTimeoutError, match="the API has not answered"):
        connect(url).wait("some-job", timeout_s=0.3)


def test_a_read_whose_connection_was_lost_is_sent_again(connect):
    with Server([NO_ANSWER, EMPTY_LIST]) as server:
        assert connect(server.url).job_types() == []
    assert len(server.requests) == 2


def keys_in(requests: list[bytes]) -> set[bytes]:
    return {key for each in requests for key in re.findall(rb"(?i)idempotency-key: (\S+)", each)}


def test_what_creates_is_sent_again_with_the_same_key_until_there_is_an_answer(connect, quiet_api):
    created = quiet_api.create(job("document_analysis", TEXT))
    body = json.dumps(created).encode()
    answer = (
        b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    with Server([IN_DOUBT, NO_ANSWER, IN_PROGRESS, AWAY, answer]) as server:
        assert connect(server.url).create("document_analysis", TEXT).id == created["id"]
    assert len(server.requests) == 5
    assert len(keys_in(server.requests)) == 1


def test_what_was_not_answered_in_all_that_time_may_be_done_and_names_its_key(connect):
    with Server([NO_ANSWER]) as server, pytest.raises(ApiUnavailableError) as raised:
        connect(server.url, outage_s=0.2).create("document_analysis", TEXT)
    assert raised.value.may_be_done
    [key] = keys_in(server.requests)
    assert (
        f"Whether POST /api/jobs/ was done is not known. Sent again with the Idempotency-Key {key.decode()},"
        in str(raised.value)
    )


def test_a_change_without_a_key_is_sent_once(connect):
    with Server([NO_ANSWER]) as server, pytest.raises(ApiUnavailableError, match=r"Whether PUT .* is not known"):
        connect(server.url).update("a-job", name="new")
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", ["AWAY", "nobody"])
def test_what_has_certainly_not_been_done_is_an_error_at_once(connect, answer):
    if answer == "nobody":
        with pytest.raises(ApiUnavailableError) as raised:
            connect(f"http://127.0.0.1:{free_port()}").create("document_analysis", TEXT)
    else:
        with Server([AWAY]) as server, pytest.raises(ApiUnavailableError) as raised:
            connect(server.url).create("document_analysis", TEXT)
    assert not raised.value.may_be_done


def test_each_request_has_a_key_of_its_own_unless_it_is_given_one(connect, quiet_api):
    client = connect(str(quiet_api.http.base_url))
    first, second = (client.create("document_analysis", TEXT).id for _ in range(2))
    assert first != second
    mine = client.with_idempotency_key(f"nightly {first}")
    assert mine.create("document_analysis", TEXT).id == mine.create("document_analysis", TEXT).id
    with pytest.raises(InvalidJobError, match="Another request had this Idempotency-Key"):
        mine.start(first)
    with pytest.raises(ValueError, match="is no Idempotency-Key"):
        client.with_idempotency_key("")


def test_another_server_at_that_address_is_not_mistaken_for_the_api(connect):
    with Server([A_PAGE]) as server, pytest.raises(ApiError, match="not as jobtracker's API does") as raised:
        connect(server.url).stats()
    assert not isinstance(raised.value, ApiUnavailableError)


def test_a_path_that_is_not_there_is_not_mistaken_for_a_job(connect, quiet_api):
    with pytest.raises(ApiError) as raised:
        connect(f"{quiet_api.http.base_url}/elsewhere").get("some-job")
    assert not isinstance(raised.value, JobNotFoundError)
    assert raised.value.problem.status == 404


def test_headers_go_with_each_request_and_the_body_is_json(connect):
    with Server([AWAY]) as server, pytest.raises(ApiUnavailableError):
        connect(server.url, headers={"Authorization": "Bearer x"}).create("document_analysis", TEXT)
    [request] = server.requests
    head = request.partition(b"\r\n\r\n")[0].lower()
    assert b"authorization: bearer x" in head
    assert b"content-type: application/json" in head


def test_a_short_outage_of_the_api_is_sat_out(connect, redis_server, tmp_path):
    shared = {"redis_url": redis_server.url, "api_port": free_port(), "tracking_namespace": f"out-{tmp_path.name}"}
    with running_api(tmp_path, **shared) as api:
        client = connect(str(api.http.base_url), outage_s=20)
        job_id = client.create("document_analysis", TEXT).id
        waiting = client.watch(job_id)
        assert next(waiting).status == "pending"
    with pytest.raises(ApiUnavailableError):
        client.get(job_id)
    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(next, waiting)
        with running_api(tmp_path, **shared) as api:
            api.post(job_id, "cancel")
            assert change.result(timeout=20).status == "cancelled"


def test_a_long_outage_of_the_api_is_not(connect):
    with pytest.raises(ApiUnavailableError):
        connect(f"http://127.0.0.1:{free_port()}", outage_s=0.3).wait("some-job")


def test_while_the_api_is_away_it_is_asked_when_it_wants_to_be(quiet_api):
    call = Call("GET", "/api/jobs/some-job", Job)
    body = quiet_api.http.get("/api/jobs/some-job").content
    with pytest.raises(ApiUnavailableError) as raised:
        call.read("http://x", 503, {"retry-after": "5"}, body)
    asking = patience.Patience("some-job", None, outage_s=30).ask(call)
    next(asking)
    assert asking.throw(raised.value) == Pause(5)
    assert asking.send(None).path == call.path
    impatient = patience.Patience("some-job", None, outage_s=4).ask(call)
    next(impatient)
    with pytest.raises(ApiUnavailableError):
        impatient.throw(raised.value)


def test_pauses_grow_up_to_a_bound():
    pauses = [pause for _, pause in zip(range(30), patience.pauses(), strict=False)]
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.0
    assert sum(pause for pause in pauses if pause < 1.0) < 5


def test_an_answer_that_breaks_off_says_so_and_what_to_do(connect):
    with Server([HALF, HALF]) as server, pytest.raises(ApiUnavailableError) as raised:
        connect(server.url).result("a-job")
    said = str(raised.value)
    assert "GET /api/jobs/a-job/result broke off half way (" in said
    assert "ask again, or fetch it in parts, with the header Range." in said
    assert "jobtracker up" not in said
    assert len(server.requests) == 2


def test_a_write_whose_answer_breaks_off_may_have_been_done(connect):
    with (
        Server([HALF]) as server,
        pytest.raises(ApiUnavailableError, match=r"broke off .* Whether POST "),
    ):
        connect(server.url, outage_s=0).start("a-job")
