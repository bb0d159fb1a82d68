"""Answers that a client has already are not sent again."""

import pytest
from support.sample_jobs import create_job
from support.serving import job, parent

from jobtracker.core.lifecycle import Event


@pytest.fixture(scope="module")
def one(quiet_api):
    return create_job(quiet_api.store)


@pytest.mark.parametrize(
    "path",
    ["/api/jobs/", "/api/jobs/{id}", "/api/jobs/{id}/with-subjobs", "/api/jobs/{id}/history", "/api/jobs/{id}/logs"]
    + [f"/api/tracking/{name}" for name in ("stats", "stats/by-type", "active-jobs", "failed-jobs", "job-types")],
)
def test_an_answer_that_has_not_changed_is_not_sent_again(quiet_api, one, path):
    path = path.replace("{id}", one)
    first = quiet_api.http.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    again = quiet_api.http.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert quiet_api.http.get(path, headers={"If-None-Match": f'W/"a", W/{first.headers["etag"]}'}).status_code == 304
    assert quiet_api.http.get(path, headers={"If-None-Match": '"another"'}).content == first.content


def test_one_that_has_changed_is_sent(quiet_api):
    job_id = create_job(quiet_api.store)
    tags = {path: quiet_api.http.get(path).headers["etag"] for path in ("/api/jobs/", f"/api/jobs/{job_id}")}
    quiet_api.store.apply(Event.START, job_id)
    for path, tag in tags.items():
        answer = quiet_api.http.get(path, headers={"If-None-Match": tag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag


def test_errors_changes_and_streams_have_no_tag(quiet_api, one):
    assert "etag" not in quiet_api.http.get("/api/jobs/nothing").headers
    assert "etag" not in quiet_api.http.put(f"/api/jobs/{one}", json={"name": "other"}).headers
    assert "etag" not in quiet_api.http.get("/api/events", params={"for_s": 0.01}).headers
    leaf = job("document_analysis", {"text": "Ferries.", "analysis_type": "summary"}, name="x" * 200)
    large = quiet_api.create(parent(*[leaf] * 2000))["id"]
    assert "etag" not in quiet_api.http.get(f"/api/jobs/{large}/with-subjobs").headers
