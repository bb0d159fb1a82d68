"""Look up a file by the name that a payload gives, without ever leaving the allowed folders."""

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from workers.errors import NameRefusedError, NotFoundError, UnreadableError
from workers.limits import check_size

SAMPLE_DOCUMENTS_DIR = Path(__file__).with_name("sample_documents")


def documents_dir() -> Path:
    """Give the folder of the documents: the setting DOCUMENTS_DIR, by default the shipped samples."""
    return Path(os.environ.get("DOCUMENTS_DIR") or SAMPLE_DOCUMENTS_DIR)


def find_file(name: str, roots: Sequence[Path], suffixes: Collection[str]) -> Path:
    """Find the file that a name means.

    Args:
        name: A file name with or without its suffix; may lie in a subfolder ("2031/letter").
        roots: The allowed folders; the first that has the name wins.
        suffixes: The suffixes that may be left out, each with its dot.

    Returns:
        The resolved path (no symbolic link in it) of a regular file inside one of the roots.

    Raises:
        NameRefusedError: The name is malformed, or leads out of the root. The message holds no path.
        NotFoundError: There is no such file, or several. The message names no other file: who may send a job may
            not be one who may know whose documents there are.
    """
    _check_name(name)
    for root in roots:
        exact = _inside(root, name)
        if exact:
            return exact
        found = [path for suffix in suffixes if (path := _inside(root, name + suffix))]
        if len(found) > 1:
            endings = ", ".join(sorted(path.suffix for path in found))
            raise NotFoundError(f"{name!r} fits several files: give the suffix too ({endings})")
        if found:
            return found[0]
    raise NotFoundError(f"there is no {name!r}")


def read_file(path: Path) -> bytes:
    """Read a file that find_file gave.

    Raises:
        TooLargeError: It is larger than DOCUMENT_MAX_BYTES.
        UnreadableError: The system does not let it be read.
    """
    try:
        # O_NOFOLLOW: the path was resolved, so a link in its place was put there in between.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            check_size(os.fstat(file.fileno()).st_size)
            return file.read()
    except OSError as error:
        raise UnreadableError(f"{path.name!r} cannot be read: {error.strerror}") from error


def _check_name(name: str) -> None:
    parts = name.split("/")
    # isprintable is false for NUL, other control characters and lone surrogates. A leading dot covers "..".
    if not name.isprintable() or "\\" in name or any(not part or part.startswith(".") for part in parts):
        raise NameRefusedError(f"{name!r} is not the name of a document")


def _inside(root: Path, name: str) -> Path | None:
    """Resolve a name below the root; None when nothing is there."""
    try:
        path = (root / name).resolve(strict=True)
        is_file = stat.S_ISREG(path.stat().st_mode)
        if path.is_relative_to(root.resolve()):
            return path if is_file else None
    except (OSError, RuntimeError):  # missing, too long, a loop of links (RuntimeError until Python 3.12)
        return None
    raise NameRefusedError(f"{name!r} leads out of the document folder")
