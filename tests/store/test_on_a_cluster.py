"""The tests of the store and of queries once more: on a Redis Cluster of three servers, with several partitions."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted({*HERE.glob("test_store*.py"), *(HERE / f"test_{name}.py" for name in (
    "pages", "queries", "figures", "recount", "ledger", "partitions", "scripts", "announcements", "backup",
))})  # fmt: skip


pytestmark = pytest.mark.thorough


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_tests_of_store_and_queries_pass_on_a_cluster_with_several_partitions(file):
    arguments = [
        "-q",
        "--cluster",
        "--partitions",
        "4",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "--maxfail",
        "10",
        "-m",
        "",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, str(file)],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
