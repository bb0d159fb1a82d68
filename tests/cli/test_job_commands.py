"""`jobtracker jobs create|start|cancel|retry|delete`."""

import json
import uuid

import pytest
from support.commands import document, lines, refusal, run
from support.serving import Api, job, parent

from jobtracker.core.lifecycle import Event
from jobtracker.store.changes import NewJob

TEXT = {"text": "Ferries leave the harbour at noon."}


def pending(api: Api, **fields: object) -> str:
    return str(api.create(job("document_analysis", TEXT, **fields))["id"])


def test_a_job_is_created_with_the_fields_of_its_payload(quiet_api):
    created = document(
        quiet_api, "jobs", "create", "document_analysis", "-p", "text=It is 5 = 5", "-p", "max_key_phrases=3",
        "-p", 'analysis_type="full"', "--name", "A note", "--priority", "high", "--tag", "a", "--tag", "b",
    )  # fmt: skip
    assert created == quiet_api.job(created["id"])
    assert created["payload"] == {"text": "It is 5 = 5", "max_key_phrases": 3, "analysis_type": "full"}
    assert (created["name"], created["priority"], created["tags"]) == ("A note", "high", ["a", "b"])
    assert (created["status"], created["run"]) == ("pending", 0)


def test_a_payload_is_json_or_a_file_of_it_or_standard_input(quiet_api, tmp_path):
    (tmp_path / "payload.json").write_text(json.dumps(TEXT))
    for form, stdin in ((json.dumps(TEXT), None), (f"@{tmp_path / 'payload.json'}", None), ("@-", json.dumps(TEXT))):
        [line] = lines(quiet_api, "jobs", "create", "document_analysis", "--payload", form, stdin=stdin)
        job_id, status, name = line.split()
        assert (status, name) == ("pending", "document_analysis")
        assert quiet_api.job(job_id)["payload"] == TEXT


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("nonsense", "is no payload: write KEY=VALUE"),
        ("=x", "is no payload"),
        ("{", "is no JSON"),
        ("@/no/such/file", "/no/such/file: No such file or directory"),
        ('{"a": NaN]', "is no JSON"),
    ],
)
def test_what_is_no_payload_is_a_usage_error(quiet_api, form, text):
    assert text in refusal(quiet_api, "jobs", "create", "document_analysis", "-p", form, status=2)


def test_a_tree_is_created_from_the_json_that_the_api_takes(quiet_api, tmp_path):
    tree = parent(job("document_analysis", TEXT, name="Below"), name="All", failure_policy="continue")
    (tmp_path / "tree.json").write_text(json.dumps(tree))
    created = document(quiet_api, "jobs", "create", "--tree", f"@{tmp_path / 'tree.json'}")
    assert created == quiet_api.tree(created["id"])
    assert (created["name"], created["status"], created["run"]) == ("All", "pending", 0)
    assert [below["name"] for below in created["sub_jobs"]] == ["Below"]
    [line] = lines(quiet_api, "jobs", "create", "--tree", "@-", "--start", stdin=json.dumps(tree))
    assert line.endswith("  All")
    assert quiet_api.job(line.split()[0])["run"] == 1


def test_a_batch_is_created_from_lines_of_json(quiet_api, tmp_path):
    jobs = [job("document_analysis", TEXT, name=f"no {n}") for n in range(3)]
    (tmp_path / "jobs.jsonl").write_text("\n\n".join(map(json.dumps, jobs)))
    created = document(quiet_api, "jobs", "create", "--batch", f"@{tmp_path / 'jobs.jsonl'}")["ids"]
    started = lines(quiet_api, "jobs", "create", "--batch", "@-", "--start", stdin="\n".join(map(json.dumps, jobs)))
    for ids, run_number in ((created, 0), (started, 1)):
        found = [quiet_api.job(each) for each in ids]
        assert [(each["name"], each["run"]) for each in found] == [(f"no {n}", run_number) for n in range(3)]


@pytest.mark.parametrize(
    ("stdin", "more", "status", "text"),
    [
        ("{}\n[]", [], 2, "standard input, line 2 is no JSON object"),
        ("{}\n\n{", [], 2, "standard input, line 3 is no JSON: Expecting"),
        ("\n", [], 2, "standard input has 0 jobs; a batch has 1 to 10,000"),
        ("{}\n" * 10_001, [], 2, "standard input has 10,001 jobs"),
        ("{}", ["--wait"], 2, "It can be started, and not waited for"),
        ("{}", ["--tag", "x"], 2, "The batch says all of its jobs itself"),
        ('{"job_type": "x"}', [], 1, "jobs.0.job_type: Unknown job type 'x'"),
    ],
)
def test_what_is_no_batch_is_an_error_that_says_what_is_wrong(quiet_api, stdin, more, status, text):
    result = run(quiet_api, "jobs", "create", "--batch", "@-", *more, stdin=stdin)
    assert result.exit_code == status, result.output
    assert text in " ".join(result.stderr.replace("│", " ").split())


