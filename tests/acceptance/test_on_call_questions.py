"""The questions of people on call, asked as they ask them, about a project whose troubles are known.

A print shop has a day with real workers: a queue that is behind, a slow machine, mail that does not get out, products
without a price, and a new release with a mistake.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.commands import document, lines, run, said
from support.foreign_projects import FOREIGN, Site, site_beside_api
from support.serving import Api, Json, eventually

from jobtracker.client import Client
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(240)]

PRINTSHOP_DB = 12
OLD, NEW = "shop-1.0", "shop-1.1"
UNREACHABLE = "example.org"


class Day(NamedTuple):
    """What really happened."""

    site: Site
    folder: Path
    sent: dict[str, list[str]]
    """The ids of jobs, by what was sent in the morning."""
    sent_later: dict[str, list[str]]
    """After the deployment."""
    morning: datetime
    """When it began; one job had failed before."""
    deployed: datetime
    """The moment of the deployment."""
    parcels: ChildProcess
    """The worker that packs parcels."""

    @property
    def api(self) -> Api:
        """The API that does not know the project."""
        return self.site.api

    @property
    def url(self) -> str:
        """Where the API is."""
        return str(self.api.http.base_url)

    def open_gate(self, name: str) -> None:
        """Let go the jobs that wait for it."""
        (self.folder / f"{name}.gate").touch()


@pytest.fixture(scope="module")
def site(redis_server: EmbeddedRedis, api_log_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The print shop and its API."""
    folder = tmp_path_factory.mktemp("printshop")
    (folder / "unreachable").write_text(f"{UNREACHABLE}\n")
    with site_beside_api(
        redis_server, api_log_dir, FOREIGN, PRINTSHOP_DB, printshop_redis=f"{redis_server.url}/{PRINTSHOP_DB}",
        printshop_folder=folder, printshop_page_s=0.03, release_label=OLD, store_arguments="full",
    ) as site:  # fmt: skip
        yield site


@pytest.fixture(scope="module")
def day(site: Site) -> Iterator[Day]:
    """A day in which the new release was deployed at noon."""
    folder = Path(site.settings["printshop_folder"])
    with site.workers(
        "printshop",
        shop=worker("shop@host-1", "orders,mail", 2),
        press=worker("press@host-2", "press-1", 2),
        slow=worker("press@host-3", "press-2", 2, printshop_page_s=0.15),
        reports=worker("reports@host-4", "reports", 1),
        parcels=worker("parcels@host-5", "parcels", 2),
    ) as workers:
        assert run(site.api, "jobs", "create", "printshop.tasks.archive", "-p", "year=2025", "--wait").exit_code == 1
        morning = datetime.now(UTC)
        sent = json.loads(site.run("-m", "printshop.day", "before"))
        waiting = {*sent["report"], *sent["invoice"], *sent["pack"], *sent["label"]}
        eventually(lambda: set(open_jobs(site)) == waiting)
        eventually(lambda: len(open_jobs(site, "running")) == 5)
        deployed = datetime.now(UTC)
        with deploying(site, folder, workers["shop"]):
            later = json.loads(site.run("-m", "printshop.day", "after"))
            eventually(lambda: set(open_jobs(site)) == {*sent["report"], *sent["pack"], *sent["label"]})
            yield Day(site, folder, sent, later, morning, deployed, workers["parcels"])
            (folder / "reports.gate").touch()


def worker(name: str, queues: str, slots: int, **settings: Any) -> tuple[list[str], dict[str, Any]]:
    """A worker's options and settings."""
    return ["--hostname", name, "--queues", queues, "--concurrency", str(slots)], settings


@contextmanager
def deploying(site: Site, folder: Path, old: ChildProcess) -> Iterator[None]:
    """What a deploy script does: drain the old worker, stop it when that is safe, start the new release."""
    (folder / "invoices.gate").touch()
    assert run(site.api, "drain", "--wait", "--timeout", "30", "shop@host-1").exit_code == 0
    old.stop()  # SIGTERM
    with site.workers("printshop", new=worker("shop@host-6", "orders,mail", 2, release_label=NEW)):
        yield


