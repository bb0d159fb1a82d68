"""The list of jobs: cancel, retry and delete of many, saved filters, columns."""

import re
import time
import uuid

import pytest
from playwright.sync_api import expect
from support.browser import Browsing, Visit
from support.sample_jobs import create_job
from support.serving import Api, eventually, job, waiting

pytestmark = pytest.mark.thorough

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    return browsing.visit(str(api.http.base_url))


@pytest.fixture
def waits(api: Api) -> tuple[str, list[str]]:
    """Three jobs with a name of their own: one runs, two are not started."""
    name = f"{MARKUP} {uuid.uuid4().hex}"
    running = api.launch(job("custom", waiting(600, steps=6000), name=name))
    return name, [running, *(str(api.create(job(), name=name)["id"]) for _ in range(2))]


def go(visit: Visit, name: str, count: int, status: str = "") -> None:
    """List the jobs with a name."""
    visit.go(f'/jobs?q={status}+"{name}"'.replace("<", "%3C").replace(">", "%3E").replace("=x", "%3Dx"))
    expect(
        visit.page.get_by_role("grid", name="Jobs").get_by_role("checkbox", name="Select", exact=True)
    ).to_have_count(count)


def test_jobs_are_cancelled_by_mouse_with_a_preview_and_a_result(visit, api, waits):
    name, ids = waits
    api.expect(ids[0], "running")
    go(visit, name, 3)
    visit.page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    visit.page.get_by_role("checkbox", name="Select all rows").click()
    visit.page.get_by_role("button", name=re.compile("^Cancel…")).click()
    asked = visit.page.get_by_role("dialog", name="Cancel 3 jobs?")
    happens = asked.get_by_role("list", name="What happens").get_by_role("listitem")
    expect(happens).to_have_text(
        [re.compile(r"^2.*not started: cancelled at once"), re.compile(r"^1.*asked to stop")]
    )
    expect(asked.get_by_label("Reason")).to_be_focused()
    asked.get_by_label("Reason").fill("<b>not needed</b>")
    assert visit.violations() == []
    asked.get_by_role("button", name=re.compile("^Cancel 3 jobs")).click()
    expect(visit.page.get_by_role("dialog", name="3 of 3 jobs cancelled or asked to stop")).to_be_visible()
    assert visit.violations() == []
    visit.page.get_by_role("button", name="Close").click()
    for job_id in ids:
        assert api.expect(job_id, "cancelled")["reason"].startswith("<b>not needed</b>")
    expect(visit.page.get_by_role("row").filter(has_text="cancelled")).to_have_count(3)
    assert visit.said == []


