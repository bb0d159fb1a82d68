"""`jobtracker restore`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.options import Yes

if TYPE_CHECKING:
    from jobtracker.connection.client import RedisClient
    from jobtracker.doctor.examine import Recounted
    from jobtracker.settings import Settings
    from jobtracker.store.backup_file import BackupReader
    from jobtracker.store.restore import Restore

_TIMEOUT_S = 60.0


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The backup; `-` is standard input.")],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Remove the store that is there. Without this the namespace must be empty."),
    ] = False,
    keep_open: Annotated[
        bool,
        typer.Option(
            "--keep-open",
            help="Leave jobs open that had not ended: workers go on with those whose messages the broker still has, "
            "and what is missing is sent again, unless JOBTRACKER_RESEND is never. Without this they fail, and "
            "nothing is sent.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Restore though workers or the API use the namespace: they stop writing meanwhile."
        ),
    ] = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Restore the store from a backup, and recount it.

    First stop the workers, the API and all publishers. The file is checked as a whole before anything is changed;
    standard input is checked as it is read. It needs the API's environment variables (REDIS_URL, TRACKING_NAMESPACE,
    …). API keys are those of the backup: revoke again what was revoked since. The exit status is 1 if the recount
    finds a difference.
    """
    from jobtracker.cli.live_line import live_line
    from jobtracker.connection.away import store_errors
    from jobtracker.connection.client import connect
    from jobtracker.doctor.examine import recount_apart
    from jobtracker.settings import Settings
    from jobtracker.store.backup_file import BackupReader
    from jobtracker.store.restore import Restore

    settings, began = Settings.from_env(), time.monotonic()
    with _opened(file) as stream, store_errors(), connect(settings.tracking_url, _TIMEOUT_S) as client:
        backup = BackupReader(stream, _named(file))
        work = Restore(client, settings, backup.header)
        _expect_ready(work, settings, replace=replace, force=force, yes=yes)
        with live_line(lambda: f"{work.figures.jobs:,} jobs written …") as tick:
            work.step = tick
            work.run(backup, keep_open=keep_open)
        _note(client, settings, file)
    with live_line(lambda: "Recounting …"):
        recounted = recount_apart(settings)
    _tell(settings, backup, work, recounted, time.monotonic() - began, as_json=as_json)
    if recounted.differences:
        raise typer.Exit(ExitStatus.FAILED)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """The backup from its beginning; if it is a file, it was read to its end once, so it is whole.

    Raises:
        BackupFileError: It can't be read, or is not whole.
    """
    from jobtracker.cli.live_line import live_line
    from jobtracker.cli.standard_streams import standard_input
    from jobtracker.store.backup_file import BackupFileError, BackupReader

    if file == "-":
        yield standard_input()
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 (it is closed below: errors of the caller are not this one's)
    except OSError as error:
        raise BackupFileError(f"{file} can't be read: {error.strerror or error}.") from error
    with stream:
        if stream.seekable():
            with live_line(lambda: "Checking the file …"):
                for _ in BackupReader(stream, file).entries():
                    pass
            stream.seek(0)
        yield stream


def _named(file: str) -> str:
    return "Standard input" if file == "-" else file


def _expect_ready(work: "Restore", settings: "Settings", *, replace: bool, force: bool, yes: bool) -> None:
    """Do nothing if the restore may begin.

    Raises:
        RestoreError: Processes use the namespace, or there is a store.
        typer.BadParameter: Nobody is there to answer.
        typer.Abort: The answer was no.
    """
    from jobtracker.cli.for_each import confirm
    from jobtracker.connection.urls import without_passwords
    from jobtracker.store.restore import RestoreError

    if not force:
        work.expect_unused()
    jobs = work.store_before()
    if jobs is None:
        return
    where = f"the namespace {settings.tracking_namespace!r} of {without_passwords(settings.tracking_url)}"
    what = "what a restore has left that was broken off" if work.is_unfinished else f"a store with {jobs:,} jobs"
    if not replace:
        raise RestoreError(
            f"In {where} is {what}. Restore into another one (TRACKING_NAMESPACE), or say --replace: that removes it."
        )
    confirm(f"Remove {what} from {where}? It can't be brought back.", yes=yes)


def _note(client: "RedisClient", settings: "Settings", file: str) -> None:
    """Write it into the audit: that is the one of the backup now."""
    from jobtracker.cli.audited import acting_here, audit_log
    from jobtracker.schemas.audit import AuditOutcome

    with acting_here():
        audit_log(client, settings).add("cli", "restore_store", AuditOutcome.DONE, {"target": _named(file)})


def _tell(
    settings: "Settings",
    backup: "BackupReader",
    work: "Restore",
    recounted: "Recounted",
    took_s: float,
    *,
    as_json: bool,
) -> None:
    from jobtracker.cli.console import output_console
    from jobtracker.cli.tables import print_json
    from jobtracker.core.clock import from_ms

    found: dict[str, Any] = {
        "namespace": settings.tracking_namespace,
        "moment": from_ms(backup.told["moment_ms"]),
        "jobs": recounted.jobs,
        "failed_open_jobs": work.figures.ended,
        "without_unique_key": work.figures.without_key,
        "removed_keys": work.figures.removed,
        "differences": recounted.differences,
        "unchecked": recounted.unchecked,
        "took_s": round(took_s, 3),
    }
    if as_json:
        print_json(found)
        return
    console = output_console()
    for line in _lines(found):
        console.print(line, soft_wrap=True, markup=False)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Restored {found['jobs']:,} jobs into the namespace {found['namespace']!r}, as of "
        f"{found['moment']:%Y-%m-%d %H:%M:%S} UTC, in {found['took_s']:.1f} s."
    )
    if found["failed_open_jobs"]:
        yield (
            f"{found['failed_open_jobs']:,} jobs had not ended, and have failed now (RestoredFromBackup): what has "
            "become of them since is not known. Nothing is sent by itself. If one is still at the broker after all, "
            "its worker's report corrects that. To run them again: jobtracker jobs retry error:RestoredFromBackup"
        )
    if found["without_unique_key"]:
        yield f"{found['without_unique_key']:,} jobs lost their unique key: another job has it."
    yield "API keys are those of the backup: revoke again what was revoked since (jobtracker keys list)."
    for each in found["differences"]:
        yield f"{each.flaw} {each.where}: {each.count:,}, for example {each.examples[0]}"
    for each in found["unchecked"]:
        yield f"Could not be checked: {each}"
    if found["differences"]:
        yield "The recount found these differences. To repair them: jobtracker doctor --repair"
    else:
        yield "Recounted: every counter and index is right."