def open_jobs(site: Site, *statuses: str) -> list[str]:
    """The ids of the jobs that have not settled."""
    wanted = statuses or ("pending", "running", "retrying")
    return [job["id"] for job in site.api.get("/api/jobs/", status=wanted, page_size=500)["jobs"]]


def ids(page: Json) -> set[str]:
    return {job["id"] for job in page["jobs"]}


def test_what_failed_in_the_last_hour_by_error(day):
    no_price, unreachable, no_coupon, read_only = (
        ("LookupError: there is no price for <quoted>", 4),
        ("TimeoutError: <…> did not answer", 7),
        ("KeyError: 'coupon'", 15),
        ("PermissionError: archive <n> is read-only", 1),
    )
    assert errors(day, "1h") == {no_price, unreachable, no_coupon, read_only}
    assert errors(day, day.morning.isoformat()) == {no_price, unreachable, no_coupon}
    assert errors(day, "1h", "--release", NEW) == {no_price, no_coupon}
    [group] = document(day.api, "failures", "list", "--error", "TimeoutError")["groups"]
    assert group["types"] == {"printshop.tasks.confirm": 4, "printshop.tasks.remind": 3}
    [coupons] = document(day.api, "failures", "list", "--error", "KeyError")["groups"]
    assert (coupons["jobs_of_hour"], coupons["first_seen_in"]) == (15, NEW)
    listed = document(day.api, "jobs", "list", f"failure:{group['id']}")
    assert ids(listed) == {*day.sent["confirm"], *day.sent["remind"]}
    with Client(day.url) as client:
        found = client.failures(since=day.morning)
        assert {each.count for each in found.groups} == {4, 7, 15}


def errors(day: Day, since: str, *options: str) -> set[tuple[str, int]]:
    """The errors that failed since then, with their numbers, as they are listed."""
    heads, *rows = lines(day.api, "failures", "list", "--since", since, *options)
    error, count = heads.index("ERROR"), heads.index("COUNT")
    return {(row[error:], int(row[count : count + len("COUNT")])) for row in rows}


def test_which_queue_is_behind_and_by_how_long(day):
    heads, *rows = lines(day.api, "queues")
    assert heads.split()[:3] == ["QUEUE", "MESSAGES", "OLDEST"]
    assert rows[0].startswith("reports ")  # the one that is behind comes first
    by_queue = {cells[0]: cells[1:] for row in rows if (cells := row.split())}
    # The first report runs, and its worker holds the next one.
    third = day.api.job(day.sent["report"][2])
    assert by_queue["reports"][0] == "4"
    assert by_queue["reports"][-1] == "reports@host-4"
    assert by_queue["reports"][1].endswith(("s", "m"))
    assert [by_queue[name][0] for name in ("orders", "mail", "press-1", "press-2", "parcels")] == ["0"] * 5
    reports = next(each for each in document(day.api, "queues")["queues"] if each["queue"] == "reports")
    assert (reports["oldest_job_id"], reports["oldest_at"]) == (third["id"], third["queued_at"])
    assert (reports["last_hour"]["sent"], reports["last_hour"]["started"]) == (6, 1)
    waiting = document(day.api, "jobs", "list", "status:pending queue:reports")
    assert ids(waiting) == set(day.sent["report"][1:])
    with Client(day.url) as client:
        assert [each.queue for each in client.queues().queues if each.messages] == ["reports"]


def test_which_worker_is_slow(day):
    slow = [line for line in lines(day.api, "workers") if " is slow: " in line]
    assert len(slow) == 1
    assert slow[0].startswith("press@host-3 is slow: printshop.tasks.print_page takes ")
    assert "(median of 30 jobs)" in slow[0]
    assert "on the others (30 jobs)" in slow[0]
    with Client(day.url) as client:
        found = {each.name: each.slow_types for each in client.worker_report().workers if each.slow_types}
    assert found == {"press@host-3": ["printshop.tasks.print_page"]}


