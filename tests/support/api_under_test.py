"""The API under test: a real process with real workers, and quiet ones of which nobody works the jobs."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from support.serving import SHIPPED_DOCUMENTS, Api, Json, job, running_api, running_worker

WORKED_DB = 8
"""Database of the API with workers: their broker's keys have no namespace."""
QUIET_DB = 9


@pytest.fixture(scope="session")
def api_log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="session")
def unworked_api(redis_server: EmbeddedRedis, api_log_dir: Path) -> Iterator[Api]:
    """The API that has workers later on, before it has them."""
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=WORKED_DB, inspect_cache_s=0.5) as api:
        yield api


@pytest.fixture(scope="session")
def early_job(unworked_api: Api) -> Json:
    """A job that was created before any worker had announced its type."""
    payload = {"text": "Ferries leave the harbour at noon.", "analysis_type": "summary"}
    return unworked_api.create(job("document_analysis", payload))


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the worker's documents: the shipped ones, to which tests may add."""
    return Path(copytree(SHIPPED_DOCUMENTS, tmp_path_factory.mktemp("documents") / "documents"))


@pytest.fixture(scope="session")
def results_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the worker's results as files."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="session")
def worker(unworked_api: Api, early_job: Json, documents: Path, results_folder: Path) -> Iterator[ChildProcess]:
    """The worker's process."""
    with running_worker(unworked_api, documents, release_label="shop-2.1", results_dir=results_folder) as process:
        yield process


@pytest.fixture(scope="session")
def api(unworked_api: Api, worker: ChildProcess) -> Api:
    """An API whose jobs are done by a worker of two processes."""
    return unworked_api


@pytest.fixture(scope="module")
def quiet_api(redis_server: EmbeddedRedis, api_log_dir: Path) -> Iterator[Api]:
    """An API of the module's own, without a worker."""
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB) as api:
        yield api
