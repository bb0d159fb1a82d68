"""A bucket as an object store."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.google_emulators import StorageEmulator
from support.servers import Relay, program

from jobtracker.objects import bucket as bucket_module
from jobtracker.objects.bucket import BucketStore
from jobtracker.objects.object_store import ObjectMissingError, ObjectStoreAwayError, ObjectStoreError

pytestmark = pytest.mark.thorough


def new_store(emulator, name, **more):
    options = {"project": "test", "emulator_host": emulator.url, "timeout_s": 2, "retry_s": 1}
    return BucketStore(name, **options | more)


def test_a_missing_bucket_is_made_where_it_is_wanted(storage_emulator, bucket_name):
    # The emulator says the same location of each bucket, so what it is asked for counts.
    with Relay(storage_emulator.port) as relay:
        store = BucketStore(
            bucket_name,
            project="our-project",
            location="EUROPE-WEST1",
            emulator_host=f"http://127.0.0.1:{relay.port}",
        )
        store.check()
        store.check()
    [asked] = re.findall(rb"POST /storage/v1/b\?.*?\r\n\r\n(\{.*)", bytes(relay.passed), re.DOTALL)
    assert b"project=our-project" in relay.passed
    assert json.JSONDecoder().raw_decode(asked.decode(errors="replace"))[0] == {
        "name": bucket_name,
        "location": "EUROPE-WEST1",
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"},
    }


def test_no_bucket_is_made_by_a_use(storage_emulator, bucket_name):
    store = new_store(storage_emulator, bucket_name)
    for use in (
        lambda: store.put("one", [b"x"]),
        lambda: store.put("one", [b"x" * 5_000_000]),
        lambda: store.read("one"),
        lambda: store.info("one"),
        lambda: list(store.list("")),
    ):
        with pytest.raises(ObjectStoreError, match=r"does not exist \(Not Found\)\. .* GCS_BUCKET_NAME") as raised:
            use()
        assert not isinstance(raised.value, ObjectMissingError)
    store.delete("one")


def test_without_a_project_no_bucket_can_be_made(storage_emulator, bucket_name):
    with pytest.raises(ObjectStoreError, match="Set GCP_PROJECT_ID"):
        new_store(storage_emulator, bucket_name, project=None).check()


def test_a_bucket_with_a_bad_name_is_an_error(storage_emulator):
    with pytest.raises(ObjectStoreError, match="GCS_BUCKET_NAME"):
        new_store(storage_emulator, "Not_A_Bucket!").check()


def test_a_list_has_more_than_one_page(bucket, monkeypatch):
    monkeypatch.setattr(bucket_module, "_PAGE", 2)
    for number in range(5):
        bucket.put(f"a/{number}", [b"x"])
    assert sorted(each.name for each in bucket.list("a/")) == [f"a/{number}" for number in range(5)]


def test_one_that_is_replaced_while_it_is_read_is_an_error(bucket):
    bucket.put("large", [b"x" * 5_000_000])
    pieces = bucket.read("large")
    next(pieces)
    bucket.put("large", [b"y" * 5_000_000])
    with pytest.raises(ObjectStoreError, match="replaced while it was read"):
        list(pieces)


def test_a_process_that_is_forked_uses_the_same_store(bucket):
    bucket.put("parent", [b"p"])
    child = os.fork()
    if not child:
        try:
            bucket.put("child", [b"".join(bucket.read("parent")), b"c"])
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert b"".join(bucket.read("child")) == b"pc"
    bucket.put("parent", [b"again"])


def test_an_emulator_that_is_away_is_an_error_within_a_bounded_time(tmp_path, bucket_name):
    with StorageEmulator(tmp_path) as emulator:
        store = new_store(emulator, bucket_name, timeout_s=1)
        store.check()
        store.put("one", [b"x"])
        emulator.pause()
        began = time.monotonic()
        with pytest.raises(ObjectStoreAwayError, match=f"{emulator.url} does not answer"):
            store.put("two", [b"x"])
        assert time.monotonic() - began < 20  # Google's own limits are minutes
        emulator.resume()
        assert b"".join(store.read("one")) == b"x"
    for use in (store.check, lambda: store.put("one", [b"x" * 5_000_000]), lambda: store.delete("one")):
        with pytest.raises(ObjectStoreAwayError, match=f"{emulator.url} does not answer"):
            use()


UPLOAD = """
import sys, time
from jobtracker.objects.bucket import BucketStore

