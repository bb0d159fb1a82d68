"""What the tests of the page have in common."""

from collections.abc import Iterator

import pytest

from jobtracker import Client


@pytest.fixture(scope="module", autouse=True)
def slots_for_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cancel what a file's tests have left running: the worker has two slots, for the tests of all files."""
    of_this_file = [item for item in request.session.items if item.path == request.path]
    uses_api = any("api" in getattr(item, "fixturenames", ()) for item in of_this_file)
    api = request.getfixturevalue("api") if uses_api else None
    yield
    if api is None:
        return
    with Client(str(api.http.base_url)) as client:
        for status in ("running", "retrying", "pending"):
            for job in client.jobs(status=status):
                if job.queued_at is not None and job.parent_id is None and job.origin == "api":
                    client.cancel(job.id, terminate=True)
