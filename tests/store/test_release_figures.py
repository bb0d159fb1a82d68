"""How the jobs of a release did: exact counts, which follow each correction, and are bounded."""

import pytest
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import START_MS, a_worker, create_in, create_job, move
from support.time_series import Settled, expected_series, stored_series

from jobtracker.core.lifecycle import Event, Status
from jobtracker.store import keys as names
from jobtracker.store import lua_source
from jobtracker.store import releases as module
from jobtracker.store.keys import Keys
from jobtracker.store.releases import ReleaseLog
from jobtracker.store.writer import JobStore

KEEP_S = 8 * 86_400


@pytest.fixture
def log(client, keys):
    return ReleaseLog(client, keys, KEEP_S)


def end(store, event, release, *, job_type="t", ms=1000, at_ms=START_MS, fields=None, job_id=None):
    """A job that a worker of a release began and that ended."""
    job_id = job_id or create_in(store, Status.PENDING, at_ms=at_ms, type=job_type)
    store.apply(Event.START, job_id, run=1, at_ms=at_ms, fields={"worker": "w", "lease": "i", "release": release})
    store.apply(event, job_id, run=1, at_ms=at_ms + ms, fields=fields or {})
    return job_id


def test_outcomes_and_run_times_are_counted_by_release_and_type(store, log):
    for n in range(5):
        end(store, Event.COMPLETE, "a:1", job_type="mail:send", ms=1000 * (n + 1))
    end(store, Event.FAIL, "a:1", job_type="mail:send", ms=60_000)
    end(store, Event.CANCELLED, "a:1", job_type="mail:send")
    end(store, Event.COMPLETE, "a", job_type="1:mail:send")  # whose key would be the same without the length
    end(store, Event.COMPLETE, "grün", job_type="t")
    found = log.outcomes({"a:1", "a", "grün", "none"})
    assert found["none"] == {}
    assert set(found["a"]) == {"1:mail:send"}
    assert found["grün"]["t"].completed == 1
    outcomes = found["a:1"]["mail:send"]
    assert (outcomes.completed, outcomes.failed, outcomes.cancelled, outcomes.run.count) == (5, 1, 1, 6)
    assert outcomes.run.quantile(0.5) == pytest.approx(3000, rel=0.02)
    assert outcomes.run.quantile(1) == pytest.approx(60_000, rel=0.05)


def test_a_correction_moves_a_job_and_the_figures_equal_a_recount(store, client, keys, log):
    corrected = create_in(store, Status.PENDING)
    known = {"run": 1, "execution": f"{START_MS}-i-1"}
    store.apply(Event.START, corrected, at_ms=START_MS, fields={"release": "old", "lease": "i"}, **known)
    store.apply(Event.LOSE, corrected, run=1, at_ms=START_MS + 5)
    assert log.outcomes({"old"})["old"]["custom"][:3] == (0, 1, 0)
    store.apply(Event.COMPLETE, corrected, at_ms=START_MS + 9, **known)
    assert log.outcomes({"old"})["old"]["custom"][:3] == (1, 0, 0)
    again = end(store, Event.FAIL, "old", job_type="custom")
    store.apply(Event.RERUN, again, at_ms=START_MS + 2000)
    store.apply(Event.START, again, run=2, at_ms=START_MS + 3000, fields={"release": "new"})
    store.apply(Event.COMPLETE, again, run=2, at_ms=START_MS + 4000)
    end(store, Event.COMPLETE, "", job_type="custom")
    found = log.outcomes({"old", "new"})
    assert (found["old"]["custom"][:3], found["new"]["custom"][:3]) == ((1, 1, 0), (1, 0, 0))
    assert recount(client, keys) == []


def test_the_series_of_releases_follow_from_how_jobs_settled(store, client, keys):
    ids = [end(store, event, "r", ms=n) for n, event in enumerate((Event.COMPLETE, Event.FAIL, Event.CANCELLED))]
    records = [stored(client, keys, job_id) for job_id in ids]
    settled = [Settled.of({"finished": each["status_changed_at"], **each}) for each in records]
    wanted = expected_series([START_MS] * 3, settled)
    found = stored_series(client, keys)
    assert {name: each for name, each in found.items() if name.startswith("released")} == {
        name: each for name, each in wanted.items() if name.startswith("released")
    }


def test_the_oldest_series_go_when_there_are_too_many(client, keys, monkeypatch):
    for where in (lua_source, names, module):
        monkeypatch.setattr(where, "MOST_RELEASE_SERIES", 3)
    store, log = JobStore(client, keys), ReleaseLog(client, keys, KEEP_S)
    for day in range(5):
        end(store, Event.COMPLETE, f"r{day}", at_ms=START_MS + day * 86_400_000, job_id=create_job(store))
    found = log.outcomes({f"r{day}" for day in range(5)})
    if len(keys.parts) == 1:
        assert [day for day in range(5) if found[f"r{day}"]] == [2, 3, 4]
        assert log.is_cut()
        assert len(list(client.scan_iter(match=keys.parts[0]("released", "*")))) == 3


def test_the_figures_move_with_the_store(store, client, keys):
    if len(keys.parts) > 1:
        pytest.skip("it begins with one partition")
    ids = [end(store, Event.FAIL if n < 2 else Event.COMPLETE, "r", job_type="custom", ms=100 * n) for n in range(9)]
    before = ReleaseLog(client, keys, KEEP_S).outcomes({"r"})["r"]["custom"]
    assert (before.failed, before.completed) == (2, len(ids) - 2)
    for parts in (3, 1):
        move(client, keys, parts)
        after = ReleaseLog(client, Keys(keys.namespace, parts), KEEP_S).outcomes({"r"})["r"]["custom"]
        assert after[:3] == before[:3]
        assert list(after.run.buckets) == list(before.run.buckets)


def test_workers_make_a_release_known_with_when_it_was_seen(client, keys, log):
    log.note(a_worker("i", name="one@test", release="r1"))
    log.note(a_worker("j", name="two@test", release="r1"))
    log.note(a_worker("k", name="one@test", release="r2"))
    log.note(a_worker("l", name="three@test"))  # without a label
    found, count = log.known(10)
    assert ({each.release for each in found}, count) == ({"r1", "r2"}, 2)
    [first] = [each for each in found if each.release == "r1"]
    assert set(first.workers) == {"one@test", "two@test"}
    assert first.first_ms <= first.last_ms
    log.note(a_worker("i", name="one@test", release="r1"))
    [again] = [each for each in log.known(10)[0] if each.release == "r1"]
    assert (again.first_ms, again.last_ms >= first.last_ms) == (first.first_ms, True)
    assert len(log.known(1)[0]) == 1


def test_releases_and_their_workers_are_bounded(client, keys, log, monkeypatch):
    monkeypatch.setattr(module, "MOST_RELEASES", 3)
    monkeypatch.setattr(module, "MOST_RELEASE_WORKERS", 2)
    for n in range(6):
        log.note(a_worker("i", release=f"r{n}"))
        log.note(a_worker("i", name=f"w{n}@test", release="last"))
    found, count = log.known(100)
    assert count <= 4
    assert "last" in {each.release for each in found}
    assert len(next(each for each in found if each.release == "last").workers) == 2
