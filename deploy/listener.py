"""Holds the API's port: the service `listener` of docker-compose.yml. Needs Python's standard library only.

It listens, and accepts nothing. Each API process that connects to a Unix socket is handed the listening socket, and
accepts from it. A byte says how many others have it. API containers can be added and removed: connections
wait in one queue, and no request is refused. Each API sees the addresses of its own clients, as there is no
proxy in between.

    python listener.py PORT UNIX_SOCKET
"""

import socket
import sys
from contextlib import suppress
from pathlib import Path

BACKLOG = 4096


def main() -> None:
    """Hand over the socket to all who ask, until a signal ends this."""
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    listening = socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 -- in a container
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        path.chmod(0o600)
        door.listen()
        taken: list[socket.socket] = []
        while True:
            connection, _ = door.accept()
            taken = [each for each in taken if _is_open(each)]
            with suppress(OSError):
                socket.send_fds(connection, [bytes([min(len(taken), 255)])], [listening.fileno()])
                taken.append(connection)  # it ends with this process, and so they know


def _is_open(connection: socket.socket) -> bool:
    try:
        is_closed = connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return True
    except OSError:
        is_closed = True
    if is_closed:
        connection.close()
    return not is_closed


if __name__ == "__main__":
    main()
