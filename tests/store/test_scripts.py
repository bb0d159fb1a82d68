"""The Lua verbs as such: a server that has forgotten them, and values that must not be taken for code."""

import re

import pytest
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError
from support.raw_records import stored
from support.recount import keys_of, recount
from support.sample_jobs import create_in, create_job, new_job

from jobtracker.connection.client import connect
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.job_writer import _COMMANDS
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.lua_source import lua_table, parts, render
from jobtracker.store.pipeline import packed
from jobtracker.store.schema import PLACES
from jobtracker.store.writer import JobStore


def test_every_verb_survives_a_server_that_has_forgotten_its_functions(client, keys, store, queries):
    verbs = [
        lambda: store.create(new_job("j")),
        lambda: store.create(new_job("k"), new_job("l")),
        lambda: store.apply(Event.START, "j"),
        lambda: store.apply_many(Event.START, {"k": {}, "l": {}}),
        lambda: store.notify_parent("j", "k", 1, Status.FAILED),
        lambda: store.update("j", fields={"name": "new"}),
        lambda: store.append_log("j", [(1, "info", "hello")]),
        lambda: store.watch(keys.parts),
        lambda: queries.page(JobFilter()),
        lambda: store.apply(Event.COMPLETE, "j"),
        lambda: store.fold_totals(keys.parts[0]),
        lambda: store.name_types(keys.parts[0], ["custom"], ["other"]),
        lambda: queries.totals(keys.parts[0], [1]),
        lambda: store.delete("j"),
        lambda: store.delete("k", "l", mode="trash"),
    ]
    for verb in verbs:
        client.function_flush()
        verb()
    assert queries.counts() == []
    assert recount(client, keys) == []


class ForgetfulPipeline(Pipeline):
    """A pipeline in whose middle somebody else flushes the server's functions: behind two calls."""

    def execute(self, raise_on_error=True):
        if len(self.command_stack) < 4:
            return super().execute(raise_on_error)
        self.function_flush()
        self.command_stack.insert(2, self.command_stack.pop())
        answers = super().execute(raise_on_error)
        del answers[2]
        return answers


class ForgetfulRedis(Redis):
    def pipeline(self, transaction=True, shard_hint=None):
        return ForgetfulPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


def test_a_flush_in_the_middle_of_a_pipeline_repeats_only_what_was_not_done(redis_server, keys):
    with connect(redis_server.url, timeout_s=10) as client:
        flush_in_the_middle(redis_server, client, keys)


def flush_in_the_middle(redis_server, client, keys):
    store = JobStore(client, keys)
    jobs = [create_job(store) for _ in range(5)]
    with ForgetfulRedis.from_url(redis_server.url, decode_responses=True) as forgetful:
        changes = JobStore(forgetful, keys).apply_many(Event.START, {job: {} for job in jobs})
    assert [(change.outcome, change.before) for change in changes.values()] == [(Outcome.APPLIED, Status.PENDING)] * 5
    assert [stored(client, keys, job).get("deliveries") for job in jobs] == ["1"] * 5
    assert recount(client, keys) == []


def test_an_error_of_one_call_in_a_pipeline_is_raised(client, keys, store):
    client.hset(keys("job", "bad"), "not", "a record")
    try:
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            store.apply_many(Event.START, {create_job(store): {}, "bad": {}})
    finally:
        client.delete(keys("job", "bad"))


def test_many_calls_are_answered_in_their_order(client, keys, store, queries):
    jobs = [new_job(f"job {n}", type=f"type {n % 3}") for n in range(1234)]
    assert store.create(*jobs) == [Outcome.APPLIED] * 1234
    assert set(store.create(*jobs[:100])) == {Outcome.DUPLICATE}
    store.apply_many(Event.ENQUEUE, {jobs[700].id: {}})
    changes = store.apply_many(Event.START, {job.id: {} for job in jobs})
    assert [change.run for change in changes.values()] == [int(n == 700) for n in range(1234)]
    assert store.delete("job 3", "nothing", mode="trash") == [Outcome.APPLIED, Outcome.MISSING]
    assert [count.count for count in queries.counts()] == [411, 411, 411]
    assert recount(client, keys) == []


