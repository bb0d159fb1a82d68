"""`jobtracker failures …`, and the reason in lists."""

import pytest
from support.commands import document, lines, refusal, said, shown
from support.sample_jobs import create_job

from jobtracker.core.clock import now_ms
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event

BROKE = fingerprint("smtplib.SMTPRecipientsRefused", "550 mailbox unavailable: joe@example.org")


@pytest.fixture(scope="module")
def failed(quiet_api):
    for kind in ("mail", "mail", "order"):
        job = create_job(quiet_api.store, run=1, type=kind, queue="out")
        fields = {**BROKE.fields, "reason": "SMTPRecipientsRefused: 550 mailbox unavailable: joe@example.org"}
        quiet_api.store.apply(Event.FAIL, job, run=1, fields=fields, at_ms=now_ms())
    return job


def test_groups_are_listed_and_shown(quiet_api, failed):
    header, line = lines(quiet_api, "failures", "list", "--type", "mail")
    assert header.split() == ["GROUP", "STATE", "COUNT", "LAST", "HOUR", "LAST", "FIRST", "TYPES", "ERROR"]
    assert line.split()[:3] == [BROKE.group, "new", "3"]
    assert "mail, order" in line
    assert "SMTPRecipientsRefused: <n> mailbox unavailable: <address>" in line
    assert all(len(each) <= 80 for each in shown(quiet_api, "failures", "list"))
    text = said(quiet_api, "failures", "show", BROKE.group)
    assert "failures    3; 3 jobs are failed now" in text
    assert "queues      out 3" in text
    assert failed in text
    assert document(quiet_api, "failures", "show", BROKE.group) == quiet_api.get(f"/api/failures/{BROKE.group}")
    assert document(quiet_api, "failures", "list") == quiet_api.get("/api/failures?page_size=20")
    assert lines(quiet_api, "failures", "list", "--state", "ignored")[1:] == []


@pytest.mark.parametrize(("verb", "state"), [("resolve", "resolved"), ("ignore", "ignored"), ("reopen", "known")])
def test_groups_are_marked(quiet_api, failed, verb, state):
    [line] = lines(quiet_api, "failures", verb, BROKE.group)
    assert line.split()[:2] == [BROKE.group, state]
    assert "no group of failures" in refusal(quiet_api, "failures", verb, "0" * 12)


def test_a_list_of_jobs_says_why_they_failed(quiet_api, failed):
    header, line, *_ = lines(quiet_api, "jobs", "list", "--status", "failed")
    assert header.split()[-1] == "REASON"
    assert line.endswith("SMTPRecipientsRefused: 550 mailbox unavailable: joe@example.org")
