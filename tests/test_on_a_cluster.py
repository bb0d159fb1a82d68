"""The tests of the store and of queries once more: on a Redis Cluster of three servers, with several partitions."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted({*HERE.glob("test_store*.py"), *(HERE / f"test_{name}.py" for name in (
    "pages", "queries", "figures", "recount", "ledger", "partitions", "scripts",
))})  # fmt: skip


@pytest.mark.timeout(600)
def test_every_test_of_the_store_and_of_queries_passes_on_a_cluster_with_several_partitions():
    arguments = ["-q", "--cluster", "--partitions", "4", "-n", "0", "-p", "no:cacheprovider", "--maxfail", "10"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *map(str, FILES)],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
