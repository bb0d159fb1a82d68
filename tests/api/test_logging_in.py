"""Logging in: the page with a cookie for a key, which no other page can use; the command line; and clients."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.api_under_test import QUIET_DB
from support.serving import Api, eventually, problem_of, running_api
from typer.testing import CliRunner

from jobtracker.cli.app import app
from jobtracker.client import ApiError, AsyncClient, Client
from jobtracker.client.credentials import key_for
from jobtracker.core.access import ROLES, Scope
from jobtracker.errors import ForbiddenError, NotAuthenticatedError
from jobtracker.schemas.api_keys import Grant
from jobtracker.store.api_keys import ApiKeys


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB, api_session_hours=2) as api:
        yield api


@pytest.fixture
def browser(api: Api):
    with httpx.Client(base_url=api.http.base_url, timeout=20) as browser:
        yield browser


@pytest.fixture
def keys(api):
    keys = ApiKeys(api.client, api.keys)
    keys.create(Grant(owner="first", role="admin"))
    eventually(lambda: api.http.get("/api/me").status_code == 401)  # it may have looked some seconds ago
    yield keys
    for each in keys.all():
        keys.forget(each.id)


def log_in(browser: httpx.Client, key: str, **headers: str) -> httpx.Response:
    return browser.post("/api/session", json={"key": key}, headers=headers)


def test_before_there_is_a_key_everybody_here_is_anonymous(browser):
    me = browser.get("/api/me").json()
    assert (me["name"], me["is_anonymous"], me["has_session"], me["role"]) == ("anonymous", True, False, None)
    assert set(me["scopes"]) == set(Scope) - {Scope.MASKED_READ}


def test_the_first_key_is_not_made_by_whoever_asks(browser):
    refused = problem_of(browser.post("/api/keys", json={"owner": "me", "role": "viewer"}), 403)
    assert "jobtracker keys create" in refused["detail"]


def test_a_forged_address_opens_nothing(browser):
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
        assert "came through a proxy" in problem_of(browser.get("/api/jobs/", headers=headers), 401)["detail"]


def test_a_browser_logs_in_works_and_logs_out(browser, keys):
    issued = keys.create(Grant(owner="ada", role="operator", job_types=["mail"]))
    answer = log_in(browser, issued.key)
    assert answer.status_code == 201
    assert issued.key not in str(answer.headers) + answer.text
    cookie = answer.headers["set-cookie"]
    assert {each.strip().lower() for each in cookie.split(";")[1:]} == {
        "httponly", "samesite=strict", "path=/", "max-age=7200"
    }  # fmt: skip
    me = browser.get("/api/me").json()
    assert me == answer.json() | {"has_session": True}
    assert (me["name"], me["role"], me["key_id"], me["job_types"]) == ("ada", "operator", issued.id, ["mail"])
    assert set(me["scopes"]) == ROLES["operator"]
    assert browser.get("/api/jobs/").status_code == 200
    assert browser.get("/docs").status_code == 200
    token = dict(browser.cookies)
    assert browser.delete("/api/session").status_code == 204
    assert not browser.cookies
    problem_of(browser.get("/api/jobs/"), 401)
    problem_of(httpx.get(f"{browser.base_url}/api/me", cookies=token, trust_env=False), 401)  # taken before
    assert browser.delete("/api/session").status_code == 204


def test_the_audit_has_logins_and_ends_of_sessions_and_nothing_that_anybody_can_send(api, browser, keys):
    issued = keys.create(Grant(owner="grace", role="viewer"))
    admin = {"Authorization": f"Bearer {keys.create(Grant(owner='root', role='admin')).key}"}

    def entries() -> list[tuple[str, str, str]]:
        found = api.http.get("/api/audit", headers=admin, params={"page_size": 500}).json()["entries"]
        return [(each["principal"], each["action"], each["outcome"]) for each in found]

    before = entries()
    log_in(browser, f"jt_{'0' * 12}_{'0' * 64}")
    browser.post("/api/session", json={"key": 1})
    browser.delete("/api/session")
    for token in ("x", "0" * 64, "0" * 5000):
        made_up = {"Cookie": f"jobtracker_session={token}"}
        assert api.http.delete("/api/session", headers=made_up).status_code == 204
    assert entries() == before
    log_in(browser, issued.key)
    taken = {"Cookie": f"jobtracker_session={browser.cookies['jobtracker_session']}"}
    for _ in range(2):
        assert api.http.delete("/api/session", headers=taken).status_code == 204
    assert entries() == [("grace", "log_out", "done"), ("grace", "log_in", "done"), *before]
    log_in(browser, issued.key)
    keys.revoke(issued.id)
    eventually(lambda: browser.get("/api/me").status_code == 401)
    assert browser.delete("/api/session").status_code == 204
    assert [action for _, action, _ in entries()[:2]] == ["log_out", "log_in"]


@pytest.mark.parametrize("key", ["", "jt_1_2", f"jt_{'0' * 12}_{'0' * 64}", "x" * 1000])
def test_who_has_no_key_gets_no_cookie(browser, keys, key):
    keys.create(Grant(owner="ada", role="viewer"))
    answer = log_in(browser, key)
    assert answer.status_code == (422 if len(key) > 200 else 401)
    assert "set-cookie" not in answer.headers
    assert "x" * 300 not in answer.text


def test_the_cookie_goes_by_https_only_where_the_page_does(browser, keys):
    issued = keys.create(Grant(owner="ada", role="viewer"))
    host = f"localhost:{browser.base_url.port}"
    answer = log_in(browser, issued.key, Host=host, Origin=f"https://{host}")
    assert "secure" in answer.headers["set-cookie"].lower()


def test_another_site_can_neither_log_in_nor_use_the_session(browser, keys):
    issued = keys.create(Grant(owner="ada", role="operator"))
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    problem_of(log_in(browser, issued.key, **elsewhere), 403)
    assert not browser.cookies
    log_in(browser, issued.key)
    for method, path in (("POST", "/api/jobs/"), ("DELETE", "/api/jobs/x"), ("DELETE", "/api/session")):
        assert problem_of(browser.request(method, path, headers=elsewhere), 403)["title"] == "A page of another site"
    assert browser.get("/api/me").status_code == 200


def test_a_key_in_the_request_counts_more_than_the_session(browser, keys):
    log_in(browser, keys.create(Grant(owner="ada", role="viewer")).key)
    other = keys.create(Grant(owner="bob", role="admin"))
    me = browser.get("/api/me", headers={"Authorization": f"Bearer {other.key}"}).json()
    assert (me["name"], me["role"], me["has_session"]) == ("bob", "admin", False)


def test_an_admin_manages_keys_and_gives_no_more_than_they_have(browser, keys):
    admin = keys.create(Grant(owner="root", role="admin"))
    log_in(browser, admin.key)
    made = browser.post("/api/keys", json={"owner": "ada", "role": "viewer"})
    assert made.status_code == 201
    issued = made.json()
    bearer = {"Authorization": f"Bearer {issued['key']}"}
    assert browser.get("/api/me", headers=bearer).json()["name"] == "ada"
    listed = browser.get("/api/keys").json()
    assert [each["owner"] for each in listed] == ["first", "root", "ada"]
    assert issued["key"].split("_")[2] not in str(listed)
    rotated = browser.post(f"/api/keys/{issued['id']}/rotate", json={"overlap_s": 0}).json()
    problem_of(browser.get("/api/me", headers=bearer), 401)
    bearer = {"Authorization": f"Bearer {rotated['key']}"}
    assert browser.get("/api/me", headers=bearer).status_code == 200
    assert browser.delete(f"/api/keys/{issued['id']}").json()["state"] == "revoked"
    problem_of(browser.get("/api/me", headers=bearer), 401)
    problem_of(browser.delete("/api/keys/none"), 404)
    problem_of(browser.post("/api/keys", json={"owner": "ada"}), 422)
    some = keys.create(Grant(owner="some", scopes=[Scope.ADMIN, Scope.JOBS_READ]))
    bearer = {"Authorization": f"Bearer {some.key}"}
    refused = browser.post("/api/keys", json={"owner": "me", "role": "operator"}, headers=bearer)
    assert "jobs:control, jobs:create, jobs:delete" in problem_of(refused, 403)["detail"]
    problem_of(browser.post(f"/api/keys/{admin.id}/rotate", headers=bearer), 403)


def test_a_key_is_looked_at_without_its_secret(browser, keys):
    log_in(browser, keys.create(Grant(owner="root", role="admin")).key)
    made = keys.create(Grant(owner="ada", role="viewer", job_types=["mail"]))
    found = browser.get(f"/api/keys/{made.id}").json()
    assert (found["owner"], found["job_types"], found["scopes"], found["state"]) == (
        "ada",
        ["mail"],
        ["jobs:read"],
        "active",
    )
    assert made.key.split("_")[2] not in str(found)
    problem_of(browser.get("/api/keys/none"), 404)


def test_a_key_that_expires_gives_none_that_outlives_it(browser, keys):
    ends = datetime.now(UTC) + timedelta(days=1)
    own = keys.create(Grant(owner="root", role="admin", expires_at=ends))
    other = keys.create(Grant(owner="other", role="viewer"))
    log_in(browser, own.key)
    for until in (None, (ends + timedelta(seconds=1)).isoformat()):
        refused = browser.post("/api/keys", json={"owner": "me", "role": "viewer", "expires_at": until})
        assert "accepted for longer" in problem_of(refused, 403)["detail"]
    problem_of(browser.post(f"/api/keys/{other.id}/rotate"), 403)
    wanted = {"owner": "me", "role": "viewer", "expires_at": ends.isoformat()}
    assert browser.post("/api/keys", json=wanted).status_code == 201
    assert browser.post(f"/api/keys/{own.id}/rotate").status_code == 200


def test_a_limited_admin_gives_no_keys(browser, keys):
    for limits in ({"job_types": ["mail"]}, {"tags": ["eu"]}):
        limited = keys.create(Grant(owner="some", role="admin", **limits))
        bearer = {"Authorization": f"Bearer {limited.key}"}
        for grant in ({"role": "viewer"}, {"role": "viewer", **limits}):
            refused = browser.post("/api/keys", json={"owner": "me", **grant}, headers=bearer)
            assert "is limited to some jobs" in problem_of(refused, 403)["detail"]
        problem_of(browser.post(f"/api/keys/{limited.id}/rotate", headers=bearer), 403)


def test_health_tells_strangers_no_more_than_whether_it_lives(browser, keys):
    bearer = {"Authorization": f"Bearer {keys.create(Grant(owner='ada', role='viewer')).key}"}
    known = browser.get("/api/health", headers=bearer).json()
    assert all(each["latency_ms"] for each in known["components"].values())
    strange = httpx.get(f"{browser.base_url}/api/health", headers={"X-Forwarded-For": "1.2.3.4"}, trust_env=False)
    assert strange.status_code == 200
    assert {name: each["healthy"] for name, each in strange.json()["components"].items()} == {
        "redis": True,
        "broker": True,
    }
    assert not any(each["latency_ms"] or each["facts"] for each in strange.json()["components"].values())


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's settings, who has none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("JOBTRACKER_API_KEY", "JOBTRACKER_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def url_of(api: Api) -> str:
    return str(api.http.base_url).rstrip("/")


def who(api: Api, **options) -> str:
    with Client(url_of(api), **options) as client:
        return client.me().name


def test_a_client_takes_its_key_from_the_first_place_that_has_one(api, keys, home, monkeypatch):
    key = {
        name: keys.create(Grant(owner=name, role="viewer")).key for name in ("arg", "env", "file", "login", "header")
    }
    with pytest.raises(NotAuthenticatedError, match="jobtracker login"):
        who(api)
    made = CliRunner().invoke(app, ["login", "--url", url_of(api)], input=f"{key['login']}\n")
    assert made.exit_code == 0, made.output
    assert "Logged in as login (viewer)" in made.output
    assert key["login"] not in made.output
    path = home / "config" / "jobtracker" / "logins.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert who(api) == "login"
    (home / "key").write_text(f"{key['file']}\n")
    monkeypatch.setenv("JOBTRACKER_API_KEY_FILE", str(home / "key"))
    assert who(api) == "file"
    monkeypatch.setenv("JOBTRACKER_API_KEY", key["env"])
    assert who(api) == "env"
    assert who(api, api_key=key["arg"]) == "arg"
    assert who(api, headers={"authorization": f"Bearer {key['header']}"}) == "header"


def test_a_login_is_sent_to_its_own_url_only_and_can_be_forgotten(api, keys, home):
    key = keys.create(Grant(owner="ada", role="viewer")).key
    for arguments, said in (
        (["login"], "Logged in as ada"),
        (["logout"], "Forgot the key"),
        (["logout"], "There was no login"),
        (["login"], "Logged in as ada"),
    ):
        made = CliRunner().invoke(app, [*arguments, "--url", url_of(api)], input=key)
        assert (made.exit_code, said in made.output) == (0, True), made.output
    assert key_for(f"{url_of(api)}/", None) == key
    assert key_for("http://localhost:1", None) is None
    refused = CliRunner().invoke(app, ["login", "--url", url_of(api)], input=f"jt_{'0' * 12}_{'0' * 64}")
    assert refused.exit_code == 1
    assert "is not known" in refused.output
    assert key_for(url_of(api), None) == key
    assert CliRunner().invoke(app, ["login", "--url", url_of(api)], input="\n").exit_code == 2


@pytest.mark.parametrize(
    ("content", "says"), [(None, "can't be read"), ("\n", "is empty"), ("a b", "it has a space")]
)
def test_a_file_that_has_no_key_is_an_error_that_names_it(home, monkeypatch, content, says):
    if content is not None:
        (home / "key").write_text(content)
    monkeypatch.setenv("JOBTRACKER_API_KEY_FILE", str(home / "key"))
    with pytest.raises(ApiError, match=says):
        Client("http://localhost:1")


def test_a_spoiled_profile_is_an_error_that_names_it(home):
    path = home / "config" / "jobtracker" / "logins.json"
    path.parent.mkdir(parents=True)
    path.write_text("[")
    with pytest.raises(ApiError, match=r"logins\.json"):
        Client("http://localhost:1")


async def ask_both(url: str, key: str) -> str:
    async with AsyncClient(url, api_key=key) as client:
        return (await client.me()).name


def test_what_is_not_allowed_is_an_error_of_its_own(api, keys, home):
    key = keys.create(Grant(owner="ada", role="viewer")).key
    assert asyncio.run(ask_both(url_of(api), key)) == "ada"
    with Client(url_of(api), api_key=key) as client:
        with pytest.raises(ForbiddenError, match="jobs:delete"):
            client.delete("none")
        with pytest.raises(ForbiddenError, match="admin"):
            client.api_keys()
    admin = keys.create(Grant(owner="root", role="admin")).key
    with Client(url_of(api), api_key=admin) as client:
        made = client.create_api_key("bob", role="viewer", job_types=["mail"])
        assert who(api, api_key=made.key) == "bob"
        rotated = client.rotate_api_key(made.id, overlap_s=0)
        assert who(api, api_key=rotated.key) == "bob"
        assert client.revoke_api_key(made.id).state == "revoked"
        assert made.id in [each.id for each in client.api_keys()]
