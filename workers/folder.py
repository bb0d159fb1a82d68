"""Look up a file by the name that a payload gives, without ever leaving the allowed folders."""

import os
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from workers.errors import NameRefusedError, NotFoundError, UnreadableError
from workers.limits import check_size

BUCKET_SCHEME = "gs://"
"""What the name of a document in a certain bucket begins with."""

MAX_NAME = 1_280
"""The longest id of a document: a bucket's name, and one of an object in it."""

NOTHING_FETCHED: Mapping[str, str] = MappingProxyType({})

SAMPLE_DOCUMENTS_DIR = Path(__file__).with_name("sample_documents")


def documents_dir() -> Path:
    """Give the folder of the documents: the setting DOCUMENTS_DIR, by default the shipped samples."""
    return Path(os.environ.get("DOCUMENTS_DIR") or SAMPLE_DOCUMENTS_DIR)


def fetched_or_found(name: str, fetched: Mapping[str, str], roots: Sequence[Path], suffixes: Collection[str]) -> Path:
    """The file of a document: what its task has fetched from a bucket (id to path), or what `find_file` finds."""
    return Path(fetched[name]) if name in fetched else find_file(name, roots, suffixes)


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
    found = look_up(name, roots, suffixes)
    if found is None:
        raise missing(name)
    return found


def look_up(name: str, roots: Sequence[Path], suffixes: Collection[str]) -> Path | None:
    """As `find_file`; None where there is no such file.

    Raises:
        NameRefusedError: As `find_file`.
        NotFoundError: There are several.
    """
    check_name(name)
    for root in roots:
        exact = _inside(root, name)
        if exact:
            return exact
        found = [path for suffix in suffixes if (path := _inside(root, name + suffix))]
        if len(found) > 1:
            raise ambiguous(name, [path.suffix for path in found])
        if found:
            return found[0]
    return None


def missing(name: str) -> NotFoundError:
    """What is raised where nothing has that name."""
    return NotFoundError(f"there is no {name!r}")


def bucket_refused(name: str) -> NameRefusedError:
    """What is raised where a name is in a bucket that no setting allows."""
    return NameRefusedError(
        f"no document may be in the bucket of {name!r}: the worker's GCS_BUCKET_NAME or DOCUMENT_BUCKETS must name it"
    )


def ambiguous(name: str, suffixes: Collection[str]) -> NotFoundError:
    """What is raised where a name without its suffix fits several files or objects."""
    return NotFoundError(f"{name!r} fits several files: give the suffix too ({', '.join(sorted(suffixes))})")


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


def check_name(name: str) -> None:
    """Refuse a name that could lead out of the documents, or to what begins with a dot.

    Raises:
        NameRefusedError: It could.
    """
    if name.startswith(BUCKET_SCHEME):  # one that may be read was fetched by the task, and is not looked up here
        raise bucket_refused(name)
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
