"""Running an application in the place of the command line."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

RedisUrl = Annotated[
    str | None,
    typer.Option(envvar="REDIS_URL", help="The tracking Redis.", show_default="the broker, if that is a Redis"),
]


def become(arguments: Sequence[str], settings: Mapping[str, object], *, directory: Path | None) -> None:
    """Go on as another Python program: it has this process's id, terminal and signals.

    Args:
        arguments: For Python.
        settings: Environment variables; those that are None stay as they are.
        directory: The folder it runs in; None: this one.
    """
    if directory is not None:
        os.chdir(directory)
    environment = {name: str(value) for name, value in settings.items() if value is not None}
    os.execve(sys.executable, [sys.executable, *arguments], {**os.environ, **environment})  # noqa: S606 -- no shell
