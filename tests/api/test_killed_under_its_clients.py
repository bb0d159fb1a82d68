"""An API is killed again and again under clients that create, batch and tag: nothing twice, nothing lost."""

import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from support.recount import recount
from support.serving import eventually, running_api, running_worker

from jobtracker.client import ApiUnavailableError, Client
from jobtracker.local.ports import free_port

pytestmark = [pytest.mark.long, pytest.mark.thorough, pytest.mark.timeout(300)]

SOON = {"lease_lost_s": 2, "lease_renew_s": 0.4, "maintenance_interval_s": 0.3}
CLIENTS, ROUNDS, KILLS = 2, 4, 3
TEXT = {"text": "Ferries leave the harbour at noon."}


def job(name):
    return {"job_type": "document_analysis", "payload": TEXT, "name": name}


def insist(ask, *what, **how):
    """The answer of an API. The client itself sends again what may have been done; this, what was not done."""
    while True:
        try:
            return ask(*what, **how)
        except ApiUnavailableError as error:
            if error.may_be_done:
                raise
            time.sleep(0.1)


class Asking:
    """A client that asks for things, each under a name of its own, and notes what it was answered."""

    def __init__(self, url, number):
        self.client = Client(url, outage_s=120)
        self.number = number
        self.answered: dict[str, list[str]] = {}
        self.runs: dict[str, int] = {}
        self.tagged: set[str] = set()

    def ask(self, goes_on):
        """Ask in rounds, until there were enough and nobody wants more."""
        rounds = 0
        with self.client as client:
            while rounds < ROUNDS or goes_on():
                name = f"{self.number}-{rounds}"
                one = insist(client.create, "document_analysis", TEXT, name=f"one {name}", start=True).id
                self.answered[f"one {name}"] = [one]
                size = 60 if rounds % 3 == 2 else 5
                batch = insist(client.create_batch, [job(f"batch {name}")] * size).ids
                self.answered[f"batch {name}"] = batch
                unique = {"unique": {"key": name}}
                two = [{**job(f"keyed {name}"), **unique}, job(f"keyed {name}")]
                keyed = insist(client.create_batch, two)
                self.answered[f"keyed {name}"] = keyed.ids
                rounds += 1
                time.sleep(0.1)
                if rounds % 2:
                    continue
                run = insist(client.bulk, "tag", ids=[one, *batch], tags=["told"])
                self.runs[run.id] = 1 + size
                self.tagged |= {one, *batch}


def test_nothing_is_lost_and_nothing_is_done_twice(redis_server, tmp_path, documents):
    port, chance = free_port(), random.Random(17)
    settings = {"redis_url": redis_server.url, "redis_db": 10, "api_port": port, **SOON}
    settings["tracking_namespace"] = f"killed-{uuid.uuid4().hex[:8]}"
    asking = [Asking(f"http://127.0.0.1:{port}", number) for number in range(CLIENTS)]
    is_over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        try:
            for kill in range(KILLS):
                with running_api(tmp_path, **settings) as api:
                    if kill == 0:
                        with running_worker(api, documents, **SOON):  # which announces the types
                            pass
                        working = [pool.submit(each.ask, lambda: not is_over.is_set()) for each in asking]
                    known = sum(len(each.answered) for each in asking)
                    eventually(partial(told_more, asking, working, known))
                    is_over.wait(chance.uniform(0, 0.5))  # somewhere within a request
                    os.killpg(api.process.pid, signal.SIGKILL)
            with running_api(tmp_path, **settings) as api, running_worker(api, documents, **SOON):
                is_over.set()
                for each in working:
                    each.result()
                check(api, asking)
        finally:
            is_over.set()
    assert recount(api.client, api.keys) == []


def told_more(asking, working, known):
    """Whether a client got another answer; what a client failed with is raised."""
    for each in working:
        if each.done():
            each.result()
    return sum(len(each.answered) for each in asking) > known


def check(api, asking):
    """Compare what clients were answered with what is there."""
    answered = {name: ids for each in asking for name, ids in each.answered.items()}
    runs = {run: size for each in asking for run, size in each.runs.items()}
    wanted = {job_id: name for name, ids in answered.items() for job_id in ids}
    started = {job_id for job_id, name in wanted.items() if name.startswith("one")}
    total = len(started) + len(runs)
    eventually(lambda: api.get("/api/tracking/stats")["by_status"].get("completed", 0) >= total, patience_s=120)
    there, cursor = [], None
    while cursor or not there:
        page = api.get("/api/jobs/", page_size=100, **({"cursor": cursor} if cursor else {}))
        there += page["jobs"]
        cursor = page["next_cursor"]
    found = {each["id"]: each for each in there}
    unknown = [
        (each["name"], each["job_type"], each["created_at"]) for each in there if each["id"] not in wanted | runs
    ]
    assert unknown == [], "there twice"
    assert wanted.keys() | runs.keys() <= found.keys(), "lost"
    statuses = {"completed": started | runs.keys(), "pending": wanted.keys() - started}
    for status, ids in statuses.items():
        assert {each["id"] for each in there if each["status"] == status} == ids
    assert Counter(found[each]["name"] for each in wanted) == Counter(wanted.values())
    assert Counter((found[each]["run"], found[each]["deliveries"]) for each in started) == {(1, 1): len(started)}
    for run, size in runs.items():
        assert api.get(f"/api/jobs/bulk/{run}")["done"] == size
    told = {each for each in wanted if found[each]["tags"] == ["told"]}
    assert told == set().union(*(each.tagged for each in asking))
