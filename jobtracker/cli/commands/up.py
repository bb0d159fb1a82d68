"""`jobtracker up`: everything on this machine, until it is stopped."""

from pathlib import Path
from typing import Annotated

import typer

from jobtracker.cli.console import output_console
from jobtracker.local.stack import LocalStack
from jobtracker.local.supervisor import StopRequestedError, stop_on_signals

_PORT = {"min": 1, "max": 65535}


def up(
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
        typer.Option(
            "--queues",
            "-Q",
            help="The queues that the worker consumes, separated by commas.",
            show_default="those that your app names",
        ),
    ] = None,
    api_port: Annotated[int, typer.Option(help="The API's port.", envvar="API_PORT", **_PORT)] = 19000,
    api_host: Annotated[str, typer.Option(help="The address the API listens on.", envvar="API_HOST")] = "127.0.0.1",
    redis_port: Annotated[
        int | None, typer.Option(help="The port of Redis, on 127.0.0.1.", show_default="a free one", **_PORT)
    ] = None,
    flower: Annotated[bool, typer.Option(help="Run Flower too, on 127.0.0.1.")] = False,
    flower_port: Annotated[int, typer.Option(help="Flower's port.", envvar="FLOWER_PORT", **_PORT)] = 5555,
    data_dir: Annotated[Path, typer.Option(help="Where data and logs are kept.", file_okay=False)] = Path("data"),
    concurrency: Annotated[int, typer.Option(help="How many tasks the worker runs at a time.", min=1)] = 2,
) -> None:
    """Run Redis, a worker and the API on this machine, until Ctrl-C. Its data is there again the next time.

    This Redis is also the worker's broker and result backend. Those in your app's configuration are not used.
    """
    console = output_console()
    stack = LocalStack(
        data_dir,
        app=app,
        queues=queues,
        api_host=api_host,
        api_port=api_port,
        redis_port=redis_port,
        flower_port=flower_port if flower else None,
        concurrency=concurrency,
    )
    with stop_on_signals(stack.supervisor.request_stop):
        try:
            console.print("Starting Redis, a worker and the API …")
            with stack:
                console.print(f"Page        {stack.api_url}", soft_wrap=True)
                console.print(f"API         {stack.api_url}/docs", soft_wrap=True)
                if stack.flower_url:
                    console.print(f"Flower      {stack.flower_url}", soft_wrap=True)
                console.print(f"Redis       {stack.redis.url}", soft_wrap=True)
                console.print(f"Data, logs  {stack.data_dir}", soft_wrap=True, markup=False)
                if app:
                    console.print("Processes that publish to it need these variables:")
                    for name, value in stack.settings.items():
                        console.print(f"  export {name}={value}", soft_wrap=True)
                console.print("Ctrl-C ends all of it.")
                try:
                    stack.supervisor.watch()
                finally:
                    console.print(
                        "Ending: first the worker. Tasks that take longer than 10 s run again the next time …"
                    )
        except StopRequestedError:
            console.print("All has ended.")
