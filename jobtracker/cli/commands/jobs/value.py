"""`jobtracker jobs result` and `jobtracker jobs payload`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import PydanticSerializationError, to_json

from jobtracker.cli.options import JobId, Url
from jobtracker.cli.tables import print_json
from jobtracker.client import Client

Output = Annotated[
    Path | None, typer.Option("--output", "-o", dir_okay=False, help="Write it into this file instead.")
]


def result(job_id: JobId, output: Output = None, url: Url = None) -> None:
    """Print the result of a job as JSON, however large it is. NaN and Infinity become null."""
    with Client(url) as client:
        _print(client.result(job_id), output)


def payload(job_id: JobId, output: Output = None, url: Url = None) -> None:
    """Print the payload of a job as JSON, however large it is."""
    with Client(url) as client:
        _print(client.payload(job_id), output)


def _print(value: Any, output: Path | None) -> None:
    """As JSON for everybody: NaN and Infinity become null; half a surrogate pair becomes a question mark."""
    try:
        to_json(value)
    except PydanticSerializationError:
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    if output is None:
        print_json(value)
    else:
        output.write_bytes(to_json(value, inf_nan_mode="null") + b"\n")
