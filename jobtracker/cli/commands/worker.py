"""`jobtracker worker`."""

from typing import Annotated

import typer

from jobtracker.cli.running import RedisUrl, become
from jobtracker.local.stack import find_sample_project


def worker(
    app: Annotated[
        str | None,
        typer.Option(
            "--app",
            "-A",
            help="Your Celery app, importable from the current folder.",
            show_default="the sample project of a checkout",
        ),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option("--queues", "-Q", help="The queues that it consumes, separated by commas.", show_default="all"),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            "-c",
            help="How many tasks it runs at a time.",
            min=1,
            show_default="2 for the sample project; for your app its own setting",
        ),
    ] = None,
    loglevel: Annotated[str, typer.Option("--loglevel", "-l")] = "INFO",
    redis_url: RedisUrl = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="-- OPTIONS", help="More options of `celery worker`.")
    ] = None,
) -> None:
    """Run a Celery worker of your app; without -A, a worker of the sample project.

    Options after -- go to Celery: jobtracker worker -A my.app -- --pool threads --beat
    """
    if concurrency is None and app is None:
        concurrency = 2
    options = [
        *("--loglevel", loglevel),
        *(("--concurrency", str(concurrency)) if concurrency else ()),
        *(("--queues", queues) if queues else ()),
    ]
    become(
        ["-m", *(["celery", "-A", app, "worker"] if app else ["workers"]), *options, *(more or [])],
        {"REDIS_URL": redis_url},
        directory=None if app else find_sample_project(),
    )
