"""Jobs on documents in a bucket, in a real worker."""

import pytest
from support.google_emulators import StorageEmulator
from support.serving import SHIPPED_DOCUMENTS, eventually, job, running_api, running_worker

from jobtracker.objects.bucket import BucketStore
from workers.tables.result_bucket import PREFIX

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

BUCKETS_DB = 7
BUCKET = "wards"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """One that is paused, which none must be that others use."""
    with StorageEmulator(tmp_path_factory.mktemp("storage")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def bucket(emulator):
    store = BucketStore(BUCKET, project="test", emulator_host=emulator.url)
    store.check()
    store.put("letter.txt", [b"Noon."])
    return store


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=BUCKETS_DB, inspect_cache_s=0.5) as api:
        yield api


@pytest.fixture(params=["prefork", "threads"])
def worker(request, api, bucket, emulator):
    """A worker that does one job at a time, in a pool."""
    options = ["--concurrency", "1", "--pool", request.param]
    google = {"storage_emulator_host": emulator.url, "gcp_project_id": "test", "gcs_bucket_name": BUCKET}
    with running_worker(api, SHIPPED_DOCUMENTS, *options, lease_renew_s=1, lease_lost_s=4, **google) as worker:
        yield worker


LETTER = job("document_analysis", {"document_id": "letter"})


def test_a_job_that_waits_for_a_bucket_says_so_and_is_cancelled_at_once(api, worker, bucket, emulator):
    assert api.expect(api.launch(LETTER), "completed")["result"]["document_id"] == "letter"
    emulator.pause()
    try:
        job_id = api.launch(LETTER)
        eventually(lambda: (api.job(job_id)["progress"] or {}).get("note") == "looking for letter")
        api.post(job_id, "cancel")
        api.expect(job_id, "cancelled")
        # The process is not kept by what still waits for the bucket.
        assert api.expect(api.launch(job("document_analysis", {"text": "Noon."})), "completed")
    finally:
        emulator.resume()
    assert api.expect(api.launch(LETTER), "completed")


def test_a_large_result_is_an_object_that_the_next_job_reads(api, worker, bucket):
    rows = [{"n": number, "text": "x" * 20} for number in range(3_000)]
    first = api.launch(job("data_processing", {"rows": rows}))
    file = api.expect(first, "completed")["result"]["file"]
    assert file["file"] == f"{bucket}/{PREFIX}{first}.result.parquet"
    assert bucket.info(f"{PREFIX}{first}.result.parquet").size_bytes == file["bytes"]
    second = api.launch(job("data_processing", {"document_id": f"result:{first}", "max_rows": 1}))
    assert api.expect(second, "completed")["result"]["total_rows"] == 3_000
    stolen = api.launch(job("data_processing", {"document_id": file["file"]}))
    assert "is not the name of a document" in api.expect(stolen, "failed")["error"]["message"]
