"""A page that draws a tree as a node graph, with @xyflow/react: what is common where trees of tasks are shown.

Its packages are its own, in `bench/graph`, and no part of jobtracker's page. `npm install` there writes the lockfile
anew; `web/toolchain.py` has the npm.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import toolchain

from bench.serving import ROOT, Connection, serving
from jobtracker.local.ports import free_port

_SOURCES = ROOT / "bench" / "graph"


@contextlib.contextmanager
def serving_graph(folder: Path) -> Iterator[Connection]:
    """Build the page, and serve its files."""
    toolchain.install(_SOURCES)
    built, port = folder / "graph", free_port()
    arguments = ("--outDir", str(built), "--emptyOutDir", "--logLevel", "error")
    toolchain.npm("exec", "--", "vite", "build", *arguments, output=subprocess.PIPE, folder=_SOURCES)
    command = ["http.server", str(port), "--bind", "127.0.0.1", "--protocol", "HTTP/1.1", "--directory", str(built)]
    with serving("graph", command, folder, {}, port, "/") as connection:
        yield connection
