"""`jobtracker jobs list|show`, `tree`, `logs`, `stats`, `workers`, `queues`, `types`: for people and for programs."""

import inspect
import json
import re
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from support.commands import WIDTH, document, lines, refusal, run, shown
from support.sample_jobs import START_MS, create_job
from support.serving import Api, Json, job, parent, waiting

from jobtracker.cli.commands.jobs import list_
from jobtracker.core.lifecycle import Event
from jobtracker.local.ports import free_port
from jobtracker.schemas.jobs import JobPage

pytestmark = pytest.mark.thorough

TEXT = {"text": "Ferries leave the harbour at noon."}
LONG = "A name that is much longer than a terminal is wide, " * 3


@pytest.fixture(scope="module")
def finished(api) -> Json:
    """A tree that has completed, with a long name."""
    job_id = api.launch(parent(job(name=LONG), job(payload=waiting(0, 3)), name=LONG, tags=["finished"]))
    api.expect(job_id, "completed")
    return api.tree(job_id)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["stats"], "/api/tracking/stats/by-type"),
        (["stats", "--by", "priority"], "/api/tracking/stats/by-priority"),
        (["workers", "--answers"], "/api/tracking/worker-stats"),
        (["types"], "/api/tracking/job-types"),
        (["jobs", "list", "--limit", "2", "--tag", "finished"], "/api/jobs/?page_size=2&tag=finished"),
        (["jobs", "list", "--status", "completed"], "/api/jobs/?page_size=20&status=completed"),
        (["jobs", "show", "ID"], "/api/jobs/ID"),
        (["tree", "ID"], "/api/tracking/job-tree/ID"),
        (["history", "ID"], "/api/jobs/ID/history"),
        (["logs", "ID", "-n", "1"], "/api/jobs/ID/logs?limit=1"),
    ],
)  # fmt: skip
def test_json_is_what_the_api_answers_and_a_table_fits_the_terminal(api, finished, command, path):
    command = [finished["id"] if word == "ID" else word for word in command]
    assert document(api, *command) == api.http.get(path.replace("ID", finished["id"])).json()
    on_terminal, whole = shown(api, *command), lines(api, *command)
    assert len(on_terminal) >= len(whole) > 0
    assert all(line == line.rstrip() for line in whole)
    if command[:2] != ["jobs", "show"] and command[0] != "logs":
        assert max(map(cell_len, on_terminal)) <= WIDTH


def test_a_list_shows_whole_ids_and_cuts_what_is_long(api, finished):
    header, line = shown(api, "jobs", "list", "--tag", "finished")
    assert header.split() == ["ID", "STATUS", "TYPE", "NAME", "AGE"]
    assert line.startswith(f"{finished['id']}  completed  …")
    assert "_analysis  A name" in line
    assert "…  " in line
    assert re.search(r" \d+[sm]$", line)


