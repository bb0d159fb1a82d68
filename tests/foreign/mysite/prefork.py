"""A WSGI server that forks after import, as gunicorn does with --preload and uwsgi without lazy-apps.

Loads the site and answers two requests itself, then forks workers that answer some in two threads each, the parent
some more meanwhile; ends with 0 where all answers were good.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from wsgiref.util import setup_testing_defaults

from mysite.wsgi import application

WORKERS, REQUESTS = 2, 10


def lend(title: str) -> str:
    """The status of one request."""
    environ = {"PATH_INFO": f"/lend/{title}/", "wsgi.input": BytesIO()}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        statuses.append(status)

    b"".join(application(environ, start_response))
    return statuses[0]


def serve(name: str) -> bool:
    """Answer requests in two threads."""
    with ThreadPoolExecutor(2) as threads:
        return set(threads.map(lend, [f"{name}-{n}" for n in range(REQUESTS)])) == {"200 OK"}


def main() -> bool:
    """Serve before, in and beside the forked workers."""
    good = lend("before") == "200 OK" and lend("lost").startswith("500")
    children = []
    for number in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if serve(f"worker{number}") else 1)
        children.append(pid)
    good = serve("parent") and good
    return good and all(os.waitpid(pid, 0)[1] == 0 for pid in children)


sys.exit(0 if main() else 1)
