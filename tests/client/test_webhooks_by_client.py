"""Webhooks by the clients."""

import pytest

from jobtracker.client import ApiError


def test_webhooks_are_created_changed_looked_at_and_deleted(quiet):
    made = quiet.create_webhook("https://webhooks.invalid/x", ["job.failed"], tags=["a"], enabled=False)
    assert made.secret.startswith("whsec_")
    assert quiet.webhook(made.id).tags == ["a"]
    changed = quiet.update_webhook(made.id, made.url, ["worker.lost"], older_than_s=60)
    assert (changed.events, changed.tags, changed.older_than_s, changed.enabled) == (["worker.lost"], [], 60, True)
    assert made.id in [each.id for each in quiet.webhooks().webhooks]
    assert quiet.rotate_webhook(made.id, keep_old_s=5).secret != made.secret
    sent = quiet.test_webhook(made.id)
    assert [each.id for each in quiet.webhook_deliveries(made.id, page_size=5).deliveries] == [sent.id]
    assert quiet.redeliver(made.id, sent.id).id == sent.id
    assert quiet.delete_webhook(made.id) is None
    for call in (quiet.webhook, quiet.delete_webhook, quiet.test_webhook, quiet.webhook_deliveries):
        with pytest.raises(ApiError, match="There is no webhook"):
            call(made.id)
