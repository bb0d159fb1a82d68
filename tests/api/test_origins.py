"""Pages of other sites: they reach the API of a developer's machine, and neither read from it nor change anything."""

import socket
from collections.abc import Iterator

import httpx
import pytest
from support.sample_jobs import create_in
from support.serving import Api, problem_of, running_api

from jobtracker.core.lifecycle import Status
from jobtracker.server.settings import ApiSettings
from jobtracker.settings import SettingsError


@pytest.fixture(scope="module")
def named_api(redis_server, api_log_dir) -> Iterator[Api]:
    names = "jobs.example, *.corp.example"
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9, api_allowed_hosts=names) as api:
        yield api


def get(api: Api, host: str) -> httpx.Response:
    return api.http.get("/api/jobs/", headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:19000", "localhost.:1", "api.localhost", "127.0.0.1:80", "10.1.2.3", "[::1]:19000",
        "jobs.example", "Jobs.Example:8443", "a.corp.example", "a.b.corp.example",
    ],
)  # fmt: skip
def test_the_api_answers_to_loopback_addresses_and_the_names_it_was_given(named_api, host):
    assert get(named_api, host).status_code == 200


def test_it_answers_to_the_name_of_its_machine(named_api):
    assert get(named_api, f"{socket.gethostname()}:19000").status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "corp.example", "x.jobs.example",
        "evil.example:19000", "127.0.0.1@evil.example", "[::1", "a b", "localhost, evil.example", "x" * 5000,
    ],
)  # fmt: skip
def test_any_other_name_is_refused_with_the_setting_that_allows_it(named_api, host):
    for method, path in (("GET", "/api/jobs/"), ("POST", "/api/jobs/x/cancel"), ("GET", "/docs"), ("GET", "/x")):
        problem = problem_of(named_api.http.request(method, path, headers={"Host": host}), 421)
        assert "API_ALLOWED_HOSTS" in problem["detail"]
        assert len(problem["detail"]) < 400


def test_what_a_proxy_says_of_the_name_does_not_count(named_api):
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    problem_of(named_api.http.get("/api/jobs/", headers=headers), 421)


def test_a_program_that_names_no_host_is_answered(named_api):
    """Health checks of load balancers, in HTTP/1.0."""
    with socket.create_connection(("127.0.0.1", named_api.settings.api_port), timeout=20) as connection:
        connection.sendall(b"GET /api/health HTTP/1.0\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "file://"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_changes_nothing_with_or_without_a_body(named_api, headers):
    job_id = create_in(named_api.store, Status.PENDING)
    headers = {
        name: value.replace("{host}", named_api.http.base_url.netloc.decode()) for name, value in headers.items()
    }
    before = named_api.get("/api/tracking/stats")["total"]
    form = {"Content-Type": "text/plain"}
    for method, path, options in (
        ("POST", f"/{job_id}/cancel", {}),
        ("POST", f"/{job_id}/start", {}),
        ("DELETE", f"/{job_id}", {}),
        ("PUT", f"/{job_id}", {"json": {"name": "x"}}),
        ("POST", "/", {"json": {"job_type": "document_analysis", "payload": {"text": "x"}}}),
        ("POST", "/", {"content": b'{"job_type": "document_analysis"}', "headers": {**headers, **form}}),
        ("POST", "/", {"data": {"job_type": "document_analysis"}}),
    ):
        response = named_api.http.request(method, f"/api/jobs{path}", **{"headers": headers, **options})
        assert problem_of(response, 403)["title"] == "A page of another site"
    assert named_api.http.get(f"/api/jobs/{job_id}", headers=headers).json()["name"] != "x"  # to look changes nothing
    assert named_api.job(job_id)["status"] == "pending"
    assert named_api.get("/api/tracking/stats")["total"] == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://{host}"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://{host}"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "jobs.example", "Origin": "https://jobs.example"},
        {"Host": "jobs.example:443", "Origin": "https://jobs.example"},
        {"Host": "localhost", "Origin": "https://jobs.example:8443"},  # a proxy that calls the API by another name
    ],
    ids=str,
)
def test_its_own_pages_and_programs_may(named_api, headers):
    job_id = create_in(named_api.store, Status.PENDING)
    headers = {
        name: value.replace("{host}", named_api.http.base_url.netloc.decode()) for name, value in headers.items()
    }
    named_api.request("POST", f"/api/jobs/{job_id}/cancel", 200, headers=headers)
    assert named_api.job(job_id)["status"] == "cancelled"


def test_a_body_that_a_form_can_send_is_refused_from_anywhere(named_api):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        headers = {"Content-Type": kind} if kind else {}
        body = b'{"job_type": "document_analysis", "payload": {"text": "x"}}'
        problem_of(named_api.http.post("/api/jobs/", content=body, headers=headers), 422)


@pytest.mark.parametrize(
    "names", ["http://jobs.example", "jobs.example:80", "jobs.example/x", "a*.example", "é.example"]
)
def test_a_setting_that_is_no_name_is_refused(names):
    with pytest.raises(SettingsError, match=r"API_ALLOWED_HOSTS: .* is no host name"):
        ApiSettings.from_env({"API_ALLOWED_HOSTS": names})


def test_a_star_is_any_name_and_empty_places_are_none():
    assert ApiSettings.from_env({"API_ALLOWED_HOSTS": " api,, Jobs.example ,"}).allowed_hosts == (
        "api",
        "jobs.example",
    )
    assert ApiSettings.from_env({"API_ALLOWED_HOSTS": "*"}).allowed_hosts == ("*",)
    assert ApiSettings.from_env({}).allowed_hosts == ()
