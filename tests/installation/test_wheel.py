"""What is built and installed: the wheel is the whole product, beside a project of somebody else and no checkout."""

import json
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import pytest
from support.liveness import wait_until

from installation.conftest import ROOT, Installation
from jobtracker.local.ports import free_port

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]

PRICE = "bookshop.orders.tasks.price"


class Site(NamedTuple):
    """A running `jobtracker up -A bookshop`."""

    installation: Installation
    settings: dict[str, str]

    def jobtracker(self, *arguments: str, status: int = 0) -> str:
        """What a command prints."""
        return self.installation.run("jobtracker", *arguments, status=status, **self.settings)

    def python(self, code: str) -> str:
        """What a program of the project prints."""
        return self.installation.run("python", "-c", textwrap.dedent(code), **self.settings)

    def price(self, isbn: str, cents: int) -> None:
        """Put a price into the bookshop's list."""
        path = Path(self.settings["BOOKSHOP_PRICES"])
        path.write_text(json.dumps({**json.loads(path.read_text()), isbn: cents}))


@pytest.fixture(scope="module")
def site(bookshop: Installation) -> Iterator[Site]:
    port, prices, log = free_port(), bookshop.folder / "prices.json", bookshop.folder / "up.log"
    prices.write_text("{}")
    nowhere = "redis://127.0.0.1:1"  # of the project's own configuration, instead of which the stack's is used
    own = {"BOOKSHOP_REDIS": nowhere, "BOOKSHOP_PRICES": str(prices)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [bookshop.bin / "jobtracker", "up", "-A", "bookshop", "-Q", "orders,stock", "--api-port", str(port)],
            cwd=bookshop.folder,
            env=bookshop.environment(**own),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: "Ctrl-C ends" in log.read_text() or process.poll() is not None, timeout_s=60)
        assert process.poll() is None, log.read_text()
        told = dict(line.split("export ")[1].split("=") for line in log.read_text().splitlines() if "export " in line)
        yield Site(bookshop, {**own, **told, "JOBTRACKER_URL": f"http://127.0.0.1:{port}"})
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_by_cli_a_job_is_created_explained_retried_and_its_tree_drawn(site):
    created = json.loads(site.jobtracker("jobs", "create", PRICE, "-p", "isbn=978-2", "--json"))
    assert "nobody has started" in site.jobtracker("explain", created["id"])
    site.jobtracker("jobs", "start", created["id"])
    site.jobtracker("watch", created["id"], "--timeout", "30", status=1)
    assert "there is no price for 978-2" in site.jobtracker("explain", created["id"])
    site.price("978-2", 50)
    site.jobtracker("jobs", "retry", created["id"])
    site.jobtracker("watch", created["id"], "--timeout", "30")
    assert "completed" in site.jobtracker("tree", created["id"])


def test_by_client_a_job_is_created_explained_retried_and_its_tree_read(site):
    site.price("978-3", 100)
    said = site.python(f"""
        import json, os, pathlib
        from jobtracker import Client

        prices = pathlib.Path(os.environ["BOOKSHOP_PRICES"])
        with Client() as client:
            job = client.wait(client.create("{PRICE}", {{"isbn": "978-4"}}, start=True).id, timeout_s=30)
            print(job.status, client.explain(job.id).status)
            prices.write_text(json.dumps({{**json.loads(prices.read_text()), "978-4": 200}}))
            job = client.wait(client.retry(job.id).id, timeout_s=30)
            print(job.status, job.result, job.run)
            order = client.create("bookshop.orders.tasks.order", {{"customer": "Ada", "isbns": ["978-3", "978-4"]}},
                                  start=True)
            reserved = client.wait(client.wait(order.id, timeout_s=30).result, timeout_s=30)
            total = client.tree(client.get(reserved.sent_by).sent_by)
            print(total.result, [sub.result for sub in total.sub_jobs])
    """)
    assert said.splitlines() == ["failed failed", "completed 200 2", "300 [100, 200]"]


