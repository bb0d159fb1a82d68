"""`jobtracker attention`, and what the API answers to it."""

import re
from datetime import UTC, datetime

import pytest
from rich.console import Console
from support.commands import document, lines
from support.sample_jobs import create_job
from support.serving import Api, eventually, job

from jobtracker.cli.commands.attention import _print
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.schemas.attention import Attention, DisabledWebhook

TEXT = {"text": "Ferries leave the harbour at noon."}


@pytest.fixture(scope="module")
def troubled(quiet_api: Api) -> Api:
    """An API with a job in a queue that nobody consumes, and one that has failed."""
    quiet_api.launch(job("document_analysis", TEXT))
    create_job(quiet_api.store, "broken", at_ms=now_ms(), type="invoice")
    for event, fields in ((Event.ENQUEUE, {}), (Event.START, {}), (Event.FAIL, {"reason": "KeyError: 'vat'"})):
        quiet_api.store.apply(event, "broken", at_ms=now_ms(), fields=fields)
    eventually(lambda: quiet_api.get("/api/tracking/attention")["failed"] == 1)
    return quiet_api


def test_a_table_names_what_needs_somebody_and_the_exit_status_says_so(troubled):
    shown = "\n".join(lines(troubled, "attention", status=1))
    assert "no_consumer" in shown
    assert "1 job waits in queue" in shown
    assert re.search(r"1 +new +\w{12} .*invoice", shown)
    assert "QUEUE THAT NOBODY CONSUMES" in shown
    assert "Nothing needs you" not in shown


def test_a_disabled_webhook_is_named_with_the_reason(capsys):
    at = datetime.now(UTC)
    webhook = DisabledWebhook(id="wh_1", description="", host="chat.example", disabled_at=at, reason="It is gone.")
    _print(Console(width=100), nothing(at).model_copy(update={"disabled_webhooks": [webhook]}))
    shown = capsys.readouterr().out
    assert re.search(r"DISABLED WEBHOOK +AGO +HOST +WHY\s+wh_1 +\w+ +chat.example +It is gone\.", shown)
    assert "Nothing needs you" not in shown


def nothing(at):
    return Attention(
        at=at, took_s=0, open_jobs=7000, looked_at=1000, complete=False, blocked=[], blocked_left_out=0,
        failures_since=at, failed=0, failures_looked_at=0, failures=[], more_failures=False,
        unconsumed_queues=[], lost_workers=[], unavailable=[],
    )  # fmt: skip


def test_json_is_what_the_api_answers(troubled):
    found = document(troubled, "attention", status=1)
    assert found.keys() == troubled.get("/api/tracking/attention").keys()
    assert [(group["code"], group["count"]) for group in found["blocked"]] == [("no_consumer", 1)]
    assert [(group["types"], group["state"]) for group in found["failures"]] == [({"invoice": 1}, "new")]


def test_nothing_needs_anybody_in_an_answer_that_has_nothing(capsys):
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    found = nothing(at)
    assert found.is_quiet
    _print(Console(), found)
    assert capsys.readouterr().out.splitlines() == [
        "Nothing needs you.",
        "Looked at the oldest 1,000 of 7,000 open jobs: there may be more.",
    ]
