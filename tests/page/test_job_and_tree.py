"""The views of one job and of its tree, in a real browser, before an API with real workers."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from support.browser import Browsing, Visit
from support.sample_jobs import create_in, create_job, create_parent, new_job
from support.serving import Api, job, running_api, waiting

from jobtracker.core.lifecycle import Event, Status
from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.thorough

MARKUP = "<img src=x onerror=alert(1)><b>Faktura</b>"
TREE = 10_000


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    visit = browsing.visit(str(api.http.base_url), reduced_motion="reduce")
    visit.page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return visit


def region(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_role("region", name=name, exact=True)


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def failed(api: Api) -> str:
    job_id = api.launch(job("document_analysis", {"document_id": "<b>missing</b>"}, name=MARKUP))
    api.expect(job_id, "failed")
    return job_id


@pytest.fixture(scope="module")
def doubled(api: Api) -> str:
    """A job whose first execution completed after the second one had failed."""
    start = now_ms() - 60_000
    job_id = create_job(api.store, at_ms=start, name=MARKUP)
    first, second = f"{start + 1000}-w1-00000001", f"{start + 20_000}-w2-00000002"

    def report(event: Event, after_s: int, by: str, **more: Any) -> None:
        api.store.apply(event, job_id, run=1, attempt=0, execution=by, at_ms=start + after_s * 1000, **more)

    api.store.apply(Event.ENQUEUE, job_id, at_ms=start)
    report(Event.START, 1, first, fields={"worker": "w1@h", "lease": "w1"})
    report(Event.START, 20, second, fields={"worker": "w2@h", "lease": "w2"})
    error = {"type": "Refused", "message": MARKUP, "traceback": None}
    report(Event.FAIL, 25, second, fields={"reason": MARKUP}, data={"error": json.dumps(error)})
    report(Event.COMPLETE, 40, first, data={"result": '"done"'})
    return job_id


def test_a_job_says_why_and_is_retried_by_keyboard_alone(visit, api, failed):
    visit.go(f"/jobs/{failed}")
    expect(region(visit, "Why")).to_contain_text("NotFoundError")
    expect(region(visit, "Error")).to_contain_text("frames of yours")
    visit.page.keyboard.press("r")
    expect(region(visit, "What happened")).to_contain_text("2 executions")  # it fails again, soon
    assert api.job(failed)["run"] == 2


def test_a_ledger_outlines_what_does_not_count_and_warns_before_it_is_done_twice(visit, api, doubled):
    visit.go(f"/jobs/{doubled}")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    expect(region(visit, "What happened")).to_contain_text("2 executions, 1 counts")
    expect(visit.page.get_by_role("img", name=re.compile("does not count"))).to_have_count(1)
    visit.page.keyboard.press("r")
    asked = visit.page.get_by_role("dialog", name=re.compile("^Retry"))
    expect(asked).to_contain_text("An execution that does not count did complete")
    expect(asked.get_by_role("button", name="Retry all the same")).not_to_be_focused()
    visit.page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    assert api.job(doubled)["run"] == 1
    assert visit.said == []


def test_a_clone_shows_what_is_wrong_at_its_field_and_then_is_one_more(visit, api, failed):
    visit.go(f"/jobs/{failed}")
    expect(region(visit, "Payload")).to_contain_text("<b>missing</b>")
    visit.page.keyboard.press("e")
    form = visit.page.get_by_role("dialog", name=re.compile("^Another job"))
    editor = form.get_by_label("Payload of document_analysis")
    expect(editor).to_have_value(re.compile("<b>missing</b>"))
    editor.fill('{\n  "document_id": "d",\n  "analysis_type": 7\n}')
    form.get_by_role("button", name="Create and start").click()
    expect(form.get_by_role("button", name=re.compile(r"^line \d+$")).first).to_be_visible()
    editor.fill('{"document_id": oops}')
    form.get_by_role("button", name="Create and start").click()
    expect(form.get_by_role("alert").filter(has_text="Line 1")).to_be_visible()
    editor.fill('{"text": "Ferries leave at noon.", "analysis_type": "summary"}')
    form.get_by_label("Name").fill("one more")
    form.get_by_label("Name").press("Enter")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("one more")
    cloned = visit.page.url.rsplit("/", 1)[1]
    assert cloned != failed
    api.expect(cloned, "completed")


def test_a_log_grows_while_it_is_looked_at_and_is_searched(visit, api):
    job_id = create_in(api.store, Status.RUNNING, at_ms=now_ms())
    api.store.append_log(job_id, [(now_ms(), "info", "<b>first</b> line"), (now_ms(), "warning", "second line")])
    visit.go(f"/jobs/{job_id}")
    log = visit.page.get_by_role("log")
    expect(log).to_contain_text("<b>first</b> line")
    api.store.append_log(job_id, [(now_ms(), "error", "third line")])
    expect(log).to_contain_text("third line")
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("SECOND")
    expect(log.locator("mark")).to_have_text("second")
    expect(visit.page).to_have_url(re.compile(r"log=SECOND"))
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Download").click()
    assert download.value.path().read_text().count("\n") == 3


def test_a_cancel_asks_first_and_shows_what_came_of_it(visit, api):
    job_id = api.launch(job(payload=waiting(60, 120), name="to be cancelled"))
    api.expect(job_id, "running")
    visit.go(f"/jobs/{job_id}")
    expect(visit.page.locator(".st.chip")).to_have_text("running")
    visit.page.keyboard.press("c")
    visit.page.get_by_label("Why, and who asks").fill("Ada")
    visit.page.get_by_label("Why, and who asks").press("Enter")
    expect(visit.page.get_by_text("The cancel is requested")).to_be_visible()
    expect(visit.page.locator(".st.chip")).to_have_text("cancelled")
    assert api.job(job_id)["reason"] == "Ada"


def test_a_tree_of_ten_thousand_jobs_opens_scrolls_and_is_filtered(visit, api):
    subs = [f"big.{n}" for n in range(TREE)]
    start = now_ms() - 5000
    for first in range(0, TREE, 1000):
        jobs = [new_job(sub, parent="big", name=f"Chunk {sub}") for sub in subs[first : first + 1000]]
        api.store.create(*jobs, at_ms=start)
    api.store.create(new_job("big", subs=subs, name=MARKUP), at_ms=start)
    visit.go("/jobs/big/tree?fold=off")
    rows = visit.page.get_by_role("treegrid").get_by_role("row")
    expect(visit.page.get_by_role("treegrid")).to_have_attribute("aria-rowcount", str(TREE + 2))
    assert rows.count() < 150
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("End")
    expect(visit.page.get_by_role("link", name=f"Chunk big.{TREE - 1}")).to_be_in_viewport()
    visit.page.keyboard.press("/")
    visit.page.keyboard.type(f"big.{TREE - 1}")
    expect(rows).to_have_count(3)
    visit.page.get_by_role("searchbox").or_(visit.page.get_by_label("Find in this tree")).fill("")
    visit.page.get_by_role("switch", name=re.compile("Fold what is alike")).click()
    expect(rows.filter(has_text="9,999 jobs, pending")).to_have_count(1)
    assert visit.said == []


def test_what_failed_below_a_row_is_retried_after_a_preview(visit, api):
    tree = api.launch(
        job(
            "document_analysis",
            {"text": "Ferries leave at noon.", "analysis_type": "summary"},
            name="parent",
            sub_jobs=[
                job("entity_extraction", {"document_id": "missing"}, name="Part <i>one</i>"),
                job(name="Part two"),
            ],
        )
    )
    api.expect(tree, "failed")
    visit.go(f"/jobs/{tree}/tree")
    expect(visit.page.get_by_role("region", name="Critical path")).to_contain_text("is what everything waited for")
    expect(visit.page.locator("svg.bars", has_text="Part <i>one</i>: failed; ")).to_have_count(1)
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("r")
    asked = visit.page.get_by_role("dialog", name=re.compile("^Retry"))
    expect(asked).to_contain_text("What did not complete in “parent”: 2 failed, 0 cancelled")
    asked.get_by_role("button", name="Retry 1 job").click()
    expect(visit.page.get_by_role("dialog", name="1 of 1 job retried")).to_be_visible()
    assert api.job(tree)["run"] == 2


def test_axe_finds_nothing_in_a_ledger_a_form_and_a_tree(browsing, visit, api, doubled):
    name, _ = create_parent(api.store, 6, name=f"parent-{now_ms()}", sent=False)
    for path in (f"/jobs/{doubled}", f"/jobs/{name}/tree", f"/jobs/{name}/tree?fold=off"):
        visit.go(path)
        expect(visit.page.get_by_role("region").first).to_be_visible()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            assert visit.violations() == [], f"{path}, {scheme}"
    visit.page.keyboard.press("c")
    expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert visit.violations() == [], "the dialog of a cancel"
    phone = browsing.visit(str(api.http.base_url), phone=True)
    for path in (f"/jobs/{doubled}", f"/jobs/{name}/tree"):
        phone.go(path)
        expect(phone.page.get_by_role("region").first).to_be_visible()
        assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_job_leads_to_its_trace(browsing: Browsing, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    template = "https://traces.example/trace/{trace_id}"
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    with running_api(tmp_path, redis_url=redis_server.url, trace_url_template=template) as api:
        traced = create_job(api.store, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
        visit = browsing.visit(str(api.http.base_url))
        visit.go(f"/jobs/{traced}")
        link = visit.page.get_by_role("link", name=trace_id)
        expect(link).to_have_attribute("href", f"https://traces.example/trace/{trace_id}")