def test_a_tree_is_waited_for_and_stands_at_the_end(api):
    tree = parent(job("workers.checksum", {"text": "x"}, name="Below"), name="All")
    *_, top, below = lines(api, "jobs", "create", "--tree", json.dumps(tree), "--wait")
    assert top.startswith("All ")
    assert below.startswith("└── Below  completed")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--tree", "tree.json"], 2, "'tree.json' is no tree: write @FILE"),
        (["--tree", "{]"], 2, "'{]' is no JSON: Expecting property name"),
        (["--tree", "@/no/such/file"], 2, "/no/such/file: No such file or directory"),
        (["--tree", "{}", "--name", "All"], 2, "The tree says its type, payload, name"),
        (["x", "--timeout", "5"], 2, "--timeout is for --wait"),
        ([], 2, "Say which TYPE, a whole tree by --tree, or many"),
        (["--tree", '{"name": "All", "job_type": "custom"}'], 1, "body.sub_jobs: Field required"),
    ],
)
def test_what_is_no_tree_is_an_error_that_says_what_is_wrong(quiet_api, arguments, status, text):
    assert text in refusal(quiet_api, "jobs", "create", *arguments, status=status)


def test_a_payload_that_does_not_fit_is_refused_with_the_reason(api):
    text = refusal(api, "jobs", "create", "document_analysis", "-p", "max_key_phrases=many")
    assert "'many' is not of type 'integer'" in text
    assert "Unknown job type 'nothing'" in refusal(api, "jobs", "create", "nothing")


def test_a_created_job_is_waited_for_and_the_status_tells_its_outcome(api):
    shown = lines(api, "jobs", "create", "workers.wait", "-p", "seconds=0", "--name", "Short", "--wait")
    assert shown[0].endswith("Short: running") or shown[0].endswith(("Short: pending", "Short: completed"))
    assert shown[-1].startswith("Short  completed")
    assert "seconds 0" in shown[-1]
    failed = lines(api, "jobs", "create", "document_analysis", "-p", "document_id=none", "--wait", status=1)
    assert failed[-1].startswith("document_analysis  failed")
    assert "none" in failed[-1]


def test_jobs_are_started_together_and_a_second_time_is_an_error_for_each(quiet_api):
    first, second = pending(quiet_api), pending(quiet_api)
    shown = lines(quiet_api, "jobs", "start", first, second)
    assert [line.split()[:2] for line in shown] == [[first, "pending"], [second, "pending"]]
    assert {quiet_api.job(each)["run"] for each in (first, second)} == {1}
    text = refusal(quiet_api, "jobs", "start", first, second)
    assert text.count("Error: Can't start job") == 2


def test_one_job_that_can_not_be_changed_does_not_keep_the_others_from_it(quiet_api):
    kept = pending(quiet_api)
    [line] = lines(quiet_api, "jobs", "start", "nobody", kept, status=1)
    assert line.split()[0] == kept
    assert [job["id"] for job in document(quiet_api, "jobs", "cancel", "nobody", kept, "--yes", status=1)] == [kept]


def test_of_one_job_the_json_is_an_object_and_of_several_an_array(quiet_api):
    first, second = pending(quiet_api), pending(quiet_api)
    assert document(quiet_api, "jobs", "show", first) == quiet_api.job(first)
    assert document(quiet_api, "jobs", "start", first, second) == [quiet_api.job(first), quiet_api.job(second)]


def test_a_cancelled_job_has_the_reason_and_is_retried(quiet_api):
    job_id = pending(quiet_api)
    [line] = lines(quiet_api, "jobs", "cancel", job_id, "--reason", "no longer wanted")
    assert line.split()[1] == "cancelled"
    assert quiet_api.job(job_id)["reason"] == "no longer wanted"
    [line] = lines(quiet_api, "jobs", "retry", job_id)
    assert line.split()[1] == "pending"
    assert quiet_api.job(job_id)["run"] == 1


