"""The audit by the clients."""

from datetime import UTC, datetime, timedelta

from support.serving import job


def test_the_audit_is_read_page_by_page(quiet, quiet_api):
    made = quiet_api.create(job("document_analysis", {"text": "x"}))["id"]
    quiet.cancel(made)
    now = datetime.now(UTC)
    page = quiet.audit(job=made, page_size=1, since=now - timedelta(hours=1), until=now + timedelta(hours=1))
    assert [entry.action for entry in page.entries] == ["cancel_job"]
    assert [entry.action for entry in quiet.audit(job=made, cursor=page.next_cursor).entries] == ["create_job"]
    assert quiet.audit(job=made, action="create_job", outcome="done").entries[0].status == 201
    assert quiet.audit(job=made, principal="nobody").entries == []