def test_what_ran_when_we_deployed(day):
    ran = {*day.sent["invoice"], *day.sent["label"], *day.sent["pack"], day.sent["report"][0]}
    at = day.deployed.isoformat()
    assert ids(document(day.api, "jobs", "list", f"running_at:{at}")) == ran
    invoices = document(day.api, "jobs", "list", f"running_at:{at} worker:shop@host-1")
    assert ids(invoices) == set(day.sent["invoice"])
    heads, *rows = lines(day.api, "timeline", "--at", at)
    assert {row[heads.index("ID") :] for row in rows} == ran
    with Client(day.url) as client:
        assert {job.id for job in client.jobs(running_at=day.deployed)} == ran


def test_is_the_new_release_failing(day):
    _, *rows = lines(day.api, "releases")  # the newest comes first
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [(NEW, "1"), (OLD, "3")]  # errors that began in it
    summary, *facts = lines(day.api, "releases", "compare", OLD, NEW, status=1)
    assert summary == f"{NEW} is worse than {OLD}: printshop.tasks.checkout."
    assert any("0.0% of 30 jobs failed before, 50.0% of 30 now" in line for line in facts)
    new_errors = facts[facts.index(f"Errors that {NEW} was the first to have:") + 1 : -1]
    assert [each.split(maxsplit=1)[1] for each in new_errors] == ["15  KeyError: 'coupon'"]
    with Client(day.url) as client:
        old, new = sorted(client.releases().releases, key=lambda each: each.release)
        found = client.compare_releases(OLD, NEW)
    assert (new.completed, new.failed) == (15, 16)
    assert (old.completed, old.failed) == (30 + 60 + 2, 3 + 7 + 1)
    assert {each.job_type for each in found.by_type if each.verdict == "worse"} == {"printshop.tasks.checkout"}


def test_may_i_stop_this_machine(day):
    machine = "*@host-5"
    held = said(day.api, "drain", "--look", machine)
    [label], [pack] = day.sent["label"], day.sent["pack"]
    assert label in held
    assert pack in held
    assert "It is not safe to stop yet. It runs 2 tasks." in said(day.api, "drain", machine)
    assert run(day.api, "drain", "--wait", "--timeout", "0", machine).exit_code == 124
    day.open_gate("parcels")
    assert "It is safe to stop" in said(day.api, "drain", "--wait", "--timeout", "30", machine)
    assert day.parcels.pid is not None
    os.killpg(day.parcels.pid, signal.SIGKILL)  # even so nothing is lost
    assert [day.api.job(each)["status"] for each in (label, pack)] == ["completed", "completed"]
    with Client(day.url) as client:
        assert not list(client.jobs(q="worker:parcels@host-5 -status:completed"))


def test_rerun_all_failures_of_a_type(day):
    query = "status:failed type:printshop.tasks.confirm"
    asked = run(day.api, "jobs", "retry", query)  # nobody is there to answer
    assert (asked.exit_code, asked.stdout) == (2, "")
    assert asked.stderr.splitlines()[:2] == ["JOBS  STATUS  TYPE", "   4  failed  printshop.tasks.confirm"]
    assert "Retry 4 jobs? Nobody is there to answer: say --yes." in asked.stderr
    assert {day.api.job(each)["run"] for each in day.sent["confirm"]} == {1}
    (day.folder / "unreachable").write_text("")  # the mail server is mended
    done = run(day.api, "jobs", "retry", query, "--yes")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, "Retried 4 of 4 jobs.")
    assert [day.api.expect(each, "completed")["run"] for each in day.sent["confirm"]] == [2] * 4
    assert {day.api.job(each)["status"] for each in day.sent["remind"]} == {"failed"}
    assert said(day.api, "jobs", "retry", query, "--yes") == ""
