"""Function libraries that nobody uses any more are removed, and those that somebody uses are not."""

import pytest
from support.liveness import wait_until
from support.sample_jobs import create_job

from jobtracker.connection.client import connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.functions import Library
from jobtracker.store.libraries import Libraries, made_here
from jobtracker.store.writer import JobStore


def loaded(client, name) -> bool:
    return bool(client.function_list(name))


@pytest.fixture
def library(client):
    """A library that no other test has, loaded."""
    library = Library(["count_jobs"], keep_s=int.from_bytes(id(client).to_bytes(8, "big")[-4:], "big") + 1_000_003)
    library.load(client)
    yield library
    if loaded(client, library.name):
        client.function_delete(library.name)


def test_what_a_process_has_rendered_is_what_it_says_that_it_uses(client, keys, store):
    create_job(store)
    Libraries(client, keys).renew()
    assert store._functions.name in made_here
    assert store._functions.name in Libraries(client, keys).used()


def test_a_library_goes_when_no_process_has_said_that_it_uses_it_for_a_while(client, keys, library):
    libraries = Libraries(client, keys, {library.name})
    libraries.renew()
    assert libraries.remove_unused(after_s=60) == []
    assert loaded(client, library.name)
    assert libraries.remove_unused(after_s=-1) == [library.name]
    assert not loaded(client, library.name)
    assert Libraries(client, keys, set()).used() == []


def test_libraries_of_others_stay(client, keys, library):
    libraries = Libraries(client, keys, set())
    assert libraries.remove_unused(after_s=-1) == []
    assert libraries.remove_strange() == []
    assert loaded(client, library.name)


def test_a_library_that_nobody_has_named_goes_after_a_while(tmp_path, keys):
    with EmbeddedRedis(tmp_path) as server, connect(server.url, timeout_s=10) as client:
        left, named, own = (Library([command]) for command in ("append_log", "delete", "watch"))
        for each in (left, named, own):
            each.load(client)
        client.function_load("#!lua name=of_another_program\nredis.register_function('f', function() end)")
        Libraries(client, keys, {named.name}).renew()
        libraries = Libraries(client, keys, {own.name})
        assert libraries.remove_strange(after_s=0.05) == []
        wait_until(lambda: libraries.remove_strange(after_s=0.05) == [left.name])
        assert not loaded(client, left.name)
        assert all(loaded(client, name) for name in (named.name, own.name, "of_another_program"))


def test_a_process_whose_library_was_removed_loads_it_again_with_its_next_call(client, keys, queries):
    store = JobStore(client, keys, retention_ms=5 * 86_400_000)
    job_id = create_job(store)
    Libraries(client, keys, {store._functions.name}).remove([store._functions.name])
    assert not loaded(client, store._functions.name)
    other = create_job(store)
    assert {queries.get(each).status for each in (job_id, other)} == {"pending"}
    assert loaded(client, store._functions.name)


def test_a_library_that_is_not_there_any_more_is_forgotten(client, keys):
    libraries = Libraries(client, keys, {"jobtracker_000000000000"})
    libraries.renew()
    assert libraries.used() == []
    assert libraries.remove_unused(after_s=-1) == ["jobtracker_000000000000"]
    assert client.zcard(keys("libraries")) == 0
