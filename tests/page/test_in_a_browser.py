"""The page in a real browser, before an API with real workers."""

import re
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import expect
from support.browser import Browsing, Visit
from support.sample_jobs import create_job
from support.serving import Api, eventually, job, running_api

pytestmark = pytest.mark.thorough

VIEWS = ["/", "/jobs", "/failures", "/queues", "/workers", "/types", "/types/document_analysis", "/health"]
FIRST_LOAD_BYTES = 180_000
MARKUP = "<img src=x onerror=alert(1)><b>Faktura</b> & {{name}}"


def at(api: Api) -> str:
    """Where an API answers."""
    return str(api.http.base_url)


@pytest.fixture
def visit(browsing: Browsing, api: Api) -> Visit:
    return browsing.visit(at(api))


@pytest.fixture(scope="module")
def failed(api: Api) -> str:
    """The id of a job that has failed, with markup in all that people see of it."""
    body = job("document_analysis", {"document_id": "<b>missing</b>"}, name=MARKUP, tags=["<i>eu</i>"])
    job_id = api.launch(body)
    api.expect(job_id, "failed")
    return job_id


def rows(visit: Visit):
    return visit.page.get_by_role("row").filter(has=visit.page.get_by_role("gridcell"))


def test_each_view_loads_under_its_policy_within_the_budget_and_says_nothing(browsing, api, failed):
    for path in [*VIEWS, f"/jobs/{failed}"]:
        visit = browsing.visit(at(api))
        visit.go(path)
        visit.settle()
        files = visit.page.evaluate("performance.getEntriesByType('resource').map(e => [e.name, e.encodedBodySize])")
        loaded = sum(size for name, size in files if "/assets/" in name)
        assert 0 < loaded <= FIRST_LOAD_BYTES, f"{path} loads {loaded} bytes"
        assert visit.said == [], path
        assert {name for name, _ in files if not name.startswith(at(api))} == set()


def test_the_list_shows_jobs_filters_them_and_opens_one(visit, api, failed):
    visit.go("/jobs")
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("Faktura status:failed since:7d")
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(re.compile(r"q=status:failed\+since:7d\+Faktura$"))
    expect(rows(visit)).to_have_count(1)
    visit.page.get_by_role("combobox").press("Escape")
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(f"{at(api)}/jobs/{failed}")


def test_a_query_that_cannot_be_read_is_told_in_the_box(visit):
    visit.go("/jobs?q=status:failed+colour:red")
    expect(visit.page.get_by_role("alert")).to_contain_text("there is no qualifier colour:")
    visit.page.get_by_role("button", name="Remove colour").click()
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    visit.page.get_by_role("combobox").fill("origin:pl")
    expect(visit.page.get_by_role("option")).to_have_text(re.compile("origin:plain"))


def test_what_cannot_be_read_of_an_address_is_told(visit):
    for path, told in {
        "/?range=99d": "range=99d",
        "/workers?range=fortnight&until=tomorrow": "range=fortnight and until=tomorrow",
        f"/jobs?q={'x' * 3000}": "It has 3,000 characters. At most 2,000 are read",
    }.items():
        visit.go(path)
        expect(visit.page.get_by_text(told)).to_be_visible()
        assert visit.violations() == []
    visit.go("/?range=1h")
    expect(visit.page.get_by_text("The address has")).to_have_count(0)


def test_what_others_wrote_stays_text(visit, failed):
    visit.page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    visit.go(f"/jobs/{failed}")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    expect(visit.page.get_by_role("region", name="Payload")).to_contain_text("<b>missing</b>")
    expect(visit.page.get_by_role("region", name="Error")).to_contain_text("'<b>missing</b>'")
    expect(visit.page.get_by_role("link", name="<i>eu</i>")).to_be_visible()
    assert visit.said == []


def test_a_url_is_the_whole_state_of_a_list(visit, failed):
    visit.go("/jobs?q=status:failed+Faktura&sort=created_at&columns=status,job,priority")
    expect(rows(visit)).to_have_count(1)
    expect(visit.page.get_by_role("columnheader", name="Priority")).to_be_visible()
    expect(visit.page.get_by_role("columnheader", name="Worker")).to_have_count(0)
    visit.page.get_by_role("button", name="Remove status").click()
    expect(visit.page).to_have_url(re.compile(r"\?q=Faktura&"))
    visit.page.go_back()
    expect(visit.page.get_by_role("button", name="Remove status")).to_be_visible()


def test_newer_jobs_wait_above_the_list_until_they_are_asked_for(visit, api, failed):
    visit.go("/jobs")
    expect(rows(visit).first).to_be_visible()
    first = rows(visit).first.text_content()
    newer = create_job(api.store, at_ms=int(time.time() * 1000))
    line = visit.page.get_by_role("button", name=re.compile("newer job"))
    expect(line).to_be_visible()
    assert rows(visit).first.text_content() == first
    visit.page.keyboard.press(".")
    expect(rows(visit).first).to_contain_text(newer[:8])
    expect(line).to_have_count(0)


def test_rows_are_selected_by_keyboard_alone(visit, api, failed):
    for number in range(4):
        create_job(api.store, name=f"selected {number}")
    visit.go("/jobs?q=selected")
    expect(rows(visit)).to_have_count(4)
    for key in ("j", "x", "j", "j", "Shift+X"):
        visit.page.keyboard.press(key)
    expect(visit.page.get_by_role("region", name="Selection")).to_contain_text("3 selected")
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("region", name="Selection")).to_have_count(0)


