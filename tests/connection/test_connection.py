"""A connection that was just used is used again; one that is not there any more, or another process's, is not."""

import subprocess
import sys
import textwrap
import time

from support.sample_jobs import new_job
from support.workers_under_test import eventually

from jobtracker.connection.client import connect
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore


def connections(client, name="jobtracker"):
    """The ids of the connections of that name, as the server knows them."""
    return {each["id"] for each in client.client_list() if each["name"] == name}


def test_calls_one_after_the_other_go_over_one_connection(redis_server, keys):
    with connect(redis_server.url, timeout_s=10) as client:
        store = JobStore(client, keys)
        before = connections(client)
        for job_id in "abc":
            store.create(new_job(job_id))
        assert connections(client) == before


def test_a_connection_that_was_closed_is_opened_anew(redis_server, keys):
    with connect(redis_server.url, timeout_s=10) as client, connect(redis_server.url, timeout_s=10) as other:
        store, number = JobStore(client, keys), client.client_id()
        store.create(new_job("a"))
        other.client_kill_filter(_id=number)
        time.sleep(0.2)
        store.create(new_job("b"))


def test_an_answer_that_nobody_has_read_is_not_the_next_calls(redis_server):
    """As where a task's time is over between a call and its answer."""
    with connect(redis_server.url, timeout_s=10) as client:
        pool = client.connection_pool
        interrupted = pool.get_connection()
        interrupted.send_command("ECHO", "left")
        time.sleep(0.1)
        pool.release(interrupted)
        assert client.echo("asked for") == "asked for"


def test_connections_that_nobody_uses_are_let_go(redis_server, keys):
    with connect(redis_server.url, timeout_s=10) as client, connect(redis_server.url, timeout_s=10) as other:
        number = client.client_id()
        JobStore(client, keys).create(new_job("a"))
        client.connection_pool.disconnect(inuse_connections=False)
        eventually(lambda: number not in connections(other))


def test_a_process_that_was_forked_does_not_speak_on_its_parents_connection(redis_server, keys: Keys):
    script = f"""
    import os
    from jobtracker.connection.client import connect
    client = connect({redis_server.url!r}, 10)
    from jobtracker.store.keys import Keys
    from jobtracker.store.writer import JobStore
    store = JobStore(client, Keys({keys.namespace!r}))
    store.append_log("none", [(1, "info", "parent")])
    number = client.client_id()
    store.append_log("none", [(1, "info", "parent")])
    if os.fork() == 0:
        store.append_log("none", [(1, "info", "child")])
        print(number, client.client_id(), flush=True)
        os._exit(0)
    os.wait()
    store.append_log("none", [(1, "info", "parent")])
    print(client.client_id())
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    parent, child, parent_after = done.stdout.split()
    assert child != parent
    assert parent_after == parent
