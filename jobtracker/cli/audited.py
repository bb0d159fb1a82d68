"""Commands that change the store themselves: they are in the audit too."""

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from jobtracker.connection.away import store_errors
from jobtracker.connection.client import RedisClient, connect
from jobtracker.core.access import Principal, Scope, acting
from jobtracker.settings import Settings
from jobtracker.store.audit import AuditLog
from jobtracker.store.keys import Keys
from jobtracker.store.libraries import Libraries


def audit_log(client: RedisClient, settings: Settings) -> AuditLog:
    """The audit of a store. It is in the first partition, so their number makes no difference."""
    keys = Keys(settings.tracking_namespace)
    log = AuditLog(client, keys, settings)
    Libraries(client, keys).renew()  # its own has to be removed some day
    return log


@contextmanager
def acting_here() -> Iterator[None]:
    """Act as the user who runs this command."""
    name = f"{_user()}@{socket.gethostname()}"
    token = acting.set(Principal(name, frozenset(Scope)))
    try:
        yield
    finally:
        acting.reset(token)


@contextmanager
def store_here(action: str = "", **about: Any) -> Iterator[tuple[RedisClient, Settings]]:
    """A client of the store, by the settings of the environment. The user of this command acts in this context.

    Args:
        action: What is done in this context, for the audit; "": nothing is changed.
        about: Further fields of `AuditEntry`.

    Raises:
        SettingsError: A variable has a value that can't be used.
        StoreAwayError: The tracking Redis does not answer.
    """
    settings = Settings.from_env()
    with (
        store_errors(),
        connect(settings.tracking_url, _TIMEOUT_S) as client,
        acting_here(),
        audit_log(client, settings).recording("cli", action, **about) if action else nullcontext(),
    ):
        yield client, settings


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return "somebody"


_TIMEOUT_S = 10.0
