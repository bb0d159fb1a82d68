"""Celery projects of other people, tracked by two lines; an API that has never imported them knows their jobs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.foreign_projects import FOREIGN, Site, site_beside_api
from support.serving import eventually, fields_of

from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.thorough

BOOKSHOP_DB, MYSITE_DB = 10, 11
ORDERS = ("price", "total", "invoice", "order")
STOCK = ("bookshop.stock.reserve", "bookshop.stock.tasks.count", "bookshop.stock.tasks.check_shelves")
PRICES = {"978-0": 1200, "978-1": 800}


def foreign(job_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The body of a request that creates a job."""
    return {"name": "from the API", "job_type": job_type, "payload": payload}


# -- a plain project ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bookshop's prices, which tests may add to."""
    path = tmp_path_factory.mktemp("bookshop") / "prices.json"
    path.write_text(json.dumps(PRICES))
    return path


@pytest.fixture(scope="module")
def bookshop(redis_server: EmbeddedRedis, api_log_dir: Path, prices: Path) -> Iterator[Site]:
    """The bookshop with a worker of both its queues."""
    url = f"{redis_server.url}/{BOOKSHOP_DB}"
    with (
        site_beside_api(
            redis_server, api_log_dir, FOREIGN, BOOKSHOP_DB, bookshop_redis=url, bookshop_prices=prices
        ) as site,
        site.celery("bookshop", "worker", "--queues", "orders,stock", "--concurrency", "2"),
    ):
        yield site


def test_jobs_of_a_project_that_the_api_never_imported_are_started_from_there(bookshop):
    price = bookshop.api.launch(foreign("bookshop.orders.tasks.price", {"isbn": "978-0"}))
    job = bookshop.api.expect(price, "completed")
    assert (job["result"], job["queue"], job["origin"]) == (1200, "orders", "api")
    reserve = foreign("bookshop.stock.reserve", {"isbns": ["978-0"]})
    job = bookshop.api.expect(bookshop.api.launch(reserve), "completed")
    assert (job["result"], job["queue"]) == ({"978-0": "front"}, "stock")


def test_the_types_of_a_project_are_described_in_its_own_words(bookshop):
    described = {each["name"]: each["description"] for each in bookshop.api.get("/api/tracking/job-types")}
    assert described["bookshop.orders.tasks.price"] == "What copies of a book cost, in cents."


def test_the_sample_project_shows_nowhere_in_a_project_of_ones_own(bookshop):
    sample = {"data_processing", "document_analysis", "entity_extraction", "medication_extraction"}
    types = {each["name"] for each in bookshop.api.get("/api/tracking/job-types")}
    assert types == {"custom", *(f"bookshop.orders.tasks.{name}" for name in ORDERS), *STOCK}
    assert not sample & bookshop.api.get("/api/tracking/stats/by-type").keys()
    assert {each["queue"] for each in bookshop.api.get("/api/tracking/queue-depth")["queues"]} == {"orders", "stock"}
    for job_type in sample:
        problem = bookshop.api.problem("POST", "/api/jobs/", 422, json=foreign(job_type, {}))
        assert problem["type"].endswith("unknown-job-type")


@pytest.mark.parametrize(
    ("job_type", "payload", "field"),
    [
        ("bookshop.orders.tasks.price", {"isbn": "978-0", "copies": "many"}, "payload.copies"),
        ("bookshop.orders.tasks.price", {"isbn": "978-0", "colour": "red"}, "payload"),
        ("bookshop.stock.reserve", {"isbns": "978-0"}, "payload.isbns"),
        ("bookshop.stock.tasks.burn", {}, "job_type"),
    ],
)
def test_what_does_not_fit_a_task_of_the_project_is_refused_by_the_api(bookshop, job_type, payload, field):
    problem = bookshop.api.problem("POST", "/api/jobs/", 422, json=foreign(job_type, payload))
    assert fields_of(problem) == [f"body.{field}"]


def test_a_job_of_the_project_is_retried_from_the_api(bookshop, prices):
    job_id = bookshop.api.launch(foreign("bookshop.orders.tasks.price", {"isbn": "978-2"}))
    assert bookshop.api.expect(job_id, "failed")["error"]["message"] == "there is no price for 978-2"
    prices.write_text(json.dumps({**PRICES, "978-2": 50}))
    bookshop.api.post(job_id, "retry")
    job = bookshop.api.expect(job_id, "completed")
    assert (job["result"], job["run"]) == (50, 2)


