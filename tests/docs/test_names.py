"""What the documentation names has to be there."""

import re

import pytest
import typer
from support.documented_settings import documented_settings
from support.serving import ROOT

from jobtracker.cli.app import app

GENERATED = {"changelog.md", "contributing.md", "security.md", "commands.md", "http-routes.md"}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name not in GENERATED)
OTHERS = {
    "JOBTRACKER_URL",
    "JOBTRACKER_API_KEY",
    "JOBTRACKER_API_KEY_FILE",
    "JOBTRACKER_IMAGE",
    "JOBTRACKER_TAG",
    "JOBTRACKER_SOURCE",
    "API_REPLICAS",
    "API_MEMORY",
    "API_CPUS",
    "WORKER_MEMORY",
    "WORKER_CPUS",
    "WORKER_DRAIN_S",
    "RABBITMQ_IMAGE",
    "RABBITMQ_PASSWORD",
    "RABBITMQ_MEMORY",
    "REDIS_IMAGE",
    "STORAGE_EMULATOR_IMAGE",
    "COMPOSE_SUBNET",
    "STORE_SUBNET",
    "CELERY_NODES",
}  # of clients, of Compose, of the tests


def code_in(text: str) -> list[str]:
    blocks = re.findall(r"```.*?```|^ {4}\S.*$|`[^`\n]+`", text, re.DOTALL | re.MULTILINE)
    return [line.strip("`$ ") for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def commands() -> set[str]:
    group = typer.main.get_command(app)
    return set(group.list_commands(group.context_class(group)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_is_there(page, commands):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = code_in(page.read_text())
    assert {found[1] for line in lines if (found := re.match(r"make ([a-z-]+)", line))} - targets == set()
    assert {found[1] for line in lines if (found := re.match(r"jobtracker ([a-z]+)\b", line))} - commands == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_page_names_is_on_the_page_of_settings(page):
    prefixes = {name.partition("_")[0] for name in documented_settings()} - {"REDIS", "DEBUG"}
    named = {name for line in code_in(page.read_text()) for name in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", line)}
    ours = {name for name in named if name.partition("_")[0] in prefixes}
    assert ours - documented_settings().keys() - OTHERS == set()
