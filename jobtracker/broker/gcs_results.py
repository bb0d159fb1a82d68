"""Celery's result backend `gs://…` with what it lacks: it makes its bucket, answers in time, and runs on emulators.

Celery keeps results in a bucket, and counts the parts of a chord in Firestore (celery/backends/gcs.py).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from celery.exceptions import ImproperlyConfigured

from jobtracker.connection.google_cloud import Bucket, BucketAwayError, BucketError, BucketMissingError, within
from jobtracker.errors import BrokerUnavailableError, need_packages

need_packages("The result backend gs://", "gcp", "google.cloud.storage", "google.cloud.firestore", "grpc")

from celery.backends.gcs import GCSBackend  # noqa: E402 (it imports the packages, or does without them in silence)

if TYPE_CHECKING:
    from google.cloud.storage import Client

_TIMEOUT_S, _RETRY_S = 10.0, 60.0
"""A worker is patient: if it can't keep a task's result, the task has failed."""

_POLICY_S = 30.0
"""How long Firestore may take to say whether it has the policy."""

_FIRESTORE_VARIABLE = "FIRESTORE_EMULATOR_HOST"

_usable: set[tuple[str | None, ...]] = set()
"""Buckets and projects that were looked at by this process, or by the one that it was forked from."""


class GcsResults(GCSBackend):  # type: ignore[misc] # Celery has no types
    """Celery's results in a bucket.

    Besides Celery's own settings in the app's configuration it reads `gcs_location`, `gcs_emulator_host`,
    `gcs_timeout_s` and `gcs_retry_s`: what `Bucket` takes by these names.

    Raises:
        ImproperlyConfigured: The bucket, or Firestore, can't be used. The message says what to set.
        BrokerUnavailableError: The bucket does not answer. Each call may raise that too.
    """

    def __init__(self, **kwargs: Any) -> None:
        if not os.environ.get(_FIRESTORE_VARIABLE):
            os.environ.pop(_FIRESTORE_VARIABLE, None)  # Google's client takes an empty one for an address
        self._bucket: Bucket | None = None
        super().__init__(**kwargs)
        self._retry_policy = self._results.retry

    @property
    def client(self) -> "Client":
        """The client of this process."""
        return self._results.client

    @property
    def _results(self) -> Bucket:
        if self._bucket is None:
            conf = self.app.conf
            self._bucket = Bucket(
                self.bucket_name,
                project=self.project,
                location=conf.get("gcs_location", "US"),
                emulator_host=conf.get("gcs_emulator_host"),
                timeout_s=conf.get("gcs_timeout_s", _TIMEOUT_S),
                retry_s=conf.get("gcs_retry_s", _RETRY_S),
                named_by="CELERY_RESULT_BACKEND",
            )
        return self._bucket

    def get(self, key: str | bytes) -> bytes | None:
        """What is kept under a key; None: nothing."""
        with self._results_errors("read"):
            kept: bytes | None = super().get(key)
        return kept

    def set(self, key: str | bytes, value: str | bytes) -> None:
        """Keep a value."""
        with self._results_errors("written to"):
            super().set(key, value)

    def delete(self, key: str | bytes) -> None:
        """Remove what is kept under a key."""
        with self._results_errors("written to"):
            super().delete(key)

    def incr(self, key: bytes) -> int:
        """Count one more part of a chord; returns how many there are."""
        with self._counter_errors():
            count: int = super().incr(key)
        return count

    def _expire_chord_key(self, key: str, expires: float) -> None:
        # Celery's own takes up to a minute; this is what a publisher of a chord waits for.
        bounds = {"timeout": self._results.timeout_s, "retry": self._results.retry}
        when = datetime.now(UTC) + timedelta(seconds=expires)
        with self._counter_errors():
            self._firestore_document(key).set({self._field_expires: when}, merge=True, **bounds)

    def _delete_chord_key(self, key: bytes) -> None:
        with self._counter_errors():
            super()._delete_chord_key(key)

    @contextmanager
    def _results_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise BrokerUnavailableError(str(self._results.failure(error, what))) from error

    @contextmanager
    def _counter_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise BrokerUnavailableError(
                f"Firestore in the project {self.firestore_project} does not count the parts of a chord "
                f"({type(error).__name__}: {str(error)[:200]})."
            ) from error

    def _is_firestore_ttl_policy_enabled(self) -> bool:
        """Whether Firestore forgets counters of chords that never end. Celery asks when it makes a backend."""
        emulators = (self.app.conf.get("gcs_emulator_host"), os.environ.get(_FIRESTORE_VARIABLE))
        key = (self.bucket_name, self.firestore_project, *emulators)
        if key not in _usable:
            self._need_bucket()
            if not self._has_ttl_policy():
                return False
            _usable.add(key)
        return True

    def _need_bucket(self) -> None:
        bucket = self._results
        try:
            try:
                list(bucket.client.list_blobs(bucket.name, max_results=1, **bucket.limits))
            except Exception as error:
                raise bucket.failure(error, "read") from error
        except BucketMissingError:
            self._create_bucket()
        except BucketAwayError as error:
            raise BrokerUnavailableError(str(error)) from error
        except BucketError as error:
            raise ImproperlyConfigured(str(error)) from error

    def _create_bucket(self) -> None:
        try:
            self._results.create()
        except BucketError as error:
            raise ImproperlyConfigured(str(error)) from error

    def _has_ttl_policy(self) -> bool:
        if os.environ.get(_FIRESTORE_VARIABLE):
            return True  # it has none to ask for, and the client that asks goes to Google all the same
        try:
            return bool(within(_POLICY_S, super()._is_firestore_ttl_policy_enabled))
        except Exception as error:
            raise ImproperlyConfigured(
                f"Firestore does not say whether its collection {self._collection_name!r} in the project "
                f"{self.firestore_project} has a TTL policy ({type(error).__name__}: {error}). Celery counts "
                "the parts of chords there. Look at GCP_PROJECT_ID, and give the account the roles that the "
                "documentation lists on its page on Google Cloud."
            ) from error
