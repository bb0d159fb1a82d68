"""Servers that tests start beside the embedded one: RabbitMQ, a Redis that can do TLS, a relay that loses answers."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import amqp
import pytest
from redis.exceptions import RedisError

from jobtracker.connection.client import connect
from jobtracker.local.child_process import ChildProcess, ProcessError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port

PASSWORD = "p@ss/w:rd%&ö"
"""What servers of tests want to hear: all that has to be quoted in a URL."""

USER = "tester"
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"

_HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"
"""Where on Linux a RabbitMQ with a certificate is to be reached as well, though its certificate does not name it."""
_START_TIMEOUT_S = 60
_START_ATTEMPTS = 3
_VHOSTS = 48


RABBITMQ_PATH = f"/usr/lib/rabbitmq/bin{os.pathsep}{os.environ.get('PATH', '')}"
"""Where programs are looked for: Debian's own rabbitmq-server runs for root and the user rabbitmq only, and changes
between them."""


def program(name: str, package: str) -> str:
    """The path of a server's program. Where it is not installed the test is skipped, and in the CI an error."""
    found = shutil.which(name, path=RABBITMQ_PATH)
    if found:
        return found
    advice = f"{name} is not installed: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI"):
        pytest.fail(advice, pytrace=False)
    pytest.skip(advice)


