"""Schemathesis over the whole OpenAPI document: good and bad requests, and chains of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.recount import recount

pytestmark = [pytest.mark.long, pytest.mark.thorough]
CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_every_answer_is_as_documented_whatever_is_asked(quiet_api, tmp_path):
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    command.append(f"{quiet_api.http.base_url}/openapi.json")
    found = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    selected, tested = re.search(r"Selected: (\d+)/\d+\s+Tested: (\d+)", found.stdout).groups()
    assert selected == tested
    assert int(re.search(r"(\d+) generated", found.stdout)[1]) > 1000
    assert recount(quiet_api.client, quiet_api.keys) == []
