"""`jobtracker login`, `jobtracker logout`."""

import sys

import typer

from jobtracker.cli.options import Url


def login(url: Url = None) -> None:
    """Ask for an API key, try it, and keep it for this URL, in a file that only you can read.

    It is read from standard input, if that is no terminal. `JOBTRACKER_API_KEY` and `JOBTRACKER_API_KEY_FILE` count
    more than a login.
    """
    from jobtracker.cli.console import output_console
    from jobtracker.client.clients import Client
    from jobtracker.client.credentials import remember

    # Not as an argument: others see these in the list of processes, and shells keep them.
    key = typer.prompt("API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    key = key.strip()
    if not key:
        raise typer.BadParameter("There is no key on standard input.")
    with Client(url, api_key=key) as client:
        me = client.me()
        path = remember(client.url, key)
    allowed = me.role or ", ".join(me.scopes)
    output_console().print(f"Logged in as {me.name} ({allowed}) at {client.url}.", soft_wrap=True, markup=False)
    output_console().print(f"The key is in {path}.", soft_wrap=True, markup=False)


def logout(url: Url = None) -> None:
    """Forget the key of a login. The key itself stays valid: an admin can revoke it."""
    from jobtracker.cli.console import output_console
    from jobtracker.client.clients import url_of
    from jobtracker.client.credentials import has_login, remember

    at = url_of(url)
    was_there = has_login(at)
    if was_there:
        remember(at, None)
    said = "Forgot the key for" if was_there else "There was no login for"
    output_console().print(f"{said} {at}.", soft_wrap=True, markup=False)
