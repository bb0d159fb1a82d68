"""`jobtracker api`."""

from typing import Annotated

import typer

from jobtracker.cli.running import RedisUrl, become
from jobtracker.local.extras import need_server


def api(
    host: Annotated[
        str | None, typer.Option(envvar="API_HOST", help="The address it listens on.", show_default="0.0.0.0")  # noqa: S104 (said, not bound)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(envvar="API_PORT", help="The port it listens on.", show_default="19000", min=1, max=65535),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(envvar="API_WORKERS", help="The number of API processes.", show_default="1", min=1),
    ] = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run the API alone. Its settings come from the environment."""
    need_server()
    become(
        ["-m", "jobtracker.server"],
        {"API_HOST": host, "API_PORT": port, "API_WORKERS": workers, "REDIS_URL": redis_url},
        directory=None,
    )