def test_the_palette_goes_to_views_and_closes(visit):
    visit.go("/")
    visit.page.keyboard.press("Control+k")
    visit.page.keyboard.type("work")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Workers")
    visit.page.keyboard.press("?")
    expect(visit.page.get_by_role("dialog", name="Keys")).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    visit.page.keyboard.press("g")
    visit.page.keyboard.press("j")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Jobs")


def test_the_palette_finds_types_and_single_jobs_as_one_types(visit, api):
    name = f"Found {uuid.uuid4().hex[:8]}"
    job_id = api.create(job("document_analysis", {"text": "x"}, name=name))["id"]
    visit.go("/")
    visit.page.keyboard.press("Control+k")
    visit.page.keyboard.type(name.lower())
    option = visit.page.get_by_role("option").filter(has_text=job_id[:8])
    expect(option).to_be_visible()
    visit.page.keyboard.press("Control+a")
    visit.page.keyboard.type(job_id)
    expect(option).to_have_attribute("aria-selected", "true")
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(re.compile(f"/jobs/{job_id}$"))
    visit.page.keyboard.press("Control+k")
    visit.page.keyboard.type("document_ana")
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(re.compile("/types/document_analysis$"))


def test_jobs_are_selected_by_touch_on_a_phone(browsing, api):
    name = f"Touched {uuid.uuid4().hex[:8]}"
    for _ in range(2):
        create_job(api.store, name=name)
    visit = browsing.visit(at(api), phone=True)
    visit.go(f"/jobs?q={name.replace(' ', '+')}")
    boxes = visit.page.get_by_role("checkbox", name="Select", exact=True)
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.tap()
    bar = visit.page.get_by_role("region", name="Selection")
    expect(bar).to_contain_text("2 selected")
    expect(bar.get_by_role("button", name="Delete…")).to_be_in_viewport()
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_axe_finds_nothing_in_either_colour_scheme(browsing, api, failed):
    visit = browsing.visit(at(api), reduced_motion="reduce")
    for path in [*VIEWS, f"/jobs/{failed}"]:
        visit.go(path)
        visit.settle()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            assert visit.violations() == [], f"{path}, {scheme}"
    visit.page.keyboard.press("Control+k")
    assert visit.violations() == [], "the palette"


def test_no_view_scrolls_sideways_on_a_phone(browsing, api, failed):
    visit = browsing.visit(at(api), phone=True)
    for path in [*VIEWS, f"/jobs/{failed}"]:
        visit.go(path)
        visit.settle()
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_an_api_that_is_gone_leaves_what_was_there_and_says_so(browsing, redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9) as gone:
        create_job(gone.store, name="still here")
        visit = browsing.visit(at(gone))
        visit.go("/jobs")
        expect(rows(visit)).to_have_count(1)
    expect(visit.page.get_by_text("The API does not answer.").first).to_be_visible()
    expect(rows(visit)).to_contain_text("still here")


def test_below_a_prefix_views_load_by_address_and_by_click(browsing, redis_server, api_log_dir):
    prefix = "/tools/jobtracker"
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9, api_root_path=prefix) as prefixed:
        job_id = create_job(prefixed.store, name="behind a proxy")
        visit = browsing.visit(at(prefixed) + prefix)
        visit.go(f"/jobs/{job_id}")
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("behind a proxy")
        visit.page.get_by_role("link", name="Overview").first.click()
        expect(visit.page).to_have_url(f"{visit.url}/")
        visit.page.get_by_role("link", name=re.compile("pending")).click()
        expect(rows(visit)).to_have_count(1)
        assert visit.said == []


@pytest.fixture(scope="module")
def foreign_site() -> Iterator[str]:
    """A page of another site, on this machine: what the API sees of it is its origin alone."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>Elsewhere</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_foreign_page_can_neither_read_nor_write_nor_frame(browsing, api, foreign_site):
    job_id = create_job(api.store)
    page = browsing.visit(foreign_site).page
    page.goto(foreign_site)
    read = "async url => { try { return await (await fetch(url)).text() } catch (error) { return error.name } }"
    assert page.evaluate(read, f"{at(api)}/api/jobs/{job_id}") == "TypeError"
    send = "async url => { try { await fetch(url, {method: 'POST', mode: 'no-cors'}) } catch {} }"
    page.evaluate(send, f"{at(api)}/api/jobs/{job_id}/cancel")
    page.evaluate(
        "async url => { const form = document.body.appendChild(document.createElement('form'));"
        "form.method = 'post'; form.action = url; form.submit() }",
        f"{at(api)}/api/jobs/{job_id}/cancel",
    )
    page.wait_for_url(f"{at(api)}/**")
    assert "A page of another site" in page.content()
    assert api.job(job_id)["status"] == "pending"
    page.goto(foreign_site)
    page.evaluate(
        "url => new Promise(done => { const frame = document.createElement('iframe'); frame.src = url;"
        "frame.onload = done; document.body.append(frame) })",
        at(api),
    )
    eventually(lambda: len(page.frames) == 2 and page.frames[1].url.startswith("chrome-error:"))


def test_a_name_that_was_pointed_here_gets_nothing(browsing, api):
    page = browsing.visit(at(api)).page
    answer = page.goto(f"http://rebound.example:{api.settings.api_port}/jobs")
    assert answer is not None
    assert answer.status == 421
    assert page.locator("script").count() == 0


def test_on_a_phone_all_views_are_within_reach(browsing, api):
    visit = browsing.visit(at(api), phone=True)
    visit.go("/")
    visit.page.get_by_role("button", name="More").click()
    health = visit.page.get_by_role("group", name="More views").get_by_role("link", name="Health")
    expect(health).to_be_in_viewport(ratio=1)
    health.click()
    expect(visit.page).to_have_url(f"{at(api)}/health")
