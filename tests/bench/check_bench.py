"""The parts of the benchmark run: small, and without a look at what they measure. `make test-bench`; no other run of
the tests collects this file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import PARTS

ROOT = Path(__file__).resolve().parents[2]


def measured(part, size, *, timeout_s=120):
    """The figures of a part; a table can be made of them."""
    command = [sys.executable, "-m", "bench", part, "--json", "--size", str(size), "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)["figures"]
    head, *body = PARTS[part].rows(figures)
    assert body
    assert {len(row) for row in body} == {len(head)}
    return figures


def test_what_a_task_costs_is_measured_beside_plain_celery():
    figures = measured("overhead", 500)
    assert figures["ratio_to_plain"].keys() == {"tracked", "events", "round_trip"}
    assert min(rate for found in figures["tasks_per_second"].values() for rate in found.values()) > 0
    assert min(cpu_us for found in figures["cpu_per_task"].values() for cpu_us in found.values()) > 50


def test_what_traces_cost_is_measured_beside_tracking_alone():
    figures = measured("traced", 300)
    assert figures["added_us"].keys() == {"api", "traced", "unsampled"}


def test_each_transition_is_one_round_trip():
    figures = measured("transitions", 200)
    assert {verb: round(found["round_trips"], 2) for verb, found in figures.items()} == dict.fromkeys(figures, 1)


def test_others_are_answered_while_large_requests_are_under_way():
    figures = measured("large", 2)
    assert min(figures.values()) > 0


def test_viewers_hear_of_every_change():
    figures = measured("events", 5)
    assert figures.keys() == {"0", "1", "5"}
    assert 0 < figures["5"]["events_per_s"] <= 4.5
    assert figures["5"]["named_p50_ms"] > 0


@pytest.mark.timeout(320)
def test_the_page_is_measured_in_a_browser_beside_flower_and_a_node_graph():
    figures = measured("page", 400, timeout_s=300)
    assert figures["list"].keys() == {"20", "400", "Flower", "flowers_tasks"}
    assert (
        min(figures["list"][name][when]["p50_ms"] for name in ("400", "Flower") for when in ("first", "again", "cpu"))
        > 10
    )
    assert 20_000 < figures["first_load_bytes"]["/"] < figures["first_load_bytes"]["/jobs"] < 180_000
    assert figures["tree"].keys() == {"tree", "graph", "graph, all", "nothing", "jobs"}
    assert min(figures["tree"][name]["count"] for name in ("tree", "graph", "graph, all", "nothing")) > 10
    assert figures["change"]["p50_ms"] > 0
    assert figures["viewer"]["asked_per_s"] > 0
    assert figures["hour"]["changes"] == 399
    assert 1 < figures["hour"]["before"]["heap_mb"] < 100


def test_questions_are_asked_at_three_sizes_beside_flower_and_a_bare_route():
    figures = measured("queries", 2000)
    assert {tuple(of) for of in figures["times"].values()} == {("100", "200", "2000")}
    assert figures["growth"].keys() == figures["times"].keys()
    assert set(figures["list_to"]) == {"Flower's tasks", "the list's bytes"}
    assert min(of["p50_ms"] for by_size in figures["times"].values() for of in by_size.values()) > 0


def test_a_mixed_load_is_answered_by_one_process_and_by_two():
    figures = measured("load", 200)
    assert set(figures) == {"1", "2"}
    assert all(found["not_2xx"] == 0 and found["most_per_second"] > 0 for found in figures.values())


def test_trees_of_each_size_finish_and_are_read():
    figures = measured("trees", 12)
    assert figures.keys() == {"10", "12", "chain of 2", "group of 12", "deep"}
    assert all(0 < found["accepted_s"] < found["finished_s"] for name, found in figures.items() if " " not in name)
    assert all(found["ratio"] > 0 for name, found in figures.items() if name != "deep")
    assert figures["12"]["tree_mb"] > 0.01
    assert 0 < figures["12"]["cpu_server_us"] < figures["12"]["cpu_us"]


def test_memory_is_measured_beside_peers():
    figures = measured("memory", 200)
    for found in figures.values():
        assert min(found["jobtracker"], found["celery"]) > 300
        assert found["rq"] is None or found["rq"] > 3000
        assert {"job", "data", "type", "entered"} <= found["of that"].keys()


def test_old_jobs_leave_while_others_are_reported():
    figures = measured("retention", 3000)
    assert min(figures[name] for name in ("removed_per_second", "alone_per_second", "removing_per_second")) > 0


def test_one_server_of_several_does_its_share_of_the_work():
    figures = measured("shards", 600)
    assert set(figures) == {"1", "2", "3"}
    even = {int(n): found["busiest_to_average"]["a transition"] for n, found in figures.items()}
    assert even[1] == 1
    assert all(even[n] < n for n in (2, 3)), "all others are idle"


def test_what_the_sample_workers_find_is_measured_on_both_halves_beside_the_dictionary_and_the_model():
    figures = measured("quality", 4)
    for half in ("open", "held_out"):
        assert figures[half]["medication_extraction"]["drugs"]["right"] > 10
        assert figures[half]["drug dictionary"].keys() >= {"drugs", "status"}
        assert figures[half]["entity_extraction"].keys() == figures[half]["language model"].keys()
        assert len(figures[half]["kinds"]) == 2
    assert min(speed["documents_per_s"] for speed in figures["speed"].values()) > 0


def test_a_large_result_is_written_and_read_beside_celerys_backends():
    figures = measured("values", 128)
    assert len(figures) == 4
    assert min(min(both.values()) for of in figures.values() for both in of.values()) > 0


def test_creating_and_changing_many_jobs_is_measured_beside_one_by_one():
    figures = measured("bulk", 300)
    assert len(figures) == 5
    assert min(found["per_second"] for found in figures.values()) > 0


def test_a_request_with_a_key_is_measured_beside_one_without():
    figures = measured("keys", 400)
    assert len(figures) == 3
    assert all(found.keys() == {"without", "with", "ratio"} for found in figures.values())


def test_a_scrape_is_measured_at_three_sizes_and_with_many_types():
    figures = measured("metrics", 1000)
    assert len(figures) >= 3
    assert min(found["lines"] for found in figures.values()) > 100
    assert max(found["lines"] for found in figures.values()) > 5000
