"""Settings of the library, read from the environment. Units stand in the names."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from jobtracker.errors import JobTrackerError


class SettingsError(JobTrackerError):
    """An environment variable has a value that can't be used; the message names it."""


class EnvironmentSettings(BaseModel):
    """A model whose fields are read from the environment variables of their (upper-case) names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from `environ` (default: the process's own); an empty variable counts as not set.

        Raises:
            SettingsError: A value can't be used.
        """
        environ = os.environ if environ is None else environ
        values = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper())}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            raise SettingsError(f"Bad settings in the environment. {problems}") from error


class Settings(EnvironmentSettings):
    """Where jobs are tracked, and how."""

    redis_url: str = Field(
        "redis://localhost:6379", description="The tracking Redis: redis://, rediss:// or unix://."
    )
    redis_db: Annotated[int, Field(ge=0)] = Field(0, description="Its database, where the URL names none.")
    tracking_namespace: str = Field("jobtracker", min_length=1, description="What every key begins with.")
    tracking_timeout_s: float = Field(1.0, gt=0, description="The longest a task waits for the tracking Redis.")
    celery_broker_url: str | None = Field(None, description="Celery's broker; default: the tracking Redis.")
    celery_result_backend: str | None = Field(None, description="Celery's results; default: the tracking Redis.")
    task_events: bool = Field(False, description="Send Celery's own task events too, for Flower's list of tasks.")
    job_retention_days: float = Field(7, gt=0, le=36_500, description="Settled jobs leave after this many days.")
    tombstone_s: int = Field(86400, gt=0, description="How long a deleted job's late reports are still refused.")
    max_result_bytes: int = Field(65536, ge=0, description="Larger results stay in Celery's result backend only.")
    max_traceback_chars: int = Field(16384, ge=0, description="Longer tracebacks lose their middle.")
    max_log_lines: int = Field(1000, gt=0, description="A job's log keeps about this many lines.")
    progress_interval_s: float = Field(0.5, ge=0, description="A task's progress is written at most this often.")
    lease_renew_s: float = Field(5.0, gt=0, description="How often a worker renews its lease.")
    lease_lost_s: float = Field(20.0, gt=0, description="A worker that has not renewed for so long is lost.")
    reap_interval_s: float = Field(10.0, gt=0, description="How often retention and lost workers are looked after.")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return url

    @property
    def tracking_url(self) -> str:
        """The tracking Redis with its database number."""
        return with_database(self.redis_url, self.redis_db)

    @property
    def broker_url(self) -> str:
        """Celery's broker."""
        return self.celery_broker_url or celery_redis_url(self.tracking_url)

    @property
    def result_backend(self) -> str:
        """Celery's result backend."""
        return self.celery_result_backend or celery_redis_url(self.tracking_url)

    @property
    def retention_ms(self) -> int:
        """How long settled jobs stay, in milliseconds."""
        return int(self.job_retention_days * 86_400_000)


def with_database(url: str, db: int) -> str:
    """`url` with database `db`, unless it names one itself."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        named = "db" in parse_qs(parts.query)
        return url if named else f"{url}{'&' if parts.query else '?'}db={db}"
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=f"/{db}"))


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an IP address, is this machine as only it can reach itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def celery_redis_url(url: str) -> str:
    """A redis-py URL as Celery spells it: kombu writes a unix socket as redis+socket:// with virtual_host."""
    if not url.startswith("unix://"):
        return url
    socket, _, query = url.removeprefix("unix://").partition("?")
    options = {"virtual_host" if name == "db" else name: value for name, value in parse_qsl(query)}
    return f"redis+socket://{socket}{'?' if options else ''}{urlencode(options)}"
