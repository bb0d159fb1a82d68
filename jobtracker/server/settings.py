"""Settings of the API, on top of the library's."""

import re
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from jobtracker.core.access import ROLES
from jobtracker.server.access.networks import networks_of
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
    api_listener: Path | None = Field(
        default=None,
        description="A Unix socket over which the API is handed a listening socket that outlives it, beside its own.",
    )
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
    api_open_to: str = Field(
        default="",
        description="Networks that may ask without a key while there is none, beside this machine, separated by "
        "commas: 10.1.0.0/16.",
    )
    api_trusted_proxies: str = Field(
        default="",
        description="Networks of proxies, separated by commas, whose X-Forwarded-User and X-Forwarded-Groups say who "
        "asks, and X-Forwarded-For from where. Those of others are ignored.",
    )
    api_roles: str = Field(
        default="",
        description="The roles of groups, as a proxy or a token names them: sre=admin, devs=operator. `*` stands for "
        "everybody.",
    )
    api_oidc_issuer: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="The OpenID Connect issuer whose tokens (JWT) say who the caller is, as their `iss` names it.",
    )
    api_oidc_audience: str = Field(
        default="",
        validate_default=True,
        description="For whom its tokens must be made (`aud`): the name by which the issuer knows this API.",
    )
    api_oidc_name_claim: str = Field(
        default="sub", min_length=1, description="The claim of a token that says who it is, e.g. email."
    )
    api_oidc_groups_claim: str = Field(
        default="groups", min_length=1, description="The claim that lists the groups; realm_access.roles: within it."
    )
    api_session_hours: float = Field(
        default=12, gt=0, le=24 * 30, description="How long somebody who has logged in to the page stays so."
    )
    api_rate_per_s: float = Field(
        default=200,
        ge=0,
        description="How many requests a second each principal may send to each API process, five times as many at "
        "once; 0: any number. Callers without a key, before there is one, are not counted. Each address may ask "
        "for the health and the login so often, too.",
    )
    api_streams_each: int = Field(
        default=50, ge=0, description="How many live streams each principal may have of a process; 0: any number."
    )
    api_pending_jobs: int = Field(
        default=0, ge=0, description="How many jobs that each principal has created may be pending; 0: any number."
    )
    api_pending_bytes: int = Field(
        default=0, ge=0, description="How many bytes the payloads of these may have together; 0: any number."
    )
    api_workers: int = Field(default=1, ge=1, le=1000, description="The number of API processes.")
    api_client_timeout_s: float = Field(
        default=20.0,
        gt=0,
        description="How long a client may take for its request, plus its body's size at 50 kB a second, and how "
        "long it may read nothing of the answer.",
    )
    api_public_url: str = Field(
        default="",
        pattern="^(https?://[!-~]+)?$",
        description="The URL by which people open the page, for links in webhooks, e.g. https://jobs.example.com.",
    )
    webhook_allowed_networks: str = Field(
        default="",
        description="Networks that webhooks may be sent to beside the internet, separated by commas, e.g. "
        "10.0.0.0/8,127.0.0.1/32.",
    )
    webhook_timeout_s: float = Field(
        default=10.0, gt=0, le=120, description="How long an endpoint may take for one message, in seconds."
    )
    webhook_disable_after_days: float = Field(
        default=5.0, gt=0, description="An endpoint that has taken nothing for so long is disabled."
    )
    smtp_url: str = Field(
        default="",
        repr=False,
        pattern="^(smtps?://[!-~]+)?$",
        description="Where mails are sent: smtp://user:password@host:587 (STARTTLS) or smtps://….",
    )
    smtp_from: str = Field(default="", description="From whom mails are, e.g. jobtracker@example.com.")
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

    metrics_celery_exporter: bool = Field(
        default=False,
        description="`/metrics` has the names of celery-exporter too, for dashboards and alerts made for them.",
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

    @field_validator("api_open_to", "api_trusted_proxies", "webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        networks_of(text)
        return text

    @field_validator("api_oidc_audience")
    @classmethod
    def _is_for_somebody(cls, audience: str, info: ValidationInfo) -> str:
        if info.data.get("api_oidc_issuer") and not audience:
            raise ValueError("must be set where API_OIDC_ISSUER is: or tokens for other programs would be accepted")
        return audience

    @field_validator("api_roles")
    @classmethod
    def _are_roles(cls, text: str) -> str:
        for group, role in _pairs(text):
            if not group or role not in ROLES:
                raise ValueError(f"{group}={role} gives no role: write group=role; the roles are {', '.join(ROLES)}")
        return text

    @property
    def roles_of_groups(self) -> dict[str, str]:
        """The roles in `api_roles`, by group."""
        return dict(_pairs(self.api_roles))

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The names in `api_allowed_hosts`."""
        return tuple(filter(None, self.api_allowed_hosts.split(",")))


def _pairs(text: str) -> list[tuple[str, str]]:
    """Groups and roles, separated by commas; a group's name may have an equals sign (LDAP)."""
    pairs = (each.rpartition("=") for each in text.split(",") if each.strip())
    return [(group.strip(), role.strip()) for group, _, role in pairs]


API_PATHS = frozenset({"api", "docs", "metrics", "openapi.json", "redoc", "static-offline-docs"})
"""The first parts of the paths of the API. All others are the page's."""

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
