"""Tests of trees, retries and lost workers once more: with Celery's results in a bucket of Google Cloud Storage."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

CHOSEN = {
    "jobs/test_launched_trees.py": [
        "a_parent_gets_the_results_of_nested_sub_jobs_in_order",
        "fail_lets_all_sub_jobs_end_before_the_parent_fails",
        "fail_fast_asks_running_sub_jobs_to_stop",
        "continue_in_the_middle_of_a_tree",
        "a_tree_fails_up_to_its_root",
        "termination_kills_what_runs",
    ],
    "jobs/test_retrying.py": [
        "of_a_tree_only_what_did_not_complete_runs_again",
        "a_parent_whose_own_task_failed_runs_again_alone",
        "a_large_result_goes_into_the_second_run_of_its_parent",
    ],
    "instrumentation/test_plain_trees.py": [],
    "instrumentation/test_celery_losses.py": ["a_killed_worker_fails_acknowledged_tasks_and_the_rest_comes_back"],
    "maintenance/test_unreported_ends.py": [],
}
"""Of each file the tests that are chosen; none is named: all."""

pytestmark = pytest.mark.thorough


@pytest.mark.timeout(600)
def test_they_pass_as_with_redis():
    files = [str(TESTS / file) for file in CHOSEN]
    names = " or ".join(
        f"({Path(file).name} and ({' or '.join(names)}))" if names else Path(file).name
        for file, names in CHOSEN.items()
    )
    arguments = ["-q", "--results", "gs", "-n", "0", "-p", "no:cacheprovider", "--maxfail", "5", "-m", ""]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *files, "-k", f"not rabbitmq and ({names})"],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
