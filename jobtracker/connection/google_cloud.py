"""Clients of Google Cloud Storage that answer in a bounded time, and say what to set where they can't be used."""

import json
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from jobtracker.errors import JobTrackerError, need_packages

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials
    from google.cloud.storage import Client

T = TypeVar("T")

_CONNECTIONS = 16
"""To Google, kept open by one process."""

EMULATOR_VARIABLE = "STORAGE_EMULATOR_HOST"
"""Google's libraries read it too."""


_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*[a-z0-9](\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
_SHORTEST_NAME, _LONGEST_NAME, _LONGEST_PART = 3, 222, 63
"""Names may have dots; a part is what stands between them."""
_IP_ADDRESS = re.compile(r"\d+(\.\d+){3}")


def need_bucket_name(name: str) -> None:
    """Do nothing if a bucket can have that name (https://cloud.google.com/storage/docs/buckets#naming).

    Raises:
        ValueError: It can't.
    """
    parts = name.split(".")
    if name.startswith("gs:") or "/" in name:
        raise ValueError("must be the name of a bucket alone, without gs:// and without a path")
    if (
        not _BUCKET_NAME.fullmatch(name)
        or not _SHORTEST_NAME <= len(name) <= _LONGEST_NAME
        or any(len(part) > _LONGEST_PART for part in parts)
        or _IP_ADDRESS.fullmatch(name)
    ):
        raise ValueError(
            f"{name!r} can't be a bucket's name: 3 to 63 small letters, digits, hyphens and underscores, with a "
            "letter or digit at both ends"
        )


class BucketError(JobTrackerError):
    """A bucket can't be used; the message says what to set."""


class BucketAwayError(BucketError):
    """Google Cloud Storage does not answer, or says that it can't at the moment."""


class BucketMissingError(BucketError):
    """There is no such bucket."""


class Bucket:
    """One bucket, its client, and what its errors mean. Threads share it, and processes that are forked may use it.

    Args:
        name: The bucket.
        project: The project that a missing bucket is made in; None: the one that the credentials name.
        location: Where a missing bucket is made, e.g. `US` or `europe-west1`.
        emulator_host: The URL of an emulator, which needs no credentials; None: what STORAGE_EMULATOR_HOST says.
        timeout_s: How long one request may take to connect, to send and to answer, each.
        retry_s: For how long a request that has failed in a passing way is repeated.
        named_by: The setting that names the bucket, for errors.

    Raises:
        MissingExtraError: The extra `gcp` is not installed.
    """

    def __init__(
        self,
        name: str,
        *,
        project: str | None,
        location: str,
        emulator_host: str | None = None,
        timeout_s: float,
        retry_s: float,
        named_by: str = "GCS_BUCKET_NAME",
    ) -> None:
        need_packages(f"The bucket gs://{name}", "gcp", "google.auth", "google.cloud.storage")
        self.name = name
        self.timeout_s = timeout_s
        self._project = project
        self._location = location
        self._emulator_host = emulator_host or os.environ.get(EMULATOR_VARIABLE) or None
        self._retry_s = retry_s
        self._named_by = named_by
        self._client: tuple[int, Client] | None = None

    def __str__(self) -> str:
        return f"gs://{self.name}"

    @property
    def client(self) -> "Client":
        """The client of this process. Without a lock: one that was held while a process forked would stay so."""
        held = self._client
        if held is None or held[0] != os.getpid():
            self._client = held = (os.getpid(), self._new_client())
        return held[1]

    @property
    def handle(self) -> Any:
        """The bucket for calls; nothing is asked for it."""
        return self.client.bucket(self.name)

    @property
    def limits(self) -> dict[str, Any]:
        """The arguments of each call that bound its time. Google's own defaults are minutes."""
        return {"timeout": self.timeout_s, "retry": self.retry}

    @property
    def retry(self) -> "Retry":
        """How often a request is repeated that has failed in a passing way."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry: Retry = DEFAULT_RETRY.with_timeout(self._retry_s).with_delay(initial=0.2, maximum=2.0)
        return retry

    def create(self) -> None:
        """Make the bucket, if it is not there: private, with access by roles only.

        Raises:
            BucketError: It can't be made.
        """
        from google.api_core.exceptions import Conflict

        try:
            bucket = self.handle
            self._need_project()
            bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            bucket.iam_configuration.public_access_prevention = "enforced"
            bucket.create(location=self._location, **self.limits)
        except Conflict:  # there it is
            return
        except Exception as error:
            raise self.failure(error, "made") from error

    def _need_project(self) -> None:
        if not self.client.project:
            raise BucketError(
                f"The bucket {self} does not exist, and it is not known in which project to make it. Set "
                f"GCP_PROJECT_ID, or set {self._named_by} to the one that you mean."
            )

    def failure(self, error: Exception, what: str) -> BucketError:
        """What an error of Google's libraries means, as a sentence that says what to do.

        Args:
            error: What was raised.
            what: What could not be done to the bucket: a participle, as in "it can't be written to".
        """
        if isinstance(error, BucketError):
            return error
        from google.api_core import exceptions as api
        from google.auth import exceptions as auth
        from google.cloud.storage.exceptions import InvalidResponse

        if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
            error = error.cause
        if isinstance(error, InvalidResponse):  # of an upload in parts
            error = api.from_http_status(error.response.status_code, str(error), response=error.response)
        said = f"The bucket {self} can't be {what}"
        text = _first_line(error)
        if isinstance(error, auth.DefaultCredentialsError):
            return BucketError(
                f"{said}, for there are no credentials for Google Cloud ({text}). Set GOOGLE_APPLICATION_CREDENTIALS "
                f"to the key file of a service account, or {EMULATOR_VARIABLE} to an emulator."
            )
        if isinstance(error, auth.RefreshError | api.Unauthorized):
            return BucketError(
                f"{said}, for Google refuses the credentials: they were revoked or have expired ({text}). Set "
                "GOOGLE_APPLICATION_CREDENTIALS to valid ones."
            )
        if isinstance(error, api.Forbidden):
            return BucketError(
                f"{said}, for these credentials may not do that ({text}). Give their account the role Storage Object "
                "User on the bucket, and make the bucket if it does not exist."
            )
        if isinstance(error, api.NotFound):
            return BucketMissingError(
                f"{said}, for it does not exist ({text}). Make it, or set {self._named_by} to the one that you mean."
            )
        if isinstance(error, api.BadRequest):
            return BucketError(
                f"{said}, for Google refuses the request ({text}). Look at {self._named_by}, GCP_PROJECT_ID "
                "and GCP_LOCATION."
            )
        if _is_passing(error):
            at = self._emulator_host or "Google Cloud Storage"
            return BucketAwayError(
                f"{said}, for {at} does not answer ({text}). Look at this machine's network"
                f"{f', at {EMULATOR_VARIABLE}' if self._emulator_host else ''} and at Google's status page."
            )
        return BucketError(f"{said} ({text}). Look at {self._named_by} and at the credentials.")

    def _new_client(self) -> "Client":
        import requests
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession, Request
        from google.cloud.storage import Client

        credentials, project = (AnonymousCredentials(), None) if self._emulator_host else self._credentials()
        tokens = requests.Session()
        session = AuthorizedSession(credentials, auth_request=Request(tokens))
        for each in (tokens, session):
            for scheme in ("https://", "http://"):
                each.mount(scheme, _bounded_adapter(self.timeout_s))
        return Client(
            project=self._project or project,
            credentials=credentials,
            _http=session,
            client_options={"api_endpoint": self._emulator_host} if self._emulator_host else None,
        )

    def _credentials(self) -> "tuple[Credentials, str | None]":
        """What Google's libraries find: a key file, what `gcloud` keeps, or the machine's own service account.

        The last is asked for over the network, at an address that no other cloud answers at; the library may call
        programs too. Its own limits add up to more than half a minute.
        """
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError

        try:
            found: tuple[Credentials, str | None] = within(
                self.timeout_s + self._retry_s,
                lambda: google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.full_control"]),
            )
        except TimeoutError:
            raise DefaultCredentialsError("nobody has answered who was asked for them") from None
        return found


def _bounded_adapter(timeout_s: float) -> Any:
    """A way to a server that waits no longer than that, also for those who don't say how long to wait."""
    from requests.adapters import HTTPAdapter

    class BoundedAdapter(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> Any:
            return super().send(*args, **{**kwargs, "timeout": timeout_s})

    return BoundedAdapter(pool_maxsize=_CONNECTIONS)


def within(seconds: float, question: Callable[[], T]) -> T:
    """What a function returns that may take too long.

    Args:
        seconds: How long it may take.
        question: The function. It is called in a thread, which is left behind where it takes longer.

    Raises:
        TimeoutError: It takes longer.
        Exception: What it has raised.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question())
        except Exception as error:  # noqa: BLE001 (raised where it was asked)
            errors.append(error)

    thread = threading.Thread(target=ask, name="jobtracker-google", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError
    return answers[0]


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    text = re.sub(r"^[A-Z]+ https?://\S+: ", "", text)  # what was asked for
    with suppress(ValueError, LookupError, TypeError):  # an answer as it came
        text = str(json.JSONDecoder().raw_decode(text)[0]["error"]["message"])
    return next(iter(text.splitlines()), type(error).__name__)[:300].rstrip(". ")


def _is_passing(error: Exception) -> bool:
    """Whether it may be over when one asks again."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import TransportError

    if isinstance(error, GoogleAPICallError):
        return error.code is None or error.code >= 500 or error.code in {408, 429}
    return isinstance(error, RetryError | TransportError | requests.RequestException | OSError | TimeoutError)