def test_the_sample_project_shows_nowhere(site):
    shown = "".join(site.jobtracker(each) for each in ("types", "stats", "queues"))
    assert "bookshop.stock.reserve" in shown
    assert not [
        name for name in ("data_processing", "document_analysis", "extraction", "jobtracker") if name in shown
    ]


def test_the_api_and_a_worker_run_alone_too(site):
    port = free_port()
    settings = {**site.settings, "JOBTRACKER_URL": f"http://127.0.0.1:{port}"}
    commands = [
        ["jobtracker", "api", "--host", "127.0.0.1", "--port", str(port)],
        ["jobtracker", "worker", "-A", "bookshop", "-c", "1", "--", "--hostname", "alone@here"],
    ]
    own = site.installation
    logs = [own.folder / f"{command[1]}.log" for command in commands]
    started = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("w") as output:
                argv = [own.bin / command[0], *command[1:]]
                environment = own.environment(**settings)
                started.append(
                    subprocess.Popen(argv, cwd=own.folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
                )
        wait_until(lambda: "Application startup complete" in logs[0].read_text(), timeout_s=60)
        wait_until(lambda: "ready." in logs[1].read_text(), timeout_s=60)
        assert "alone@here" in own.run("jobtracker", "workers", **settings)
    finally:
        for process in started:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize("command", [("demo",), ("up",), ("worker",)])
def test_what_needs_the_sample_project_says_so_in_one_sentence(bookshop, command):
    *_, line = bookshop.run("jobtracker", *command, status=1).splitlines()
    assert line.startswith("Error: The sample project workers/ is not here: it is in a checkout of the repository")


def test_without_extras_the_library_works_and_the_rest_names_what_is_missing(install):
    alone = install()
    assert alone.run("jobtracker", "--help", status=2).splitlines() == [
        "Error: The command line needs the package typer: pip install 'celery-jobtracker[cli]'"
    ]
    alone.run("python", "-c", "from jobtracker import *; Tracker, current_job, tracked")
    code = "try:\n    from jobtracker import Client\nexcept ImportError as error: print(error)"
    assert "pip install 'celery-jobtracker[client]'" in alone.run("python", "-c", code)


def test_a_users_project_is_checked_strictly_against_the_installed_types(bookshop, tmp_path):
    (tmp_path / "right.py").write_text((Path(__file__).parent / "typed_project.py").read_text())
    (tmp_path / "wrong.py").write_text(
        "from jobtracker import Client\n\nwith Client() as client:\n    count: int = client.get('id').status\n"
        "    client.cancel()\n"
    )

    def mypy(name: str) -> str:
        argv = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(bookshop.bin / "python"), name]
        config = ["--config-file", "", "--cache-dir", str(tmp_path / "cache")]
        done = subprocess.run(
            [*argv, *config], cwd=tmp_path, env=bookshop.environment(), capture_output=True, text=True, check=False
        )
        return done.stdout

    assert mypy("right.py") == "Success: no issues found in 1 source file\n"
    wrong = mypy("wrong.py")
    assert 'expression has type "Status", variable has type "int"' in wrong
    assert "wrong.py:5: error: Too few arguments" in wrong


def test_the_wheel_has_the_library_alone_and_says_so(distributions):
    [wheel] = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [archive.read(name) for name in names if name.endswith(".dist-info/METADATA")]
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"jobtracker", "celery_jobtracker"}
    assert "jobtracker/py.typed" in names
    assert {name for name in names if name.endswith(".lua")} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "jobtracker").rglob("*.lua")
    }
    told = message_from_bytes(metadata)
    assert told["License-Expression"] == "MIT"
    assert set(told.get_all("Provides-Extra")) >= {
        "cli",
        "client",
        "embedded",
        "flower",
        "logging",
        "server",
        "testing",
    }


def test_the_sdist_has_the_tests_and_the_documentation(distributions):
    [sdist] = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ["README.md", "pyproject.toml", "requirements.txt", "Makefile", "docs/tutorial.md", "tests/conftest.py"]
    assert {*wanted, "workers/app.py", "api/main.py", "bench/cluster.py", "LICENSE", "NOTICE"} <= names
