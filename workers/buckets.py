"""Look up a document in the buckets that the settings allow, by the name that a payload gives."""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import NamedTuple, Self

from jobtracker.objects.object_store import ObjectInfo, ObjectMissingError, ObjectStore, ObjectStoreAwayError
from jobtracker.objects.object_store import ObjectStoreError as StoreError
from jobtracker.objects.opening import open_bucket
from jobtracker.settings import Settings
from workers.errors import BucketUnusableError
from workers.folder import BUCKET_SCHEME, ambiguous, bucket_refused, check_name, look_up, missing
from workers.limits import DocumentSettings


class Found(NamedTuple):
    """A document in a bucket."""

    store: ObjectStore
    info: ObjectInfo


class Buckets:
    """The buckets that documents may be in.

    Args:
        own: The bucket that names without `gs://` are looked up in, after the folders; None: there is none.
        others: Those that a name may be in besides.
        open_store: Opens one, and asks nothing of it.
    """

    def __init__(self, own: str | None, others: Collection[str], open_store: Callable[[str], ObjectStore]) -> None:
        self._own = own
        self._allowed = {*others, *([own] if own else [])}
        self._open = open_store

    @classmethod
    def from_env(cls) -> Self:
        """The buckets of GCS_BUCKET_NAME and DOCUMENT_BUCKETS."""
        settings = Settings.from_env()
        others = DocumentSettings.from_env().document_buckets
        return cls(settings.gcs_bucket_name or None, others, lambda name: _opened(settings, name))

    def __bool__(self) -> bool:
        return bool(self._allowed)

    def open(self) -> None:
        """Open all of them; nothing is asked of them.

        Raises:
            MissingExtraError: What that needs is not installed.
        """
        for name in self._allowed:
            self._open(name)

    @property
    def own(self) -> ObjectStore | None:
        """The bucket that the worker's own objects are in too."""
        return self._open(self._own) if self._own else None

    def find(self, document_id: str, roots: Sequence[Path], suffixes: Collection[str]) -> Found | None:
        """Find what a name means.

        Args:
            document_id: A name, with or without its suffix, or `gs://bucket/name`.
            roots: Folders; where one has a file of that name it counts.
            suffixes: The suffixes that may be left out, each with its dot.

        Returns:
            None: A file in one of the folders.

        Raises:
            NameRefusedError: The name is malformed, or its bucket is not allowed.
            NotFoundError: There is no such document, or several. The message names no other one.
            ObjectStoreError: A bucket can't be asked.
        """
        if document_id.startswith(BUCKET_SCHEME):
            bucket, _, name = document_id.removeprefix(BUCKET_SCHEME).partition("/")
            if bucket not in self._allowed:
                raise bucket_refused(document_id)
            check_name(name)
            return _found(self._open(bucket), name, suffixes, document_id)
        if look_up(document_id, roots, suffixes) is not None:
            return None
        if self._own is None:
            raise missing(document_id)
        return _found(self._open(self._own), document_id, suffixes, document_id)


@cache
def _opened(settings: Settings, name: str) -> ObjectStore:
    """Kept, for its connections; it knows a process that was forked."""
    return open_bucket(settings, name)


def _found(store: ObjectStore, name: str, suffixes: Collection[str], document_id: str) -> Found:
    exact = _info(store, name)
    if exact:
        return Found(store, exact)
    found = [info for suffix in suffixes if (info := _info(store, name + suffix))]
    if len(found) > 1:
        raise ambiguous(document_id, [PurePath(info.name).suffix for info in found])
    if not found:
        raise missing(document_id)
    return Found(store, found[0])


def _info(store: ObjectStore, name: str) -> ObjectInfo | None:
    return store.info(name) if len(name.encode()) <= _MAX_OBJECT_NAME else None


_MAX_OBJECT_NAME = 1024
"""Google's limit, in bytes of UTF-8."""


def unusable(what: str, error: StoreError) -> Exception:
    """What is raised where a bucket can't be used.

    Args:
        what: What can't be done.
        error: What the store says.
    """
    if isinstance(error, ObjectMissingError):  # it was there when it was looked for
        return BucketUnusableError(f"{what}: it was removed or replaced meanwhile. Retry the job")
    again = "once it answers" if isinstance(error, ObjectStoreAwayError) else "once that is done"
    return BucketUnusableError(f"{what}: {error} Retry the job {again}")
