"""The page for people who have logged in: who they are, and nothing that would be refused."""

import time
import uuid

import pytest
from playwright.sync_api import Page, expect
from support.api_under_test import QUIET_DB
from support.browser import Browsing, Visit
from support.sample_jobs import create_job
from support.serving import Api, running_api

from jobtracker.core.job import BULK_TYPE
from jobtracker.core.lifecycle import Event, Status
from jobtracker.jobs.bulk_state import BulkState
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.bulk import BulkAction
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.changes import NewJob

pytestmark = pytest.mark.thorough

GRANTS = {
    "viewer": Grant(owner="Vera", role="viewer"),
    "operator": Grant(owner="Otto", role="operator"),
    "admin": Grant(owner="Ada", role="admin"),
    "no delete": Grant(owner="Noa", scopes=["jobs:read", "jobs:control"]),
    "limited": Grant(owner="Lina", role="operator", job_types=["custom"]),
}
ACTIONS = {"Start", "Cancel", "Clone", "Edit", "Delete"}


@pytest.fixture(scope="module")
def guarded(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB) as guarded:
        yield guarded


@pytest.fixture(scope="module")
def keys(guarded):
    keys = ApiKeys(guarded.client, guarded.keys)
    issued = {name: keys.create(grant) for name, grant in GRANTS.items()}
    yield {name: each.key for name, each in issued.items()}
    for each in issued.values():
        keys.forget(each.id)


@pytest.fixture(scope="module")
def pending(guarded: Api) -> str:
    """The id of a job that was not started."""
    return create_job(guarded.store, name="waits for a start", at_ms=int(time.time() * 1000))


@pytest.fixture
def visit(browsing: Browsing, guarded: Api) -> Visit:
    return browsing.visit(str(guarded.http.base_url))


def log_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="jobtracker")).to_have_count(0)