def test_jobs_are_deleted_and_retried_by_keyboard_alone(visit, api, waits):
    name, ids = waits
    api.expect(ids[0], "running")
    go(visit, name, 3)
    for key in ("j", "x", "j", "j", "Shift+X", "d"):
        visit.page.keyboard.press(key)
    asked = visit.page.get_by_role("dialog", name="Delete 2 jobs?")
    left = asked.get_by_role("list", name="What happens").get_by_role("listitem").last
    expect(left).to_have_text(
        re.compile(r"^1are left alone: to delete a job, it must be one that has ended or is not")
    )
    expect(asked.get_by_label("Yes, delete 2 jobs for good")).to_be_focused()
    visit.page.keyboard.press("Control+Enter")
    expect(asked.get_by_text("Confirm it first.")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    visit.page.keyboard.press("c")
    expect(visit.page.get_by_role("dialog").get_by_role("button", name="Cancel 3 jobs")).to_be_enabled()
    visit.page.keyboard.press("Control+Enter")
    expect(visit.page.get_by_role("dialog", name="3 of 3 jobs cancelled or asked to stop")).to_be_visible()
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    expect(visit.page.get_by_role("row").filter(has_text="cancelled")).to_have_count(3)
    for key in ("j", "x", "r"):
        visit.page.keyboard.press(key)
    asked = visit.page.get_by_role("dialog", name="Retry 1 job?")
    expect(asked.get_by_role("button", name="Retry 1 job")).to_be_enabled()
    visit.page.keyboard.press("Control+Enter")
    expect(visit.page.get_by_role("dialog", name="1 of 1 job retried")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("row").filter(has_text="cancelled")).to_have_count(2)


def test_all_that_match_are_deleted_once_their_number_is_typed_and_stay_struck_through(visit, api):
    name = uuid.uuid4().hex
    for _ in range(105):
        create_job(api.store, f"{name}-{uuid.uuid4().hex[:6]}", name=name, at_ms=int(time.time() * 1000))
    visit.go(f"/jobs?q={name}")
    visit.page.get_by_role("checkbox", name="Select", exact=True).first.click()
    visit.page.get_by_role("button", name=re.compile("^select all")).click()
    visit.page.get_by_role("button", name=re.compile("^Delete…")).click()
    asked = visit.page.get_by_role("dialog", name="Delete 105 jobs?")
    does = asked.get_by_role("button", name=re.compile("^Delete 105"))
    expect(does).to_be_disabled()
    expect(asked.get_by_role("textbox")).to_be_focused()
    visit.page.keyboard.type("105")
    expect(does).to_be_enabled()
    does.click()
    expect(visit.page.get_by_role("dialog", name="105 of 105 jobs deleted")).to_be_visible()
    visit.page.get_by_role("button", name="Close").click()
    rows = (
        visit.page.get_by_role("grid", name="Jobs").get_by_role("row").filter(has=visit.page.get_by_role("gridcell"))
    )
    expect(visit.page.locator(".tr.gone").filter(has_text="deleted")).to_have_count(rows.count())
    eventually(lambda: api.get("/api/jobs/", q=f"{name} -type:jobtracker.bulk")["jobs"] == [])


def test_what_is_refused_says_why(visit, api):
    name = uuid.uuid4().hex
    job_id = str(api.create(job(), name=name)["id"])
    go(visit, name, 1)
    visit.page.keyboard.press("p")  # the view does not see what comes between the look and the deed
    for key in ("j", "x", "d"):
        visit.page.keyboard.press(key)
    visit.page.get_by_role("dialog", name="Delete 1 job?").wait_for()
    visit.page.get_by_label("Yes, delete 1 job for good").check()
    api.request("PUT", f"/api/jobs/{job_id}", 200, json={"status": "running"})
    visit.page.keyboard.press("Control+Enter")
    over = visit.page.get_by_role("dialog", name="0 of 1 job deleted")
    expect(over).to_contain_text("refused: it is running. To delete a job, it must be one that has ended")
    expect(over.get_by_role("link", name=job_id[:8])).to_be_visible()
    assert api.job(job_id)["status"] == "running"


def test_a_saved_filter_is_in_the_search_box_and_the_palette(visit, api):
    visit.go("/jobs?q=status:failed&columns=status,job,priority")
    visit.page.get_by_role("button", name="Save filter").click()
    visit.page.get_by_label("Name of this filter").fill("late <i>fees</i>")
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Escape")
    visit.go("/")
    visit.page.keyboard.press("Control+k")
    visit.page.keyboard.type("late")
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(re.compile(r"/jobs\?q=status:failed&columns=status,job,priority$"))
    visit.go("/jobs")
    visit.page.get_by_role("combobox").fill("late")
    visit.page.get_by_role("option").filter(has_text="late <i>fees</i>").click()
    expect(visit.page.get_by_role("button", name="Remove status")).to_be_visible()


def test_columns_are_chosen_and_moved_and_the_url_has_them(visit, api):
    create_job(api.store)
    visit.go("/jobs?columns=status,job,type")
    visit.page.get_by_role("button", name="Columns").click()
    visit.page.get_by_role("button", name="Move Type to the left").click()
    visit.page.get_by_label("Priority").check()
    expect(visit.page).to_have_url(re.compile(r"columns=status,type,job,priority$"))
    heads = visit.page.get_by_role("columnheader")
    expect(heads).to_have_text(["", "Status", "Type", "Job", "Priority"])


def test_nothing_can_be_changed_while_the_api_is_away(visit, api, waits):
    name, _ = waits
    go(visit, name, 3)
    visit.page.get_by_role("checkbox", name="Select", exact=True).first.click()
    cancels = visit.page.get_by_role("button", name=re.compile("^Cancel…"))
    expect(cancels).to_be_enabled()
    visit.page.route("**/api/**", lambda route: route.abort())
    expect(cancels).to_be_disabled(timeout=15_000)
