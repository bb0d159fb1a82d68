"""API keys, and the caller."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jobtracker.core.access import ROLES, Scope
from jobtracker.schemas.requests import Tag
from jobtracker.schemas.sending import Moment

MOST_LIMITS = 50
"""Job types, or tags, to which a key may be limited: as many as a filter may have values."""

Role = Literal["viewer", "operator", "admin"]
"""Names for sets of scopes (`core.access.ROLES`)."""

Owner = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
KeyType = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class KeyState(StrEnum):
    """What an API key is worth."""

    ACTIVE = "active"
    """It is accepted."""
    EXPIRED = "expired"
    """Its time is over."""
    REVOKED = "revoked"
    """Somebody has revoked it."""


class Grant(BaseModel):
    """Whose a key is, and what its bearer may do."""

    owner: Owner = Field(description="Who has it: a person or a program. Shown in the history and the audit.")
    role: Role | None = Field(None, description="What its bearer may do, by the name of a role; or `scopes`.")
    scopes: list[Scope] = Field([], description="What its bearer may do; of a role: its scopes.")
    job_types: list[KeyType] | None = Field(
        None, min_length=1, max_length=MOST_LIMITS, description="It is limited to jobs of these types; null: all."
    )
    tags: list[Tag] | None = Field(
        None, min_length=1, max_length=MOST_LIMITS, description="It is limited to jobs with one of these tags."
    )
    expires_at: Moment | None = Field(None, description="From then on it is refused; null: it does not expire.")

    @property
    def allowed(self) -> frozenset[Scope]:
        """What its bearer may do."""
        return ROLES[self.role] if self.role else frozenset(self.scopes)


class KeyCreate(Grant):
    """An API key to create: with a role, or with scopes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"owner": "nightly import", "role": "operator"}}
    )

    @model_validator(mode="after")
    def _says_what_is_allowed(self) -> "KeyCreate":
        if (self.role is None) == (not self.scopes):
            raise ValueError("give either a role or scopes")
        return self


class ApiKey(Grant):
    """An API key, without its secret: nobody knows that but its owner."""

    id: str = Field(description="Its public part: shown in logs, the history and the audit.")
    state: KeyState
    created_at: datetime
    last_used_at: datetime | None = Field(None, description="To the minute; null: never.")
    revoked_at: datetime | None = None


class IssuedKey(ApiKey):
    """An API key with its secret, which is shown this once."""

    key: str = Field(description="`jt_<id>_<secret>`: keep it like a password. It can't be shown again.")
    older_until: datetime | None = Field(
        None, description="Until then the key's older secrets are accepted too, after a rotation."
    )


class KeyRotate(BaseModel):
    """How to rotate a key."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: int = Field(
        86_400, ge=0, le=30 * 86_400, description="How long its older secrets are still accepted, in seconds."
    )


class Login(BaseModel):
    """An API key to log in with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: str = Field(max_length=200, description="`jt_<id>_<secret>`")


class Me(BaseModel):
    """The caller."""

    name: str = Field(description="The owner of the key, the user of the proxy, or `anonymous`.")
    role: Role | None = Field(description="The role that allows the same; null: none does.")
    scopes: list[Scope] = Field(description="What they may do.")
    key_id: str | None = Field(description="The id of the API key.")
    job_types: list[str] | None = Field(description="They see jobs of these types only; null: of all.")
    tags: list[str] | None = Field(description="They see jobs with one of these tags only; null: all.")
    is_anonymous: bool = Field(description="There is no key yet: whoever asks from here may do that.")
    has_session: bool = Field(description="They have logged in, and can log out.")
