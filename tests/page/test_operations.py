"""The views of queues, workers, types and health in a real browser, before an API with real workers."""

import re

import pytest
from playwright.sync_api import expect
from support.browser import Browsing, Visit
from support.sample_jobs import begin
from support.serving import Api, eventually, waiting

from jobtracker.core.clock import now_ms

pytestmark = pytest.mark.thorough

FORM = "/types/document_analysis"


def at(api: Api) -> str:
    """Where an API answers."""
    return str(api.http.base_url)


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    return browsing.visit(at(api))


def test_a_job_is_created_by_its_form_by_keyboard_alone(visit, api):
    visit.go(FORM)
    form = visit.page.get_by_role("form", name="New document_analysis")
    expect(form).to_be_visible()
    press, write = visit.page.keyboard.press, visit.page.keyboard.type
    form.get_by_role("radio", name="text", exact=True).focus()
    press("ArrowRight")
    press("Tab")
    write("no-such-document")
    press("Tab")
    press("ArrowRight")
    press("Tab")
    write("640")
    press("Enter")
    expect(form.get_by_label("max_key_phrases")).to_be_focused()
    expect(form.get_by_text("640 is more than 100.")).to_be_visible()
    press("Control+A")
    write("7")
    press("Enter")
    link = form.get_by_role("status").get_by_role("link")
    expect(link).to_be_visible()
    link.focus()
    press("Enter")
    expect(visit.page).to_have_url(re.compile("/jobs/"))
    created = api.job(visit.page.url.rpartition("/")[2])
    assert created["payload"] == {
        "document_id": "no-such-document",
        "analysis_type": "summary",
        "max_key_phrases": 7,
    }
    api.expect(created["id"], "failed")


def test_what_the_api_refuses_stands_at_its_field(visit, api):
    visit.go(FORM)
    form = visit.page.get_by_role("form", name="New document_analysis")
    form.get_by_text("Name, priority, tags").click()
    form.get_by_label("Tags").fill("x" * 60)
    visit.page.get_by_role("button", name="JSON").click()
    form.get_by_label("Payload, as JSON").fill('{"text": 5}')
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form.get_by_role("alert")).to_be_visible()
    expect(form.get_by_label("Tags")).to_have_accessible_description(re.compile("50 characters"))
    form.get_by_label("Tags").fill("eu")
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("text: 5 is not of type 'string'")
    visit.page.get_by_role("button", name="Form").click()
    text = form.get_by_label(re.compile("^text text"))
    expect(text).to_have_attribute("aria-invalid", "true")
    expect(text).to_have_accessible_description(re.compile("5 is not of type 'string'"))


def test_a_form_begins_like_another_job(visit, api):
    other = api.create({"job_type": "document_analysis", "name": "Like me", "payload": {"text": "Ferries"}})
    visit.go(f"{FORM}?like={other['id']}")
    form = visit.page.get_by_role("form", name="New document_analysis")
    expect(form.get_by_label(re.compile("^text text"))).to_have_value("Ferries")
    form.get_by_role("button", name="Create", exact=True).click()
    expect(form.get_by_role("status").get_by_role("link", name="Like me")).to_be_visible()


def test_a_worker_shows_what_it_runs_and_a_lost_one_what_it_ran(visit, api):
    job_id = api.launch({"job_type": "custom", "name": "Long import", "payload": waiting(60, 600)})
    api.expect(job_id, "running")
    lost = begin(api.store, "i-lost", now_ms(), worker="gone@host")
    try:
        visit.go("/workers")
        notice = visit.page.locator(".notice", has_text="gone@host")
        expect(notice).to_contain_text("is lost")
        row = visit.page.get_by_role("row", name=re.compile("Long import"))
        expect(row).to_contain_text("online")
        notice.get_by_role("link").click()
        expect(visit.page.get_by_role("table", name=re.compile("Ran when"))).to_be_visible()
        visit.page.get_by_role("table").get_by_role("link").first.click()
        expect(visit.page).to_have_url(f"{at(api)}/jobs/{lost}")
    finally:
        api.post(job_id, "cancel", json={"terminate": True})


def test_the_doctor_shows_what_differs_and_repairs_it_when_told(visit, api):
    index = api.keys("type", "custom")
    api.client.zadd(index, {"nobody": 1})
    visit.go("/health")
    visit.page.get_by_role("button", name=re.compile("^Examine")).click()
    visit.page.get_by_role("button", name=re.compile(r"^Repair [\d,]+…")).click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog).to_contain_text("stray in type:custom")
    assert api.client.zscore(index, "nobody") == 1
    dialog.get_by_role("button", name=re.compile("^Repair")).click()
    eventually(lambda: api.client.zscore(index, "nobody") is None)
    expect(visit.page.get_by_role("table", name="Differences")).to_contain_text("type:custom")


def test_axe_finds_nothing_in_what_opens(browsing, api):
    visit = browsing.visit(at(api), reduced_motion="reduce")
    for path, region in ((FORM, "New document_analysis"), ("/types/data_processing", "New data_processing")):
        visit.go(path)
        visit.page.get_by_role("form", name=region).get_by_role("button", name="Create and start").click()
        for summary in visit.page.locator("summary").all():
            summary.click()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            assert visit.violations() == [], f"{path}, {scheme}"
