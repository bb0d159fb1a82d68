"""Peers run from their own packages, in an environment of their own.

`peers.in` names them, `peers.txt` pins them with their hashes:

    uv pip compile --universal --generate-hashes --no-emit-index-url bench/peers.in --output-file bench/peers.txt
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PINNED = _HERE / "peers.txt"


def python_of_peers() -> str:
    """The interpreter of an environment with the peers, which is made where it is not there yet."""
    digest = hashlib.sha256(_PINNED.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = _HERE.parent / f".venv-peers-{digest}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        install = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", str(_PINNED)]
        subprocess.run(install, check=True)
        (folder / "complete").touch()
    return str(python)