def test_as_many_calls_can_be_under_way_as_a_large_pool_has_threads_or_greenlets(redis_server, keys, store):
    """redis-py alone would refuse the hundred and first."""
    with connect(redis_server.url, timeout_s=10) as client:
        many = JobStore(client, keys)
        answers = [many.begin_create(new_job(f"job {n}")) for n in range(120)]
        assert all(answer() == [Outcome.APPLIED] for answer in answers)


@pytest.mark.parametrize(
    "text", ["a:b", "{x}", "*?[a]", "%d %s %1", "quote \" and ' and \\", "é 漢字 🙂", "a\nb\0c", " ", "~2"]
)
def test_ids_types_and_names_of_any_characters_go_in_and_out_unchanged(client, keys, store, queries, text):
    store.create(new_job(text, name=text, type=text, subs=[f"{text}:sub"]), new_job(f"{text}:sub", parent=text))
    for event in (Event.ENQUEUE, Event.START, Event.COMPLETE):
        assert store.apply(event, text, fields={"reason": text}).applied
    job = queries.get(text)
    assert (job.id, job.name, job.job_type, job.reason) == (text, text, text, text)
    assert queries.sub_ids(text) == [f"{text}:sub"]
    assert {count.job_type for count in queries.counts()} == {text, "custom"}
    assert [job.id for job in queries.page(JobFilter(job_type=text, status=Status.COMPLETED)).jobs] == [text]
    assert recount(client, keys) == []


def test_namespaces_and_partitions_keep_apart(client, keys, store):
    create_in(store, Status.RUNNING)
    assert keys_of(client, Keys(f"{keys.namespace}-2")) == []
    assert list(client.scan_iter(match=f"{Partition(keys.namespace, len(keys.parts)).prefix}*")) == []


def test_every_key_begins_with_the_prefix_of_its_partition(client, keys, store):
    job = create_in(store, Status.FAILED)
    store.append_log(job, [(1, "info", "hello")])
    store.delete(job)
    prefixes = tuple(part.prefix for part in keys.parts)
    assert all(key.startswith(prefixes) for key in client.scan_iter(match=f"*{keys.namespace}*"))


@pytest.mark.parametrize(
    ("value", "literal"),
    [("a", '"a"'), ({"k": "v"}, '{["k"]="v"}'), ({"b", "a"}, '{["a"]=true,["b"]=true}'), (7, "7")],
)
def test_tables_of_python_become_tables_of_lua(client, value, literal):
    assert lua_table(value) == literal
    assert client.eval(f"local t = {literal} return type(t)", 0) in {"table", "string", "number"}


def test_a_library_has_what_its_commands_include_once_and_nothing_else():
    names = [name for name, _ in parts(["get_history", "mark_parent_notified"], reads_only=True) if name]
    assert names == [
        *("lib/keys", "lib/announcements", "lib/hints", "lib/record", "lib/totals", "lib/indexes"),
        *("commands/get_history", "commands/mark_parent_notified"),
    ]


def test_a_library_that_writes_has_each_command_for_a_leader_too():
    source = render(["append_log"])
    assert "fenced(COMMANDS.append_log)" in source
    assert "lib/parents" not in [name for name, _ in parts(["append_log"])]


def test_a_record_has_its_fields_by_their_places():
    for name, text in parts(_COMMANDS):
        code = "\n".join(line.partition("--")[0] for line in text.splitlines())
        assert {found for found in re.findall(r"\brec\.(\w+)", code) if found in PLACES} == set(), name


@pytest.mark.parametrize(
    ("value", "there"),
    [
        ("größe \u2028 \U0001f6a2", "größe \u2028 \U0001f6a2"),
        ("half a \ud800 character", "half a ? character"),
        (2**53, str(2**53)),
        (2**70, str(2**70)),
        ("x" * 70_000, "x" * 70_000),
    ],
)
def test_a_packed_argument_is_there_what_it_was(client, value, there):
    as_text = "type(found) == 'number' and string.format('%d', found) or found"
    script = f"local n, found = cmsgpack.unpack(ARGV[1]) return {as_text}"
    assert client.eval(script, 0, packed(1, value)) == there


def test_what_a_file_includes_stands_before_it():
    files = [(name, text) for name, text in parts(["transition_and_notify"]) if name]
    for place, (_, text) in enumerate(files):
        included = [line.split()[-1] for line in text.splitlines() if line.startswith("--- @include")]
        assert set(included) <= {name for name, _ in files[:place]}
