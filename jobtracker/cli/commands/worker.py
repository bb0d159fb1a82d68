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
            help="A Celery app of your own, found from the current folder.",
            show_default="the sample project of a checkout",
        ),
    ] = None,
    queues: Annotated[
        str | None, typer.Option("--queues", "-Q", help="Separated by commas.", show_default="all")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            "-c",
            help="How many tasks it runs at a time.",
            min=1,
            show_default="2; of an app of your own as that says",
        ),
    ] = None,
    loglevel: Annotated[str, typer.Option("--loglevel", "-l")] = "INFO",
    redis_url: RedisUrl = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="-- OPTIONS", help="More options of `celery worker`.")
    ] = None,
) -> None:
    """Run a Celery worker of your own app, or without -A of the sample project.

    What stands behind -- is for Celery: jobtracker worker -A my.app -- --pool threads --beat
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
