"""Large, slow and unfinished requests: others are answered meanwhile, and what they took is given back."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.serving import Api, eventually, fields_of, job, problem_of, running_api

from jobtracker.core.declarations import payload_schema
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.problems import MAY_BE_DONE
from jobtracker.store.job_types import Registry
from workers.app import app

pytestmark = pytest.mark.thorough

AS_JSON = {"Content-Type": "application/json"}
LARGE_BYTES = 9_900_000
PATIENCE_S = 1.5
CHUNKED = b"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def busy_api(redis_server, api_log_dir) -> Iterator[Api]:
    """An API that knows the schema of data_processing, and is not patient."""
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9, api_client_timeout_s=PATIENCE_S) as busy:
        busy.http.timeout = 100
        app.loader.import_default_modules()
        schema = payload_schema(app.tasks["data_processing"])
        tables = JobType(name="data_processing", task="data_processing", payload_schema=schema)
        Registry(busy.client, busy.keys).announce(tables)
        yield busy


def rows(n_bytes: int) -> dict[str, Any]:
    row = {"name": "x" * 40, "n": 1.5, "more": [None, 1]}
    return {"rows": [row] * (n_bytes // len(json.dumps(row)))}


def sums(depth: int) -> Any:
    inner: Any = {"colum": "a"}
    for _ in range(depth):
        inner = {"op": "add", "args": [inner, inner]}
    return inner


def children_of(pid: int) -> list[int]:
    """Its processes for large requests; multiprocessing has one of its own beside them."""
    found = {child for each in Path(f"/proc/{pid}/task").glob("*/children") for child in each.read_text().split()}
    return [int(child) for child in found if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def head_of(n_bytes: int) -> bytes:
    return (
        b"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % n_bytes
    )


def connect(api: Api, first: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", api.settings.api_port), timeout=20)
    connection.sendall(first)
    return connection


def time_of_a_list(api: Api) -> float:
    began = time.monotonic()
    api.get("/api/jobs/", page_size=1)
    return time.monotonic() - began


def ninth_decile(times: list[float]) -> float:
    return sorted(times)[len(times) * 9 // 10]


def test_others_are_answered_while_large_requests_are_under_way(busy_api):
    body = json.dumps(job("data_processing", rows(3_000_000))).encode()
    statuses: list[int] = []

    def create() -> None:
        with httpx.Client(base_url=busy_api.http.base_url, timeout=115) as http:
            statuses.append(http.post("/api/jobs/", content=body, headers=AS_JSON).status_code)

    alone = [time_of_a_list(busy_api) for _ in range(20)]
    large = [threading.Thread(target=create) for _ in range(2)]
    for each in large:
        each.start()
    took: list[float] = []
    while any(each.is_alive() for each in large):
        took.append(time_of_a_list(busy_api))
        time.sleep(0.01)
    assert statuses == [201] * 2
    assert len(took) > 20  # in line behind them there would be two or three
    assert ninth_decile(took) < 0.1 + 10 * ninth_decile(alone)


def test_a_large_request_is_answered_as_a_small_one_is(busy_api):
    for size in (100, 300_000):
        body = job("data_processing", rows(size), name="table")
        response = busy_api.http.post("/api/jobs/", json=body, headers={"X-Request-ID": f"of-{size}"})
        created = response.json()
        assert response.status_code == 201, created
        assert response.headers["location"] == f"/api/jobs/{created['id']}"
        assert response.headers["x-request-id"] == created["request_id"] == f"of-{size}"
        assert busy_api.job(created["id"])["payload"] == body["payload"] == created["payload"]
        tree = {**body, "job_type": "document_analysis", "sub_jobs": [body]}
        [sub] = busy_api.request("POST", "/api/jobs/with-subjobs/", 201, json=tree)["sub_jobs"]
        assert sub["payload"] == body["payload"]
        wrong = job("data_processing", {**body["payload"], "max_rows": -1})
        assert fields_of(busy_api.problem("POST", "/api/jobs/", 422, json=wrong)) == ["body.payload.max_rows"]
        problem = busy_api.problem("POST", "/api/jobs/?strt=1", 422, json=body)
        assert fields_of(problem) == ["query.strt"]
        problem_of(
            busy_api.http.post("/api/jobs/", content=b"[" * size, headers=AS_JSON), 400 if size > 1000 else 422
        )


def test_nested_alternatives_are_refused_with_the_place_that_is_wrong(busy_api):
    steps = [{"step": "derive", "column": "z", "value": sums(13)}]
    body = job("data_processing", {"rows": [{"a": 1}], "steps": steps})
    assert len(json.dumps(body)) > 300_000
    problem = busy_api.problem("POST", "/api/jobs/", 422, json=body)
    assert fields_of(problem)[0].startswith("body.payload.steps.0.value.args.0.args")
    assert len(problem["detail"]) < 50_000


def test_a_process_for_large_requests_that_dies_is_replaced(busy_api):
    busy_api.create(job("data_processing", rows(100_000)))
    [helper] = children_of(busy_api.process.pid)
    os.kill(helper, signal.SIGSTOP)
    answers: list[httpx.Response] = []
    body = job("data_processing", rows(100_000))
    asking = threading.Thread(target=lambda: answers.append(busy_api.http.post("/api/jobs/", json=body)))
    asking.start()
    busy_api.get("/api/tracking/stats")
    os.kill(helper, signal.SIGKILL)
    asking.join()
    problem = problem_of(answers[0], 503)
    assert "look before you send it again" in problem["detail"]
    assert problem["type"] == MAY_BE_DONE
    busy_api.create(body)
    [other] = children_of(busy_api.process.pid)
    assert other != helper


def test_thirty_unfinished_large_requests_take_a_bounded_memory_and_give_it_back(busy_api):
    busy_api.create(job("data_processing", rows(100_000)))
    before_mb = rss_mb(busy_api.process.pid)
    connections = [connect(busy_api, head_of(LARGE_BYTES)) for _ in range(30)]

    def send(connection: socket.socket) -> None:
        with suppress(OSError):  # of those beyond the sixteenth no more than the beginning is read
            connection.sendall(b" " * (LARGE_BYTES - 1))

    senders = [threading.Thread(target=send, args=(each,), daemon=True) for each in connections]
    for each in senders:
        each.start()
    eventually(lambda: rss_mb(busy_api.process.pid) > before_mb + 100, lambda: "their bodies were not read")
    most_mb = rss_mb(busy_api.process.pid)
    busy_api.get("/api/tracking/stats")
    for each in connections:
        each.close()
    left_mb = [0.0]

    def is_given_back() -> bool:
        left_mb[0] = rss_mb(busy_api.process.pid)
        return left_mb[0] < before_mb + 50

    eventually(is_given_back, lambda: f"{before_mb:.0f} MB before, {most_mb:.0f} in between, {left_mb[0]:.0f} now")
    assert most_mb < before_mb + 300


def test_connections_whose_clients_do_nothing_are_closed(busy_api):
    job_id = busy_api.create(job("data_processing", rows(LARGE_BYTES)))["id"]
    beginnings = {
        "nothing": b"",
        "a part of a head": b"GET /api/jobs/ HTTP/1.1\r\nHost: local",
        "a part of a second head": b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/he",
        "a part of a body": head_of(100) + b"{",
        "a part of a body in pieces": CHUNKED + b"1\r\n{",
    }
    connections = {what: connect(busy_api, beginning) for what, beginning in beginnings.items()}
    reads_nothing = socket.socket()
    reads_nothing.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reads_nothing.connect(("127.0.0.1", busy_api.settings.api_port))
    reads_nothing.sendall(f"GET /api/jobs/{job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    for what, connection in connections.items():
        connection.settimeout(60)
        answer = b""
        with connection, suppress(ConnectionResetError):
            while piece := connection.recv(1 << 16):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 408 ") == ("body" in what), (what, answer[:200])
        assert b"API_CLIENT_TIMEOUT_S" in answer or "body" not in what
    ports = [f":{busy_api.settings.api_port:04X}", f":{reads_nothing.getsockname()[1]:04X}"]

    def is_open() -> bool:
        """Whether the server's end is: of the client's own nothing is to be seen, for it reads nothing."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        return [line[3] for line in lines if [line[1][-5:], line[2][-5:]] == ports] == ["01"]

    eventually(lambda: not is_open(), lambda: "the connection whose client reads nothing is open")
    reads_nothing.close()


def test_a_slow_client_that_goes_on_is_waited_for(busy_api):
    """A request that comes in pieces, one after the other, for longer than the client's time."""
    body = json.dumps(job("data_processing", rows(400_000))).encode()
    with connect(busy_api, head_of(len(body))) as connection:
        for first in range(0, len(body), 40_000):
            connection.sendall(body[first : first + 40_000])
            time.sleep(0.2)
        assert connection.recv(12) == b"HTTP/1.1 201"