def test_a_chain_is_retried_from_the_job_that_has_failed(quiet_api):
    store, settled = quiet_api.store, {"type": "nobody.has.it", "priority": "normal", "run": 1}
    first, second = (f"chain-{uuid.uuid4().hex[:8]}" for _ in range(2))
    rest = [{"task": "nobody.has.it", "args": [], "kwargs": {}, "options": {"task_id": second}, "immutable": False}]
    store.create(
        NewJob(id=first, fields={**settled, "next": second, "queued": 1}, data={"chain": json.dumps(rest)}),
        NewJob(id=second, fields={**settled, "sent_by": first, "link": "announced"}),
    )
    store.apply(Event.FAIL, first)
    store.apply(Event.CANCELLED, second)
    assert f"{first}, did not complete, it is failed. Retry that" in refusal(quiet_api, "jobs", "retry", second)
    [line] = lines(quiet_api, "jobs", "retry", "--from-failed", second)
    assert line.split()[:2] == [first, "pending"]
    assert line.endswith(f"the rest of its chain runs after it, and so {second}")
    said = refusal(quiet_api, "jobs", "retry", "--from-failed", second, first)
    assert f"it waits for the job before it in its chain, {first}" in said
    assert [quiet_api.job(each)["run"] for each in (first, second)] == [2, 2]


def test_a_running_job_says_that_it_was_asked_to_stop_and_force_ends_it(api):
    job_id = api.launch(job("workers.wait", {"seconds": 60, "steps": 1}))
    api.expect(job_id, "running")
    [line] = lines(api, "jobs", "cancel", job_id)
    assert "asked to stop" in line or "cancelled" in line
    [line] = lines(api, "jobs", "cancel", job_id, "--terminate", "--reason", "enough; it hangs")
    assert "told to kill it" in line or "cancelled" in line
    assert "--terminate" not in line
    api.expect(job_id, "cancelled")


@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_several_jobs_are_cancelled_or_deleted_only_with_a_yes(quiet_api, verb):
    first, second = pending(quiet_api), pending(quiet_api)
    assert "say --yes" in refusal(quiet_api, "jobs", verb, first, second, status=2)
    assert {quiet_api.job(each)["status"] for each in (first, second)} == {"pending"}
    assert len(lines(quiet_api, "jobs", verb, first, second, "--yes")) == 2


def test_a_deleted_job_is_named_with_what_went_with_it(quiet_api):
    single = pending(quiet_api, name="Alone")
    assert lines(quiet_api, "jobs", "delete", single) == [f"{single}  deleted  Alone"]
    quiet_api.problem("GET", f"/api/jobs/{single}", 404)
    tree = quiet_api.create(parent(job("document_analysis", TEXT), job("document_analysis", TEXT), name="All"))
    assert "Delete 3 jobs" in refusal(quiet_api, "jobs", "delete", tree["id"], status=2)
    assert document(quiet_api, "jobs", "delete", tree["id"], "--yes") == tree
    other = quiet_api.create(parent(job("document_analysis", TEXT), name="One below"))["id"]
    assert lines(quiet_api, "jobs", "delete", other, "--yes") == [f"{other}  deleted  One below, and 1 sub-job"]


def test_a_job_that_is_not_there_is_a_message(quiet_api):
    for command in (["jobs", "show"], ["jobs", "delete"], ["tree"], ["watch"], ["logs"], ["logs", "-f"]):
        assert "There is no job 'nobody'" in refusal(quiet_api, *command, "nobody")


def test_when_and_where_a_job_runs_are_options_of_create_and_start(quiet_api):
    create = ("jobs", "create", "document_analysis", "-p", json.dumps(TEXT))
    created = document(quiet_api, *create, "--eta", "2030-01-01T10:00+01:00", "--queue", "mail")
    assert (created["queue"], created["not_before"]) == ("mail", "2030-01-01T09:00:00Z")
    started = document(quiet_api, "jobs", "start", created["id"], "--expires", "2031-02-03", "--queue", "post")
    assert (started["queue"], started["expires_at"]) == ("post", "2031-02-03T00:00:00Z")
    later = document(quiet_api, *create, "--start", "--countdown", "30m", "--expires", "2h")
    assert later["not_before"] < later["expires_at"]
    assert "give it with the start" in refusal(quiet_api, *create, "--countdown", "30")
    assert "is no duration" in refusal(quiet_api, *create, "--countdown", "soon", status=2)
    assert "is neither" in refusal(quiet_api, *create, "--expires", "some-day", status=2)