def chunks():
    for _ in range(6):
        yield b"x" * 1_000_000
    print("half way", flush=True)
    time.sleep(60)

BucketStore(sys.argv[1], emulator_host=sys.argv[2]).put("one", chunks())
"""


def test_a_process_that_is_killed_half_way_of_an_upload_leaves_what_was_there(bucket, bucket_name, storage_emulator):
    bucket.put("one", [b"earlier"])
    command = [sys.executable, "-c", UPLOAD, bucket_name, storage_emulator.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as uploader:
        assert uploader.stdout.readline() == "half way\n"
        uploader.send_signal(signal.SIGKILL)
    assert b"".join(bucket.read("one")) == b"earlier"
    assert [each.name for each in bucket.list("")] == ["one"]


CHECK = """
import sys, time
from jobtracker.errors import JobTrackerError
from jobtracker.objects.bucket import BucketStore

try:
    BucketStore("some-bucket", timeout_s=1, retry_s=2).check()
except JobTrackerError as error:
    print(type(error).__name__, error)
"""


def said_without_emulator(tmp_path, **environment):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
    env |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_without_credentials_a_check_ends_and_says_what_to_set(tmp_path):
    said = said_without_emulator(tmp_path)
    assert said.startswith("ObjectStoreError The bucket gs://some-bucket can't be ")
    assert "there are no credentials for Google Cloud" in said
    assert "Set GOOGLE_APPLICATION_CREDENTIALS" in said


def test_a_machine_whose_metadata_never_answers_does_not_hang_a_check(tmp_path, silent_port):
    address = f"127.0.0.1:{silent_port}"
    said = said_without_emulator(tmp_path, GCE_METADATA_IP=address, GCE_METADATA_HOST=address)
    assert "there are no credentials for Google Cloud (nobody has answered" in said


def test_a_key_file_that_is_missing_is_named(tmp_path):
    said = said_without_emulator(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "key.json"))
    assert "key.json was not found" in said
    assert "Set GOOGLE_APPLICATION_CREDENTIALS" in said


@contextmanager
def answering(status, body):
    """A server that answers each request so; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body, indent=1).encode())  # as Google does

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_revoked_credential_is_an_error_that_says_what_to_set(tmp_path):
    key = subprocess.run(
        [program("openssl", "openssl"), "genrsa", "2048"], check=True, capture_output=True, text=True
    )
    with answering(400, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}) as url:
        account = {
            "type": "service_account",
            "project_id": "ours",
            "private_key_id": "1",
            "private_key": key.stdout,
            "client_email": "jobs@ours.iam.gserviceaccount.com",
            "token_uri": f"{url}/token",
        }
        (tmp_path / "key.json").write_text(json.dumps(account))
        said = said_without_emulator(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "key.json"))
    assert said.startswith("ObjectStoreError The bucket gs://some-bucket can't be written to, for Google refuses the")
    assert "they were revoked or have expired (('invalid_grant: Invalid grant: account not found'" in said
    assert "Set GOOGLE_APPLICATION_CREDENTIALS to valid ones." in said


def test_an_account_that_may_not_use_the_bucket_is_an_error_that_names_the_role(bucket_name):
    refusal = {"error": {"code": 403, "message": "jobs@ours does not have storage.objects.create access"}}
    with answering(403, refusal) as url:
        store = BucketStore(bucket_name, project="test", emulator_host=url)
        for use in (store.check, lambda: store.put("one", [b"x" * 5_000_000]), lambda: store.read("one")):
            with pytest.raises(ObjectStoreError, match=r"may not do that \(jobs@ours does not.*Storage Object User"):
                use()


def test_a_google_that_answers_errors_for_long_is_away(bucket_name):
    with answering(503, {"error": {"code": 503, "message": "Backend Error"}}) as url:
        store = BucketStore(bucket_name, project="test", emulator_host=url, retry_s=1)
        for use in (store.check, lambda: store.put("one", [b"x" * 5_000_000]), lambda: store.read("one")):
            with pytest.raises(ObjectStoreAwayError, match="does not answer"):
                use()
