"""`jobtracker releases`, and the routes and the client's methods behind it."""

import pytest
from support.commands import document, lines, refusal, run
from support.sample_jobs import a_worker, create_in
from support.serving import Api, job

from jobtracker.client import ApiError, Client
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.releases import Verdict
from jobtracker.store.releases import ReleaseLog

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def two_releases(quiet_api: Api) -> Api:
    """An API whose new release fails more often."""
    at_ms = now_ms() - 60_000
    for release, failing in (("v1", 1), ("v2", 20)):
        ReleaseLog(quiet_api.client, quiet_api.keys, 86_400).note(a_worker("i", name=f"w@{release}", release=release))
        for n in range(40):
            job_id = create_in(quiet_api.store, Status.PENDING, at_ms=at_ms, type="send")
            quiet_api.store.apply(Event.START, job_id, run=1, at_ms=at_ms, fields={"release": release})
            event = Event.FAIL if n < failing else Event.COMPLETE
            quiet_api.store.apply(event, job_id, run=1, at_ms=at_ms + 100 + n)
    return quiet_api


def test_releases_are_listed_with_how_their_jobs_did(two_releases):
    found = document(two_releases, "releases")
    assert found == two_releases.get("/api/releases")
    by_name = {each["release"]: each for each in found["releases"]}
    assert list(by_name) == ["v2", "v1"]
    assert (by_name["v2"]["completed"], by_name["v2"]["failed"], by_name["v2"]["failure_rate"]) == (20, 20, 0.5)
    assert by_name["v1"]["by_type"]["send"]["run_p95_s"] == pytest.approx(0.137, rel=0.03)
    assert (by_name["v1"]["workers"], by_name["v1"]["workers_ever"]) == ([], 1)
    head, first, _ = lines(two_releases, "releases")
    assert head.split()[:2] == ["RELEASE", "FIRST"]
    assert first.split()[0] == "v2"
    assert "50.00%" in first
    assert len(two_releases.get("/api/releases", limit=1)["releases"]) == 1


def test_an_answer_of_some_seconds_ago_does(two_releases):
    before = two_releases.get("/api/releases", limit=200)
    ReleaseLog(two_releases.client, two_releases.keys, 86_400).note(a_worker("i", name="w@v0", release="v0"))
    try:
        assert two_releases.get("/api/releases", limit=199) == before
    finally:
        for name in ("releases", "release_first"):
            two_releases.client.zrem(two_releases.keys.parts[0](name), "v0")


def test_a_new_release_that_is_worse_is_called_so_and_ends_a_script(two_releases):
    found = run(two_releases, "releases", "compare", "v1", "v2")
    assert found.exit_code == 1
    assert found.stdout.startswith("v2 is worse than v1: send.\nsend  worse\n")
    assert "More jobs fail: 2.50% of 40 jobs failed before, 50.0% of 40 now" in found.stdout
    assert document(two_releases, "releases", "compare", "v2", "v1")["verdict"] == "better"
    with Client(str(two_releases.http.base_url)) as client:
        compared = client.compare_releases("v1", "v2")
        assert compared.verdict is Verdict.WORSE
        assert client.releases(limit=5).count == 2
        with pytest.raises(ApiError, match="There is no release 'v3'"):
            client.compare_releases("v1", "v3")
    assert two_releases.problem("GET", "/api/releases/compare?a=v1&b=v3", 404)["type"].endswith("release-not-found")
    assert "There is no release 'v0'" in refusal(two_releases, "releases", "compare", "v0", "v1")


def test_without_names_the_two_newest_releases_are_compared(two_releases):
    found = run(two_releases, "releases", "compare")
    assert found.exit_code == 1
    assert found.stdout.startswith("v2 is worse than v1: send.\n")
    assert found.stderr == "Compared are the two newest releases: v1 (old) and v2 (new).\n"
    assert "Name both releases, or none" in refusal(two_releases, "releases", "compare", "v1", status=2)


def test_a_real_workers_release_is_known_and_its_jobs_count(api):
    job_id = api.launch(job())
    api.expect(job_id, "completed")
    [found] = [each for each in api.get("/api/releases")["releases"] if each["release"] == "shop-2.1"]
    [worker] = api.get("/api/tracking/worker-stats")
    assert found["workers"] == [worker["name"]]
    assert found["completed"] >= 1
    assert found["by_type"]["custom"]["run_p50_s"] is not None
