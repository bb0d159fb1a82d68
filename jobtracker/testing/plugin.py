"""The pytest plugin: the fixture `tracked_jobs`, and what it stands on.

pytest loads it in every project of the environment (entry point pytest11), so it imports nothing but pytest until a
test asks for a fixture.
"""

import warnings
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from celery import Celery

    from jobtracker.testing.jobs import TrackedJobs

_APP = "jobtracker_app"
_JOBS = pytest.StashKey["TrackedJobs"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line and of pytest's configuration file."""
    parser.addini(_APP, 'The Celery app whose tasks are tested, as "package.module:name".')
    parser.getgroup("jobtracker").addoption(
        "--jobtracker-redis",
        metavar="URL",
        help="A Redis 7 or Valkey server for the tests of tracked tasks, instead of an embedded one. All their keys "
        "have a prefix of their own, and are removed.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "jobtracker(pool='solo', concurrency=1): the worker of the fixture tracked_jobs; solo runs in a thread of "
        "pytest's own process, prefork, threads and gevent in a process of their own.",
    )


@pytest.fixture(scope="session")
def jobtracker_app(request: pytest.FixtureRequest) -> "Celery":
    """The Celery app whose tasks are tested, named in pytest's configuration; or a fixture of yours of this name."""
    name = request.config.getini(_APP)
    if not name:
        pytest.fail(
            f'jobtracker does not know your Celery app. Name it in pytest\'s configuration, {_APP} = "shop.app:app", '
            f"or write a fixture {_APP} that returns it.",
            pytrace=False,
        )
    from jobtracker.testing.apps import AppError, find_app

    try:
        return find_app(name)
    except AppError as error:
        pytest.fail(f"{_APP} = {name}: {error}", pytrace=False)


@pytest.fixture(scope="session")
def jobtracker_redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server for Celery and for jobtracker: that of --jobtracker-redis, or an embedded one."""
    url: str | None = request.config.getoption("--jobtracker-redis")
    if url:
        yield url
        return
    from jobtracker.local.child_process import ProcessError
    from jobtracker.local.embedded_redis import EmbeddedRedis

    server = EmbeddedRedis(tmp_path_factory.mktemp("jobtracker"), config={"appendfsync": "no"})
    try:
        server.start()
    except ProcessError as error:
        pytest.fail(f"{error} For these tests: --jobtracker-redis=redis://…", pytrace=False)
    yield server.url
    server.stop()


@pytest.fixture
def tracked_jobs(
    request: pytest.FixtureRequest,
    jobtracker_app: "Celery",
    jobtracker_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> "Iterator[TrackedJobs]":
    """Your app on a real broker and a real worker that nobody shares, with all its jobs tracked."""
    from jobtracker.errors import MissingExtraError, need_packages
    from jobtracker.testing.jobs import open_jobs

    try:
        need_packages("The fixture tracked_jobs", "testing", "jsonschema", "jsonschema_rs")
    except MissingExtraError as error:
        pytest.fail(str(error), pytrace=False)

    # A project may make errors of warnings, and the worker, which is in this process, must not fail by Celery's own.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="celery|kombu")
    marker = request.node.get_closest_marker("jobtracker")
    options: dict[str, Any] = dict(marker.kwargs) if marker else {}
    with open_jobs(
        jobtracker_app,
        jobtracker_redis_url,
        app_name=request.config.getini(_APP),
        log_dir=tmp_path_factory.mktemp("jobtracker-worker"),
        **options,
    ) as jobs:
        request.node.stash[_JOBS] = jobs
        yield jobs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the test's jobs did."""
    report = yield
    jobs = item.stash.get(_JOBS, None)
    if jobs is not None and report.when == "call" and report.failed:
        report.sections.append(("Tracked jobs", jobs.describe()))
    return report
