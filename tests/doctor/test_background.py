"""Examinations in the background: what they tell, one at a time, and how they end."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.recount import recount
from support.sample_jobs import create_in
from support.workers_under_test import Project, eventually

from jobtracker.core.lifecycle import Status
from jobtracker.doctor import background
from jobtracker.doctor.background import BackgroundDoctor
from jobtracker.errors import ExaminationError
from jobtracker.schemas.examination import ExaminationRun, Flaw
from jobtracker.store.examinations import Examinations


@pytest.fixture
def project(own_project: Project) -> Iterator[Project]:
    """A store with a job, and an entry of an index that is wrong."""
    create_in(own_project.tracking.store, Status.COMPLETED)
    index = own_project.keys("entered", "failed", "normal", "custom")
    own_project.client.zadd(index, {"j": 1})
    yield own_project
    own_project.client.zrem(index, "j")


@pytest.fixture
def doctor(project: Project) -> Iterator[BackgroundDoctor]:
    doctor = BackgroundDoctor(project.settings, project.tracking)
    yield doctor
    doctor.stop()


def ended(doctor: BackgroundDoctor, run: ExaminationRun) -> ExaminationRun:
    """An examination, once it has ended."""
    eventually(lambda: (last := doctor.status().last) and last.id == run.id, lambda: repr(doctor.status()))
    status = doctor.status()
    assert status.last is not None
    eventually(lambda: doctor.status().current is None)
    return status.last


def another(**fields: object) -> ExaminationRun:
    values = {"id": uuid.uuid4().hex, "state": "running", "repair": False, "process": "other:1"}
    return ExaminationRun.model_validate({**values, "started_at": datetime.now(UTC), **fields})


def test_an_examination_shows_what_differs_and_a_repair_after_it_mends_that(doctor, project):
    assert (doctor.status().current, doctor.status().last) == (None, None)
    begun = doctor.examine()
    assert (begun.state, begun.repair, begun.result) == ("running", False, None)
    shown = ended(doctor, begun)
    assert (shown.state, shown.jobs_looked_at, shown.differences_found, shown.detail) == ("done", 1, 1, None)
    assert [(group.flaw, group.count, group.repaired) for group in shown.result.differences] == [(Flaw.STRAY, 1, 0)]
    assert recount(project.client, project.keys) != []
    repaired = ended(doctor, doctor.repair(shown.id))
    assert (repaired.state, repaired.repair, repaired.previewed_by) == ("done", True, shown.id)
    assert [(group.count, group.repaired) for group in repaired.result.differences] == [(1, 1)]
    assert recount(project.client, project.keys) == []
    with pytest.raises(ExaminationError, match=f"The last examination is {repaired.id}, not {shown.id}"):
        doctor.repair(shown.id)
    with pytest.raises(ExaminationError, match="left nothing to repair"):
        doctor.repair(repaired.id)


def test_one_at_a_time_in_all_processes(doctor, project):
    examinations = Examinations(project.client, project.keys)
    other = another()
    assert examinations.begin(other)
    with pytest.raises(ExaminationError, match=r"An examination runs already, since .* UTC on other:1"):
        doctor.examine()
    assert doctor.status().current == other
    assert 0 < project.client.ttl(project.keys("examining")) <= 60  # it is gone when its process is
    assert not examinations.renew(another())
    examinations.end(other)
    assert (doctor.status().current, doctor.status().last) == (None, other)


def test_a_repair_needs_a_result_that_is_not_old(doctor, project):
    examinations = Examinations(project.client, project.keys)
    with pytest.raises(ExaminationError, match="gone, not some-id"):
        doctor.repair("some-id")
    failed = another(state="failed", detail="the broker is away", ended_at=datetime.now(UTC))
    examinations.end(failed)
    with pytest.raises(ExaminationError, match="has no result: the broker is away"):
        doctor.repair(failed.id)
    shown = ended(doctor, doctor.examine())
    examinations.end(shown.model_copy(update={"ended_at": datetime.now(UTC) - timedelta(minutes=61)}))
    with pytest.raises(ExaminationError, match="over an hour old"):
        doctor.repair(shown.id)


@pytest.mark.parametrize(("limit", "why"), [("_MOST_S", "took longer"), ("_MOST_DIFFERENCES", "more than 0 diff")])
def test_what_takes_too_long_or_finds_too_much_is_stopped(doctor, monkeypatch, limit, why):
    monkeypatch.setattr(background, limit, 0)
    run = ended(doctor, doctor.examine())
    assert (run.state, run.result) == ("stopped", None)
    assert why in run.detail


def test_an_examination_ends_with_its_process_and_says_so(project):
    doctor = BackgroundDoctor(project.settings, project.tracking)
    doctor._stopping.set()
    run = ended(doctor, doctor.examine())
    assert (run.state, run.detail) == ("stopped", "its API process was stopped")


def test_an_examination_says_how_far_it_is(doctor, project, monkeypatch):
    monkeypatch.setattr(background, "_BEAT_S", 0)
    seen: list[int] = []
    renew = Examinations.renew
    monkeypatch.setattr(Examinations, "renew", lambda self, run: seen.append(run.jobs_looked_at) or renew(self, run))
    ended(doctor, doctor.examine())
    assert seen[-1] == 1


def test_one_that_was_taken_for_gone_ends(doctor, monkeypatch):
    monkeypatch.setattr(background, "_BEAT_S", 0)
    monkeypatch.setattr(Examinations, "renew", lambda *_: False)
    assert ended(doctor, doctor.examine()).detail == "it was silent for too long, and taken for gone"


def test_an_error_that_nobody_expected_is_told_without_its_text(doctor, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr(background, "examine_apart", fail)
    run = ended(doctor, doctor.examine())
    assert (run.state, "ValueError" in run.detail, "secret" in run.detail) == ("failed", True, False)
