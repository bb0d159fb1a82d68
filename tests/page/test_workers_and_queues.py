"""Workers, queues and releases on the page, before an API with real workers."""

import re

import pytest
from playwright.sync_api import expect
from support.browser import Browsing, Visit
from support.serving import Api, eventually, waiting

pytestmark = pytest.mark.thorough


def at(api: Api) -> str:
    """Where an API answers."""
    return str(api.http.base_url)


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    return browsing.visit(at(api))


@pytest.fixture
def name(api: Api) -> str:
    """The name of a live worker that can be drained."""
    workers = api.get("/api/tracking/workers")["workers"]
    return str(next(each["name"] for each in workers if each["state"] == "online"))


def test_a_block_of_a_lane_is_named_by_keyboard_and_opens_its_job(visit, api, name):
    job_id = api.launch({"job_type": "custom", "name": "In a lane", "payload": waiting(60, 600)})
    api.expect(job_id, "running")
    try:
        visit.go("/workers?range=10m")
        lane = visit.page.get_by_role("application", name=re.compile(f"^{re.escape(name)}: [1-9]"))
        lane.focus()
        visit.page.keyboard.press("End")
        said = lane.locator("[aria-live]")
        for _ in range(40):  # it is the last block of one of the rows, once the lane has it
            if "In a lane, custom, running" in said.inner_text():
                break
            visit.page.keyboard.press("ArrowDown")
            visit.page.keyboard.press("End")
            visit.page.wait_for_timeout(250)
        expect(said).to_contain_text("In a lane, custom, running")
        visit.page.keyboard.press("Enter")
        expect(visit.page).to_have_url(f"{at(api)}/jobs/{job_id}")
    finally:
        api.post(job_id, "cancel", json={"terminate": True})


def test_a_worker_is_drained_until_it_is_safe_to_stop_and_back(visit, api, name):
    path = f"/api/tracking/workers/{name}/drain"
    job_id = api.launch({"job_type": "custom", "name": "Still runs", "payload": waiting(60, 600)})
    api.expect(job_id, "running")
    try:
        visit.go(f"/workers?worker={name}")
        panel = visit.page.get_by_role("region", name=re.compile("^(Is .* safe to stop|Drain of )"))
        expect(panel.get_by_role("row", name=re.compile("Still runs"))).to_be_visible()
        panel.get_by_role("button", name="Drain…").click()
        dialog = visit.page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Drain it")).not_to_be_focused()
        expect(dialog).to_contain_text(re.compile("goe?s? on until"))
        assert api.get(path)["state"] == "consuming"
        dialog.get_by_role("button", name="Drain it").click()
        expect(panel.get_by_role("heading")).to_contain_text("draining")
        api.post(job_id, "cancel", json={"terminate": True})
        expect(panel.get_by_role("heading")).to_contain_text("safe to stop", timeout=30_000)
        panel.get_by_role("button", name="Undo the drain").click()
        expect(panel.get_by_role("button", name="Drain…")).to_be_enabled()
        eventually(lambda: api.get(path)["state"] == "consuming")
    finally:
        api.request("DELETE", path, 200)
        api.http.post(f"/api/jobs/{job_id}/cancel", json={"terminate": True})


def test_axe_finds_nothing_in_what_opens(browsing, api, name):
    visit = browsing.visit(at(api), reduced_motion="reduce")
    visit.go(f"/workers?worker={name}&range=24h")
    visit.settle()
    visit.page.get_by_role("application").first.focus()
    visit.page.keyboard.press("ArrowRight")
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.violations() == [], scheme
    visit.page.get_by_role("button", name="Drain…").click()
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.violations() == [], f"dialog, {scheme}"


def test_a_queue_says_since_when_its_oldest_waits_and_how_long_others_waited(visit, api):
    api.expect(api.launch({"job_type": "custom", "name": "Through the queue", "payload": waiting(0)}), "completed")
    report = api.get("/api/tracking/queue-depth")
    queue = next(each["queue"] for each in report["queues"] if each["last_hour"]["started"] > 0)
    visit.go(f"/queues?queue={queue}&window=1h")
    row = visit.page.get_by_role("row", name=re.compile(rf"^{re.escape(queue)} "))
    expect(row.get_by_role("img", name=re.compile("Wait p95 over the last hour"))).to_be_visible()
    expect(visit.page.get_by_role("heading", name=f"Waits in {queue}")).to_be_visible()
    expect(visit.page.get_by_role("img", name=re.compile("^Wait: p50 [0-9]"))).to_be_visible()
    expect(visit.page.get_by_role("img", name=re.compile("^In all: sent [1-9]"))).to_be_visible()
    expect(visit.page.get_by_role("heading", name=f"When {queue} is empty")).to_be_visible()
    visit.settle()
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.violations() == [], scheme


def test_releases_are_listed_or_how_to_name_one_is_said(visit, api):
    known = api.get("/api/releases")["releases"]
    visit.go("/releases")
    if known:
        expect(visit.page.get_by_role("row", name=re.compile(re.escape(known[0]["release"])))).to_be_visible()
    else:
        expect(visit.page.get_by_role("heading", name="No worker has said which release it runs.")).to_be_visible()
        expect(visit.page.get_by_text("RELEASE_LABEL=shop-2.1 celery -A your_app worker")).to_be_visible()
    visit.settle()
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.violations() == [], scheme
    visit.go("/releases?a=no-such&b=neither")
    if known:
        expect(visit.page.get_by_role("alert")).to_contain_text("no-such")
