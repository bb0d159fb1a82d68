"""What admins see in a real browser: the audit, API keys, webhooks."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect
from support.api_under_test import QUIET_DB
from support.browser import Browsing, Visit
from support.receivers import receiving
from support.sample_jobs import create_job
from support.serving import Api, eventually, running_api

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.audit import AuditOutcome
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.audit import AuditLog

pytestmark = pytest.mark.thorough

VIEWS = {"/audit": "Audit", "/keys": "Keys", "/webhooks": "Webhooks"}
ENTRIES_OF_TWO_PAGES = 120


@pytest.fixture(scope="module")
def guarded(redis_server, api_log_dir) -> Iterator[Api]:
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB, webhook_allowed_networks="127.0.0.0/8"
    ) as guarded:
        yield guarded


@pytest.fixture(scope="module")
def keys(guarded: Api) -> dict[str, str]:
    """The keys of an admin and a viewer, by role."""
    store = ApiKeys(guarded.client, guarded.keys)
    owners = {"admin": "Ada", "viewer": "Vera"}
    return {role: store.create(Grant(owner=owner, role=role)).key for role, owner in owners.items()}


@pytest.fixture(scope="module")
def cancelled(guarded: Api, keys: dict[str, str]) -> str:
    """The id of a job that Ada has cancelled, and Vera was not allowed to."""
    job_id = create_job(guarded.store, name="cancelled by Ada", at_ms=now_ms())
    for role, status in (("viewer", 403), ("admin", 200)):
        assert as_(guarded, keys[role], "POST", f"/api/jobs/{job_id}/cancel").status_code == status
    return job_id


def as_(api: Api, key: str, method: str, path: str, **more) -> httpx.Response:
    """Ask the API with a key."""
    return api.http.request(method, path, headers={"Authorization": f"Bearer {key}"}, **more)


@pytest.fixture
def visit(browsing: Browsing, guarded: Api) -> Visit:
    return browsing.visit(str(guarded.http.base_url))


@pytest.fixture
def admin(visit: Visit, keys: dict[str, str]) -> Visit:
    """A page on which Ada has logged in."""
    return logged_in(visit, keys["admin"])


def logged_in(visit: Visit, key: str) -> Visit:
    """Log in, on the view of health: it asks for little."""
    visit.go("/health")
    visit.page.get_by_label("API key").fill(key)
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("dialog", name="jobtracker")).to_have_count(0)
    return visit


def rows(page: Page, grid: str):
    return page.get_by_role("grid", name=grid).get_by_role("row").filter(has=page.get_by_role("gridcell"))


def test_only_who_may_see_them_has_these_views_in_menu_palette_and_by_key(visit, browsing, guarded, keys):
    viewer = logged_in(visit, keys["viewer"]).page
    admin = logged_in(browsing.visit(visit.url), keys["admin"]).page
    for page, number in ((viewer, 0), (admin, 1)):
        menu = page.get_by_role("navigation", name="Views").first
        expect(menu.get_by_role("link", name="Health")).to_have_count(1)
        for name in VIEWS.values():
            expect(menu.get_by_role("link", name=name)).to_have_count(number)
        page.keyboard.press("Control+k")
        page.keyboard.type("audit")
        expect(page.get_by_role("option", name=re.compile("^audit", re.IGNORECASE))).to_have_count(number)
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("a")
        expect(page.get_by_role("heading", level=1)).to_have_text("Audit" if number else "Health")


def test_who_goes_there_without_the_scope_is_told_so_and_offered_nothing(visit, keys):
    logged_in(visit, keys["viewer"])
    for path in VIEWS:
        visit.go(path)
        expect(visit.page.get_by_text("needs the scope").first).to_be_visible()
        content = visit.page.get_by_role("main")
        expect(content.get_by_role("button")).to_have_count(0)
        expect(content.get_by_role("textbox")).to_have_count(0)
        expect(visit.page.get_by_role("button", name="Create")).to_have_count(0)
        expect(visit.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_the_console_says_nothing(browsing, guarded, keys, cancelled, scheme):
    visit = browsing.visit(str(guarded.http.base_url), color_scheme=scheme, reduced_motion="reduce")
    logged_in(visit, keys["admin"])
    visit.said.clear()  # a browser tells of the 401 before the login
    for path in VIEWS:
        visit.go(path)
        visit.settle()
        assert visit.violations() == [], path
    assert visit.said == []


def test_no_view_scrolls_sideways_on_a_phone(browsing, guarded, keys, cancelled):
    visit = browsing.visit(str(guarded.http.base_url), phone=True)
    logged_in(visit, keys["admin"])
    for path in VIEWS:
        visit.go(path)
        visit.settle()
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_audit_says_who_did_what_to_which_job(admin, cancelled):
    admin.go(f"/audit?job={cancelled}")
    expect(rows(admin.page, "Audit")).to_have_count(2)
    done, refused = rows(admin.page, "Audit").all()
    expect(done).to_contain_text(re.compile(r"Ada.*cancel_job.*done 200"))
    expect(refused).to_contain_text(re.compile(r"Vera.*cancel_job.*refused 403"))
    admin.page.get_by_role("combobox", name="Outcome").select_option("refused")
    expect(rows(admin.page, "Audit")).to_have_count(1)
    expect(admin.page).to_have_url(re.compile("outcome=refused"))
    admin.page.keyboard.press("j")
    admin.page.keyboard.press("Enter")
    dialog = admin.page.get_by_role("dialog", name="Vera: cancel_job")
    expect(dialog).to_contain_text("the request was wrong, or not allowed")
    expect(admin.page).to_have_url(re.compile("entry="))
    dialog.get_by_role("link", name=cancelled).click()
    expect(admin.page.get_by_role("heading", level=1)).to_have_text("cancelled by Ada")


def test_the_filters_of_the_audit_are_its_url(admin, cancelled):
    admin.go("/audit")
    admin.page.get_by_label("Who", exact=True).fill("Vera")
    admin.page.keyboard.press("Enter")
    admin.page.get_by_label("Action", exact=True).fill("cancel_job")
    admin.page.keyboard.press("Enter")
    admin.page.get_by_role("combobox", name="Since").select_option("1h")
    expect(admin.page).to_have_url(re.compile(r"principal=Vera&action=cancel_job&since=1h"))
    expect(rows(admin.page, "Audit")).to_have_count(1)
    admin.page.reload()
    expect(admin.page.get_by_label("Who", exact=True)).to_have_value("Vera")
    expect(rows(admin.page, "Audit")).to_have_count(1)
    admin.page.get_by_label("Who", exact=True).fill("Nobody")
    admin.page.keyboard.press("Enter")
    expect(admin.page.get_by_text("No entry matches.")).to_be_visible()
    admin.page.get_by_role("button", name="Clear").click()
    expect(rows(admin.page, "Audit").filter(has_text="Ada")).not_to_have_count(0)


def test_newer_entries_wait_and_older_ones_are_a_page_of_their_own(admin, guarded):
    log = AuditLog(guarded.client, guarded.keys, guarded.settings)
    for number in range(ENTRIES_OF_TWO_PAGES):
        log.add("cli", "repartition", AuditOutcome.DONE, {"target": f"part {number}"})
    admin.go("/audit?action=repartition")
    first = rows(admin.page, "Audit").first
    expect(first).to_contain_text(f"part {ENTRIES_OF_TWO_PAGES - 1}")
    log.add("cli", "repartition", AuditOutcome.FAILED, {"target": "a newer one"})
    line = admin.page.get_by_role("button", name="1 newer entry")
    expect(line).to_be_visible()
    expect(first).to_contain_text(f"part {ENTRIES_OF_TWO_PAGES - 1}")
    admin.page.keyboard.press(".")
    expect(first).to_contain_text("a newer one")
    admin.page.get_by_role("link", name="Older").click()
    expect(first).to_contain_text(re.compile(r"part \d+"))
    expect(admin.page).to_have_url(re.compile("cursor="))
    expect(admin.page.get_by_text("This is the end of the list.")).to_be_visible()
    admin.page.get_by_role("link", name="Latest").click()
    expect(first).to_contain_text("a newer one")


def secret_of(page: Page, title: str | re.Pattern[str]) -> str:
    """The secret that is shown, and which the page then forgets."""
    shown = page.get_by_role("region", name=title)
    expect(shown).to_be_focused()
    page.keyboard.press("Escape")
    secret = shown.locator("code").first.inner_text()
    shown.get_by_role("button", name="I have kept it").click()
    expect(shown).to_have_count(0)
    assert secret not in page.content()
    return secret


def test_a_key_is_created_with_limits_rotated_and_revoked(admin, guarded):
    page = admin.page
    admin.go("/keys")
    page.get_by_role("button", name="Create a key…").click()
    dialog = page.get_by_role("dialog", name="Create a key")
    assert admin.violations() == []
    dialog.get_by_label("Owner").fill("nightly import")
    dialog.get_by_label("May").select_option("operator")
    dialog.get_by_label("Only jobs of these types").fill("invoice\nshop.tasks.import")
    dialog.get_by_label("Expires").select_option("in 30 days")
    dialog.get_by_label("Owner").press("Enter")
    first = secret_of(page, "The key of nightly import")
    me = as_(guarded, first, "GET", "/api/me").json()
    assert (me["role"], me["job_types"]) == ("operator", ["invoice", "shop.tasks.import"])
    row = rows(page, "Keys").filter(has_text="nightly import")
    expect(row).to_contain_text("only jobs of type invoice, shop.tasks.import")
    expect(page).to_have_url(re.compile(f"key={me['key_id']}"))

    page.get_by_role("button", name="Rotate…").click()
    dialog = page.get_by_role("dialog", name="Rotate the key of nightly import?")
    assert admin.violations() == []
    dialog.get_by_label("Older secrets are accepted").select_option("not any more")
    dialog.get_by_role("button", name="Rotate it").click()
    second = secret_of(page, "The key of nightly import")
    assert as_(guarded, first, "GET", "/api/me").status_code == 401
    assert as_(guarded, second, "GET", "/api/me").status_code == 200

    page.get_by_role("button", name="Revoke…").click()
    dialog = page.get_by_role("dialog", name="Revoke the key of nightly import?")
    expect(dialog).to_contain_text("be taken back")
    dialog.get_by_role("button", name="Leave it").click()
    assert as_(guarded, second, "GET", "/api/me").status_code == 200
    page.get_by_role("button", name="Revoke…").click()
    dialog.get_by_role("button", name="Revoke it").click()
    expect(dialog).to_have_count(0)
    assert as_(guarded, second, "GET", "/api/me").status_code == 401
    expect(row).to_have_count(0)
    page.get_by_role("link", name="All", exact=True).click()
    expect(row).to_contain_text("revoked")
    expect(page.get_by_role("button", name="Rotate…")).to_have_count(0)


def test_a_key_has_single_scopes_where_no_role_fits(admin, guarded):
    admin.go("/keys")
    admin.page.get_by_role("button", name="Create a key…").click()
    dialog = admin.page.get_by_role("dialog", name="Create a key")
    dialog.get_by_label("Owner").fill("dashboard")
    dialog.get_by_label("May").select_option("single scopes")
    dialog.get_by_role("button", name="Create it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("at least one scope")
    dialog.get_by_role("checkbox", name="jobs:create").check()
    dialog.get_by_role("button", name="Create it").click()
    secret = secret_of(admin.page, "The key of dashboard")
    assert as_(guarded, secret, "GET", "/api/me").json()["scopes"] == ["jobs:create"]


def test_nobody_locks_themselves_out_without_being_told(admin, keys):
    admin.go(f"/keys?key={keys['admin'].split('_')[1]}")
    admin.page.get_by_role("button", name="Rotate…").click()
    dialog = admin.page.get_by_role("dialog", name="Rotate the key of Ada?")
    expect(dialog.get_by_role("option", name="for an hour")).to_have_count(1)
    expect(dialog.get_by_role("option", name="not any more")).to_have_count(0)  # the login would hide the new secret
    admin.page.keyboard.press("Escape")
    admin.page.get_by_role("button", name="Revoke…").click()
    dialog = admin.page.get_by_role("dialog", name="Revoke the key of Ada?")
    expect(dialog).to_contain_text("your session ends")
    expect(dialog).to_contain_text("No other key may manage keys")


def test_without_a_key_the_view_says_where_the_first_one_is_made(browsing, redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB) as open_api:
        visit = browsing.visit(str(open_api.http.base_url))
        visit.go("/keys")
        expect(visit.page.get_by_text("jobtracker keys create --owner NAME --role admin")).to_be_visible()
        expect(visit.page.get_by_role("button", name="Create a key…")).to_have_count(0)


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def panel(page: Page, name: str):
    return page.get_by_role("region", name=name)


def test_a_webhook_is_created_tested_disabled_edited_and_deleted(admin, guarded, keys, receiver):
    page = admin.page
    admin.go("/webhooks")
    expect(page.get_by_text("Nobody is told of anything yet.")).to_be_visible()
    page.get_by_role("button", name="Create a webhook…").click()
    form = page.get_by_role("dialog", name="Create a webhook")
    assert admin.violations() == []
    form.get_by_label("Address").fill("ftp://example.com")
    form.get_by_role("button", name="Create it").click()
    expect(form.get_by_role("alert")).to_contain_text("begins with https://")
    form.get_by_label("Address").fill("http://10.0.0.1/hook")
    form.get_by_role("button", name="Create it").click()
    expect(form.get_by_role("alert")).to_contain_text("WEBHOOK_ALLOWED_NETWORKS")
    form.get_by_label("Address").fill(receiver.url)
    form.get_by_role("checkbox", name="failure_group.new").check()
    form.get_by_label("Only jobs of these types").fill("invoice")
    form.get_by_label("Address").press("Enter")
    secret = secret_of(page, re.compile("The secret of wh_"))
    row = rows(page, "Webhooks")
    expect(row).to_contain_text("job.failed, failure_group.new")
    [webhook] = as_(guarded, keys["admin"], "GET", "/api/webhooks").json()["webhooks"]
    assert webhook["job_types"] == ["invoice"]
    expect(page).to_have_url(re.compile(f"webhook={webhook['id']}"))
    assert admin.violations() == []

    page.get_by_role("button", name="Send a test").click()
    delivery = page.get_by_role("table", name="Deliveries").get_by_role("row").filter(has_text="webhook.test")
    expect(delivery).to_contain_text(re.compile("delivered.*HTTP 204"))
    assert receiver.received[0].verified(secret)["type"] == "webhook.test"

    page.get_by_role("button", name="Rotate the secret…").click()
    page.get_by_role("dialog", name="Rotate the secret?").get_by_role("button", name="Rotate it").click()
    newer = secret_of(page, re.compile("The secret of wh_"))
    delivery.get_by_role("button", name="Redeliver").click()
    eventually(lambda: len(receiver.received) == 2)
    assert receiver.ids[0] == receiver.ids[1]
    for each in (secret, newer):
        assert receiver.received[1].verified(each)["type"] == "webhook.test"

    page.get_by_role("button", name="Disable", exact=True).click()
    expect(row).to_contain_text("disabled")
    expect(page.get_by_role("button", name="Send a test")).to_be_disabled()
    page.get_by_role("button", name="Enable", exact=True).click()
    expect(row).not_to_contain_text("disabled")
    page.get_by_role("button", name="Edit…").click()
    form = page.get_by_role("dialog", name="Edit the webhook")
    form.get_by_label("Only jobs of these types").fill("")
    form.get_by_label("Description").fill("to the team")
    form.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("to the team")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog", name="Delete the webhook?").get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("Nobody is told of anything yet.")).to_be_visible()
    assert as_(guarded, keys["admin"], "GET", "/api/webhooks").json()["webhooks"] == []


def test_a_delivery_that_was_not_taken_says_why_and_is_sent_once_more(admin, guarded, keys, receiver):
    page = admin.page
    receiver.answer = lambda _: (500, {})
    body = {"url": receiver.url, "events": ["job.settled"]}
    made = as_(guarded, keys["admin"], "POST", "/api/webhooks", json=body).json()
    job_id = create_job(guarded.store, run=1, name="told of", at_ms=now_ms())
    guarded.store.apply(Event.FAIL, job_id, run=1, at_ms=now_ms())
    admin.go(f"/webhooks?webhook={made['id']}")
    delivery = page.get_by_role("table", name="Deliveries").get_by_role("row").filter(has_text=job_id)
    expect(delivery).to_contain_text(re.compile("pending.*500"))
    delivery.get_by_role("button", name="job.settled").click()
    dialog = page.get_by_role("dialog", name="job.settled")
    expect(dialog).to_contain_text('"type": "job.settled"')
    expect(page).to_have_url(re.compile("delivery=msg_"))
    assert admin.violations() == []
    receiver.answer = lambda _: (204, {})
    dialog.get_by_role("button", name="Send it once more").click()
    expect(dialog).to_contain_text("delivered")
    expect(dialog).to_contain_text("HTTP 204")
    dialog.get_by_role("link", name=job_id).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("told of")
    assert as_(guarded, keys["admin"], "DELETE", f"/api/webhooks/{made['id']}").status_code == 204


def test_it_is_said_up_to_when_the_size_bound_has_cut_the_audit(admin, guarded):
    few = guarded.settings.model_copy(update={"audit_max_entries": 100})
    log = AuditLog(guarded.client, guarded.keys, few)
    for number in range(2 * few.audit_max_entries):
        log.add("cli", "repartition", AuditOutcome.DONE, {"target": f"part {number}"})
    admin.go("/audit")
    expect(admin.page.get_by_text("are not there any more")).to_be_visible()
