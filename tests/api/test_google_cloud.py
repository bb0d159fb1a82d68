"""The API with Celery's results in a bucket: a tree is sent, and what is answered while the bucket is away."""

import time
import uuid

import pytest
from support.google_emulators import FirestoreEmulator, StorageEmulator
from support.serving import job, parent, problem_of, running_api

pytestmark = pytest.mark.thorough

SUBS = [job("document_analysis", {"text": "x"})] * 2


def test_a_tree_whose_results_can_not_be_kept_is_refused_in_time(tmp_path, redis_server, api_log_dir):
    with StorageEmulator(tmp_path) as storage, FirestoreEmulator(tmp_path) as firestore:
        settings = {
            "redis_url": redis_server.url,
            "tracking_namespace": f"test-{uuid.uuid4().hex[:12]}",
            "celery_broker_url": f"{redis_server.url}/7",
            "celery_result_backend": f"gs://results-{uuid.uuid4().hex[:12]}/results",
            "gcp_project_id": "jobtracker-test",
            "storage_emulator_host": storage.url,
            "firestore_emulator_host": firestore.address,
        }
        with running_api(api_log_dir, **settings) as api:
            tree = api.create(parent(*SUBS))
            api.post(tree["id"], "start")
            other = api.create(parent(*SUBS))
            storage.pause()
            began = time.monotonic()
            problem = problem_of(api.http.post(f"/api/jobs/{other['id']}/start"), 503)
            assert time.monotonic() - began < 20  # Google's own limits are minutes
            assert f"{storage.url} does not answer" in problem["detail"]
            storage.resume()
            api.post(other["id"], "start")  # nothing of it was sent
