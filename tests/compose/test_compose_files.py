"""What can be said of the files for Docker Compose without an engine. `make test-compose` runs them."""

import os
import re
import stat
import subprocess

import pytest
from support.documented_settings import documented_settings
from support.serving import ROOT

from jobtracker.local.flower import FlowerSettings
from jobtracker.server.settings import ApiSettings

COMPOSE = (ROOT / "docker-compose.yml").read_text()


def services() -> dict[str, str]:
    """The text of each service."""
    text = COMPOSE.partition("\nservices:\n")[2].partition("\nnetworks:")[0]
    return dict(re.findall(r"^  (\w+):\n((?: {4}.*\n|\n| {2}#.*\n)+)", text, re.MULTILINE))


def test_every_documented_setting_reaches_the_containers():
    documented = documented_settings().keys()
    assert len(documented) > 20
    assert documented - set(re.findall(r"(?:^ +|\$\{)([A-Z_]+):", COMPOSE, re.MULTILINE)) == set()


def test_every_secret_may_come_from_a_file():
    for name in [*ApiSettings.secrets(), *FlowerSettings.secrets()]:
        assert re.search(rf"^ +{name}_FILE:$", COMPOSE, re.MULTILINE), name


def test_every_service_is_confined_and_limited():
    assert {"api", "worker", "redis", "listener", "flower", "rabbitmq"} <= services().keys()
    for name, text in services().items():
        assert re.search(r"<<: (\*confined|\*service|\[\*worker-image, \*service\])\n", text), name
        assert "mem_limit: " in text or name == "settings", name
        assert "privileged" not in text, name
    assert "<<: *confined" in COMPOSE.partition("x-service: &service")[2].partition("\nx-")[0]
    confined = COMPOSE.partition("x-confined: &confined")[2].partition("\nx-")[0]
    for each in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "pids_limit: "):
        assert each in confined


def test_no_setting_depends_on_which_profiles_are_on():
    assert "${COMPOSE_PROFILES" not in COMPOSE


def test_the_example_of_settings_names_variables_that_the_compose_file_reads():
    read = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) | set(re.findall(r"^ +([A-Z_]+):$", COMPOSE, re.MULTILINE))
    named = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {"COMPOSE_PROFILES", "REDIS_URL", "WORKERS", "API_HOST"} <= named
    assert named - read - {"COMPOSE_FILE", "WORKER_DRAIN_S"} == set()


def test_the_example_points_everybody_at_the_emulators_of_their_profile():
    example = (ROOT / ".env.example").read_text()
    emulators = {"STORAGE_EMULATOR_HOST": r"http://(\w+):4443", "FIRESTORE_EMULATOR_HOST": r"(\w+):8080"}
    for variable, pattern in emulators.items():
        [name] = re.findall(rf"^# {variable}={pattern}$", example, re.MULTILINE)
        assert "profiles: [gcp-emulators]" in services()[name]
        assert f"    {name}: {{ condition: service_healthy, required: false }}" in COMPOSE


def make(folder, *targets, **environment) -> str:
    """What targets of the Makefile print that need no engine."""
    command = ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), *targets]
    ours = {"FLOWER_BASIC_AUTH", "FLOWER_BASIC_AUTH_FILE", "COMPOSE_PROFILES", "MAKEFLAGS", "MAKELEVEL"}
    env = {**{name: value for name, value in os.environ.items() if name not in ours}, **environment}
    return subprocess.run(command, cwd=folder, env=env, check=True, text=True, capture_output=True).stdout


PASSWORD = "FLOWER_BASIC_AUTH=admin:[A-Za-z0-9]{24}\n"


def test_make_turns_flower_on_gives_it_a_password_of_its_own_and_tells_it(tmp_path):
    printed = make(tmp_path, "password")
    path = tmp_path / ".env"
    assert re.fullmatch(f"COMPOSE_PROFILES=flower\n{PASSWORD}", path.read_text())
    assert all(line in printed for line in path.read_text().splitlines())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["API_PORT=8000", "API_PORT=8000\n", "API_PORT=8000\nFLOWER_BASIC_AUTH=\n"])
def test_it_is_put_behind_the_settings_that_are_there(tmp_path, there):
    path = tmp_path / ".env"
    path.write_text(there)
    make(tmp_path, "password")
    assert re.fullmatch(
        f"API_PORT=8000\n(FLOWER_BASIC_AUTH=\n)?COMPOSE_PROFILES=flower\n{PASSWORD}", path.read_text()
    )


@pytest.mark.parametrize(
    "there",
    [
        "COMPOSE_PROFILES=flower\nFLOWER_BASIC_AUTH=me:secret\n",
        "COMPOSE_PROFILES=flower\nFLOWER_BASIC_AUTH_FILE=/run/secrets/flower\n",
        "COMPOSE_PROFILES=\n",
        "COMPOSE_PROFILES=rabbitmq\n",
    ],
)
def test_what_is_there_stays_and_without_flower_no_password_is_made(tmp_path, there):
    path = tmp_path / ".env"
    path.write_text(there)
    assert make(tmp_path, "password") == ""
    assert path.read_text() == there


def test_nothing_is_written_where_the_environment_says_it(tmp_path):
    assert make(tmp_path, "password", COMPOSE_PROFILES="flower", FLOWER_BASIC_AUTH="me:secret") == ""
    assert make(tmp_path, "password", COMPOSE_PROFILES="") == ""
    assert not (tmp_path / ".env").exists()


def test_how_many_there_are_is_kept_when_make_is_told(tmp_path):
    path = tmp_path / ".env"
    path.write_text("WORKERS=2\nAPI_PORT=8000")
    make(tmp_path, "kept", "WORKERS=4", "API_REPLICAS=2")
    assert path.read_text() == "API_PORT=8000\nWORKERS=4\nAPI_REPLICAS=2\n"
    make(tmp_path, "kept", WORKERS="7")
    assert "WORKERS=4" in path.read_text()
