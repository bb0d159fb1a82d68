"""Outlines of trees: their order, their pages, and what each row says."""

import json
from typing import Any

import pytest
from support.sample_jobs import START_MS, create_job, new_job

from jobtracker.core.lifecycle import Event
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.trees import TreeOutline
from jobtracker.store import outlines
from jobtracker.store.changes import NewJob
from jobtracker.store.cursors import BadCursorError
from jobtracker.store.outlines import COLUMNS

Spec = list[Any]
"""A tree: a list of its sub-trees."""

SHAPES: dict[str, Spec] = {
    "alone": [],
    "flat": [[] for _ in range(7)],
    "deep": [[[[[[]]]]]],
    "mixed": [[], [[], [[], []], []], [], [[[]], []], [[], [], []], []],
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """So that small trees take several."""
    monkeypatch.setattr(outlines, "_BATCH", 3)


def planted(store, spec: Spec, job_id: str = "r", parent: str | None = None) -> list[tuple[str, str | None, int]]:
    """Record a tree; returns id, parent and depth of each of its jobs, in the order in which they should be shown."""
    subs = [f"{job_id}.{number}" for number in range(len(spec))]
    below = [planted(store, sub, sub_id, job_id) for sub, sub_id in zip(spec, subs, strict=True)]
    fields = {"parent": parent} if parent else {}
    store.create(new_job(job_id, subs=subs, **fields), at_ms=START_MS)
    return [(job_id, parent, 0), *((sub, of, depth + 1) for each in below for sub, of, depth in each)]


def outline(queries, job_id: str, most: int = 1000, cursor: str | None = None) -> TreeOutline:
    return TreeOutline.model_validate_json(queries.outline_json(job_id, most, cursor))


def told(pages: list[TreeOutline]) -> list[tuple[str, str | None, int]]:
    """The same, by what pages say; the first row of each is where the one before it ended."""
    ids = [each for page in pages for each in page.id]
    parents = [each for page in pages for each in page.parent]
    depths = [each for page in pages for each in page.depth]
    assert [page.first_row for page in pages] == [sum(page.rows for page in pages[:n]) for n in range(len(pages))]
    named = [None if parent is None else ids[parent] for parent in parents]
    return list(zip(ids, named, depths, strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_pages_of_any_size_show_each_job_once_parents_before_their_sub_jobs(store, queries, shape, size):
    wanted = planted(store, SHAPES[shape])
    pages = [outline(queries, "r", size)]
    while cursor := pages[-1].next_cursor:
        pages.append(outline(queries, "r", size, cursor))
    assert told(pages) == wanted
    assert all(page.rows == size for page in pages[:-1])
    assert all(len(getattr(page, name)) == page.rows for page in pages for name in COLUMNS)


def test_a_part_of_a_tree_has_an_outline_of_its_own(store, queries):
    planted(store, SHAPES["mixed"])
    part = outline(queries, "r.1")
    assert (part.id[0], part.parent[0], part.depth[0], part.rows) == ("r.1", None, 0, 6)


def test_a_row_says_when_a_job_ran_and_how_it_ended(store, queries):
    store.create(new_job("p.0", parent="p", name="a chunk", type="pages", queue="gpu"), at_ms=START_MS)
    store.create(new_job("p", subs=["p.0"]), at_ms=START_MS)
    for job_id in ("p", "p.0"):
        store.apply(Event.ENQUEUE, job_id, at_ms=START_MS + 1)
    fields = {"worker": "w@test", "lease": "i"}
    store.apply(Event.START, "p.0", at_ms=START_MS + 5, fields=fields)
    store.apply(Event.PROGRESS, "p.0", at_ms=START_MS + 6, fields={"progress_done": 1, "progress_total": 4})
    running = outline(queries, "p")
    assert (running.status, running.progress_done, running.progress_total) == (
        ["pending", "running"], [None, 1], [None, 4],
    )  # fmt: skip
    assert running.finished_at_ms == [None, None]
    store.apply(Event.FAIL, "p.0", at_ms=START_MS + 9, fields={"reason": "KeyError: 'vat'"})
    store.notify_parent("p", "p.0", 1, "failed")
    [page] = [json.loads(queries.outline_json("p", 10))]
    row = {name: page[name][1] for name in COLUMNS}
    assert row == {
        "id": "p.0", "parent": 0, "depth": 1, "name": "a chunk", "job_type": "pages", "status": "failed",
        "reason": "KeyError: 'vat'", "queue": "gpu", "worker": "w@test", "run": 1, "attempt": 0,
        "created_at_ms": START_MS, "queued_at_ms": START_MS + 1, "due_at_ms": START_MS + 1,
            "started_at_ms": START_MS + 5,
        "finished_at_ms": START_MS + 9, "own_started_at_ms": None, "not_before_ms": None,
        "progress_done": 1, "progress_total": 4,
        "sub_jobs": 0, "sub_jobs_completed": 0, "sub_jobs_failed": 0, "sub_jobs_cancelled": 0,
    }  # fmt: skip
    assert [page[f"sub_jobs{what}"][0] for what in ("", "_completed", "_failed", "_cancelled")] == [1, 0, 1, 0]


def test_an_outline_goes_on_behind_a_parent_that_is_being_deleted(client, keys, store, queries):
    planted(store, SHAPES["mixed"])
    first = outline(queries, "r", 4)
    assert first.id[-1] == "r.1.0"
    client.zrem(keys("subs", "r"), "r.1")
    rest = outline(queries, "r", 100, first.next_cursor)
    assert rest.id == [each for each in outline(queries, "r").id if each > "r.1.9"]
    assert rest.parent[0] == 0


def test_a_sub_job_that_is_announced_and_not_recorded_is_left_out(store, queries):
    store.create(NewJob(id="a", fields=new_job("a").fields, subs={0: "a.0", 1: "a.1"}), at_ms=START_MS)
    create_job(store, "a.1", parent="a")
    assert outline(queries, "a").id == ["a", "a.1"]


@pytest.mark.parametrize("cursor", ["no cursor", "e30="])
def test_a_cursor_that_is_none_is_refused(store, queries, cursor):
    planted(store, SHAPES["flat"])
    with pytest.raises(BadCursorError):
        queries.outline_json("r", 10, cursor)


def test_a_cursor_of_another_tree_is_refused(store, queries):
    planted(store, SHAPES["flat"])
    planted(store, SHAPES["flat"], "other")
    with pytest.raises(BadCursorError, match="another tree"):
        queries.outline_json("other", 10, outline(queries, "r", 2).next_cursor)


def test_a_job_that_is_not_there_has_no_outline(queries):
    with pytest.raises(JobNotFoundError):
        queries.outline_json("nobody", 10)
