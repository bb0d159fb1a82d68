"""What changes is on the screen by itself: one stream for all tabs, which goes on over restarts, or polling."""

import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browser import Browsing, Visit
from support.sample_jobs import bring_to, create_in, create_job
from support.serving import Api, running_api

from jobtracker.core.lifecycle import Event, Status
from jobtracker.local.ports import free_port

pytestmark = pytest.mark.thorough


def now() -> int:
    """Now, in milliseconds: what is older and not at the broker is looked after."""
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def quiet(redis_server, api_log_dir: Path) -> Iterator[Api]:
    """An API without workers: nobody else changes its jobs."""
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9) as api:
        yield api


def freshness(page: Page):
    """How fresh the view is, in its top bar."""
    return page.locator("button.live")


def listing(browsing: Browsing, api: Api, name: str, **options) -> Visit:
    """The list of the jobs with a name, which follows the stream."""
    visit = browsing.visit(str(api.http.base_url), **options)
    visit.go(f"/jobs?q={name}")
    expect(freshness(visit.page)).to_have_text("Live")
    return visit


def row(visit: Visit, job_id: str):
    return visit.page.get_by_role("row").filter(has_text=job_id[:8])


@pytest.mark.parametrize("shared", [True, False], ids=["one-worker", "no-shared-worker"])
def test_a_change_is_on_the_screen_by_itself_and_the_row_keeps_its_place(browsing, quiet, shared):
    name = uuid.uuid4().hex
    ids = [create_in(quiet.store, Status.PENDING, at_ms=now(), name=f"{name} {number}") for number in range(3)]
    visit = browsing.visit(str(quiet.http.base_url))
    if not shared:
        visit.page.add_init_script("delete window.SharedWorker")
    visit.go(f"/jobs?q={name}")
    expect(freshness(visit.page)).to_have_text("Live")
    expect(visit.page.get_by_role("row")).to_have_count(4)
    places = visit.page.get_by_role("row").all_text_contents()
    bring_to(quiet.store, ids[1], Status.FAILED, at_ms=now())
    expect(row(visit, ids[1])).to_contain_text("failed")
    assert [text[-8:] for text in visit.page.get_by_role("row").all_text_contents()] == [at[-8:] for at in places]


def test_what_no_longer_matches_stays_struck_through(browsing, quiet):
    name = uuid.uuid4().hex
    job_id = create_in(quiet.store, Status.RUNNING, at_ms=now(), name=name)
    visit = browsing.visit(str(quiet.http.base_url))
    visit.go(f"/jobs?q=status:running+{name}")
    expect(freshness(visit.page)).to_have_text("Live")
    expect(row(visit, job_id)).to_be_visible()
    quiet.store.apply(Event.COMPLETE, job_id, at_ms=now())
    expect(row(visit, job_id)).to_have_class(re.compile(r"\bgone\b"))
    assert visit.said == []


def test_eight_tabs_get_answers_and_changes(browsing, quiet):
    name = uuid.uuid4().hex
    job_id = create_in(quiet.store, Status.PENDING, at_ms=now(), name=name)
    first = listing(browsing, quiet, name)
    tabs = [first.page, *(first.page.context.new_page() for _ in range(7))]
    for tab in tabs[1:]:
        tab.goto(first.page.url)
        expect(freshness(tab)).to_have_text("Live")
    bring_to(quiet.store, job_id, Status.RUNNING, at_ms=now())
    for tab in tabs:
        expect(tab.get_by_role("row").filter(has_text=job_id[:8])).to_contain_text("running")


def test_a_paused_view_stands_still_and_catches_up(browsing, quiet):
    name = uuid.uuid4().hex
    job_id = create_in(quiet.store, Status.PENDING, at_ms=now(), name=name)
    visit = listing(browsing, quiet, name)
    visit.page.keyboard.press("p")
    expect(freshness(visit.page)).to_have_text("Paused")
    visit.page.wait_for_timeout(500)  # what was asked for before still comes
    bring_to(quiet.store, job_id, Status.RUNNING, at_ms=now())
    other = listing(browsing, quiet, name)
    expect(row(other, job_id)).to_contain_text("running")
    expect(row(visit, job_id)).to_contain_text("pending")
    visit.page.keyboard.press("p")
    expect(row(visit, job_id)).to_contain_text("running")


def test_a_killed_api_is_resumed_without_gap_or_duplicate(browsing, redis_server, api_log_dir: Path):
    settings = {
        "redis_url": redis_server.url,
        "redis_db": 9,
        "api_port": free_port(),
        "tracking_namespace": f"resumed-{uuid.uuid4().hex[:8]}",
    }
    with running_api(api_log_dir, **settings) as first:
        known = create_job(first.store, name="known")
        visit = browsing.visit(str(first.http.base_url))
        visit.go("/jobs")
        expect(freshness(visit.page)).to_have_text("Live")
        expect(row(visit, known)).to_be_visible()
        first.process.stop(is_urgent=lambda: True)
        create_in(first.store, Status.PENDING, name="newer", at_ms=1_890_000_000_000)
        first.store.apply(Event.ENQUEUE, known, at_ms=now())
        bring_to(first.store, known, Status.RUNNING, at_ms=now())
        expect(visit.page.get_by_text("The API does not answer.").first).to_be_visible()
    with running_api(api_log_dir, **settings):
        expect(row(visit, known)).to_contain_text("running")
        expect(visit.page.get_by_role("button", name=re.compile("^1 newer job"))).to_be_visible()
        expect(freshness(visit.page)).to_have_text("Live")
        expect(visit.page.get_by_role("row").filter(has_text=known[:8])).to_have_count(1)


def test_on_several_processes_and_partitions_changes_arrive_and_any_process_answers(
    browsing, redis_server, api_log_dir: Path
):
    settings = {"redis_url": redis_server.url, "redis_db": 9, "api_workers": 2, "tracking_partitions": 3}
    with running_api(api_log_dir, **settings) as several:
        ids = [create_in(several.store, Status.PENDING, at_ms=now(), name="spread") for _ in range(9)]
        visit = listing(browsing, several, "spread")
        other = listing(browsing, several, "spread")
        for job_id in ids:
            several.store.apply(Event.START, job_id, at_ms=now())
            for each in (visit, other):
                expect(row(each, job_id)).to_contain_text("running")
        for _ in range(4):  # each process gives out the document, its files and its data
            context = visit.page.context.new_page()
            context.goto(visit.page.url)
            expect(context.get_by_role("row").filter(has_text="running")).to_have_count(len(ids))
            context.close()
            visit.page.reload()
            expect(visit.page.get_by_role("row").filter(has_text="running")).to_have_count(len(ids))
        several.store.apply(Event.COMPLETE, ids[0], at_ms=now())
        expect(row(visit, ids[0])).to_contain_text("completed")
        assert [*visit.said, *other.said] == []