class RabbitMQ:
    """A RabbitMQ node that keeps to itself: its own ports, name, cookie and folder, and its own epmd.

    It starts with many virtual hosts, which takes half a second more; to make one later would take as long as that.
    Where it is not installed the test that starts it is skipped, and in the CI an error.

    Args:
        folder: Where all of it lies.
        certificate: Its certificate, if it is to listen for TLS as well.
    """

    def __init__(self, folder: Path, certificate: "Certificate | None" = None) -> None:
        self.folder = folder
        self._certificate = certificate
        self._ports = [free_port() for _ in range(4)]
        self._vhosts = iter(range(_VHOSTS))
        self._processes: list[ChildProcess] = []

    @property
    def pid(self) -> int:
        """The node's process id."""
        pid = self._processes[-1].pid
        assert pid is not None
        return pid

    def new_url(self) -> str:
        """The address of a virtual host that nobody else has been given; starts the node where it does not run."""
        if not self._processes:
            self.start()
        return f"amqp://{LOGIN}@{_HOST}:{self._ports[0]}/{next(self._vhosts)}"

    def new_tls_url(self) -> str:
        """The same for TLS."""
        return self.new_url().replace("amqp:", "amqps:").replace(f":{self._ports[0]}/", f":{self._ports[3]}/")

    def start(self) -> None:
        """Start it, and wait until it takes connections. What was stored durably is there again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(_START_ATTEMPTS):
            try:
                return self._start()
            except ProcessError:
                self.stop()
                if attempt == _START_ATTEMPTS - 1 or (self.folder / "data").exists():
                    raise
                self._ports = [free_port() for _ in range(4)]  # somebody was faster
        return None

    def stop(self) -> None:
        """Kill it."""
        while self._processes:
            self._processes.pop().stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        server, epmd = program("rabbitmq-server", "rabbitmq-server"), program("epmd", "erlang-base")
        port, distribution_port, epmd_port, tls_port = self._ports
        conf = {
            "listeners.tcp.local": f"{_HOST}:{port}",
            "load_definitions": f"{self.folder}/definitions.json",
            "log.console": "true",
            "log.file": "false",
        }
        if self._certificate:
            conf |= {
                "listeners.ssl.local": f"{_HOST}:{tls_port}",
                **({"listeners.ssl.other": f"{OTHER_HOST}:{tls_port}"} if sys.platform == "linux" else {}),
                "ssl_options.certfile": str(self._certificate.path),
                "ssl_options.keyfile": str(self._certificate.key_path),
            }
        files = {
            "rabbitmq.conf": "".join(f"{name} = {value}\n" for name, value in conf.items()),
            "definitions.json": json.dumps(self._definitions()),
            "enabled_plugins": "[].\n",
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        env = {
            **os.environ,
            "HOME": str(self.folder),  # its cookie
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_CRASH_DUMP_BYTES": "0",
            "RABBITMQ_NODENAME": f"jobtracker-{port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the node, instead of waiting for it
        }
        # Without an epmd the node would start one, that would stay.
        self._add(ChildProcess("epmd", [epmd, "-port", str(epmd_port), "-address", _HOST], **self._how(env)))
        node = self._add(ChildProcess("RabbitMQ", [server], **self._how(env)))
        node.wait_until_ready(lambda: self._takes_connections(port), timeout_s=_START_TIMEOUT_S)
        if self._certificate:  # it opens its listeners one after the other
            hosts = [_HOST, *([OTHER_HOST] if sys.platform == "linux" else [])]
            node.wait_until_ready(lambda: all(_listens(host, tls_port) for host in hosts), timeout_s=_START_TIMEOUT_S)

    def _add(self, process: ChildProcess) -> ChildProcess:
        process.start()
        self._processes.append(process)
        return process

    def _how(self, env: dict[str, str]) -> dict[str, Any]:
        log_path = self.folder / f"{len(self._processes)}.log"
        return {"env": env, "log_path": log_path, "cwd": self.folder, "stop_steps": []}

    def _definitions(self) -> dict[str, object]:
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        names = [str(number) for number in range(_VHOSTS)]
        return {
            "users": [{"name": USER, "password": PASSWORD, "tags": []}],
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"user": USER, "vhost": name, **everything} for name in names],
        }

    def _takes_connections(self, port: int) -> bool:
        try:
            with amqp.Connection(f"{_HOST}:{port}", USER, PASSWORD, virtual_host=str(_VHOSTS - 1)):
                return True
        except (OSError, amqp.AMQPError):
            return False


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


class Certificate:
    """A certificate for the loopback address, signed by itself: whoever trusts it names it as a CA.

    Args:
        folder: Where it and its key are put.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "certificate.pem"
        self.key_path = folder / "key.pem"
        command = [program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-keyout", str(self.key_path), "-out", str(self.path)]
        command += ["-addext", f"subjectAltName=IP:{_HOST}"]
        command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
        subprocess.run(command, check=True, capture_output=True)


class TlsRedis:
    """A Redis server that speaks TLS only, to a user with a password.

    Args:
        folder: Where all of it lies.
        certificate: Its certificate.
    """

    def __init__(self, folder: Path, certificate: Certificate) -> None:
        self.folder = folder
        self._certificate = certificate
        self._port = free_port()
        self._process = ChildProcess(
            "Redis",
            [program("redis-server", "redis-server"), str(folder / "redis.conf")],
            log_path=folder / "redis.log",
            stop_steps=[],
        )

    @property
    def url(self) -> str:
        """Its address, without a database and without saying whom to trust."""
        return f"rediss://{LOGIN}@{_HOST}:{self._port}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        conf = {
            "bind": _HOST,
            "port": "0",
            "tls-port": str(self._port),
            "tls-cert-file": f'"{self._certificate.path}"',
            "tls-key-file": f'"{self._certificate.key_path}"',
            "tls-auth-clients": "no",
            "dir": f'"{self.folder}"',
            "save": '""',
            "user": f"default off\nuser {USER} on >{PASSWORD} ~* &* +@all",
        }
        (self.folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in conf.items()))
        self._process.start()
        self._process.wait_until_ready(self._answers, timeout_s=_START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.stop()

    def _answers(self) -> bool:
        try:
            with connect(f"{self.url}?ssl_ca_certs={quote(str(self._certificate.path))}", 1) as client:
                return bool(client.ping())
        except RedisError:
            return False


class Relay:
    """A way to a server on which the answer to certain requests is lost, and the connection with it.

    Args:
        port: Where the server listens on this machine.
        loses: A request that holds these bytes reaches the server, and its answer does not come back.

    Attributes:
        passed: All that has gone either way.
    """

    def __init__(self, port: int, loses: bytes | None = None) -> None:
        self.loses = loses
        self.passed = bytearray()
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with source, target, contextlib.suppress(OSError):
            while data := source.recv(2**16):
                if self.loses and self.loses in data:
                    source.shutdown(socket.SHUT_RDWR)
                self.passed += data
                target.sendall(data)


@contextlib.contextmanager
def away(server: EmbeddedRedis, how: str) -> Iterator[None]:
    """Have a server refuse connections ("stopped"), or not answer (anything else), meanwhile."""
    pid = server.pid
    assert pid
    if how == "stopped":
        server.stop()
    else:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if how == "stopped":
            server.start()
        else:
            os.kill(pid, signal.SIGCONT)
