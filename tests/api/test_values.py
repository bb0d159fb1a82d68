"""The routes for payloads, arguments and results: whole or in part, small or too large for Redis."""

import hashlib
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.commands import said
from support.recount import recount
from support.serving import Api, eventually, job, running_api

from jobtracker.client import Client
from jobtracker.client.errors import ApiError
from jobtracker.core.lifecycle import Event

LARGE = "ä" * 400_000
TEXT = json.dumps({"text": LARGE})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(scope="module")
def storing_api(redis_server, api_log_dir, folder):
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=10, objects_dir=folder, maintenance_interval_s=0.5
    ) as api:
        yield api


@pytest.fixture(scope="module")
def large(storing_api) -> str:
    created = storing_api.create(job("document_analysis", {"text": LARGE}))
    assert created["payload"] is None
    assert created["large_values"]["payload"]["bytes"] == len(TEXT)
    return str(created["id"])


def get(api: Api, job_id: str, value: str = "payload", **headers: str):
    return api.http.get(f"/api/jobs/{job_id}/{value}", headers=headers)


def test_a_large_payload_comes_whole_with_its_digest_as_etag(storing_api, large):
    answer = get(storing_api, large)
    assert answer.json() == {"text": LARGE}
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.headers["etag"] == f'"{hashlib.sha256(TEXT.encode()).hexdigest()}"'
    assert get(storing_api, large, **{"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert get(storing_api, large, **{"If-None-Match": '"other"'}).status_code == 200
    head = storing_api.http.head(f"/api/jobs/{large}/payload")
    assert (head.headers["content-length"], head.content) == (str(len(TEXT)), b"")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=1000000-1000009", 1_000_000, 1_000_010), ("bytes=-5", -5, None)],
)
def test_a_part_of_it_can_be_asked_for(storing_api, large, asked, start, end):
    answer = get(storing_api, large, Range=asked)
    assert (answer.status_code, answer.text) == (206, TEXT[start:end])
    first = start % len(TEXT)
    last = (end or len(TEXT)) - 1
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(TEXT)}"


@pytest.mark.parametrize("asked", ["bytes=9999999-", "bytes=-0"])
def test_what_lies_behind_its_end_is_a_416(storing_api, large, asked):
    answer = get(storing_api, large, Range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(TEXT)}")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-1", "lines=1-2", "bytes=-"])
def test_what_is_no_single_range_gets_the_whole(storing_api, large, asked):
    assert get(storing_api, large, Range=asked).status_code == 200


def test_a_part_of_another_version_is_the_whole(storing_api, large):
    assert get(storing_api, large, Range="bytes=0-9", **{"If-Range": '"other"'}).status_code == 200


def test_a_custom_payload_is_made_of_its_pieces_in_any_range(storing_api):
    storing_api.store.client.hset(
        storing_api.keys("types"), "any", json.dumps({"name": "any", "task": "any", "arguments": {"keep": "full"}})
    )
    payload = {"task": "any", "args": ["y" * 70_000], "kwargs": {"value": "x" * 80_000}}
    created = storing_api.create(job("custom", payload))
    assert created["large_values"].keys() == {"args", "payload"}
    whole = get(storing_api, created["id"])
    assert whole.json() == payload
    text = whole.text
    parts = [
        get(storing_api, created["id"], Range=f"bytes={at}-{at + 9_999}").text for at in range(0, len(text), 10_000)
    ]
    assert "".join(parts) == text
    assert get(storing_api, created["id"], "args").json() == ["y" * 70_000]


def test_a_small_value_comes_by_the_same_routes(storing_api):
    created = storing_api.create(job("document_analysis", {"text": "x"}))
    answer = get(storing_api, created["id"])
    assert answer.json() == {"text": "x"}
    assert get(storing_api, created["id"], **{"If-None-Match": answer.headers["etag"]}).status_code == 304


UNPORTABLE = '{"ratio": NaN, "most": -Infinity, "half": "\\ud800"}'


