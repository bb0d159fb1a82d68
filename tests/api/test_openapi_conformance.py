"""Schemathesis over the whole OpenAPI document: by nobody and by each role, good and bad requests, chains of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.api_under_test import QUIET_DB
from support.recount import recount
from support.serving import Api, running_api

from jobtracker.core.access import ROLES
from jobtracker.schemas.api_keys import Grant
from jobtracker.store.api_keys import ApiKeys

pytestmark = [pytest.mark.long, pytest.mark.thorough, pytest.mark.timeout(300)]
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def guarded(redis_server, api_log_dir):
    """It asks as many requests a second as it can."""
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB, api_rate_per_s=100_000) as api:
        yield api


def examine(api: Api, folder: Path, *options: str) -> int:
    """Let Schemathesis find no fault; returns how many requests it made up."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    command += [f"{api.http.base_url}/openapi.json", *options]
    found = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    selected, tested = re.search(r"Selected: (\d+)/\d+\s+Tested: (\d+)", found.stdout).groups()
    assert selected == tested
    assert recount(api.client, api.keys) == []
    return int(re.search(r"(\d+) generated", found.stdout)[1])


def test_every_answer_is_as_documented_whatever_is_asked(quiet_api, tmp_path):
    assert examine(quiet_api, tmp_path) > 1000


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_to_a_role_is_as_documented(guarded, tmp_path, role):
    keys = ApiKeys(guarded.client, guarded.keys)
    issued = keys.create(Grant(owner="tester", role=role))
    options = (
        "--header",
        f"Authorization: Bearer {issued.key}",
        "--phases",
        "examples,fuzzing",
        "--max-examples",
        "4",
    )
    assert examine(guarded, tmp_path, *options) > 150
    assert keys.get(issued.id).last_used_at
