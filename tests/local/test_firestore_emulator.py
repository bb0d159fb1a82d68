"""Our emulator of Firestore, asked by Google's own client."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

firestore = pytest.importorskip("google.cloud.firestore")
from google.api_core.exceptions import Conflict, MethodNotImplemented  # noqa: E402
from google.auth.credentials import AnonymousCredentials  # noqa: E402


@pytest.fixture
def collection(firestore_emulator, monkeypatch):
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator.address)
    client = firestore.Client(project=f"test-{uuid.uuid4().hex[:8]}", credentials=AnonymousCredentials())
    yield client.collection("counters")
    client.close()


def count(document, by=1):
    return document.set({"count": firestore.Increment(by)}, merge=True).transform_results[0].integer_value


def test_counts_are_exact_when_many_count_at_once(collection):
    document = collection.document("one")
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: count(document), range(200)))
    assert sorted(counts) == list(range(1, 201))
    assert document.get().to_dict() == {"count": 200}


def test_what_is_merged_keeps_the_other_fields(collection):
    document = collection.document("one")
    document.set({"expires": 5, "other": "x"}, merge=True)
    count(document, 3)
    document.set({"expires": 6}, merge=True)
    assert document.get().to_dict() == {"expires": 6, "other": "x", "count": 3}
    document.set({"all": "new"})
    assert document.get().to_dict() == {"all": "new"}


def test_a_deleted_document_counts_from_the_beginning(collection):
    document = collection.document("one")
    count(document, 7)
    document.delete()
    assert not document.get().exists
    assert count(document) == 1


def test_a_document_is_created_once(collection):
    collection.document("one").create({"a": 1})
    with pytest.raises(Conflict):
        collection.document("one").create({"a": 2})
    assert collection.document("one").get().to_dict() == {"a": 1}


def test_a_commit_is_applied_whole_or_not_at_all(collection):
    batch = collection._client.batch()
    batch.set(collection.document("one"), {"a": 1})
    batch.set(collection.document("two"), {"a": firestore.ArrayUnion([1])})
    with pytest.raises(MethodNotImplemented, match="This emulator can't do that"):
        batch.commit()
    assert not collection.document("one").get().exists


def test_what_it_can_not_do_is_an_error(collection):
    with pytest.raises(MethodNotImplemented):
        collection.document("one").set({"a": {"b": 1}}, merge=["a.b"])
    with pytest.raises(MethodNotImplemented):
        list(collection.stream())
