"""Settings of the library, read from the environment. Units stand in the names."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from jobtracker.connection.google_cloud import need_bucket_name
from jobtracker.connection.urls import (
    AMQP_SCHEMES,
    REDIS_SCHEMES,
    celery_url,
    is_cluster,
    is_sentinel,
    redis_url,
    scheme_of,
    with_database,
)
from jobtracker.core.masking import Keep
from jobtracker.errors import JobTrackerError, without_prefix

__all__ = ["EnvironmentSettings", "Settings", "SettingsError"]


class SettingsError(JobTrackerError):
    """An environment variable has a value that can't be used; the message names it."""


class EnvironmentSettings(BaseModel):
    """A model whose fields are read from the environment variables of their (upper-case) names."""

    # An error's traceback must not show a password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from `environ` (default: the process's own); an empty variable counts as not set.

        A secret, a field that is not shown (`repr=False`), may be in a file that `<NAME>_FILE` names.

        Raises:
            SettingsError: A value can't be used, or a file can't be read.
        """
        environ = os.environ if environ is None else environ
        values = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        for name in cls.secrets():
            if path := environ.get(f"{name}_FILE"):
                if name.lower() in values:
                    raise SettingsError(
                        f"Bad settings in the environment. {name}: is set, and {name}_FILE is too: set one of them."
                    )
                values[name.lower()] = _secret_in(path, f"{name}_FILE")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{str(e['loc'][0]).upper()}: {without_prefix(e['msg'])}" for e in error.errors())
            raise SettingsError(f"Bad settings in the environment. {problems}") from error

    @classmethod
    def secrets(cls) -> list[str]:
        """The variables whose value may be in a file."""
        return [name.upper() for name, field in cls.model_fields.items() if not field.repr]

    def check(self) -> None:
        """Do nothing where an application of ours can run with these settings.

        Raises:
            SettingsError: It can't.
        """

    @classmethod
    def of_process(cls) -> Self:
        """The settings in the environment; where one can't be used the process ends, with a message, no traceback."""
        try:
            settings = cls.from_env()
            settings.check()
        except SettingsError as error:
            raise SystemExit(str(error)) from error
        return settings


def _secret_in(path: str, variable: str) -> str:
    """The text in a file, without the line break at its end."""
    try:
        secret = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"Bad settings in the environment. {variable}: {path} can't be read: {reason}."
        ) from error
    if not secret:
        raise SettingsError(f"Bad settings in the environment. {variable}: {path} is empty.")
    return secret