def actions_shown(page: Page) -> set[str]:
    """The names of the actions that buttons offer."""
    names = page.get_by_role("button").all_inner_texts()
    return {action for action in ACTIONS if any(name.startswith(action) for name in names)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_says_what_is_wrong_and_goes_on_where_one_wanted_to(browsing, guarded, keys, pending, scheme):
    visit = browsing.visit(str(guarded.http.base_url), color_scheme=scheme)
    visit.go("/jobs?q=waits")
    field = visit.page.get_by_label("API key")
    expect(field).to_be_focused()
    assert visit.violations() == []
    field.fill("jt_wrong")
    field.press("Enter")
    expect(visit.page.get_by_role("alert")).to_contain_text("is not known")
    assert visit.violations() == []
    log_in(visit.page, keys["viewer"])
    assert visit.page.url.endswith("/jobs?q=waits")
    expect(visit.page.get_by_role("row", name="waits for a start")).to_be_visible()
    who = visit.page.get_by_role("button", name="Vera · viewer")
    expect(visit.page.get_by_role("group", name="Who I am")).to_have_count(0)
    who.click()
    expect(visit.page.get_by_role("group", name="Who I am")).to_contain_text("jobs:read")
    assert visit.violations() == []
    visit.page.get_by_role("button", name="Log out").click()
    expect(field).to_be_focused()
    expect(visit.page.get_by_text("waits for a start")).to_have_count(0)
    assert guarded.http.request("GET", "/api/me").status_code == 401


def test_a_session_that_ends_leads_to_the_login_and_back_to_the_view(visit, keys, pending):
    visit.go("/jobs")
    log_in(visit.page, keys["operator"])
    expect(visit.page.get_by_role("row", name="waits for a start")).to_be_visible()
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("x")
    expect(visit.page.get_by_role("region", name="Selection")).to_contain_text("1 selected")
    visit.page.context.clear_cookies()
    expect(visit.page.get_by_label("API key")).to_be_focused()
    expect(visit.page.get_by_text("The session has ended")).to_be_visible()
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.page.wait_for_timeout(6000)  # longer than a beat of the clock
    assert [url for url in asked if not url.endswith("/api/me")] == []  # whether somebody is let in again
    log_in(visit.page, keys["operator"])
    expect(visit.page.get_by_role("region", name="Selection")).to_contain_text("1 selected")
    expect(visit.page.get_by_role("button", name="Live")).to_be_visible()


@pytest.mark.parametrize(
    ("who", "allowed"),
    [("viewer", set()), ("operator", ACTIONS), ("admin", ACTIONS)],
)
def test_nothing_is_offered_that_would_be_refused(visit, keys, pending, who, allowed):
    visit.go(f"/jobs/{pending}")
    log_in(visit.page, keys[who])
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("waits for a start")
    visit.settle()
    assert actions_shown(visit.page) == allowed
    visit.page.keyboard.press("c")
    expect(visit.page.get_by_role("dialog")).to_have_count(1 if allowed else 0)
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("Control+k")
    visit.page.keyboard.type("this job")
    expect(visit.page.get_by_role("option", name="Cancel this job")).to_have_count(1 if allowed else 0)
    visit.go("/jobs")
    expect(visit.page.get_by_role("row", name="waits for a start")).to_be_visible()
    expect(visit.page.get_by_role("checkbox", name="Select", exact=True).first).to_be_visible(visible=bool(allowed))
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("x")
    bar = visit.page.get_by_role("region", name="Selection")
    expect(bar).to_have_count(1 if allowed else 0)
    expect(bar.get_by_role("button", name="Cancel")).to_have_count(1 if allowed else 0)
    visit.go("/health")
    expect(visit.page.get_by_role("button", name="Examine")).to_have_count(1 if allowed else 0)


CHANGES = {"Retry", "Cancel", "Tag", "Priority"}


@pytest.mark.parametrize(
    ("who", "offered"),
    [("viewer", set()), ("operator", CHANGES | {"Delete"}), ("admin", CHANGES | {"Delete"}), ("no delete", CHANGES)],
)
def test_changes_of_many_jobs_are_offered_to_those_who_may(visit, guarded, keys, pending, who, offered):
    visit.go("/jobs?q=waits")
    log_in(visit.page, keys[who])
    expect(visit.page.get_by_role("row", name="waits for a start")).to_be_visible()
    for key in ("j", "x"):
        visit.page.keyboard.press(key)
    bar = visit.page.get_by_role("region", name="Selection")
    expect(bar).to_have_count(1 if offered else 0)
    names = bar.get_by_role("button").all_inner_texts() if offered else []
    assert {name.partition("…")[0] for name in names if "…" in name} == offered
    visit.page.keyboard.press("d")
    expect(visit.page.get_by_role("dialog")).to_have_count(1 if "Delete" in offered else 0)
    visit.page.keyboard.press("Escape")
    run_id = bulk_run(guarded, pending)
    visit.go(f"/jobs?bulk={run_id}")
    told = visit.page.get_by_role("dialog", name="Untagging jobs")
    expect(told.get_by_role("button", name="Close")).to_be_visible()
    expect(told.get_by_role("button", name="Stop")).to_have_count(1 if offered else 0)
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert visit.violations() == []
    guarded.store.apply(Event.CANCEL, run_id)


def bulk_run(api: Api, job_id: str) -> str:
    """The id of a bulk run that stays under way: it is held, and nobody works at it."""
    state = BulkState(action=BulkAction.UNTAG, tags=("none",), ids=1, total=1)
    fields = {"name": "untag 1 jobs", "type": BULK_TYPE, "task": BULK_TYPE, "priority": "normal", "origin": "api"}
    for _ in range(20):
        new = NewJob(id=uuid.uuid4().hex, fields=fields, data={"payload": "{}"})
        api.store.create_bulk(new, state.model_dump_json(), [job_id])
        held = api.store.hold_bulk(new.id, "nobody", 600_000)
        if held and held.status is Status.PENDING:
            return new.id
    pytest.fail("the API was faster each time")


def test_who_is_limited_is_told_so_in_a_line_and_not_by_errors(visit, keys, pending):
    visit.go("/queues")
    log_in(visit.page, keys["limited"])
    expect(visit.page.get_by_text("is limited").first).to_be_visible()
    visit.settle()
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    visit.page.get_by_role("button", name="Lina").click()
    expect(visit.page.get_by_role("group", name="Who I am")).to_contain_text("only jobs of type custom")


def test_on_a_phone_who_one_is_and_logging_out_are_under_more(browsing, guarded, keys, pending):
    visit = browsing.visit(str(guarded.http.base_url), phone=True)
    visit.go("/jobs")
    log_in(visit.page, keys["viewer"])
    visit.page.get_by_role("button", name="More").tap()
    visit.page.get_by_role("button", name="Vera · viewer").tap()
    about = visit.page.get_by_role("group", name="Who I am")
    expect(about).to_contain_text("jobs:read")
    expect(about).to_be_in_viewport(ratio=1)
    assert visit.violations() == []
    about.get_by_role("button", name="Log out").tap()
    expect(visit.page.get_by_label("API key")).to_be_focused()
