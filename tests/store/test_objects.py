"""A job names each of its objects, or the object is discarded. Reports come in any order, late and twice."""

import itertools
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisError
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import move, new_job

from jobtracker.connection.client import connect
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.local.ports import free_port
from jobtracker.store.keys import Keys
from jobtracker.store.object_names import ObjectNames
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.schema import OBJECT_FIELDS
from jobtracker.store.writer import JobStore

ENDS = [Event.COMPLETE, Event.FAIL, Event.CANCELLED]
OTHERS = [Event.START, Event.RETRY, Event.RERUN, Event.SEND_AGAIN, Event.LOSE, Event.CANCEL, Event.ENQUEUE]
RUNS, TWICE = st.integers(0, 3), st.booleans()
ARGUMENTS = st.sampled_from([OBJECT_FIELDS["payload"], OBJECT_FIELDS["args"], None])
RESULT = st.sampled_from([OBJECT_FIELDS["result"], None])
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "update", "delete"]), ARGUMENTS, RUNS, TWICE)
    | st.tuples(st.sampled_from([*ENDS, *OTHERS]), RESULT, RUNS, TWICE),
    max_size=25,
)
numbers = itertools.count()


class Written:
    """What is written to the object store, and what becomes of it."""

    def __init__(self, client, keys: Keys) -> None:
        self.client, self.keys = client, keys
        self.names = ObjectNames(client, keys)
        self.kept: dict[str, str] = {}

    def one(self, field: str | None) -> dict[str, str]:
        if field is None:
            return {}
        name = f"object-{next(numbers)}"
        self.kept[name] = field
        return {field: json.dumps({"object": name, "bytes": 1, "sha256": "0"})}

    def check(self) -> None:
        named = [json.loads(text)["object"] for text in self.names.named_by(["j"])[0]]
        discarded = [name for part in self.keys.parts for name in self.names.discarded(part, 10_000)]
        assert set(named) & set(discarded) == set()
        assert set(named) | set(discarded) == set(self.kept)
        if named:
            assert stored(self.client, self.keys, "j")["large"] == "1"


@given(STEPS)
def test_an_object_is_named_or_discarded_whatever_happens(client, partitions, steps):
    keys = Keys(f"objects-{uuid.uuid4().hex}", partitions)
    store, written = JobStore(client, keys, tombstone_s=60), Written(client, keys)
    store.create(new_job("j"))
    for step, field, run, repeats in steps:
        data = written.one(field)
        fields = {"large": "1"} if data else {}
        for _ in range(1 + repeats):
            match step:
                case "create":
                    job = new_job("j", **fields, run=1, queued=1_000 + run)
                    outcome = store.create(type(job)(id="j", fields=job.fields, data=data, published=True))[0]
                case "update":
                    outcome = store.update("j", fields=fields, data=data, unsent_only=True)
                case "delete":
                    outcome = store.delete("j")[0] if not data else Outcome.MISSING
                case event:
                    change = store.apply(event, "j", run=run or None, fields=fields, data=data, sent=1_000 + run)
                    outcome = change.outcome
        if outcome is Outcome.MISSING and data:  # nobody knows it yet: the report comes again, or it is searched for
            [text] = data.values()
            del written.kept[json.loads(text)["object"]]
        written.check()
    assert recount(client, keys) == []
    client.unlink(*client.scan_iter(f"{keys.namespace}:*", count=1000))


@pytest.mark.parametrize("to", [1, 5])
def test_a_store_that_is_moved_keeps_its_id_and_knows_what_is_to_be_removed(client, keys, to):
    of = Keys(keys.namespace, 3)
    expect_partitions(client, of)
    names = ObjectNames(client, of)
    store_id = names.store_id()
    for number, part in enumerate(of.parts):
        client.zadd(part("discarded"), {f"object-{number}": 1})
    move(client, keys, to)
    now = Keys(keys.namespace, to)
    moved = ObjectNames(client, now)
    assert moved.store_id() == store_id
    assert {name for part in now.parts for name in moved.discarded(part, 10)} == {"object-0", "object-1", "object-2"}
    client.unlink(*client.scan_iter(f"{keys.namespace}:*", count=1000))


def test_two_processes_agree_on_the_id_of_a_store(client, keys):
    assert ObjectNames(client, keys).store_id() == ObjectNames(client, keys).store_id()


def test_a_store_that_was_emptied_has_a_new_id_for_processes_that_know_the_one_before(client, keys):
    names = ObjectNames(client, keys)
    before = names.store_id()
    client.delete(keys("store_id"))
    assert names.store_id() == ObjectNames(client, keys).store_id() != before


def test_without_redis_the_id_is_the_one_before(client, keys):
    names = ObjectNames(client, keys)
    before = names.store_id()
    names._client = connect(f"redis://127.0.0.1:{free_port()}", 0.2)
    assert [names.store_id(), names.store_id()] == [before, before]
    with pytest.raises(RedisError):
        ObjectNames(names._client, keys).store_id()
