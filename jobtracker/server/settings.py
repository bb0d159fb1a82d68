"""Settings of the API, on top of the library's."""

import re

from pydantic import Field, field_validator

from jobtracker.settings import Settings


class ApiSettings(Settings):
    """Where the API listens, its name, and what it accepts."""

    service_name: str = Field(
        default="distributed_job_tracking",
        pattern="^[!-~]([ -~]*[!-~])?$",
        description="The service's name in headers, logs and documentation; ASCII.",
    )
    debug: bool = Field(default=False, description="Log more, and show unexpected errors to the caller.")
    api_host: str = Field(default="0.0.0.0", description="Where the API listens.")  # noqa: S104 (documented default)
    api_port: int = Field(default=19000, ge=0, le=65535, description="The port it listens on.")
    api_allowed_hosts: str = Field(
        default="",
        description="Names that the API answers to beside localhost, its machine's own and IP addresses, separated "
        "by commas; *.example.com: all below it, *: any.",
    )
    api_root_path: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$",
        description="The path below which a proxy shows the API and its page, e.g. /jobtracker.",
    )
    api_workers: int = Field(default=1, ge=1, le=1000, description="The number of API processes.")
    api_client_timeout_s: float = Field(
        default=20.0,
        gt=0,
        description="How long a client may take for its request, plus its body's size at 50 kB a second, and how "
        "long it may read nothing of the answer.",
    )
    api_max_viewers: int = Field(
        default=500, ge=1, le=50_000, description="How many live streams (`/api/events`) a process keeps at once."
    )
    max_request_bytes: int = Field(
        default=10 * 1024 * 1024, gt=0, description="Larger requests are refused with 413."
    )
    inspect_timeout_s: float = Field(
        default=1.0, gt=0, description="How long workers may take to answer the API, in seconds."
    )
    inspect_cache_s: float = Field(
        default=2.0, ge=0, description="How long the answers of workers are reused, in seconds."
    )

    @field_validator("api_allowed_hosts")
    @classmethod
    def _are_names(cls, text: str) -> str:
        names = [name for each in text.split(",") if (name := each.strip().lower())]
        for name in names:
            if name != "*" and not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no host name: give names alone, without scheme, port and path")
        return ",".join(names)

    @field_validator("api_root_path")
    @classmethod
    def _is_apart(cls, path: str) -> str:
        """A proxy may cut the prefix off or leave it on. That can't be seen of one which is a path of the API too."""
        path = path.removesuffix("/")
        if (first := path.partition("/")[2].partition("/")[0]) in API_PATHS:
            raise ValueError(f"the API has a path /{first} of its own: choose another prefix")
        return path

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The names in `api_allowed_hosts`."""
        return tuple(filter(None, self.api_allowed_hosts.split(",")))


API_PATHS = frozenset({"api", "docs", "openapi.json", "redoc", "static-offline-docs"})
"""The first parts of the paths of the API. All others are the page's."""

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
