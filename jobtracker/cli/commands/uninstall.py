"""`jobtracker uninstall`."""

from typing import Annotated

import typer

from jobtracker.cli.options import Yes

_TIMEOUT_S = 30.0


def uninstall(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove all that jobtracker has in Redis: the keys and the function libraries of its namespace; and its objects.

    First stop the workers, the API and all publishers. The command shows what it will remove, and
    asks. It needs the API's environment variables (REDIS_URL, TRACKING_NAMESPACE, OBJECTS_DIR or GCS_BUCKET_NAME).
    Messages at Celery's broker and results in its backend stay.
    """
    from jobtracker.cli.audited import acting_here, audit_log
    from jobtracker.cli.console import output_console
    from jobtracker.cli.for_each import confirm
    from jobtracker.cli.tables import Column, print_table
    from jobtracker.connection.away import store_errors
    from jobtracker.connection.client import connect
    from jobtracker.connection.urls import without_passwords
    from jobtracker.maintenance.uninstall import Uninstall
    from jobtracker.objects.opening import open_object_store
    from jobtracker.settings import Settings

    settings, console = Settings.from_env(), output_console()
    where = f"the namespace {settings.tracking_namespace!r} of {without_passwords(settings.tracking_url)}"
    objects = open_object_store(settings)
    with store_errors(), connect(settings.tracking_url, _TIMEOUT_S) as client:
        removal = Uninstall(client, settings.tracking_namespace, settings.lease_lost_s, objects)
        found = removal.contents()
        if found.is_empty:
            console.print(f"There is nothing in {where}.", soft_wrap=True, markup=False)
            return
        total = sum(found.keys.values())
        console.print(f"In {where}:", soft_wrap=True, markup=False)
        print_table(console, [Column("KEYS"), Column("COUNT", is_number=True)], [*found.keys.items(), ("all", total)])
        if found.libraries:
            console.print(f"Function libraries: {', '.join(found.libraries)}", soft_wrap=True)
        if found.objects:
            console.print(f"Objects in {objects}: {found.objects:,}", soft_wrap=True, markup=False)
        if dry_run:
            return
        more = f" and {len(found.libraries)} function libraries" if found.libraries else ""
        more += f" and {found.objects:,} objects" if found.objects else ""
        confirm(f"Remove {total:,} keys{more}? They can't be brought back.", yes=yes)
        with acting_here():  # it is removed too: the entry stays only if this is broken off
            audit_log(client, settings).begin("cli", "uninstall_store")
        removed = removal.run()
    console.print(f"Removed {removed:,} keys{more}.", soft_wrap=True)
