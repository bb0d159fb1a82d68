"""Who asks, and API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from jobtracker.client.calls import Call
from jobtracker.client.endpoint import Endpoint
from jobtracker.schemas.api_keys import ApiKey, IssuedKey, Me

RoleName = Literal["viewer", "operator", "admin"]


class AccessEndpoints:
    """The methods that both clients have for keys."""

    @Endpoint
    def me(self) -> Call[Me]:
        """Who asks, what they may do, and to which jobs they are limited."""
        return Call("GET", "/api/me", Me)

    @Endpoint
    def api_keys(self) -> Call[list[ApiKey]]:
        """All API keys, without their secrets. For admins."""
        return Call("GET", "/api/keys", list[ApiKey])

    @Endpoint
    def create_api_key(
        self,
        owner: str,
        *,
        role: RoleName | None = None,
        scopes: Sequence[str] = (),
        job_types: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Call[IssuedKey]:
        """Create an API key. The answer has its secret, which can't be shown again. For admins.

        Args:
            owner: Who gets it.
            role: What it may do; or `scopes`.
            scopes: What it may do, e.g. `["jobs:read", "jobs:create"]`.
            job_types: It is limited to jobs of these types.
            tags: It is limited to jobs with one of these tags.
            expires_at: From then on it is refused.
        """
        body = {
            "owner": owner,
            "role": role,
            "scopes": [*scopes],
            "job_types": job_types and [*job_types],
            "tags": tags and [*tags],
            "expires_at": expires_at,
        }
        return Call("POST", "/api/keys", IssuedKey, body=body)

    @Endpoint
    def rotate_api_key(self, key_id: str, *, overlap_s: int = 86_400) -> Call[IssuedKey]:
        """Give a key a new secret; the older ones are accepted for so long. For admins."""
        return Call("POST", f"{_path(key_id)}/rotate", IssuedKey, body={"overlap_s": overlap_s})

    @Endpoint
    def revoke_api_key(self, key_id: str) -> Call[ApiKey]:
        """Refuse a key from now on, for good. For admins."""
        return Call("DELETE", _path(key_id), ApiKey)


def _path(key_id: str) -> str:
    return f"/api/keys/{quote(key_id, safe='')}"