def test_jobs_that_a_query_finds_are_counted_and_changed_with_a_yes(quiet_api):
    tag = uuid.uuid4().hex
    few = [pending(quiet_api, tags=[tag]) for _ in range(3)]
    tree = quiet_api.create(parent(job("document_analysis", TEXT, tags=[tag]), tags=[tag]))
    for verb in ("cancel", "delete"):
        asked = run(quiet_api, "jobs", verb, f"tag:{tag}")
        assert asked.exit_code == 2
        assert asked.stderr.splitlines()[:3] == [
            "JOBS  STATUS   TYPE",
            "   4  pending  document_analysis",
            "Sub-jobs of these that match too: 1. They go with them.",
        ]
    cancelled = run(quiet_api, "jobs", "cancel", f"tag:{tag}", "--yes")
    assert (cancelled.exit_code, cancelled.stdout) == (0, "")
    assert cancelled.stderr.splitlines()[-1] == "Cancelled or asked to stop: 4 of 4 jobs."
    assert {quiet_api.job(each)["status"] for each in (*few, tree["id"])} == {"cancelled"}
    again = refusal(quiet_api, "jobs", "cancel", f"tag:{tag}", "--yes", status=0)
    assert again == "Left alone: 5 that match. To cancel a job, it must be one that has not ended."
    deleted = document(quiet_api, "jobs", "delete", f"tag:{tag}", "-y")
    assert (deleted["action"], deleted["done"], deleted["below"]) == ("delete", 4, 1)
    shown = lines(quiet_api, "jobs", "bulk", deleted["id"])
    assert f"action      delete tag:{tag}" in shown
    assert "done        4" in shown
    assert "No jobs match." in refusal(quiet_api, "jobs", "delete", f"tag:{tag}", "-y", status=0)


def test_of_a_query_those_that_can_be_retried_are_and_others_are_errors(quiet_api):
    tag = uuid.uuid4().hex
    whole = quiet_api.create(parent(job("document_analysis", TEXT, tags=[tag])))
    alone = pending(quiet_api, tags=[tag])
    for each in (alone, whole["id"]):
        quiet_api.post(each, "cancel")
    found = run(quiet_api, "jobs", "retry", "status:cancelled", f"tag:{tag}", "--yes")  # as without quotes
    assert found.exit_code == 1
    assert "its parent" in found.stderr
    assert found.stderr.splitlines()[-1] == "Retried 1 of 2 jobs."
    assert (quiet_api.job(alone)["status"], quiet_api.job(whole["id"])["status"]) == ("pending", "cancelled")


def test_jobs_are_tagged_and_get_another_priority(quiet_api):
    tag, job_id = uuid.uuid4().hex, pending(quiet_api)
    assert run(quiet_api, "jobs", "tag", job_id, "--tag", tag, "--tag", "x", "--yes").exit_code == 0
    assert quiet_api.job(job_id)["tags"] == [tag, "x"]
    assert run(quiet_api, "jobs", "untag", f"tag:{tag}", "--tag", "x", "--yes").exit_code == 0
    changed = document(quiet_api, "jobs", "reprioritise", f"tag:{tag}", "--priority", "high", "--yes")
    assert (changed["done"], changed["status"]) == (1, "completed")
    assert (quiet_api.job(job_id)["tags"], quiet_api.job(job_id)["priority"]) == ([tag], "high")


def test_a_dry_run_changes_nothing_and_an_empty_query_is_refused(quiet_api):
    tag = uuid.uuid4().hex
    job_id = pending(quiet_api, tags=[tag])
    found = document(quiet_api, "jobs", "cancel", f"tag:{tag}", "--dry-run")
    assert (found["count"], [each["id"] for each in found["sample"]]) == (1, [job_id])
    assert document(quiet_api, "jobs", "cancel", "--all", "--dry-run")["count"] >= 1
    for arguments in ([], [f"tag:{tag}", "--all"]):
        assert "or --all: one of these" in refusal(quiet_api, "jobs", "cancel", *arguments, status=2)
    assert quiet_api.job(job_id)["status"] == "pending"


def test_jobs_that_a_bulk_run_could_not_change_are_named(quiet_api):
    started = [quiet_api.create(job("document_analysis", TEXT, start=True))["id"] for _ in range(2)]
    found = run(quiet_api, "jobs", "reprioritise", *started, "nobody", "--priority", "low", "--yes", "--dry-run")
    assert "Left alone: 2 that match. To reprioritise a job, it must be one that is not started." in found.stderr
    refused = quiet_api.request("POST", "/api/jobs/bulk", 202, json={"action": "delete", "ids": [*started, "nobody"]})
    assert run(quiet_api, "jobs", "bulk", refused["id"], "--wait").exit_code in {0, 1}
    shown = run(quiet_api, "jobs", "bulk", refused["id"], "--refused")
    assert "nobody: There is no job 'nobody'" in shown.stderr
    assert shown.stderr.count("it is pending and was started. To delete a job, it must be one that has ended") == 2


def test_a_query_that_is_wrong_changes_nothing(quiet_api):
    tag = uuid.uuid4().hex
    job_ids = [pending(quiet_api, tags=[tag]) for _ in range(2)]
    assert "it is no status" in refusal(quiet_api, "jobs", "cancel", f"tag:{tag} status:lost", "--yes")
    assert {quiet_api.job(each)["status"] for each in job_ids} == {"pending"}
    assert "no job 'order:42'" in refusal(quiet_api, "jobs", "cancel", "order:42")  # an id: no qualifier is in it
