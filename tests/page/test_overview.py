"""The overview: what needs somebody, counts that are links, and the first steps of a new installation."""

import re
import time
import uuid

import pytest
from playwright.sync_api import expect
from support.browser import Browsing, Visit
from support.sample_jobs import create_job
from support.serving import Api, job, running_api

pytestmark = pytest.mark.thorough


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    return browsing.visit(str(api.http.base_url))


def test_what_failed_in_a_new_way_needs_somebody_and_leads_to_its_group(visit, api):
    job_id = api.launch(job("document_analysis", {"document_id": "<b>gone</b>"}, name=f"fails {uuid.uuid4().hex}"))
    api.expect(job_id, "failed")
    group = api.job(job_id)["failure_group"]
    visit.go("/")
    need = (
        visit.page.get_by_role("region", name="What needs you")
        .get_by_role("listitem")
        .filter(has_text="failed in a way that is new")
        .filter(has_text="NotFoundError")
    )
    expect(need).to_be_visible(timeout=20_000)
    visit.page.keyboard.press("j")
    expect(visit.page.locator(".need .do a").first).to_be_focused()
    need.get_by_role("link", name="Open group").click()
    expect(visit.page).to_have_url(re.compile(rf"/failures\?group={group}"))
    expect(visit.page.get_by_role("region", name="Latest jobs").get_by_text(job_id[:8])).to_be_visible()
    assert visit.said == []


def test_counts_and_charts_follow_and_are_links(visit, api):
    visit.go("/")
    tile = visit.page.get_by_role("link", name=re.compile("^completed"))
    job_id = api.launch()
    api.expect(job_id, "completed")
    completed = api.get("/api/tracking/stats")["by_status"]["completed"]
    expect(tile).to_have_text(re.compile(rf"^completed{completed:,}$"))
    visit.page.get_by_role("link", name="24h").click()
    expect(visit.page.get_by_role("heading", name="The last 24 hours")).to_be_visible()
    assert visit.violations() == []
    tile.click()
    expect(visit.page).to_have_url(re.compile(r"q=status:completed$"))


def test_a_new_installation_shows_three_steps_until_there_is_a_job(browsing, redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9) as new:
        visit = browsing.visit(str(new.http.base_url))
        visit.go("/")
        steps = visit.page.get_by_role("list").filter(has_text="start a worker").get_by_role("listitem")
        expect(steps).to_have_count(3)
        expect(steps.nth(0)).to_contain_text("They answer.")
        expect(steps.nth(1)).to_have_attribute("aria-current", "step")
        assert visit.violations() == []
        create_job(new.store, at_ms=int(time.time() * 1000))
        expect(visit.page.get_by_role("region", name="Jobs by status")).to_be_visible()