@pytest.mark.parametrize("columns", ["", "80"])
def test_output_in_a_file_is_never_cut_whatever_columns_says(api, finished, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", columns)
    name = " ".join(LONG.split())
    assert name in run(api, "jobs", "list", "--tag", "finished").stdout
    assert run(api, "tree", finished["id"]).stdout.count(name) == 2


def test_a_list_leaves_the_room_of_a_name_that_is_only_that_of_the_type_to_the_type(quiet_api):
    create_job(quiet_api.store, type="library.books.tasks", name="library.books.tasks", tags=json.dumps(["nameless"]))
    _, line = lines(quiet_api, "jobs", "list", "--tag", "nameless")
    assert line.split()[2:-1] == ["library.books.tasks"]


def test_every_filter_of_the_api_is_an_option(api, finished):
    sub = finished["sub_jobs"][1]
    [found] = document(
        api, "jobs", "list", "--status", "completed", "--type", "custom", "--priority", "normal", "--name", "custom",
        "--parent", finished["id"], "--created-from", "1h", "--created-to", "2999-01-01", "--finished-from", "1d",
        "--finished-to", "2999-01-01T00:00Z", "--sort=-created_at",
    )["jobs"]  # fmt: skip
    assert found["id"] == sub["id"]
    for option, value in (("--created-to", "1h"), ("--finished-from", "2999-01-01"), ("--tag", "other")):
        assert document(api, "jobs", "list", "--parent", finished["id"], option, value)["jobs"] == []
    filters = {each["name"] for each in api.get("/openapi.json")["paths"]["/api/jobs/"]["get"]["parameters"]}
    assert filters - {"page", "page_size"} <= set(inspect.signature(list_.list_jobs).parameters)


def test_a_query_and_options_that_are_repeated_filter_too(quiet_api):
    for job_id, tag in {"asked": "asked", "other": "other", "third": "third"}.items():
        create_job(quiet_api.store, job_id, tags=json.dumps([tag, "queried"]), type="query.type")
    for filters, found in [
        (["tag:asked,other"], {"asked", "other"}),
        (["tag:queried -tag:asked type:query.type", "--sort=-created_at"], {"other", "third"}),
        (["type:query.type", "--tag", "asked", "--tag", "third"], {"asked", "third"}),
        (["--no-log", "--tag", "asked", "--max-retries", "0"], {"asked"}),
    ]:
        assert {each["id"] for each in document(quiet_api, "jobs", "list", *filters)["jobs"]} == found
    wrong = run(quiet_api, "jobs", "list", "tag:x colour:red")
    assert wrong.exit_code != 0
    assert "At character 7 of the query" in wrong.stderr


def test_a_list_that_was_not_looked_through_says_how_far_it_looked(capsys):
    at = datetime(2026, 11, 29, 10, 5, tzinfo=UTC)
    found = JobPage(jobs=[], total=None, page=1, page_size=0, next_cursor="here", looked_at=100_000, looked_to=at)
    list_._print_what_is_left(found, 20)
    assert capsys.readouterr().err.split("; look")[0] == (
        "0 among the 100,000 jobs that were looked at, up to 2026-11-29 10:05:00 UTC"
    )


def test_jobs_are_listed_by_who_sent_them_and_by_group(quiet_api):
    for job_id, fields in {"sent": {"sent_by": "sender"}, "grouped": {"group": "some-group"}}.items():
        create_job(quiet_api.store, job_id, **fields)
    for filters, found in ((["--sent-by", "sender"], "sent"), (["--group", "some-group"], "grouped")):
        assert [each["id"] for each in document(quiet_api, "jobs", "list", *filters)["jobs"]] == [found]


def test_a_list_goes_on_over_pages_up_to_its_limit_or_its_end(quiet_api, monkeypatch):
    monkeypatch.setattr(list_, "PAGE_SIZE", 2)
    created = [quiet_api.create(job("document_analysis", TEXT, tags=["paged"]))["id"] for _ in range(5)][::-1]
    first = document(quiet_api, "jobs", "list", "--tag", "paged", "--limit", "3")
    assert [each["id"] for each in first["jobs"]] == created[:3]
    rest = document(quiet_api, "jobs", "list", "--tag", "paged", "--cursor", first["next_cursor"])
    assert [each["id"] for each in rest["jobs"]] == created[3:]
    everything = document(quiet_api, "jobs", "list", "--tag", "paged", "--all", "--limit", "1")
    assert [each["id"] for each in everything["jobs"]] == created
    assert everything["next_cursor"] is None
    assert "3; more with --limit or --all" in run(quiet_api, "jobs", "list", "--tag", "paged", "--limit", "3").stderr
    assert "2 of " in run(quiet_api, "jobs", "list", "--limit", "2").stderr
    assert "No jobs match." in run(quiet_api, "jobs", "list", "--tag", "nobody").stderr


def test_a_job_is_shown_with_payload_result_and_error(api, finished):
    shown = "\n".join(lines(api, "jobs", "show", finished["id"]))
    assert f"id        {finished['id']}" in shown
    assert "sub-jobs  2, 2 completed" in shown
    assert '"text": "Ferries leave at noon."' in shown
    assert "lines more; --json prints all" in shown
    failed = api.launch(job("document_analysis", {"document_id": "no-such-document"}))
    api.expect(failed, "failed")
    shown = "\n".join(lines(api, "jobs", "show", failed))
    assert "Traceback" in api.job(failed)["error"]["traceback"]
    assert api.job(failed)["error"]["traceback"].splitlines()[-1] in shown


def test_a_tree_is_drawn(api, finished):
    shown = lines(api, "tree", finished["id"])
    assert len(shown) == 3
    assert shown[1].startswith("├── ")
    assert all(" completed " in line for line in shown)


def test_sub_jobs_that_did_not_complete_are_not_said_to_be_waited_for(api):
    bad = job("document_analysis", {"document_id": "no-such-document"}, name="bad")
    tree = api.launch(parent(bad, name="unlucky"))
    api.expect(tree, "failed")
    _, fact = lines(api, "explain", tree)
    [sub] = api.tree(tree)["sub_jobs"]
    assert re.split("  +", fact)[0] == "failed"
    assert f"bad ({sub['id']}): It failed at " in fact


def test_why_a_job_is_not_done_is_told_with_what_it_waits_for(api, quiet_api, finished):
    created = quiet_api.create(parent(job("document_analysis", TEXT, name="evil\x1b[31m"), name="waits"))
    first, *facts = lines(quiet_api, "explain", created["id"])
    assert first.startswith("pending  It was created ")
    [sub] = created["sub_jobs"]
    told = f"It starts with its parent {created['id']}, which nobody has started."
    named = f"evil\N{REPLACEMENT CHARACTER}[31m ({sub['id']})"
    assert [re.split("  +", line) for line in facts] == [["waits for", f"{named}: not_started. {told}"]]
    assert lines(api, "explain", finished["id"])[0].startswith("completed  It completed at ")
    found, told = document(api, "explain", finished["id"]), api.get(f"/api/jobs/{finished['id']}/explain")
    assert {**found, "at": None} == {**told, "at": None}


def test_a_job_with_a_trace_is_shown_and_explained_with_it(quiet_api):
    given = f"00-{'a' * 32}-{'b' * 16}-01"
    wanted = job("document_analysis", TEXT)
    created = quiet_api.http.post("/api/jobs/", json=wanted, headers={"traceparent": given}).json()["id"]
    for command in (("jobs", "show"), ("explain",)):
        assert ["trace", given] in [re.split("  +", line) for line in lines(quiet_api, *command, created)]


def test_the_history_of_a_job_is_a_line_for_each_step(api, finished):
    header, *rows = lines(api, "history", finished["id"])
    assert header.split() == ["AT", "(UTC)", "RUN", "ATTEMPT", "STEP", "WORKER", "REASON"]
    assert [re.search("created|queued|started|completed", row)[0] for row in rows] == [
        "created",
        "queued",
        "started",
        "completed",
    ]


def test_all_times_are_in_utc_and_say_so_and_are_read_so(api, finished, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        at = datetime.fromisoformat(finished["finished_at"]).strftime("%Y-%m-%d %H:%M:%S")
        assert f"finished  {at} UTC (" in "\n".join(lines(api, "jobs", "show", finished["id"]))
        assert f"It completed at {at} UTC" in lines(api, "explain", finished["id"])[0]
        assert any(line.startswith(at) for line in lines(api, "history", finished["id"])[1:])
        later = (datetime.fromisoformat(finished["finished_at"]) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
        for option, found in (("--finished-to", [finished["id"]]), ("--finished-from", [])):
            listed = document(api, "jobs", "list", "--tag", "finished", option, later)["jobs"]
            assert [each["id"] for each in listed] == found
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_ran_twice_is_told_in_plain_words(quiet_api):
    store, job_id = quiet_api.store, create_job(quiet_api.store)
    one, other = f"{START_MS}-w1-1", f"{START_MS + 1000}-w2-2"
    for by in (one, other):
        store.apply(Event.START, job_id, execution=by, at_ms=int(by.split("-")[0]))
    for by, result in ((one, "1"), (other, "2")):
        store.apply(Event.COMPLETE, job_id, execution=by, data={"result": result}, at_ms=START_MS + 3000)
    assert "in vain   2.00 s, redeliveries 1, double runs 1" in lines(quiet_api, "jobs", "show", job_id)
    [late] = [line for line in lines(quiet_api, "history", job_id) if "ended_late" in line]
    assert "completed: 2, another" in late
    [entry] = [entry for entry in document(quiet_api, "history", job_id) if entry["step"] == "ended_late"]
    assert (entry["outcome"], entry["result"], entry["same_result"]) == ("completed", "2", False)


def test_a_log_is_printed_and_followed_to_its_end(api):
    done = api.launch(job("workers.wait", {"seconds": 0, "steps": 3}))
    api.expect(done, "completed")
    assert [re.sub(r"^[\d-]{10} [\d:.]{12} UTC  ", "", line) for line in lines(api, "logs", done)] == [
        f"info     step {n} of 3" for n in (1, 2, 3)
    ]
    running = api.launch(job("workers.wait", {"seconds": 0.4, "steps": 20}))
    assert [line.split("step ")[1] for line in lines(api, "logs", "-f", running)] == [
        f"{n} of 20" for n in range(1, 21)
    ]
    api.expect(running, "completed")
    followed = [json.loads(line) for line in lines(api, "logs", "-f", running, "--json")]
    assert followed == api.get(f"/api/jobs/{running}/logs")


def test_control_characters_of_others_do_not_reach_the_terminal(quiet_api):
    name = "evil \x1b[31m\x07\x9b name"
    job_id = quiet_api.create(job("document_analysis", {"text": "\x1b[31m"}, name=name))["id"]
    quiet_api.store.append_log(job_id, [(0, "info", "one\x1b]0;\x07\ntwo")])
    quiet_api.request("PUT", f"/api/jobs/{job_id}", 200, json={"status": "running"})
    error = {"type": "E", "message": "\x1b[2J", "traceback": "line\n\x1b[2J"}
    quiet_api.request("PUT", f"/api/jobs/{job_id}", 200, json={"status": "failed", "error": error})
    for command in (["jobs", "list"], ["jobs", "show", job_id], ["tree", job_id], ["logs", job_id]):
        shown = "\n".join(lines(quiet_api, *command))
        assert not set(shown) & set("\x1b\x07\x9b")
    assert "two" in shown
    lines(quiet_api, "watch", job_id, status=1)
    assert quiet_api.job(job_id)["name"] == name


def test_the_counts_have_a_line_with_their_sum(api, finished):
    header, *rows = lines(api, "stats")
    assert header.split()[:2] == ["TYPE", "TOTAL"]
    assert int(rows[-1].split()[1]) == api.get("/api/tracking/stats")["total"]
    assert rows[-1].split()[0] == "all"


def test_workers_and_their_queues_are_listed(api):
    header, *rows = lines(api, "workers")
    [line] = [row for row in rows if " online " in row]
    assert header.split()[:3] == ["NAME", "STATE", "POOL"]
    assert line.split()[1:4] == ["online", "prefork", "2"]
    assert header.split()[-2:] == ["QUEUES", "RELEASE"]
    assert line.split()[-2:] == ["jobtracker", "shop-2.1"]
    [worker] = [each for each in document(api, "workers")["workers"] if each["state"] == "online"]
    assert worker["name"] == line.split()[0]
    assert worker["memory_bytes"] is None or worker["memory_bytes"] > 10_000_000
    assert lines(api, "queues")[0].split()[:3] == ["QUEUE", "MESSAGES", "OLDEST"]
    [depth] = [each for each in document(api, "queues")["queues"] if each["queue"] == "jobtracker"]
    assert (depth["slots"], depth["messages"]) == (2, 0)
    queue = next(line for line in lines(api, "queues") if line.startswith("jobtracker "))
    assert queue.split()[-1] == worker["name"]


def test_a_timeline_lists_what_ran_where_and_when(api, finished):
    header, *rows = lines(api, "timeline", "--from", "10m", "--type", finished["job_type"], "--limit", "5000")
    assert header.split() == ["BEGAN", "(UTC)", "TOOK", "STATUS", "WORKER", "TYPE", "ID"]
    [row] = [line for line in rows if line.endswith(finished["id"])]
    assert row.split()[3:5] == ["completed", finished["worker"]]
    said = document(api, "timeline", "--from", "10m", "--worker", "nobody")
    assert (said["rows"], said["next_cursor"]) == (0, None)


def test_without_a_worker_it_is_said_how_to_start_one(quiet_api):
    assert (
        "No worker answers or holds a lease: start one with `jobtracker worker`" in run(quiet_api, "workers").stderr
    )
    assert "no tracked worker" in "\n".join(lines(quiet_api, "queues"))


def test_the_health_is_shown_and_the_status_tells_it(api, quiet_api):
    parts = lines(api, "health")
    assert [line.split()[:2] for line in parts[1:]] == [[name, "healthy"] for name in ("redis", "broker", "workers")]
    assert "no worker consumes; start one" in lines(quiet_api, "health", status=1)[-1]
    assert document(quiet_api, "health", status=1)["status"] == "unhealthy"


def test_a_timeline_of_a_moment_lists_what_ran_then(api, finished):
    below = finished["sub_jobs"][0]
    before = datetime.fromisoformat(below["started_at"]) - timedelta(milliseconds=100)
    for at, is_listed in ((below["started_at"], True), (before.isoformat(), False)):
        found = "\n".join(lines(api, "timeline", "--at", at, "--limit", "5000"))
        assert (below["id"] in found) == is_listed
    assert "--at is a moment" in refusal(api, "timeline", "--at", "14:02", "--to", "14:03", status=2)


def test_times_are_read_and_shown_in_the_zone_that_is_named(api, finished):
    below = finished["sub_jobs"][0]
    started = datetime.fromisoformat(below["started_at"])
    there = started.astimezone(ZoneInfo("Asia/Kathmandu"))
    at = f"{there:%Y-%m-%dT%H:%M:%S.%f}"
    header, *rows = lines(api, "timeline", "--at", at, "--tz", "Asia/Kathmandu", "--limit", "5000")
    assert header.split()[:2] == ["BEGAN", "(Asia/Kathmandu)"]
    [row] = [line for line in rows if line.endswith(below["id"])]
    assert row.startswith(f"{there:%Y-%m-%d %H:%M:%S}")
    utc = f"{started:%Y-%m-%dT%H:%M:%S.%f}"
    assert below["id"] in "\n".join(lines(api, "timeline", "--at", utc, "--limit", "5000"))
    for command in (["timeline", "--at"], ["failures", "list", "--since"], ["jobs", "list", "--created-from"]):
        assert "There is no time zone 'Mars'" in refusal(api, *command, "14:02", "--tz", "Mars", status=2)


def test_the_queue_that_is_behind_for_longest_comes_first(quiet_api):
    for queue in ("zebra", "ant"):
        quiet_api.launch(job("document_analysis", TEXT, queue=queue))
    queues = [line.split()[0] for line in lines(quiet_api, "queues")[1:] if line]
    assert queues.index("zebra") < queues.index("ant")


def test_times_on_the_command_line_are_those_of_queries(quiet_api):
    for each in ("14:02", "14:02:30", "2026-11-25T14:30+01:00", "1.5h", "500ms"):
        assert run(quiet_api, "jobs", "list", "--created-from", each).exit_code == 0


def test_a_job_type_is_shown_with_the_fields_of_its_payload(api):
    shown = "\n".join(lines(api, "types", "document_analysis"))
    assert "if lost   is delivered again; fails at 3 losses" in shown
    assert re.search(r"^analysis_type +full or summary +\"full\"", shown, re.MULTILINE)
    assert re.search(r"^max_key_phrases +integer +15", shown, re.MULTILINE)
    assert re.search(r"^task +string +required", "\n".join(lines(api, "types", "custom")), re.MULTILINE)
    assert document(api, "types", "workers.wait")["task"] == "workers.wait"
    assert "Known are: custom, data_processing" in refusal(api, "types", "nothing")


def test_where_no_worker_has_announced_its_types_a_line_says_so(api, quiet_api):
    assert "No worker has announced its types yet" in refusal(quiet_api, "types", status=0)
    assert refusal(api, "types", status=0) == ""


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "5", "1y"])
def test_what_is_no_time_is_a_usage_error(quiet_api, time):
    assert "is no time: write" in refusal(quiet_api, "jobs", "list", "--created-from", time, status=2)


def test_a_bad_cursor_or_order_is_a_message(quiet_api: Api):
    assert "cursor" in refusal(quiet_api, "jobs", "list", "--cursor", "x")
    assert "needs a status" in refusal(quiet_api, "jobs", "list", "--sort", "status_changed_at")
    for option in ("--sort", "--status"):
        assert f"Invalid value for '{option}': 'x' is not one of" in refusal(
            quiet_api, "jobs", "list", option, "x", status=2
        )


@pytest.mark.parametrize(
    "command",
    [
        ["jobs", "list"], ["jobs", "show", "x"], ["jobs", "create", "x"], ["jobs", "start", "x"],
        ["jobs", "cancel", "x"], ["jobs", "retry", "x"], ["jobs", "delete", "x"], ["tree", "x"], ["logs", "x"],
        ["explain", "x"], ["history", "x"], ["stats"], ["workers"], ["queues"], ["types"], ["health"],
        ["watch", "x"], ["logs", "x", "-f"],
    ],
)  # fmt: skip
def test_without_an_api_every_command_says_at_once_what_to_do(command):
    url = f"http://127.0.0.1:{free_port()}"
    asked_s = time.monotonic()
    text = refusal(url, *command)
    assert time.monotonic() - asked_s < 10
    assert f"The API at {url} does not answer" in text
    assert "`jobtracker up`" in text
    assert "JOBTRACKER_URL" in text


def test_the_address_may_be_an_option_and_has_to_be_one(quiet_api):
    result = run("http://127.0.0.1:1", "stats", "--url", str(quiet_api.http.base_url))
    assert result.exit_code == 0
    assert "is no address of an API" in refusal("localhost:19000", "stats")
