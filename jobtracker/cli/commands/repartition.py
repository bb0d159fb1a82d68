"""`jobtracker repartition`."""

from typing import Annotated

import typer

_TIMEOUT_S = 30.0


def repartition(
    to: Annotated[int, typer.Option(min=1, max=1024, help="The new number of partitions.")],
    from_url: Annotated[
        str | None,
        typer.Option(
            help="The Redis from which the store moves to REDIS_URL; with its database.", show_default="REDIS_URL"
        ),
    ] = None,
) -> None:
    """Move the store to another number of partitions, and with --from-url to another server or cluster.

    First stop the workers, the API and all processes that send tasks. Afterwards start them with the new
    TRACKING_PARTITIONS. You may interrupt this command at any moment: called again, it goes on. It needs the API's
    environment variables (REDIS_URL, …).
    """
    from jobtracker.cli.audited import acting_here, audit_log
    from jobtracker.connection.away import store_errors
    from jobtracker.connection.client import connect
    from jobtracker.schemas.audit import AuditOutcome
    from jobtracker.settings import Settings
    from jobtracker.store.repartition import Repartition

    settings = Settings.from_env()
    target = connect(settings.tracking_url, _TIMEOUT_S)
    is_elsewhere = from_url is not None and from_url != settings.tracking_url
    source = connect(from_url, _TIMEOUT_S) if from_url is not None and is_elsewhere else target
    with store_errors(), target, source:
        move = Repartition(
            source,
            target,
            settings.tracking_namespace,
            to,
            is_elsewhere=is_elsewhere,
            retention_ms=settings.retention_ms,
        )
        with acting_here():
            entry_id = audit_log(source, settings).begin("cli", "repartition_store", target=f"{to} partitions")
        move.run(typer.echo)
        audit_log(target, settings).end(entry_id, AuditOutcome.DONE)  # it has moved along
    typer.echo(f"Set TRACKING_PARTITIONS={to} for all processes, and run `jobtracker doctor`.")
