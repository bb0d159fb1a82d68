"""What can be said of the files for Docker Compose without an engine. `make test-compose` runs them."""

import re
import stat
import subprocess

from serving import ROOT

README = (ROOT / "README.md").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_every_documented_setting_reaches_the_containers():
    table = README.partition("Settings come from the environment:")[2].partition("\n\n")[2].partition("\n\n")[0]
    documented = {name for row in table.splitlines() for name in re.findall("`([A-Z][A-Z_]+)`", row.split("|")[1])}
    assert len(documented) > 20
    assert documented - set(re.findall(r"(?:^ +|\$\{)([A-Z_]+):", COMPOSE, re.MULTILINE)) == set()


def make_env_file(folder) -> str:
    command = ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), ".env"]
    return subprocess.run(command, cwd=folder, check=True, text=True, capture_output=True).stdout


def test_make_gives_flower_a_password_of_its_own_and_tells_it(tmp_path):
    printed = make_env_file(tmp_path)
    path = tmp_path / ".env"
    (password,) = re.findall("^FLOWER_BASIC_AUTH=admin:([A-Za-z0-9]{24})\n$", path.read_text())
    assert password in printed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_make_leaves_a_file_of_settings_as_it_is(tmp_path):
    (tmp_path / ".env").write_text("DEBUG=true\n")
    make_env_file(tmp_path)
    assert (tmp_path / ".env").read_text() == "DEBUG=true\n"
