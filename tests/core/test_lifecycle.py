"""The table of legal transitions: complete, and true to what users rely on."""

import pytest

from jobtracker.core.lifecycle import (
    INFERENCES,
    MATRIX,
    MIDWAY,
    REPORTED,
    SETTLED,
    UNDER_WAY,
    Event,
    Outcome,
    Status,
)

P, R, C = Status.PENDING, Status.RUNNING, Status.COMPLETED
F, X, T = Status.FAILED, Status.CANCELLED, Status.RETRYING

MOVES = {
    P: {R, C, F, X, T},
    R: {P, C, F, X, T},
    T: {P, R, C, F, X},
    C: {P},
    F: {P, R},
    X: {P, R},
}
"""Where a job may go from each status, written down a second time by hand."""


def leads_to(event: Event, status: Status) -> Status | None:
    target = MATRIX[event][status]
    return target if isinstance(target, Status) else None


def test_every_event_has_an_answer_for_every_status():
    assert set(MATRIX) == set(Event)
    for event, row in MATRIX.items():
        assert set(row) == set(Status), event


def test_an_answer_is_a_status_or_says_why_it_is_none():
    refusals = {Outcome.DUPLICATE, Outcome.STALE, Outcome.ILLEGAL}
    for row in MATRIX.values():
        assert all(isinstance(target, Status) or target in refusals for target in row.values())


def test_the_statuses_are_the_documented_six():
    assert {status.value for status in Status} == {
        "pending",
        "running",
        "completed",
        "failed",
        "cancelled",
        "retrying",
    }


def test_no_word_is_both_a_status_and_an_outcome():
    # The script tells a status from an outcome by looking it up among the statuses of the same table.
    assert not {status.value for status in Status} & {outcome.value for outcome in Outcome}


@pytest.mark.parametrize("status", Status)
def test_a_status_leads_where_the_diagram_says_and_nowhere_else(status):
    reached = {leads_to(event, status) for event in Event} - {None, status}
    assert reached == MOVES[status]


@pytest.mark.parametrize("status", sorted(SETTLED))
@pytest.mark.parametrize("event", sorted(set(Event) - {Event.RERUN, Event.AWAIT, Event.REOPEN, Event.SEND_AGAIN}))
def test_a_settled_job_is_left_by_a_new_run_and_reopen_only(status, event):
    assert leads_to(event, status) is None


@pytest.mark.parametrize("event", Event)
def test_a_completed_job_is_left_where_its_id_is_sent_again_only(event):
    assert leads_to(event, C) is (P if event is Event.SEND_AGAIN else None)


@pytest.mark.parametrize("event", sorted(REPORTED - {Event.CANCELLED, Event.COMPLETE, Event.FAIL}))
@pytest.mark.parametrize("status", sorted(SETTLED))
def test_a_late_report_of_an_unfinished_attempt_is_stale_once_the_job_has_settled(event, status):
    assert MATRIX[event][status] is Outcome.STALE


@pytest.mark.parametrize(("event", "status"), [(Event.COMPLETE, C), (Event.FAIL, F), (Event.CANCELLED, X)])
def test_a_repeated_final_report_is_a_duplicate(event, status):
    assert MATRIX[event][status] is Outcome.DUPLICATE


@pytest.mark.parametrize("event", sorted(REPORTED))
def test_evidence_moves_a_running_job_so_it_can_correct_a_presumption(event):
    assert leads_to(event, R) is not None


@pytest.mark.parametrize("event", sorted(INFERENCES))
def test_a_presumption_settles_a_running_job(event):
    assert leads_to(event, R) in SETTLED


def test_a_job_is_under_way_where_its_task_may_report_progress():
    assert {status for status in Status if leads_to(Event.PROGRESS, status)} == set(UNDER_WAY)


@pytest.mark.parametrize("event", sorted(REPORTED - {Event.START}))
def test_a_report_after_which_a_job_is_still_under_way_is_midway(event):
    assert (leads_to(event, R) in UNDER_WAY) == (event in MIDWAY)


def test_a_presumption_is_no_evidence():
    assert not INFERENCES & REPORTED


@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED))
def test_whatever_has_not_settled_may_be_lost_a_pending_job_with_its_message(status):
    assert leads_to(Event.LOSE, status) is F


@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED))
def test_what_has_not_settled_can_be_sent_anew(status):
    assert leads_to(Event.RELAUNCH, status) is P


@pytest.mark.parametrize("status", sorted(SETTLED))
def test_what_has_settled_is_not_relaunched_but_rerun(status):
    assert MATRIX[Event.RELAUNCH][status] is Outcome.ILLEGAL


@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED))
def test_every_unsettled_status_can_be_called_off(status):
    # A running task is only marked: it stays running until it stops.
    assert leads_to(Event.CANCEL, status) in {X, R}


@pytest.mark.parametrize("event", [Event.COMPLETE, Event.FAIL, Event.CANCELLED])
@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED))
def test_a_final_report_settles_whatever_was_recorded_before(event, status):
    # Reports overtake each other: the start may be recorded after the end, or never.
    assert leads_to(event, status) in SETTLED