class Settings(EnvironmentSettings):
    """Where jobs are tracked, and how.

    Attributes:
        expected_job_types: Types that a job may have before a worker has announced them: those of an application
            whose API and worker are deployed together. Not an environment variable.
    """

    expected_job_types: ClassVar[tuple[str, ...]] = ()

    redis_url: str = Field(
        default="redis://localhost:6379",
        repr=False,
        description="The tracking Redis: redis://, rediss://, unix://, sentinel:// or redis+cluster://; default: "
        "the broker, if that is a Redis.",
    )
    redis_db: Annotated[int, Field(ge=0)] = Field(default=0, description="Its database, if the URL names none.")
    tracking_namespace: str = Field(default="jobtracker", min_length=1, description="What every key begins with.")
    tracking_partitions: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="The number of partitions of the store. On a cluster each partition is on one server.",
    )
    tracking_timeout_s: float = Field(
        default=1.0, gt=0, description="The longest one call waits for the tracking Redis."
    )
    celery_broker_url: str | None = Field(
        default=None, repr=False, description="Celery's broker, Redis or RabbitMQ; default: the tracking Redis."
    )
    celery_result_backend: str | None = Field(
        default=None, repr=False, description="Celery's results; default: the tracking Redis."
    )
    celery_queue_type: Literal["classic", "quorum"] = Field(
        default="classic",
        description="The type of queues that the sample workers declare on RabbitMQ; the API assumes it for them.",
    )
    celery_visibility_timeout_s: int | None = Field(
        default=None,
        gt=0,
        description="Seconds after which a Redis broker delivers again a message that a sample worker holds; "
        "default: Celery's one hour. Set it longer than the longest task and ETA, or tasks run twice.",
    )
    task_events: bool = Field(
        default=False, description="Send Celery's own task events too, for Flower's list of tasks."
    )
    job_retention_days: float = Field(
        default=7, gt=0, le=36_500, description="Settled jobs are removed after this many days."
    )
    audit_retention_days: float = Field(
        default=90, gt=0, le=36_500, description="The audit keeps its entries for this many days."
    )
    audit_max_entries: int = Field(
        default=100_000, gt=0, description="It keeps this many entries at most: about 50 MB for 100,000."
    )
    tombstone_s: int = Field(
        default=86400, gt=0, description="How long a deleted job's late reports are still refused."
    )
    max_result_bytes: int = Field(
        default=65536,
        ge=0,
        description="Larger payloads and results are kept in the object store, if there is one. Without one larger "
        "results stay in Celery's result backend only.",
    )
    objects_dir: Path | None = Field(
        default=None,
        description="A folder for payloads and results that are larger than MAX_RESULT_BYTES. The API and all "
        "workers must share it.",
    )
    gcs_bucket_name: str | None = Field(
        default=None,
        description="A bucket of Google Cloud Storage for these, instead of OBJECTS_DIR; made if it is missing.",
    )
    gcp_project_id: str | None = Field(
        default=None, description="The Google Cloud project; default: the one that the credentials name."
    )
    gcp_location: str = Field(
        default="US",
        pattern="^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
        description="Where a bucket is made that is missing, e.g. US or europe-west1.",
    )
    storage_emulator_host: str | None = Field(
        default=None, description="The URL of an emulator of Google Cloud Storage. It needs no credentials."
    )
    firestore_emulator_host: str | None = Field(
        default=None, description="The host:port of an emulator of Firestore, for results of Celery in a bucket."
    )
    store_arguments: Keep = Field(
        default="repr",
        description="What is stored of a plain Celery call's arguments where its task does not declare that: repr, "
        "full or none.",
    )
    max_traceback_chars: int = Field(default=16384, ge=0, description="Longer tracebacks are cut in the middle.")
    max_log_lines: int = Field(default=1000, gt=0, description="A job's log keeps about this many lines.")
    task_log_level: Literal["off", "debug", "info", "warning", "error"] = Field(
        default="off", description="From this level on, what a task logs goes into its job's log too."
    )
    report_buffer_size: int = Field(
        default=10_000, gt=0, description="How many reports a process keeps while the tracking Redis is away."
    )
    report_spool_dir: str | None = Field(
        default=None,
        description="The folder for these reports, besides memory; default: in the system's temporary folder.",
    )
    progress_interval_s: float = Field(
        default=0.5, ge=0, description="A task's progress is written at most this often."
    )
    lease_renew_s: float = Field(default=5.0, gt=0, description="How often a worker renews its lease.")
    lease_lost_s: float = Field(
        default=20.0,
        gt=0,
        validate_default=True,
        description="A worker that has not renewed its lease for this time is lost.",
    )
    release_label: str = Field(
        default="",
        max_length=100,
        description="A name for the release that your workers run, e.g. a git tag; shown with the workers and "
        "the jobs that they begin.",
    )
    trace_url_template: str = Field(
        default="",
        description="The URL of a trace where you look at traces, with {trace_id} and, if wanted, {span_id} in it, "
        "e.g. https://jaeger.example.com/trace/{trace_id}. Jobs then have links to their traces.",
    )
    jobtracker_enabled: bool = Field(
        default=True, description="false: nothing is tracked, and tasks run as with Celery alone."
    )
    jobtracker_resend: Literal["auto", "never"] = Field(
        default="auto",
        description="never: jobtracker sends only what somebody asked for: no missing message again, no new run "
        "of a lost job.",
    )
    result_backend_wait_s: float = Field(
        default=600.0,
        ge=0,
        description="How long lost jobs wait for a result backend that does not answer. After that they fail.",
    )
    maintenance_interval_s: float = Field(
        default=10.0, gt=0, description="How often the background services run, in seconds."
    )

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        parts = url.split(";")
        if any(scheme_of(each) != scheme_of(url) for each in parts) or not (
            is_sentinel(url) or is_cluster(url) or (len(parts) == 1 and scheme_of(url) in {"redis", "rediss", "unix"})
        ):
            raise ValueError("must begin with redis://, rediss://, unix://, sentinel:// or redis+cluster://")
        return url

    @field_validator("redis_db")
    @classmethod
    def _is_there(cls, db: int, info: ValidationInfo) -> int:
        if db and is_cluster(info.data.get("redis_url", "")):
            raise ValueError("a cluster has database 0 only")
        return db

    @field_validator("celery_broker_url")
    @classmethod
    def _is_broker(cls, urls: str | None) -> str | None:
        # Several are alternatives, one of which is used (kombu/connection.py).
        if urls and any(scheme_of(url) not in REDIS_SCHEMES | AMQP_SCHEMES for url in urls.split(";")):
            raise ValueError(
                "must begin with redis://, rediss://, unix:// or sentinel:// for Redis, amqp:// or amqps:// for "
                "RabbitMQ; Celery has no transport for a cluster"
            )
        return urls

    @field_validator("gcs_bucket_name")
    @classmethod
    def _is_bucket(cls, name: str | None) -> str | None:
        if name is not None:
            need_bucket_name(name)
        return name

    @field_validator("gcp_project_id")
    @classmethod
    def _is_project(cls, project: str | None) -> str | None:
        if project is not None and not _PROJECT.fullmatch(project):
            raise ValueError("must be the id of a project, not its name: small letters, digits and hyphens")
        return project

    @field_validator("storage_emulator_host")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and not _EMULATOR_URL.fullmatch(url):
            raise ValueError("must be a URL without a path, e.g. http://localhost:4443")
        return url

    @field_validator("firestore_emulator_host")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is not None and not _EMULATOR_ADDRESS.fullmatch(address):
            raise ValueError("must be host:port without a scheme, e.g. localhost:8080")
        return address

    @field_validator("trace_url_template")
    @classmethod
    def _is_template(cls, template: str) -> str:
        if template and not _TRACE_URL.fullmatch(template):
            raise ValueError("must be an http:// or https:// URL with {trace_id} where the trace's id goes")
        return template

    @field_validator("lease_lost_s")
    @classmethod
    def _is_renewed_before_it_is_lost(cls, lost_s: float, info: ValidationInfo) -> float:
        if lost_s <= info.data.get("lease_renew_s", 0):
            raise ValueError(
                "must be more than LEASE_RENEW_S, or every worker counts as lost; four times that is safe"
            )
        return lost_s

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings; where REDIS_URL is not set, the tracking Redis is a Redis that CELERY_BROKER_URL names.

        Raises:
            SettingsError: A value can't be used.
        """
        settings = super().from_env(environ)
        if settings.names_redis or not settings.celery_broker_url:
            return settings
        url = redis_url(settings.celery_broker_url)
        return settings.model_copy(update={"redis_url": url}) if url else settings

    @property
    def names_redis(self) -> bool:
        """Whether the tracking Redis was chosen, and is not that of the default."""
        return "redis_url" in self.model_fields_set

    def check(self) -> None:  # noqa: D102 (as the base has it)
        if not self.names_redis and self.celery_broker_url:
            raise SettingsError(
                "Bad settings in the environment. REDIS_URL: must be set where CELERY_BROKER_URL is RabbitMQ's, to "
                "the Redis that is to keep the jobs."
            )
        self.broker_url  # noqa: B018 (asked for what it raises)
        self.result_backend  # noqa: B018
        if self.results_are_in_bucket and not self.gcp_project_id and "gcs_project=" not in self.result_backend:
            raise SettingsError(
                "Bad settings in the environment. GCP_PROJECT_ID: must be set where CELERY_RESULT_BACKEND is gs://, "
                "to the project whose Firestore counts the parts of chords."
            )

    @property
    def tracking_url(self) -> str:
        """The tracking Redis with its database number."""
        return with_database(self.redis_url, self.redis_db)

    @property
    def broker_url(self) -> str:
        """Celery's broker, as Celery spells it.

        Raises:
            SettingsError: None is set, and the tracking Redis can't be one.
        """
        return celery_url(self.celery_broker_url or self._for_celery("CELERY_BROKER_URL", "messages"))

    @property
    def broker_is_amqp(self) -> bool:
        """Whether that is RabbitMQ."""
        return scheme_of(self.broker_url) in AMQP_SCHEMES

    @property
    def result_backend(self) -> str:
        """Celery's result backend, as Celery spells it.

        Raises:
            SettingsError: None is set, and the tracking Redis can't be one.
        """
        return celery_url(self.celery_result_backend or self._for_celery("CELERY_RESULT_BACKEND", "results"))

    @property
    def results_are_in_bucket(self) -> bool:
        """Whether Celery's results are in a bucket of Google Cloud Storage."""
        return scheme_of(self.result_backend) == "gs"

    def _for_celery(self, variable: str, what: str) -> str:
        if is_cluster(self.redis_url):
            raise SettingsError(
                f"Bad settings in the environment. {variable}: must be set where REDIS_URL is a cluster's: Celery "
                f"can't keep its {what} in one, but in a single Redis, or one behind Sentinels."
            )
        return self.tracking_url

    @property
    def retention_ms(self) -> int:
        """How long settled jobs stay, in milliseconds."""
        return int(self.job_retention_days * 86_400_000)

    @property
    def series_s(self) -> int:
        """How long time series stay, in seconds: a day longer than settled jobs."""
        return self.retention_ms // 1000 + 86_400


_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]*[a-z0-9]")
_TRACE_URL = re.compile(r"https?://[^\s{}]+(\{(trace|span)_id\}[^\s{}]*)*\{trace_id\}[^\s{}]*(\{span_id\}[^\s{}]*)*")
_EMULATOR_URL = re.compile(r"https?://[^/\s]+")
_EMULATOR_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^/:\s]+):\d+")
