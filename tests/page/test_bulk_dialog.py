"""Bulk runs on the page: they go on without it, are found again, stopped, and begun once."""

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect
from support.api_under_test import QUIET_DB
from support.browser import Browsing, Visit
from support.sample_jobs import create_job
from support.serving import Api, Json, running_api

from jobtracker.core.lifecycle import Status

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def quiet(redis_server, api_log_dir) -> Iterator[Api]:
    """An API without workers."""
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB) as quiet:
        yield quiet


@pytest.fixture
def visit(browsing: Browsing, quiet: Api) -> Visit:
    return browsing.visit(str(quiet.http.base_url), reduced_motion="reduce")


def named(api: Api, name: str) -> list[Json]:
    """The jobs with a name, without the bulk runs that are about them."""
    return list(api.get("/api/jobs/", q=f"{name} -type:jobtracker.bulk")["jobs"])


def select_all(visit: Visit, q: str) -> None:
    """Select all that match."""
    visit.go(f"/jobs?q={q}")
    visit.page.get_by_role("checkbox", name="Select", exact=True).first.click()
    visit.page.get_by_role("button", name=re.compile("^select all")).click()


def under_way(quiet: Api) -> str:
    """The id of a bulk run of three jobs that stays under way: it is held, and nobody works at it."""
    ids = [create_job(quiet.store) for _ in range(3)]
    body = {"action": "tag", "ids": ids, "tags": ["autumn"]}
    for _ in range(20):
        run_id = str(quiet.request("POST", "/api/jobs/bulk", 202, json=body)["id"])
        held = quiet.store.hold_bulk(run_id, "nobody", 600_000)
        if held and held.status is Status.PENDING:
            return run_id
    pytest.fail("the API was faster each time")


def test_a_bulk_run_goes_on_without_its_dialog_is_found_again_and_stopped(browsing, visit, quiet):
    run_id = under_way(quiet)
    link = f"/jobs?q=tag:none&bulk={run_id}"
    visit.go(link)
    goes_on = visit.page.get_by_role("dialog", name="Tagging jobs")
    expect(goes_on.get_by_role("progressbar")).to_be_visible()
    expect(goes_on).to_contain_text("It waits for its turn.")
    assert visit.violations() == []
    goes_on.get_by_role("button", name="Close").click()
    line = visit.page.get_by_role("region", name="Bulk run of this tab")
    expect(line).to_contain_text("Tagging: 0 of 3")
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.violations() == []
    visit.page.reload()
    expect(line).to_contain_text("Tagging: 0 of 3")
    second = browsing.visit(visit.url)
    second.go(link)
    second.page.get_by_role("button", name="Stop").click()
    expect(second.page.get_by_role("dialog", name="Stopped: 0 jobs tagged")).to_contain_text("3not looked at")
    visit.page.get_by_role("link", name="Overview").first.click()
    line.get_by_role("button", name="Show the result").click()
    over = visit.page.get_by_role("dialog", name="Stopped: 0 jobs tagged")
    expect(over).to_contain_text("stopped on the page")
    over.get_by_role("button", name="Close").click()
    expect(line).to_have_count(0)
    assert quiet.get(f"/api/jobs/bulk/{run_id}")["status"] == "cancelled"
    assert visit.said == []


def test_a_bulk_run_has_a_page_of_its_own_as_a_job(visit, quiet):
    name = uuid.uuid4().hex
    for _ in range(2):
        create_job(quiet.store, name=name)
    select_all(visit, name)
    visit.page.get_by_role("button", name="Priority…").click()
    asked = visit.page.get_by_role("dialog", name="Reprioritise 2 jobs?")
    asked.get_by_label("Priority").select_option("critical")
    asked.get_by_label("All that match the filter").check()
    assert visit.violations() == []
    visit.page.keyboard.press("Control+Enter")
    over = visit.page.get_by_role("dialog", name="2 of 2 jobs reprioritised")
    assert visit.violations() == []
    over.get_by_role("paragraph").get_by_role("link").click()
    panel = visit.page.get_by_role("region", name="Bulk run", exact=True)
    expect(panel).to_contain_text("2 of 2 jobs reprioritised")
    expect(visit.page.get_by_role("button", name=re.compile("^(Retry|Clone|Edit|Start)"))).to_have_count(0)
    assert [each["priority"] for each in named(quiet, name)] == ["critical"] * 2
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.violations() == []
    visit.page.reload()
    expect(visit.page.get_by_role("region", name="Bulk run of this tab")).to_contain_text("2 of 2 jobs")


def test_what_is_sent_again_because_no_answer_came_is_done_once(visit, quiet):
    name = uuid.uuid4().hex
    create_job(quiet.store, name=name)
    sent: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        if '"dry_run":true' in (route.request.post_data or ""):
            route.continue_()
            return
        sent.append(route.request.headers["idempotency-key"])
        if len(sent) == 1:
            route.fetch()  # the API does it, and nobody hears of it
            route.abort()
        else:
            route.continue_()

    visit.page.route("**/api/jobs/bulk", lose_the_first_answer)
    visit.go(f"/jobs?q={name}")
    for key in ("j", "x", "r"):
        visit.page.keyboard.press(key)
    expect(visit.page.get_by_text("There is no job to which this can be done.")).to_be_visible()
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("c")
    visit.page.get_by_role("dialog", name="Cancel 1 job?").wait_for()
    visit.page.keyboard.press("Control+Enter")
    expect(visit.page.get_by_role("dialog", name=re.compile("^1 of 1 job cancelled"))).to_be_visible()
    assert len(sent) == 2
    assert len(set(sent)) == 1
    assert len(quiet.get("/api/jobs/", q='type:jobtracker.bulk "cancel 1 jobs"')["jobs"]) == 1


def test_a_double_click_starts_one_bulk_run(visit, quiet):
    name = uuid.uuid4().hex
    create_job(quiet.store, name=name)
    visit.go(f"/jobs?q={name}")
    for key in ("j", "x", "t"):
        visit.page.keyboard.press(key)
    visit.page.get_by_label("Tags").fill(f"tag-{name[:8]}")
    visit.page.get_by_role("button", name=re.compile("^Tag 1 job")).dblclick()
    expect(visit.page.get_by_role("dialog", name="1 of 1 job tagged")).to_be_visible()
    assert len(quiet.get("/api/jobs/", q='type:jobtracker.bulk "tag 1 jobs"')["jobs"]) == 1
