"""The curl examples of the documentation, as they stand there."""

import httpx
import pytest
from support.documented_examples import DOCUMENT, ENTITIES, PAGE, PENDING, STATS, TREE, send
from support.serving import SHIPPED_DOCUMENTS, Api, Json

pytestmark = [pytest.mark.thorough, pytest.mark.long]


def curl(api: Api, command: str) -> httpx.Response:
    """Send what curl would send."""
    return send(api.http, command)


def created(api: Api, command: str) -> Json:
    """The job that an example has made."""
    response = curl(api, command)
    assert response.status_code == 201, response.text
    job: Json = response.json()
    assert response.headers["location"] == f"/api/jobs/{job['id']}"
    return job


def assert_offsets_fit(text: str, found: list[Json]) -> None:
    assert found
    for span in found:
        assert text[span["start"] : span["end"]] == span["text"]


def test_the_document_job_is_pending_until_it_is_started_and_completes_with_an_analysis(api):
    job = created(api, DOCUMENT)
    assert (job["status"], job["job_type"], job["priority"]) == ("pending", "document_analysis", "normal")
    assert job["payload"] == {"document_id": "doc123", "analysis_type": "full"}
    assert job["run"] == 0
    started = api.post(job["id"], "start")
    assert started["run"] == 1
    result = api.expect(job["id"], "completed")["result"]
    assert result["kind"] == "document_analysis"
    assert (result["document_id"], result["media_type"]) == ("doc123", "application/pdf")
    assert result["analysis_type"] == "full"
    assert result["language"]["code"] == "en"
    assert result["statistics"]["words"] > 100
    assert result["key_phrases"]
    assert result["findings"] is None


@pytest.fixture(scope="module")
def finished_tree(api) -> Json:
    """The example with sub-jobs, once it has completed."""
    tree = created(api, TREE)
    assert [sub["name"] for sub in tree["sub_jobs"]] == ["Extract Entities", "Extract Medications"]
    assert {job["status"] for job in [tree, *tree["sub_jobs"]]} == {"pending"}
    assert {sub["priority"] for sub in tree["sub_jobs"]} == {"high"}
    api.post(tree["id"], "start")
    api.expect(tree["id"], "completed")
    return api.tree(tree["id"])


def test_the_sub_jobs_of_the_tree_find_entities_and_medications_where_they_stand(finished_tree):
    text = (SHIPPED_DOCUMENTS / "doc456.txt").read_text()
    entities, medications = (sub["result"] for sub in finished_tree["sub_jobs"])
    assert entities["kind"] == "entity_extraction"
    assert_offsets_fit(text, entities["entities"])
    assert ("person", "Tobias Wrenfield") in {(e["label"], e["text"]) for e in entities["entities"]}
    assert medications["kind"] == "medication_extraction"
    assert_offsets_fit(text, [medication["drug"] for medication in medications["medications"]])
    statuses = {medication["name"]: medication["status"] for medication in medications["medications"]}
    assert statuses["Metformin"] == "active"
    assert statuses["Ibuprofen"] == "negated"


def test_the_parent_of_the_tree_merges_what_its_sub_jobs_found(finished_tree):
    entities, medications = (sub["result"] for sub in finished_tree["sub_jobs"])
    findings = finished_tree["result"]["findings"]
    assert finished_tree["result"]["document_id"] == "doc456"
    assert [sub["kind"] for sub in findings["sub_jobs"]] == ["entity_extraction", "medication_extraction"]
    assert len(findings["entities"]) == len(entities["entities"])
    assert len(findings["medications"]) == len(medications["medications"])
    assert finished_tree["sub_job_counts"] == {"total": 2, "completed": 2, "failed": 0, "cancelled": 0}
    assert finished_tree["progress"]["percent"] == 100


def test_each_job_of_the_tree_has_logged_what_it_read_and_found(api, finished_tree):
    entities, medications = finished_tree["sub_jobs"]
    merged = sum(sub["count"] for sub in finished_tree["result"]["findings"]["sub_jobs"])
    for job, last in (
        (entities, f"entities: {len(entities['result']['entities'])} ("),
        (medications, f"medications: {len(medications['result']['medications'])} ("),
        (finished_tree, f"findings of the sub-jobs: {merged}"),
    ):
        lines = [line["message"] for line in api.get(f"/api/jobs/{job['id']}/logs")]
        assert lines[0].startswith("read doc456: text/plain, ")
        assert lines[-1].startswith(last)


def test_the_job_tree_is_the_same_as_the_job_with_its_sub_jobs(api, finished_tree):
    assert api.get(f"/api/tracking/job-tree/{finished_tree['id']}") == finished_tree


def test_the_statistics_count_what_is_listed(api):
    stats = curl(api, STATS).json()
    assert stats["total"] == api.get("/api/jobs/")["total"]
    for status, count in stats["by_status"].items():
        assert api.get("/api/jobs/", status=status)["total"] == count


def test_pending_jobs_are_listed(api):
    waiting = created(api, DOCUMENT)
    page = curl(api, PENDING).json()
    assert waiting["id"] in {job["id"] for job in page["jobs"]}
    assert {job["status"] for job in page["jobs"]} == {"pending"}


def test_the_jobs_of_a_type_are_listed(api, finished_tree):
    page = curl(api, ENTITIES).json()
    assert finished_tree["sub_jobs"][0]["id"] in {job["id"] for job in page["jobs"]}
    assert {job["job_type"] for job in page["jobs"]} == {"entity_extraction"}


def test_a_page_has_as_many_jobs_as_it_is_asked_for(api):
    for _ in range(11):
        api.create()
    page = curl(api, PAGE).json()
    assert (page["page"], page["page_size"], len(page["jobs"])) == (1, 10, 10)
    assert page["next_cursor"]
