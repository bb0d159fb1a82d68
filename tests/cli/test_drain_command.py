"""`jobtracker drain`, and the routes and the client's methods behind it, on a real worker."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from support.commands import document, lines, refusal, run, said
from support.sample_jobs import a_worker
from support.serving import Api, eventually, job, waiting

from jobtracker.cli.commands import drain
from jobtracker.client import ApiError, Client
from jobtracker.schemas.drains import DrainState, HeldTask
from jobtracker.schemas.explanation import Estimate
from jobtracker.store.drains import Drains
from jobtracker.store.leases import Leases

pytestmark = pytest.mark.thorough


@pytest.fixture
def name(api: Api):
    """The worker's name; it consumes again in the end."""
    [worker] = api.get("/api/tracking/worker-stats")
    yield worker["name"]
    said(api, "drain", "--undo", worker["name"])
    assert api.get(f"/api/tracking/workers/{worker['name']}/drain")["state"] == "consuming"


def test_a_deploy_script_drains_a_worker_waits_until_it_is_safe_and_undoes_it(api, name):
    running = api.launch(job(payload=waiting(60, 600)))
    api.expect(running, "running")
    found = run(api, "drain", "--wait", "--timeout", "0", f"{name[:-2]}*")
    assert found.exit_code == 124
    assert "It is not safe to stop yet. It runs 1 task." in found.stdout
    assert f"active custom {running}" in found.stdout
    assert "They stay drained." in found.stderr
    eventually(lambda: any(line.split()[:2] == [name, "drained"] for line in lines(api, "workers")))
    later = api.launch(job())
    api.http.post(f"/api/jobs/{running}/cancel")
    assert said(api, "drain", "--wait", "--timeout", "30", name).startswith(f"{name}  safe  It is safe to stop")
    assert (api.job(running)["status"], api.job(later)["status"]) == ("cancelled", "pending")
    assert run(api, "drain", "--undo", name).exit_code == 0
    api.expect(later, "completed")


@pytest.mark.parametrize(
    ("half_in_s", "said"),
    [(0.2, "it has run for longer than half of such jobs do"), (150, "half of such jobs end within 2m")],
)
def test_when_a_task_may_end_is_said_in_plain_words(half_in_s, said):
    now = datetime.now(UTC)
    finish = Estimate(at=now + timedelta(seconds=half_in_s), late_at=now + timedelta(seconds=200.5), based_on=9)
    task = HeldTask(
        id="x", task="t", job_type="t", where="active", finish=finish, if_stopped="finishes", if_killed="comes_back",
        if_killed_text="It is lost.",
    )  # fmt: skip
    assert f"{said}; 95 % of such jobs end by " in drain._task(task)


def test_json_is_what_the_api_answers_and_a_look_changes_nothing(api, name):
    [found] = document(api, "drain", "--look", name)
    assert (found["state"], found["drained_since"], found["queues_before"]) == ("consuming", None, [])
    assert found["queues"]
    [drained] = document(api, "drain", name)
    assert (drained["queues"], drained["queues_before"]) == ([], found["queues"])
    path = f"/api/tracking/workers/{name}/drain"
    assert api.get(path)["drained_since"] == drained["drained_since"]
    with Client(str(api.http.base_url)) as client:
        assert client.drain_state(name).state is DrainState.SAFE
        assert client.undo_drain(name).queues == found["queues"]
        assert client.drain(name).is_safe
        with pytest.raises(ApiError, match="There is no worker 'nobody@here'"):
            client.drain("nobody@here")


def test_a_worker_that_is_started_again_meanwhile_is_left_alone(api):
    leases = Leases(api.client, api.keys, 60)
    leases.renew(a_worker("first", name="w@again", started_at_ms=1, queues=["q"]))

    def start_again():
        leases.renew(a_worker("second", name="w@again", started_at_ms=2, queues=["q"]))
        leases.release("first")

    timer = threading.Timer(1.5, start_again)
    timer.start()
    try:
        found = run(api, "drain", "--wait", "--timeout", "60", "w@again")
        assert found.exit_code == 1
        assert "w@again was started again" in found.stderr
        assert Drains(api.client, api.keys).of(["second"]) == {}
    finally:
        timer.join()
        leases.release("second")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["nobody@here"], 1, "There is no worker 'nobody@here': it has stopped"),
        (["nobody@*"], 2, "No live tracked worker matches 'nobody@*'"),
        (["w@h", "--timeout", "1"], 2, "--timeout goes with --wait"),
        (["w@h", "--wait", "--undo"], 2, "exclude each other"),
    ],
)
def test_what_can_not_be_done_is_refused(api, arguments, status, text):
    assert text in refusal(api, "drain", *arguments, status=status)


def test_an_unknown_worker_is_a_problem(api):
    problem = api.problem("POST", "/api/tracking/workers/nobody%40here/drain", 404)
    assert problem["type"] == "urn:jobtracker:problem:worker-not-found"
