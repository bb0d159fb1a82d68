"""The nodes that stand behind `celery_setup`: local processes, or with CELERY_NODES=containers a Docker engine's.

Containers need the images of docker-compose.yml: `make build`, and JOBTRACKER_IMAGE or REDIS_IMAGE for other names.
"""

import importlib.util
import os
from pathlib import Path

import pytest
from local_nodes import LocalRedis, LocalWorker
from pytest_celery import DEFAULT_WORKER_CONTAINER_TIMEOUT, DEFAULT_WORKER_VOLUME, CeleryWorkerContainer
from pytest_docker_tools import container, fxtr

from jobtracker import Settings, Tracker
from jobtracker.local.ports import free_port
from jobtracker.testing.apps import disconnect

WORKER_SETTINGS = {"LEASE_LOST_S": "1.5", "LEASE_RENEW_S": "0.3", "MAINTENANCE_INTERVAL_S": "0.2"}


def source_of(name):
    """A module that is not executed: its tasks and its tracker are the worker's, not this process's."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    return importlib.util.module_from_spec(spec)


@pytest.fixture
def celery_broker(celery_redis_broker):
    return celery_redis_broker


@pytest.fixture
def celery_backend(celery_redis_backend):
    return celery_redis_backend


@pytest.fixture
def default_worker_app_module():
    return source_of("worker_app")


@pytest.fixture
def default_worker_tasks():
    return {source_of("tracked_tasks")}


@pytest.fixture
def default_worker_env(default_worker_container_cls, celery_worker_cluster_config):
    """Jobs are tracked where the results are: a broker that is restarted does not take them with it."""
    (url,) = celery_worker_cluster_config["celery_backend_cluster_config"]["urls"]
    return default_worker_container_cls.initial_env(
        celery_worker_cluster_config, {"REDIS_URL": url, **WORKER_SETTINGS}
    )


@pytest.fixture
def tracker(celery_setup):
    """The tracker of the process that publishes, this one."""
    tracker = Tracker(celery_setup.app, Settings(redis_url=celery_setup.backend.config()["host_url"]))
    yield tracker
    tracker.detach()
    disconnect(celery_setup.app)
    celery_setup.app.close()
    tracker.tracking.client.connection_pool.disconnect()


if os.environ.get("CELERY_NODES") == "containers":

    @pytest.fixture
    def default_redis_broker_image():
        return os.environ.get("REDIS_IMAGE", "redis:8")

    @pytest.fixture
    def default_redis_broker_ports():
        """One that it keeps when it is restarted."""
        return {"6379/tcp": free_port()}

    @pytest.fixture
    def default_redis_backend_image(default_redis_broker_image):
        return default_redis_broker_image

    default_worker_container = container(
        image=os.environ.get("JOBTRACKER_IMAGE", "jobtracker") + "-worker",
        environment=fxtr("default_worker_env"),
        network="{default_pytest_celery_network.name}",
        volumes={"{default_worker_volume.name}": DEFAULT_WORKER_VOLUME},
        wrapper_class=CeleryWorkerContainer,
        timeout=DEFAULT_WORKER_CONTAINER_TIMEOUT,
        command=fxtr("default_worker_command"),
    )
else:

    @pytest.fixture
    def default_redis_broker(tmp_path):
        node = LocalRedis(tmp_path / "broker")
        yield node
        node.teardown()

    @pytest.fixture
    def default_redis_backend(tmp_path):
        node = LocalRedis(tmp_path / "backend")
        yield node
        node.teardown()

    @pytest.fixture
    def default_worker_container(
        tmp_path, default_worker_initial_content, default_worker_command, default_worker_env
    ):
        folder = tmp_path / "worker"
        for name, content in default_worker_initial_content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        node = LocalWorker(folder, default_worker_command, default_worker_env)
        yield node
        node.teardown()
