"""Takes the pictures of the page for the documentation: `make screenshots` writes them into docs/images/page/.

A store of its own has a day of past jobs. The sample worker adds real ones: done, running, failed, waiting, blocked.
"""

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from celery import Celery
from past_failures import RELEASES, past_failures
from redis import Redis
from support.browser import Browsing, Visit, a_browser
from support.receivers import receiving

from bench.filling import Plan, fill
from jobtracker import Client, Settings, Tracker
from jobtracker.core.clock import now_ms
from jobtracker.core.version import package_version
from jobtracker.errors import ForbiddenError
from jobtracker.local.stack import LocalStack
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.workers import Worker
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.keys import Keys
from jobtracker.store.releases import ReleaseLog
from jobtracker.store.writer import JobStore

FOLDER = Path(__file__).parent / "images" / "page"
PAST_JOBS = 6000
DAY_MS = 86_400_000
ADMIN_VIEWS = {"audit": "/audit", "keys": "/keys", "webhooks": "/webhooks"}
"""Views of admins, by the names of their pictures. They come last: from the first key on, the page needs one."""
PHONES = {"overview", "jobs", "job", "tree", "failures"}
"""Views of which there is a picture of a phone too."""


def main(*wanted: str) -> None:
    """Take the pictures of these views, by name; of all without a name."""
    os.environ["WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8"  # the receiver of the pictures' webhooks
    with tempfile.TemporaryDirectory() as data, LocalStack(Path(data), concurrency=2) as stack:
        port = int(stack.redis.url.rpartition(":")[2])
        fill(port, Keys(), Plan(jobs=PAST_JOBS, open_share=0, span_ms=DAY_MS))
        with Client(stack.api_url) as client, a_browser() as browser:
            redis = Redis.from_url(stack.redis.url, decode_responses=True)
            _announce_releases(redis)
            store = JobStore(redis, Keys())
            views = {"failures": f"/failures?group={past_failures(store)}", **_work(client, stack)}
            for name in [name for name in views if not wanted or name in wanted]:
                path = views[name]
                for theme in ("light", "dark"):
                    _take(browser.visit(stack.api_url, color_scheme=theme), path, FOLDER / f"{name}-{theme}.png")
                if name in PHONES:
                    _take(browser.visit(stack.api_url, phone=True), path, FOLDER / f"{name}-phone.png")
            if not wanted or set(wanted) & set(ADMIN_VIEWS):
                _admin_views(redis, stack.api_url, browser, wanted)


def _admin_views(redis: Redis, api_url: str, browser: Browsing, wanted: tuple[str, ...]) -> None:
    """Take the pictures of what admins see: several people have keys, and use them."""
    keys = ApiKeys(redis, Keys())
    ada = keys.create(Grant(owner="ada", role="admin")).key
    limited = Grant(owner="nightly import", role="operator", job_types=["custom"], tags=["night"])
    grants = [limited, Grant(owner="dashboard", role="viewer"), Grant(owner="on call", role="operator")]
    nightly, _, on_call = [keys.create(grant).key for grant in grants]
    with receiving() as receiver, Client(api_url, api_key=ada) as admin:
        hook = admin.create_webhook(receiver.url, ["job.settled", "failure_group.new"], description="the team's chat")
        admin.create_webhook(f"{receiver.url}/paging", ["queue.no_consumer", "worker.lost"], description="paging")
        admin.test_webhook(hook.id)
        with Client(api_url, api_key=on_call) as someone:
            for number in (22, 23, 24):  # the worker has no free slot
                letter = {"document_id": f"letter-{number}"}
                pending = someone.create("document_analysis", letter, name=f"Letter {number}", start=True)
                someone.cancel(pending.id)
        with Client(api_url, api_key=nightly) as someone, suppress(ForbiddenError):
            someone.create("document_analysis", {"document_id": "letter-25"})  # its key is for other types
        for name in [name for name in ADMIN_VIEWS if not wanted or name in wanted]:
            path = f"{ADMIN_VIEWS[name]}?webhook={hook.id}" if name == "webhooks" else ADMIN_VIEWS[name]
            for theme in ("light", "dark"):
                visit = browser.visit(api_url, color_scheme=theme)
                visit.page.request.post(f"{api_url}/api/session", data={"key": ada})
                _take(visit, path, FOLDER / f"{name}-{theme}.png")


def _announce_releases(redis: Redis) -> None:
    """Say of the past jobs' releases which worker ran them."""
    log = ReleaseLog(redis, Keys(), 7 * DAY_MS // 1000)
    for n, release in enumerate([*RELEASES, *Plan(jobs=PAST_JOBS).releases]):
        worker = Worker(
            incarnation=str(n),
            name=f"celery@worker-{n}",
            host="worker",
            pid=1,
            pool="prefork",
            concurrency=4,
            queues=["celery"],
            version=package_version(),
            release=release,
            started_at_ms=now_ms(),
        )
        log.note(worker)
        time.sleep(0.01)  # each was seen first at another time


def _work(client: Client, stack: LocalStack) -> dict[str, str]:
    """Have real work done; returns the views, by the names of their pictures."""
    document = {"document_id": "doc456"}
    tree = client.create_tree(
        "document_analysis",
        document,
        name="Discharge letter, Harbour Clinic",
        sub_jobs=[
            {"name": "Extract entities", "job_type": "entity_extraction", "payload": document},
            {"name": "Extract medications", "job_type": "medication_extraction", "payload": document},
            *(
                {
                    "name": f"Checksum of page {page}",
                    "job_type": "custom",
                    "payload": {"task": "workers.checksum", "kwargs": {"text": f"page {page}"}},
                }
                for page in range(1, 25)
            ),
        ],
        tags=["harbour"],
        start=True,
    )
    client.wait(tree.id, timeout_s=120)
    failed = [
        client.create("document_analysis", {"document_id": f"letter-{number}"}, name=f"Letter {number}", start=True)
        for number in (17, 18, 21)
    ]
    for each in failed:
        client.wait(each.id, timeout_s=60)
    _without_consumer(stack)
    wait = {"task": "workers.wait", "kwargs": {"seconds": 600, "steps": 60}}
    running = [
        client.create("custom", wait, name=name, priority="high", tags=["night"], start=True)
        for name in ("Rebuild the index", "Export of November", "Import of contacts")
    ]
    client.create("document_analysis", document, name="Not started yet")
    [past] = client.failed_jobs(job_type="shop.tasks.send_invoice", page_size=1).jobs  # no path of this machine in it
    time.sleep(12)  # so that the running jobs show progress
    return {
        "overview": "/",
        "jobs": "/jobs",
        "job-failed": f"/jobs/{past.id}",
        "job": f"/jobs/{running[0].id}",
        "tree": f"/jobs/{tree.id}/tree",
        "queues": "/queues",
        "workers": "/workers",
        "releases": "/releases",
        "types": "/types",
        "type": "/types/document_analysis",
        "health": "/health",
    }


def _without_consumer(stack: LocalStack) -> None:
    """Send messages to a queue that nobody consumes."""
    url = f"{stack.redis.url}/0"
    app = Celery("reports", broker=url, set_as_current=False)
    app.conf.task_default_priority = 6
    tracker = Tracker(app, Settings(redis_url=url))

    @app.task(name="reports.tasks.build_monthly_report")
    def build_monthly_report(month: str) -> None:
        """Never runs."""

    for month in ("September", "October", "November"):
        build_monthly_report.apply_async((month,), queue="reports")
    tracker.detach()
    app.close()


def _take(visit: Visit, path: str, file: Path) -> None:
    visit.go(path)
    visit.page.wait_for_timeout(1500)  # for what comes after the first answers; the stream never ends
    file.parent.mkdir(parents=True, exist_ok=True)
    visit.page.screenshot(path=file)
    visit.page.context.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
