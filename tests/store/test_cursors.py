"""Cursors that come back broken, forged, or to another list; and servers with another alphabet."""

import base64
import json
import shutil
import subprocess

import pytest
from support.sample_jobs import START_MS, create_job

from jobtracker.connection.client import connect
from jobtracker.core.lifecycle import Status
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.filters import JobFilter, Sort
from jobtracker.store.cursors import BadCursorError
from jobtracker.store.keys import Keys
from jobtracker.store.list_plan import plan
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough


def encode(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


def forge(**changes):
    return encode(
        json.dumps({"signature": plan(JobFilter()).signature, "score": START_MS, "id": "j", "skip": 0} | changes)
    )


def test_a_cursor_is_short_whatever_the_filter(store, queries):
    types = tuple(f"{'t' * 60}{n}" for n in range(50))
    for job_type in types[:2]:
        create_job(store, type=job_type)
    page = queries.page(JobFilter(job_type=types), size=1)
    assert len(page.next_cursor) < 500
    assert len(queries.page(JobFilter(job_type=types), cursor=page.next_cursor).jobs) == 1


def test_a_forged_cursor_that_changes_nothing_is_one_that_works(store, queries):
    create_job(store, "a")
    assert [job.id for job in queries.page(JobFilter(), cursor=forge()).jobs] == ["a"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "nonsense",
        "größe",
        "====",
        encode("null"),
        encode("[]"),
        encode("{}"),
        encode("[" * 100_000),
        base64.urlsafe_b64encode(b"\xff\xfe\x00").decode(),
        forge(score="nan"),
        forge(score="(1"),
        forge(score=1e400),
        forge(score=10**4000),
        forge(score=-1),
        forge(score=None),
        forge(score=[1]),
        forge(id=None),
        forge(id=7),
        forge(id="\ud800"),
        forge(skip=-1),
        forge(skip="many"),
        forge(signature="type"),
    ],
    ids=lambda cursor: cursor[:20],
)
def test_what_is_no_cursor_is_refused_before_it_reaches_redis(queries, cursor):
    with pytest.raises(BadCursorError, match="can't be read"):
        queries.page(JobFilter(), cursor=cursor)


@pytest.mark.parametrize(
    "other", [{"job_type": "custom"}, {"status": Status.PENDING}, {"parent": "p"}, {"sort": Sort.CREATED}], ids=str
)
def test_a_cursor_of_another_list_is_refused(store, queries, other):
    for _ in range(3):
        create_job(store)
    cursor = queries.page(JobFilter(), size=1).next_cursor
    with pytest.raises(BadCursorError, match="other filters"):
        queries.page(JobFilter(**other), cursor=cursor)


def test_ties_go_by_bytes_whatever_alphabet_the_server_has(tmp_path, monkeypatch):
    # An English locale sorts a < B and ignores hyphens; where it can't be built there is nothing to see.
    localedef = shutil.which("localedef")
    if not localedef:
        pytest.skip("localedef is not installed")
    built = subprocess.run([localedef, "-i", "en_US", "-f", "UTF-8", tmp_path / "en_US.UTF-8"], check=False)
    if built.returncode:
        pytest.skip("the sources of the locale en_US are not installed")
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    ids = ["B", "a", "C", "b", "a-b", "ab", "a-c", "AA", "é", "~", "-"]
    with EmbeddedRedis(tmp_path / "data") as server, connect(server.url, timeout_s=10) as client:
        client.config_set("locale-collate", "en_US.UTF-8")
        store, queries = JobStore(client, Keys()), JobQueries(client, Keys())
        for job in ids:
            create_job(store, job)
        for sort, reverse in [(Sort.CREATED, False), (Sort.CREATED_DESC, True)]:
            page = queries.page(JobFilter(sort=sort), size=1)
            seen = [page.jobs[0].id]
            while page.next_cursor and len(seen) < 50:
                page = queries.page(JobFilter(sort=sort), size=1, cursor=page.next_cursor)
                seen += [job.id for job in page.jobs]
            assert seen == sorted(ids, key=str.encode, reverse=reverse)
