"""The command itself: what it says when something is missing."""

import os
import subprocess
import sys

import pytest


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)


def run_without(package: str) -> subprocess.CompletedProcess[str]:
    """Run `jobtracker up` where the package is not installed."""
    return run_python(
        "-c", f"import sys; sys.modules[{package!r}] = None\nfrom jobtracker.cli import main\nmain()", "up"
    )


@pytest.mark.parametrize("name", ["typer", "rich", "httpx"])
def test_without_the_extra_it_names_it_and_exits_with_status_2(name):
    process = run_without(name)
    assert process.returncode == 2
    assert "celery-jobtracker[cli]" in process.stderr
    assert "Traceback" not in process.stderr


def test_another_missing_package_is_not_mistaken_for_the_extra():
    process = run_without("pydantic")
    assert process.returncode == 1
    assert "pydantic" in process.stderr.splitlines()[-1]


def test_the_command_line_loads_neither_celery_nor_redis_before_it_needs_them():
    code = "import sys, jobtracker.cli.app; print(sorted({'celery', 'kombu', 'redis'} & set(sys.modules)))"
    assert run_python("-c", code).stdout == "[]\n"


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


def test_the_help_lists_the_commands():
    process = run_python("-m", "jobtracker.cli", "--help")
    assert process.returncode == 0
    assert "demo" in process.stdout
    assert "up" in process.stdout