def test_what_json_does_not_have_is_text_and_the_client_reads_it(storing_api):
    job_id = storing_api.create(job("document_analysis", {"text": "x"}))["id"]
    client = storing_api.store.client
    client.hset(storing_api.keys("data", job_id), "result", UNPORTABLE)
    answer = get(storing_api, job_id, "result")
    assert (answer.headers["content-type"], answer.text) == ("text/plain; charset=utf-8", UNPORTABLE)
    assert get(storing_api, job_id, "result", Range="bytes=0-3").headers["content-type"].startswith("text/plain")
    whole = storing_api.http.get(f"/api/jobs/{job_id}")
    assert json.loads(whole.content, parse_constant=pytest.fail)["result"]["ratio"] is None
    with Client(str(storing_api.http.base_url)) as reader:
        found = reader.result(job_id)
    assert math.isnan(found["ratio"])
    assert (found["most"], found["half"]) == (-math.inf, "\ud800")
    printed = json.loads(said(storing_api, "jobs", "result", job_id), parse_constant=pytest.fail)
    assert printed == {"ratio": None, "most": None, "half": "?"}
    client.hset(storing_api.keys("data", job_id), "result", '{"text": "NaN"}')
    assert get(storing_api, job_id, "result").headers["content-type"] == "application/json"


def test_a_value_that_is_not_there_is_a_404_that_says_why(storing_api, large):
    problem = storing_api.problem("GET", f"/api/jobs/{large}/result", 404)
    assert problem["type"] == "urn:jobtracker:problem:value-unavailable"
    assert "the job is pending" in problem["detail"]
    assert storing_api.problem("GET", "/api/jobs/none/result", 404)["type"].endswith("job-not-found")


def test_masked_arguments_stay_masked(storing_api):
    announced = {"name": "pay", "task": "pay", "arguments": {"mask": ["card"], "positional": ["amount", "card"]}}
    storing_api.store.client.hset(storing_api.keys("types"), "pay", json.dumps(announced))
    created = storing_api.create(job("pay", {"amount": 1, "card": "4111" * 30_000}))
    assert created["large_values"] == {}
    assert get(storing_api, created["id"]).json() == {"amount": 1, "card": "***"}


def test_the_client_and_the_command_line_fetch_it(storing_api, large, tmp_path):
    with Client(str(storing_api.http.base_url)) as client:
        assert client.payload(large) == {"text": LARGE}
        with pytest.raises(ApiError, match="the job is pending"):
            client.result(large)


def test_a_deleted_job_takes_its_object_along(storing_api, folder):
    created = storing_api.create(job("document_analysis", {"text": LARGE}))
    path = folder / created["large_values"]["payload"]["object"]
    assert path.exists()
    storing_api.store.apply(Event.CANCEL, created["id"])
    storing_api.request("DELETE", f"/api/jobs/{created['id']}", 204)
    eventually(lambda: not path.exists())
    assert recount(storing_api.client, storing_api.keys) == []


def test_a_value_that_was_changed_is_never_read_to_its_end(storing_api, folder):
    for size, begins in ((100_000, False), (400_000, True)):
        created = storing_api.create(job("document_analysis", {"text": "x" * size}))
        path = folder / created["large_values"]["payload"]["object"]
        path.write_bytes(path.read_bytes().replace(b"xx", b"xy", 1))
        if begins:
            with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
                get(storing_api, created["id"])
        else:
            problem = storing_api.problem("GET", f"/api/jobs/{created['id']}/payload", 404)
            assert "was changed" in problem["detail"]


def test_an_object_store_that_hangs_does_not_block_other_requests(
    redis_server, api_log_dir, storage_emulator, bucket_name
):
    of_bucket = {
        "gcs_bucket_name": bucket_name,
        "storage_emulator_host": storage_emulator.url,
        "gcp_project_id": "test",
    }
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=11, **of_bucket) as api:
        created = api.create(job("document_analysis", {"text": LARGE}))
        with ThreadPoolExecutor(45) as pool:
            storage_emulator.pause()
            try:
                reads = [pool.submit(get, api, created["id"]) for _ in range(45)]
                assert api.http.get(f"/api/jobs/{created['id']}").status_code == 200
                assert not any(each.done() for each in reads)
            finally:
                storage_emulator.resume()
        assert all(each.result().status_code == 200 for each in reads)
