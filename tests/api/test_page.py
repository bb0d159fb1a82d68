"""How the page is served: its files, its first document for every path that is not the API's, and headers."""

import re
from collections.abc import Iterator

import httpx
import pytest
from support.browser import need_page
from support.serving import Api, problem_of, running_api

from jobtracker.server.page_files import FOLDER, SECURITY_HEADERS
from jobtracker.server.settings import ApiSettings
from jobtracker.settings import SettingsError

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PREFIX = "/tools/jobtracker"


@pytest.fixture(autouse=True, scope="module")
def page() -> None:
    need_page()


@pytest.fixture(scope="module")
def prefixed_api(redis_server, api_log_dir) -> Iterator[Api]:
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9, api_root_path=PREFIX) as api:
        yield api


def document(api: Api, path: str) -> httpx.Response:
    """What a browser gets that goes to a path."""
    response = api.http.get(path, headers=BROWSER)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    return response


def assets(api: Api) -> list[str]:
    """What the first document loads."""
    found = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', document(api, "/").text)
    assert len(found) >= 2
    return found


def test_every_path_that_is_none_of_the_api_is_the_page(unworked_api):
    first = document(unworked_api, "/").text
    for path in ("/jobs", "/jobs/some.job%2Fid", "/health", "/a/b/c", "/index.html"):
        assert document(unworked_api, path).text == first
    assert '<base href="/" />' in first


def test_the_routes_of_the_api_win_even_if_a_browser_asks(unworked_api):
    problem_of(unworked_api.http.get("/api/nothing", headers=BROWSER), 404)
    problem_of(unworked_api.http.get("/api", headers=BROWSER), 404)
    problem_of(unworked_api.http.get("/api/jobs/x/start", headers=BROWSER), 405)
    assert unworked_api.http.get("/api/jobs", headers=BROWSER).headers["content-type"] == "application/json"
    assert "swagger" in unworked_api.http.get("/docs", headers=BROWSER).text.lower()


def test_a_program_that_asks_for_an_unknown_path_is_told_so(unworked_api):
    problem_of(unworked_api.http.get("/jobs/x"), 404)
    problem_of(unworked_api.http.get("/assets/gone.js", headers=BROWSER), 404)
    problem_of(unworked_api.http.post("/jobs", headers=BROWSER), 404)
    assert unworked_api.http.get("/").headers["content-type"].startswith("text/html")


def test_files_with_a_hash_in_their_name_are_kept_for_good_and_the_document_never(unworked_api):
    for path in assets(unworked_api):
        assert unworked_api.http.get(path).headers["cache-control"] == "public, max-age=31536000, immutable"
    answer = document(unworked_api, "/jobs")
    assert answer.headers["cache-control"] == "no-cache"
    again = unworked_api.http.get("/jobs", headers={**BROWSER, "If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_are_compressed_for_who_can_read_it_and_are_the_same(unworked_api):
    for path in assets(unworked_api):
        plain = unworked_api.http.get(path, headers={"Accept-Encoding": "identity"})
        compressed = unworked_api.http.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert "content-encoding" not in plain.headers
        assert compressed.headers["content-encoding"] == "gzip"
        assert int(compressed.headers["content-length"]) < len(plain.content)
        assert compressed.content == plain.content
        assert "Accept-Encoding" in compressed.headers["vary"]


def test_each_answer_of_the_page_says_what_a_browser_may_do_with_it(unworked_api):
    for path in ("/", "/jobs", *assets(unworked_api)):
        headers = unworked_api.http.get(path, headers=BROWSER).headers
        assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "default-src 'self'" in SECURITY_HEADERS["Content-Security-Policy"]
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


def test_the_document_has_nothing_inline_and_nothing_from_elsewhere(unworked_api):
    text = document(unworked_api, "/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=|(?:src|href)=\"(?:https?:)?//", text)


def test_head_is_answered_like_get(unworked_api):
    answer = unworked_api.http.head("/jobs", headers=BROWSER)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "content-security-policy" in answer.headers


def test_every_stylesheet_says_the_order_of_the_layers():
    sheets = list(FOLDER.glob("assets/*.css"))
    assert len(sheets) > 1
    order = "@layer base, shell, parts, states;"
    assert [sheet.name for sheet in sheets if not sheet.read_text().startswith(order)] == []


def test_the_licences_of_what_the_page_is_made_of_come_with_it(unworked_api):
    answer = unworked_api.http.get("/licenses.md")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "## react " in answer.text
    assert "Permission is hereby granted" in answer.text


def test_an_unknown_host_name_does_not_get_the_page(unworked_api):
    problem_of(unworked_api.http.get("/", headers={**BROWSER, "Host": "evil.example"}), 421)


def test_behind_a_prefix_all_addresses_have_it_whether_or_not_the_proxy_cuts_it_off(prefixed_api):
    for path in ("/jobs/a/b", f"{PREFIX}/jobs/a/b", f"{PREFIX}/", PREFIX):
        assert f'<base href="{PREFIX}/" />' in document(prefixed_api, path).text
    for path in (assets(prefixed_api)[0], f"{PREFIX}/{assets(prefixed_api)[0]}"):
        assert "immutable" in prefixed_api.http.get(path).headers["cache-control"]
    for path in ("/api/jobs/", f"{PREFIX}/api/jobs/"):
        assert prefixed_api.http.get(path).json()["jobs"] == []
    problem_of(prefixed_api.http.get(f"{PREFIX}/api/nothing", headers=BROWSER), 404)
    created = prefixed_api.http.post(f"{PREFIX}/api/jobs/", json={"name": "a", "job_type": "data_processing"})
    assert created.headers["location"] == f"{PREFIX}/api/jobs/{created.json()['id']}"


@pytest.mark.parametrize("path", ["tools", "/tools/../api", "/a b", '/"><script>', "/api", "/docs/x", "//host"])
def test_a_prefix_that_is_none_is_refused(path):
    with pytest.raises(SettingsError, match="API_ROOT_PATH"):
        ApiSettings.from_env({"API_ROOT_PATH": path})
