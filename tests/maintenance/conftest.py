"""What the tests of maintenance share."""

import time

import pytest

from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.store.leases import Leases


@pytest.fixture
def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture
def runner(own_project):
    return MaintenanceRunner(own_project.tracking)


@pytest.fixture
def store(own_project):
    return own_project.tracking.store


@pytest.fixture
def leases(own_project):
    return Leases(own_project.client, own_project.keys, lost_s=20)
