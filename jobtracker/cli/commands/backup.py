"""`jobtracker backup`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

_TIMEOUT_S = 60.0


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where it is written; `-` is standard output.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Write a copy of the store into a file, while everything runs.

    It reads the tracking Redis itself, a few milliseconds at a time, and changes nothing. It needs the API's
    environment variables (REDIS_URL, TRACKING_NAMESPACE, TRACKING_PARTITIONS); the API need not run. The file gets
    its name when it is whole, and only its owner may read it: it has payloads, results, and the secrets of webhooks.
    Not in it are values in the object store, sessions of the page, deliveries of webhooks, and messages at the
    broker.
    """
    from jobtracker.cli.console import error_console, output_console
    from jobtracker.cli.live_line import live_line
    from jobtracker.cli.standard_streams import standard_output
    from jobtracker.cli.tables import print_json
    from jobtracker.connection.away import store_errors
    from jobtracker.connection.client import connect
    from jobtracker.core.clock import from_ms
    from jobtracker.settings import Settings
    from jobtracker.store.backup import Backup
    from jobtracker.store.backup_file import BackupWriter, new_file
    from jobtracker.store.keys import Keys

    settings, began, is_streamed = Settings.from_env(), time.monotonic(), file == "-"
    keys = Keys(settings.tracking_namespace, settings.tracking_partitions)
    with store_errors(), connect(settings.tracking_url, _TIMEOUT_S) as client:
        copy = Backup(client, keys)
        header = copy.header()  # before a file is begun
        with (
            live_line(lambda: f"{copy.figures.jobs:,} of {copy.figures.total:,} jobs …") as tick,
            standard_output() if is_streamed else new_file(Path(file)) as stream,
        ):
            writer = BackupWriter(stream, header)
            for entry in copy.entries():
                writer.add(entry)
                tick()
            writer.end(copy.end())
    figures = copy.figures
    found: dict[str, Any] = {
        "file": file,
        "namespace": settings.tracking_namespace,
        "jobs": figures.jobs,
        "read_again": figures.again,
        "jobs_with_objects": figures.with_objects,
        "bytes": writer.written,
        "moment": from_ms(figures.moment_ms),
        "took_s": round(time.monotonic() - began, 3),
    }
    if as_json:
        print_json(found, to_stderr=is_streamed)
        return
    console = error_console() if is_streamed else output_console()
    for line in _lines(found):
        console.print(line, soft_wrap=True, markup=False)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    rate = f", {found['jobs'] / found['took_s']:,.0f} jobs/s" if found["took_s"] else ""
    yield (
        f"Wrote {found['jobs']:,} jobs of the namespace {found['namespace']!r} to {found['file']}: "
        f"{found['bytes']:,} bytes, {found['took_s']:.1f} s{rate}."
    )
    yield (
        f"It stands for {found['moment']:%Y-%m-%d %H:%M:%S} UTC. Jobs that changed meanwhile were read again "
        f"({found['read_again']:,})."
    )
    if found["jobs_with_objects"]:
        yield (
            f"Values of about {found['jobs_with_objects']:,} jobs are in the object store (OBJECTS_DIR or "
            "GCS_BUCKET_NAME). They are not in the backup: copy them too."
        )
    yield "It has payloads, results, and the secrets of webhooks: keep it as safe as the store."
