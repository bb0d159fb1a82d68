"""Groups of failures by the clients."""

import pytest
from support.sample_jobs import create_job

from jobtracker.client import ApiError
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event


def test_groups_are_listed_looked_at_and_marked(quiet, quiet_api):
    job = create_job(quiet_api.store, run=1)
    found = fingerprint("ClientSideError", "broke")
    quiet_api.store.apply(Event.FAIL, job, run=1, fields=found.fields)
    [group] = quiet.failures(error_type="ClientSideError", sort="-count").groups
    assert group.id == found.group
    assert quiet.failure(group.id).samples[0].id == job
    assert quiet.mark_failure(group.id, "ignore").state == "ignored"
    assert quiet.mark_failure(group.id, "reopen").state == "known"
    quiet_api.store.delete(job)
    for call in (quiet.failure, lambda each: quiet.mark_failure(each, "resolve")):
        with pytest.raises(ApiError, match="no group of failures"):
            call("0" * 12)
