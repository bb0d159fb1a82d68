"""The endpoint `/api/audit`: who changed what."""

from datetime import datetime
from typing import Literal

from jobtracker.client.calls import Call
from jobtracker.client.endpoint import Endpoint
from jobtracker.schemas.audit import AuditPage

OutcomeName = Literal["done", "refused", "failed", "unknown"]


class AuditEndpoints:
    """The methods that both clients have for the audit."""

    @Endpoint
    def audit(
        self,
        *,
        principal: str | None = None,
        action: str | None = None,
        job: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        outcome: OutcomeName | None = None,
        page_size: int = 50,
        cursor: str | None = None,
    ) -> Call[AuditPage]:
        """Who changed what, the latest first: one page of entries.

        Args:
            principal: Only what they asked for.
            action: Only this action, e.g. "cancel_job".
            job: Only what was asked of the job, or other target, with this id.
            since: Only at this time or later, an aware datetime.
            until: Only at this time or earlier.
            outcome: Only what ended so.
            page_size: The most entries, up to 500. With a filter a page may have fewer and a `next_cursor`.
            cursor: The `next_cursor` of the page before.

        Returns:
            An `AuditPage`: `entries` (`AuditEntry`), and `next_cursor` if there may be more.

        Raises:
            InvalidJobError: A parameter, or the cursor, can't be read; `problem.errors` names it.
            ForbiddenError: The caller is not an admin.
        """
        params = {
            "principal": principal,
            "action": action,
            "job": job,
            "since": since,
            "until": until,
            "outcome": outcome,
            "page_size": page_size,
            "cursor": cursor,
        }
        return Call("GET", "/api/audit", AuditPage, params)
