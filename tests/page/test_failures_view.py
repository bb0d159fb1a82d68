"""Failures by error in a real browser: groups are looked at, marked and retried, with jobs that really failed."""

import re
import uuid

import pytest
from playwright.sync_api import expect
from support.browser import Browsing, Visit
from support.sample_jobs import create_job
from support.serving import Api, eventually, job

from jobtracker.core.clock import now_ms
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event

pytestmark = pytest.mark.thorough


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    return browsing.visit(str(api.http.base_url))


def fail(api: Api, kind: str, message: str = "no rate for <b>EU</b>") -> str:
    """Note that a job has failed with this error; returns the id of its group."""
    found = fingerprint(kind, message)
    job_id = create_job(api.store, run=1, at_ms=now_ms(), type="invoice")
    api.store.apply(
        Event.FAIL, job_id, run=1, at_ms=now_ms(), fields={**found.fields, "reason": f"{kind}: {message}"}
    )
    return found.group


def kind() -> str:
    letters = uuid.uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))
    return f"Odd{letters[:10].title()}Error"


def row(visit: Visit, name: str):
    return visit.page.get_by_role("grid", name="Groups of failures").get_by_role("row").filter(has_text=name)


def panel(visit: Visit, name: str):
    return visit.page.get_by_role("region", name=re.compile(name))


def test_a_group_is_resolved_and_regresses_by_keyboard_alone(visit, api):
    name = kind()
    group = fail(api, name)
    visit.go("/failures")
    expect(row(visit, name)).to_contain_text("NEW")
    visit.page.keyboard.press("e")  # nobody chose a group
    assert api.get(f"/api/failures/{group}")["state"] == "new"
    visit.page.keyboard.press("j")
    expect(visit.page).to_have_url(re.compile(r"\?group="))
    expect(row(visit, name)).to_be_focused()  # it was seen last
    expect(panel(visit, name)).to_contain_text("Retry 1…")
    visit.page.keyboard.press("e")
    expect(panel(visit, name)).to_contain_text("RESOLVED")
    assert api.get(f"/api/failures/{group}")["state"] == "resolved"
    expect(row(visit, name)).to_have_class(re.compile("gone"))
    fail(api, name)
    expect(panel(visit, name)).to_contain_text("Regressed since")
    visit.page.get_by_role("navigation", name="Which groups").get_by_role("link", name="Resolved").click()
    expect(row(visit, name)).to_have_count(0)
    assert visit.said == []


def test_newer_groups_wait_until_they_are_asked_for(visit, api):
    fail(api, kind())
    visit.go("/failures")
    expect(visit.page.get_by_role("button", name="Retry")).to_be_enabled()
    newer = kind()
    fail(api, newer)
    expect(visit.page.get_by_role("button", name=re.compile("newer group"))).to_be_visible()
    expect(row(visit, newer)).to_have_count(0)
    visit.page.keyboard.press(".")
    expect(row(visit, newer)).to_be_visible()


def test_several_groups_are_resolved_at_once_and_the_tabs_count_them(visit, api):
    names = [kind() for _ in range(3)]
    groups = [fail(api, name) for name in names]
    visit.go("/failures")
    tabs = visit.page.get_by_role("navigation", name="Which groups")

    def number(tab: str) -> int:
        found = tabs.get_by_role("link", name=re.compile(rf"^{tab} \d"))
        return int(re.sub(r"\D", "", found.inner_text()))

    expect(row(visit, names[0])).to_be_visible()
    eventually(lambda: number("Open") >= 3)
    before = number("Resolved")
    for name in names[:2]:
        row(visit, name).get_by_role("checkbox").click()
    bar = visit.page.get_by_role("region", name="Selection")
    expect(bar).to_contain_text("2 selected")
    visit.page.keyboard.press("e")
    expect(bar).to_have_count(0)
    assert [api.get(f"/api/failures/{group}")["state"] for group in groups] == ["resolved", "resolved", "new"]
    eventually(lambda: number("Resolved") == before + 2)
    expect(row(visit, names[2]).get_by_role("checkbox")).not_to_be_checked()
    assert visit.said == []


def test_a_group_is_retried_with_a_preview_and_its_jobs_link_to_it(visit, api):
    job_id = api.launch(job("document_analysis", {"document_id": "never-there"}, name=f"again {uuid.uuid4().hex}"))
    api.expect(job_id, "failed")
    group = api.job(job_id)["failure_group"]
    visit.go(f"/jobs/{job_id}")
    visit.page.get_by_role("region", name="Error").get_by_role("link", name=re.compile("like this")).click()
    expect(visit.page).to_have_url(re.compile(f"group={group}"))
    failed = api.get(f"/api/failures/{group}")["jobs"]
    expect(visit.page.get_by_role("region", name="Where")).to_contain_text("NotFoundError")
    visit.page.get_by_role("button", name=re.compile(r"^Retry \d+…")).click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.get_by_role("list", name="What happens")).to_contain_text(f"{failed}")
    expect(dialog).to_contain_text("have failed: run again")
    dialog.get_by_label("All that match the filter").check()
    dialog.get_by_role("button", name=re.compile("^Retry")).click()
    expect(visit.page.get_by_role("dialog", name=re.compile("retried$"))).to_be_visible()
    eventually(lambda: api.job(job_id)["run"] == 2)


def test_axe_finds_nothing_in_a_group_with_all_that_it_has(browsing, api):
    group = fail(api, kind())
    for phone in (False, True):
        visit = browsing.visit(str(api.http.base_url), phone=phone, reduced_motion="reduce")
        visit.go(f"/failures?group={group}&span=7d&type=invoice")
        visit.settle()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            assert visit.violations() == [], scheme


def test_the_language_of_the_search_is_explained_and_its_errors_have_a_place(visit):
    visit.go("/jobs?q=status:failed+run:soon")
    alert = visit.page.get_by_role("alert")
    expect(alert.locator("mark")).to_have_text(re.compile("soon"))
    visit.page.keyboard.press("/")
    visit.page.keyboard.press("F1")
    dialog = visit.page.get_by_role("dialog", name="How to search")
    expect(dialog).to_contain_text("running_at:")
    assert visit.violations() == []
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("combobox")).to_be_focused()
    visit.page.keyboard.type("origin:b")
    expect(visit.page.get_by_role("option", name=re.compile("origin:beat"))).to_be_visible()
