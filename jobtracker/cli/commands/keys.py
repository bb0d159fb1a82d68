"""`jobtracker keys …`: API keys, in the store itself: so the first one can be made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from jobtracker.cli.lazy_group import OPTIONS
from jobtracker.cli.options import AsJson, read_seconds
from jobtracker.core.access import ROLES, Scope

if TYPE_CHECKING:
    from jobtracker.schemas.api_keys import ApiKey, IssuedKey
    from jobtracker.store.api_keys import ApiKeys

_ROLES = ", ".join(ROLES)

app = typer.Typer(
    name="keys",
    help="Create, list, show, rotate and revoke API keys, in the store itself.\n\nThese commands need the API's "
    "environment variables (REDIS_URL, TRACKING_NAMESPACE), not the API.",
    no_args_is_help=True,
    **OPTIONS,
)

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id.", show_default=False)]
KeyIds = Annotated[list[str], typer.Argument(metavar="ID", help="The ids of keys.", show_default=False)]


@app.command("create")
def create(
    owner: Annotated[str, typer.Option(metavar="NAME", help="Who gets it: a person or a program.")],
    role: Annotated[str | None, typer.Option(metavar="ROLE", help=f"What it may do: {_ROLES}.")] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(metavar="SCOPE", help=f"Instead of a role: {', '.join(Scope)}; may be repeated."),
    ] = None,
    job_type: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="It sees and changes jobs of this type only; may be repeated."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="It sees and changes jobs with this tag only; may be repeated."),
    ] = None,
    expires: Annotated[
        float | None,
        typer.Option(
            "--expires", metavar="DURATION", parser=read_seconds, help="It is refused after this: 90d, 12h."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key, and print it: the only time that it is shown.

    Once there is a key, nobody may ask the API without one.
    """
    from datetime import UTC, datetime, timedelta

    from pydantic import ValidationError

    from jobtracker.errors import without_prefix
    from jobtracker.schemas.api_keys import KeyCreate

    ends = None if expires is None else datetime.now(UTC) + timedelta(seconds=expires)
    try:
        wanted = KeyCreate.model_validate(
            {
                "owner": owner,
                "role": role,
                "scopes": scope or [],
                "job_types": job_type or None,
                "tags": tag or None,
                "expires_at": ends,
            }
        )
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise typer.BadParameter(f"{where}: {found['msg']}" if where else without_prefix(found["msg"])) from error
    with _store("create_key", owner) as keys:
        _print_issued(keys.create(wanted), as_json=as_json)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the API keys, without their secrets."""
    with _store() as keys:
        _print_keys(keys.all(), as_json=as_json)


@app.command("show")
def show(key_id: KeyId, as_json: AsJson = False) -> None:
    """Show what an API key may do, and when it was used last, without its secret."""
    with _store() as keys:
        found = keys.get(key_id)
    _print_key(found, as_json=as_json)


@app.command("rotate")
def rotate(
    key_id: KeyId,
    overlap: Annotated[
        float,
        typer.Option(
            metavar="DURATION", parser=read_seconds, help="How long the older secrets are still accepted: 0, 30m, 7d."
        ),
    ] = "24h",  # type: ignore[assignment] # typer parses it
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret, and print it. The older ones are accepted for a while."""
    with _store("rotate_key", key_id) as keys:
        _print_issued(keys.rotate(key_id, round(overlap)), as_json=as_json)


@app.command("revoke")
def revoke(
    key_ids: KeyIds,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Remove them from the list too. Without any key, this machine may ask freely."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Revoke keys, for good. API processes refuse them after 5 s at the latest."""
    with _store("revoke_key", ", ".join(key_ids)) as keys:
        revoked = [keys.revoke(key_id) for key_id in dict.fromkeys(key_ids)]
        for each in revoked if forget else ():
            keys.forget(each.id)
    _print_keys(revoked, as_json=as_json)


@contextmanager
def _store(action: str = "", target: str = "") -> "Iterator[ApiKeys]":
    """The keys in the store. With an action, what is done in this context is in the audit."""
    from jobtracker.cli.audited import store_here
    from jobtracker.store.api_keys import ApiKeys
    from jobtracker.store.keys import Keys

    with store_here(action, target=target) as (client, settings):
        yield ApiKeys(client, Keys(settings.tracking_namespace, settings.tracking_partitions))


def _print_issued(issued: "IssuedKey", *, as_json: bool) -> None:
    from jobtracker.cli.console import error_console
    from jobtracker.cli.tables import print_json, time_of

    if as_json:
        print_json(issued)
        return
    typer.echo(issued.key)
    text = f"Key {issued.id} of {issued.owner}: {issued.role or ', '.join(issued.scopes)}. It is not shown again."
    if issued.older_until:
        text += f" Older secrets are accepted until {time_of(issued.older_until)}."
    error_console().print(text, soft_wrap=True, markup=False)


def _print_key(key: "ApiKey", *, as_json: bool) -> None:
    from rich.text import Text

    from jobtracker.cli.console import output_console
    from jobtracker.cli.sanitize import one_line
    from jobtracker.cli.tables import print_json, time_of

    if as_json:
        print_json(key)
        return
    lines = {
        "id": key.id,
        "owner": key.owner,
        "state": key.state,
        "role": key.role,
        "may": ", ".join(key.scopes),
        "job types": ", ".join(key.job_types) if key.job_types else "all",
        "tags": f"one of {', '.join(key.tags)}" if key.tags else "any",
        "created": time_of(key.created_at),
        "expires": time_of(key.expires_at) or "never",
        "used": time_of(key.last_used_at) or "never",
        "revoked": time_of(key.revoked_at),
    }
    for name, value in lines.items():
        if value:
            output_console().print(Text(f"{name:<10}", "dim").append(one_line(value), "not dim"), soft_wrap=True)


def _print_keys(keys: "list[ApiKey]", *, as_json: bool) -> None:
    from jobtracker.cli.console import error_console, output_console
    from jobtracker.cli.tables import Column, age, print_json, print_table

    if as_json:
        print_json(keys)
        return
    columns = [Column("ID"), Column("OWNER", may_shrink=True), Column("STATE"), Column("MAY", may_shrink=True)]
    columns += [Column("LIMITED TO", may_shrink=True), Column("CREATED"), Column("USED"), Column("EXPIRES")]
    rows = []
    for each in keys:
        limits = [*(each.job_types or ()), *(f"tag {tag}" for tag in each.tags or ())]
        allowed = each.role or ", ".join(each.scopes)
        times = (age(each.created_at), age(each.last_used_at), age(each.expires_at))
        rows.append((each.id, each.owner, each.state, allowed, ", ".join(limits), *times))
    print_table(output_console(), columns, rows)
    if not keys:
        error_console().print(
            "There are no keys: `jobtracker keys create --owner NAME --role admin` makes the first one.", style="dim"
        )