def test_what_the_project_sends_itself_is_there_with_its_lineage(bookshop):
    payload = {"customer": "Ada", "isbns": ["978-0", "978-1"]}
    order = bookshop.api.launch(foreign("bookshop.orders.tasks.order", payload))
    reserved = bookshop.api.expect(bookshop.api.expect(order, "completed")["result"], "completed")
    assert (reserved["task"], reserved["queue"]) == ("bookshop.stock.reserve", "stock")
    invoice = bookshop.api.job(reserved["sent_by"])
    assert (invoice["result"], invoice["next_id"]) == ("Ada: 20.00", reserved["id"])
    total = bookshop.api.tree(invoice["sent_by"])
    assert (total["result"], total["sent_by"], total["queue"]) == (2000, order, "orders")
    eventually(lambda: bookshop.api.job(total["id"])["sub_job_counts"]["completed"] == 2)
    assert [sub["task"] for sub in total["sub_jobs"]] == ["bookshop.orders.tasks.price"] * 2
    sent = {job["id"] for job in bookshop.api.get("/api/jobs/", sent_by=order)["jobs"]}
    assert sent == {total["id"], *(sub["id"] for sub in total["sub_jobs"])}


def test_what_beat_sends_is_there_with_its_entry_and_what_it_led_to(bookshop, tmp_path):
    with bookshop.celery("bookshop", "beat", "--schedule", str(tmp_path / "schedule"), "--pidfile", ""):
        find = {"job_type": "bookshop.stock.tasks.check_shelves", "status": "completed"}
        eventually(lambda: bookshop.api.get("/api/jobs/", **find)["jobs"])
    job = bookshop.api.job(bookshop.api.get("/api/jobs/", **find)["jobs"][0]["id"])
    assert (job["origin"], job["schedule"], job["queue"]) == ("beat", "look after the shelves", "stock")
    counts = bookshop.api.get("/api/jobs/", group=job["result"])["jobs"]
    assert {(count["task"], count["sent_by"]) for count in counts} == {("bookshop.stock.tasks.count", job["id"])}
    assert len(counts) == 2


# -- a Django project ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mysite(
    redis_server: EmbeddedRedis, api_log_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A Django project with a worker."""
    url = f"{redis_server.url}/{MYSITE_DB}"
    database = tmp_path_factory.mktemp("mysite") / "db.sqlite3"
    with (
        site_beside_api(
            redis_server, api_log_dir, FOREIGN / "mysite", MYSITE_DB, mysite_redis=url, mysite_database=database
        ) as site,
        site.celery("mysite", "worker", "--concurrency", "2"),
    ):
        yield site


def test_a_management_command_of_a_django_project_sends_a_tracked_task(mysite):
    job = mysite.api.expect(mysite.run("manage.py", "remind", "Emma"), "completed")
    assert (job["task"], job["result"]) == ("library.tasks.remind", "Emma is due in 14 days")
    assert (job["origin"], job["queue"]) == ("celery", "library")


def test_a_task_of_a_django_project_is_started_from_the_api(mysite):
    reminder = mysite.api.launch(foreign("library.tasks.remind", {"title": "Emma", "days": 3}))
    assert mysite.api.expect(reminder, "completed")["result"] == "Emma is due in 3 days"
    problem = mysite.api.problem("POST", "/api/jobs/", 422, json=foreign("library.tasks.remind", {"days": 3}))
    assert fields_of(problem) == ["body.payload"]


def test_web_processes_that_fork_after_the_site_has_published_publish_tracked_tasks_where_they_commit(mysite):
    mysite.run("prefork.py")
    serving = ("parent", "worker0", "worker1")
    wanted = {f"{who}-{n}" for who in serving for n in range(10)}
    eventually(lambda: not mysite.api.get("/api/jobs/", status="pending")["jobs"])
    eventually(lambda: not mysite.api.get("/api/jobs/", status="running")["jobs"])
    found = [mysite.api.job(job["id"]) for job in mysite.api.get("/api/jobs/", page_size=500)["jobs"]]
    sent_from = {job["result"].partition(" ")[0]: job["sent_from"] for job in found}
    assert wanted <= sent_from.keys()
    assert "lost" not in sent_from  # its transaction was rolled back
    assert [len({sent_from[f"{who}-{n}"] for n in range(10)}) for who in serving] == [1, 1, 1]
    assert len({sent_from[each] for each in wanted}) == len(serving)
