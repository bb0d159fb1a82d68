"""TCP ports of this machine."""

import errno
import socket

from jobtracker.local.child_process import ProcessError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def is_port_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether nobody listens on that port now; another hindrance is for the server itself to report."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections of an earlier server that are still closing don't hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def need_free_port(port: int, host: str = LOOPBACK, *, instead: str) -> None:
    """Do nothing where that port is free.

    Args:
        port: The port.
        host: Where somebody is to listen on it.
        instead: What to do rather than to stop who listens there.

    Raises:
        ProcessError: It is taken; the error says what to do.
    """
    if not is_port_free(port, host):
        raise ProcessError(f"Port {port} on {host} is taken: stop what listens there, or {instead}.")
