"""The wheel and the sdist, built as a release is, and an environment that has nothing but the wheel."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")


class Installation(NamedTuple):
    """An environment with the wheel, and a folder outside the checkout."""

    bin: Path
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Without what leads to the checkout, or to servers of ours."""
        own = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        return {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ} | own | more

    def run(self, *command: str, status: int = 0, **environment: str) -> str:
        """What a program of the environment prints in that folder, on both outputs; it must end with that status."""
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == status, done.stdout[-3000:]
        assert "Traceback" not in done.stdout
        return done.stdout


def uv(*arguments: object, **environment: str) -> None:
    """Run uv, with the package index that it is configured for."""
    done = subprocess.run(
        [UV, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    locked = ("--build-constraint", "requirements.txt", "--require-hashes")
    uv("build", "--quiet", "--wheel", "--sdist", *locked, "--out-dir", folder)
    return folder


@pytest.fixture(scope="session")
def install(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Installation]:
    """Make an environment with the wheel and some of its extras, in the versions and with the hashes of the lock."""
    [wheel] = distributions.glob("*.whl")

    def install_wheel(*extras: str) -> Installation:
        folder = tmp_path_factory.mktemp("installed")
        wanted, venv = folder / "wanted.txt", folder / "venv"
        named = [option for extra in extras for option in ("--extra", extra)]
        uv("venv", "--quiet", "--python", sys.executable, venv)
        of_lock = ("--constraint", "requirements.txt", "--generate-hashes", "--python", venv / "bin" / "python")
        uv("pip", "compile", "--quiet", *of_lock, *named, "pyproject.toml", "--output-file", wanted)
        here = {"VIRTUAL_ENV": str(venv)}
        uv("pip", "install", "--quiet", "--require-hashes", "--requirement", wanted, **here)
        uv("pip", "install", "--quiet", "--no-deps", wheel, **here)
        return Installation(venv / "bin", folder)

    return install_wheel


@pytest.fixture(scope="session")
def bookshop(install: Callable[..., Installation]) -> Installation:
    """The wheel with the extra `server`, beside a Celery project that knows jobtracker by two lines."""
    installation = install("server")
    copytree(ROOT / "tests" / "foreign" / "bookshop", installation.folder / "bookshop")
    return installation
