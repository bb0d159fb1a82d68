"""What can be said of the files for Docker Compose without an engine. `make test-compose` runs them."""

import os
import re
import stat
import subprocess

import pytest
from support.documented_settings import documented_settings
from support.serving import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_every_documented_setting_reaches_the_containers():
    documented = documented_settings().keys()
    assert len(documented) > 20
    assert documented - set(re.findall(r"(?:^ +|\$\{)([A-Z_]+):", COMPOSE, re.MULTILINE)) == set()


def test_the_profile_of_emulators_points_everybody_at_them():
    shared = COMPOSE.partition("x-service:")[0]
    [storage] = re.findall(r"STORAGE_EMULATOR_HOST:.*\{COMPOSE_PROFILES:\+http://(\w+):4443\}", shared)
    [firestore] = re.findall(r"FIRESTORE_EMULATOR_HOST:.*\{COMPOSE_PROFILES:\+(\w+):8080\}", shared)
    services = COMPOSE.partition("\nservices:")[2]
    for name in (storage, firestore):
        [service] = re.findall(rf"\n  {name}:\n((?: {{4}}.*\n|\n)+)", services)
        assert "profiles: [gcp-emulators]" in service
        assert f"    {name}: {{ condition: service_healthy, required: false }}" in COMPOSE


def make_password(folder, **environment) -> str:
    command = ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), "password"]
    kept = {name: value for name, value in os.environ.items() if name != "FLOWER_BASIC_AUTH"}
    env = {**kept, **environment}
    return subprocess.run(command, cwd=folder, env=env, check=True, text=True, capture_output=True).stdout


def test_make_gives_flower_a_password_of_its_own_and_tells_it(tmp_path):
    printed = make_password(tmp_path)
    path = tmp_path / ".env"
    (password,) = re.findall("^FLOWER_BASIC_AUTH=admin:([A-Za-z0-9]{24})\n$", path.read_text())
    assert password in printed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["API_PORT=8000", "API_PORT=8000\n", "API_PORT=8000\nFLOWER_BASIC_AUTH=\n"])
def test_it_is_put_behind_the_settings_that_are_there(tmp_path, there):
    path = tmp_path / ".env"
    path.write_text(there)
    make_password(tmp_path)
    assert re.fullmatch(
        "API_PORT=8000\n(FLOWER_BASIC_AUTH=\n)?FLOWER_BASIC_AUTH=admin:[A-Za-z0-9]{24}\n", path.read_text()
    )


def test_one_that_is_there_stays(tmp_path):
    path = tmp_path / ".env"
    path.write_text("FLOWER_BASIC_AUTH=me:secret\n")
    assert make_password(tmp_path) == ""
    assert path.read_text() == "FLOWER_BASIC_AUTH=me:secret\n"


def test_none_is_made_where_the_environment_has_one(tmp_path):
    assert make_password(tmp_path, FLOWER_BASIC_AUTH="me:secret") == ""
    assert not (tmp_path / ".env").exists()
