"""`jobtracker jobs create`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from jobtracker.cli.for_each import print_status
from jobtracker.cli.options import AsJson, Countdown, Eta, Expires, TimeoutS, ToQueue, Url, sending_options
from jobtracker.cli.tables import print_json
from jobtracker.cli.wait import wait_for
from jobtracker.client import Client
from jobtracker.client.calls import Call
from jobtracker.core.lifecycle import Priority
from jobtracker.schemas.jobs import Job, JobTree
from jobtracker.schemas.requests import BATCH_LIMIT


def create(
    job_type: Annotated[
        str | None,
        typer.Argument(metavar="TYPE", help="A job type; `jobtracker types` lists them.", show_default=False),
    ] = None,
    payload: Annotated[
        list[str] | None,
        typer.Option(
            "--payload",
            "-p",
            metavar="KEY=VALUE",
            help="A field of the payload; the value is JSON, or else text. May be given several times. Or the whole "
            "payload: a JSON object, @FILE with one, or @- for standard input.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for people.", show_default="the type")] = None,
    priority: Annotated[Priority | None, typer.Option(show_default="normal")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag to find it by. May be given several times.", show_default=False)
    ] = None,
    tree: Annotated[
        str | None,
        typer.Option(
            metavar="@FILE",
            help="Instead of the options above: a job with sub-jobs, in the JSON of POST "
            "/api/jobs/with-subjobs. @- for "
            "standard input.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="@FILE",
            help="Instead of the options above: up to 10,000 jobs, all of them or none; each line of the file is one "
            "in the JSON of POST /api/jobs/. @- for standard input.",
            show_default=False,
        ),
    ] = None,
    eta: Eta = None,
    countdown: Countdown = None,
    expires: Expires = None,
    queue: ToQueue = None,
    start: Annotated[bool, typer.Option("--start", help="Send it to Celery at once.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Start it, and show it until it has settled.")] = False,
    timeout_s: TimeoutS = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Create a job, with --tree one that has sub-jobs, or with --batch many. It is pending until it is started.

    With --wait it has the exit status of `watch`.
    """
    if timeout_s is not None and not wait:
        raise typer.BadParameter("--timeout is for --wait.")
    sending = sending_options(eta, countdown, expires, queue)
    says_itself = job_type or payload or name or priority or tag or any(v is not None for v in sending.values())
    if batch is not None:
        if says_itself or tree is not None or wait:
            raise typer.BadParameter("The batch says all of its jobs itself. It can be started, and not waited for.")
        _create_batch(url, read_batch(batch), start=start, as_json=as_json)
        return
    start = start or wait
    if tree is not None:
        if says_itself:
            raise typer.BadParameter("The tree says its type, payload, name, priority, tags, times and queue itself.")
        body = read_tree(tree) | ({"start": True} if start else {})
        call: Call[Job] = Call("POST", "/api/jobs/with-subjobs", JobTree, body=body)
    elif job_type is not None:
        fields = read_payload(payload or [])
        call = Client.create.call(
            job_type, fields, name=name, priority=priority or Priority.NORMAL, tags=tag or [], start=start, **sending
        )
    else:
        raise typer.BadParameter("Say which TYPE, a whole tree by --tree, or many jobs by --batch.")
    with Client(url) as client:
        job = client.send(call)
        if wait:
            wait_for(client, job.id, timeout_s, as_json=as_json)
        elif as_json:
            print_json(job)
        else:
            print_status(job)


def _create_batch(url: str | None, jobs: list[dict[str, Any]], *, start: bool, as_json: bool) -> None:
    with Client(url) as client:
        created = client.create_batch(jobs, start=start)
    if as_json:
        print_json(created)
    else:
        sys.stdout.writelines(f"{job_id}\n" for job_id in created.ids)
        if created.joined:
            typer.echo(f"{len(created.joined):,} of these were there before: they have the unique keys.", err=True)


def read_payload(parts: list[str]) -> dict[str, Any]:
    """Read the payload from the options.

    Raises:
        typer.BadParameter: An option is not a payload.
    """
    payload: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if part.startswith(("{", "@")):
            payload |= _read_object(part)
        elif equals and key:
            payload[key] = _read_value(value)
        else:
            raise typer.BadParameter(f"{part!r} is no payload: write KEY=VALUE, a JSON object, @FILE or @-.")
    return payload


def read_tree(text: str) -> dict[str, Any]:
    """Read the tree from the option, as the body of a request.

    Raises:
        typer.BadParameter: The option is not a tree.
    """
    if not text.startswith(("{", "@")):
        raise typer.BadParameter(f"{text!r} is no tree: write @FILE, @- or a JSON object.", param_hint="--tree")
    return _read_object(text)


def read_batch(text: str) -> list[dict[str, Any]]:
    """Read the jobs of a batch from the option: JSON lines. Empty lines do not count.

    Raises:
        typer.BadParameter: The option is none, a line is no JSON object, or there are no lines or too many.
    """
    if not text.startswith("@"):
        raise typer.BadParameter(f"{text!r} is no batch: write @FILE or @-.", param_hint="--batch")
    name = "standard input" if text == "@-" else text[1:]
    try:
        lines = _source(text).splitlines()
    except ValueError as error:
        raise typer.BadParameter(f"{name} is no text in UTF-8: {error}.") from error
    jobs = [_parsed(line, f"{name}, line {n}") for n, line in enumerate(lines, start=1) if line.strip()]
    if not 0 < len(jobs) <= BATCH_LIMIT:
        raise typer.BadParameter(
            f"{name} has {len(jobs):,} jobs; a batch has 1 to {BATCH_LIMIT:,}. `split -l {BATCH_LIMIT}` parts a file."
        )
    return jobs


def _read_object(text: str) -> dict[str, Any]:
    try:
        source = _source(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no JSON: {error}.") from error
    return _parsed(source, repr(text))


def _source(text: str) -> str:
    """The text itself, of @- standard input, of @FILE what is in the file."""
    try:
        if text == "@-":
            return sys.stdin.read()
        return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]}: {error.strerror}.") from error


def _parsed(source: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(source)
    except ValueError as error:
        raise typer.BadParameter(f"{name} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f'{name} is no JSON object, which has the form {{"key": value}}.')
    return found


def _read_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
