"""The object store that the settings name."""

import logging

from jobtracker.objects.folder import FolderStore
from jobtracker.objects.object_store import ObjectStore, ObjectStoreAwayError
from jobtracker.settings import Settings

logger = logging.getLogger(__name__)


_RETRY_S, _CHECK_RETRY_S = 2.0, 3.0
"""For how long a request that has failed in a passing way is repeated: a task waits for it when it ends; and when a
process starts."""

_TIMEOUT_S = 4.0
"""How long one request of at most 2 MiB may take to connect, to send and to answer, each."""


def open_object_store(settings: Settings, retry_s: float = _RETRY_S) -> ObjectStore | None:
    """The bucket GCS_BUCKET_NAME, else the folder OBJECTS_DIR; None: neither is set. Nothing is asked for it yet.

    Args:
        settings: The settings.
        retry_s: For how long a request to a bucket that has failed in a passing way is repeated.

    Raises:
        MissingExtraError: A bucket is named, and the extra `gcp` is not installed.
    """
    if settings.gcs_bucket_name:
        return open_bucket(settings, settings.gcs_bucket_name, retry_s)
    return FolderStore(settings.objects_dir) if settings.objects_dir else None


def open_bucket(settings: Settings, name: str, retry_s: float = _RETRY_S) -> ObjectStore:
    """A bucket, with what the settings say of Google Cloud.

    Args:
        settings: The settings.
        name: The bucket.
        retry_s: As for `open_object_store`.

    Raises:
        MissingExtraError: The extra `gcp` is not installed.
    """
    from jobtracker.objects.bucket import BucketStore

    return BucketStore(
        name,
        project=settings.gcp_project_id,
        location=settings.gcp_location,
        emulator_host=settings.storage_emulator_host,
        timeout_s=_TIMEOUT_S,
        retry_s=retry_s,
    )


def check_object_store(settings: Settings) -> None:
    """Do nothing where objects can be written and read, or none are to be; a missing bucket is made.

    One that does not answer is a warning only: it may be back when it is needed.

    Raises:
        ObjectStoreError: They can't. It says what to set.
        MissingExtraError: A bucket is named, and the extra `gcp` is not installed.
    """
    store = open_object_store(settings, _CHECK_RETRY_S)
    if store is None:
        return
    try:
        store.check()
    except ObjectStoreAwayError as error:
        logger.warning("%s", error)
