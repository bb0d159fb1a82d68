"""How a task gets the documents that a payload names, and hands them to a confined process."""

import errno
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from jobtracker.objects.object_store import ObjectStoreError
from workers.buckets import Buckets, Found, unusable
from workers.confined.caller import run_confined
from workers.confined.folder import LockedFolder
from workers.documents import DocumentInput
from workers.errors import DISK_FULL, BucketUnusableError, OverBudgetError
from workers.folder import documents_dir
from workers.formats import MEDIA_TYPES
from workers.limits import check_size
from workers.payloads import read_payload
from workers.transfers import Transfer, run_transfer

_MAX_SUFFIX = 20
"""A longer suffix is not one that is read, whatever follows."""

Find = Callable[[str], Found | None]
"""Finds what a name means; None: what the confined process finds itself."""


def run_on_document(
    work: str,
    model: type[DocumentInput],
    payload: Mapping[str, Any],
    *,
    buckets: Buckets | None = None,
    **arguments: Any,
) -> dict[str, Any]:
    """Run work on the document that a payload names, in a confined process.

    Args:
        work: As `run_confined` has it; it gets `payload`, `fetched` and the arguments.
        model: What the payload is.
        payload: Its fields.
        buckets: Where documents may be, beside the folder; default: as the settings say.
        arguments: By name.

    Raises:
        InputError: The document can't be used; its subclasses say why.
        BucketUnusableError: Its bucket can't be.
        Exception: As `run_confined`.
    """
    buckets = Buckets.from_env() if buckets is None else buckets
    if not buckets:
        return run_confined(work, payload=payload, **arguments)
    names = read_payload(model, payload).document_ids
    with fetched(names, lambda name: buckets.find(name, [documents_dir()], MEDIA_TYPES)) as files:
        return run_confined(work, payload=payload, fetched=files, **arguments)


@contextmanager
def fetched(names: Collection[str], find: Find) -> Iterator[dict[str, str]]:
    """Have documents from buckets in files, as long as the context lasts.

    A confined process parses what may be hostile, so it gets the bytes, and neither credentials nor a bucket.

    Args:
        names: The documents, by their ids.
        find: Finds one.

    Yields:
        The path of each that is in a bucket, by its id. A path has the suffix of the object's name.

    Raises:
        InputError: A name is refused or unknown, or its document is too large; its subclasses say which.
        OverBudgetError: The disk is full, or it took longer than JOB_WALL_S.
        BucketUnusableError: A bucket can't be read.
        JobCancelledError: The job was cancelled.
    """
    if not names:
        yield {}
        return
    with temporary_folder() as folder:
        yield run_transfer(lambda transfer: _fetch(list(dict.fromkeys(names)), find, folder, transfer))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that goes with the context, and with this process if that is killed.

    Raises:
        OverBudgetError: The disk is full.
    """
    try:
        folder = LockedFolder()
    except OSError as error:
        raise _told(error) from error
    with folder:
        yield folder.path


def _fetch(names: Sequence[str], find: Find, folder: Path, transfer: Transfer) -> dict[str, str]:
    files = {}
    for number, name in enumerate(names):
        transfer.moves(f"looking for {name}")
        try:
            found = find(name)
            if found is not None:
                path = folder / f"{number}{PurePath(found.info.name).suffix[:_MAX_SUFFIX]}"
                _load(found, path, name, transfer)
                files[name] = str(path)
        except ObjectStoreError as error:
            raise unusable(f"{name!r} can't be read", error) from error
        except OSError as error:
            raise _told(error) from error
    return files


def _load(found: Found, path: Path, name: str, transfer: Transfer) -> None:
    expected_bytes, size_bytes = found.info.size_bytes, 0
    check_size(expected_bytes)
    with path.open("xb") as file:
        for chunk in found.store.read(found.info.name):
            size_bytes += len(chunk)
            check_size(size_bytes)
            file.write(chunk)
            transfer.moves(f"fetching {name}: {size_bytes:,} of {expected_bytes:,} bytes")
    if size_bytes != expected_bytes:
        raise BucketUnusableError(
            f"{name!r} was replaced while it was read: {size_bytes:,} bytes came, "
            f"not {expected_bytes:,}. Retry the job"
        )


def _told(error: OSError) -> Exception:
    return OverBudgetError(DISK_FULL) if error.errno in {errno.ENOSPC, errno.EDQUOT} else error
