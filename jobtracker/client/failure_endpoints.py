"""The endpoints below `/api/failures`: groups of failures."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from jobtracker.client.calls import Call
from jobtracker.client.endpoint import Endpoint
from jobtracker.schemas.failures import FailureGroupDetails, FailureGroupPage

StateName = Literal["new", "known", "resolved", "regressed", "ignored"]
ActionName = Literal["resolve", "ignore", "reopen"]


class FailureEndpoints:
    """The methods that both clients have for what is below `/api/failures`."""

    @Endpoint
    def failures(
        self,
        *,
        state: StateName | Sequence[StateName] | None = None,
        error_type: str | None = None,
        job_type: str | None = None,
        queue: str | None = None,
        release: str | None = None,
        since: datetime | None = None,
        sort: Literal["-last_seen", "-count"] = "-last_seen",
        page_size: int = 50,
        cursor: str | None = None,
    ) -> Call[FailureGroupPage]:
        """Failures by error: one page of the groups of jobs that have failed in the same way.

        Args:
            state: Only groups in this state, or in one of several.
            error_type: Only this type of exception, with its module unless it is a builtin.
            job_type: Only groups in which jobs of this type have failed.
            queue: Only those in which jobs of this queue have.
            release: Only those in which jobs have in this release.
            since: Only those that were seen at this time or later, an aware datetime.
            sort: Seen last first, or the most failures first.
            page_size: The most groups, up to 500. With a filter a page may have fewer and a `next_cursor`.
            cursor: The `next_cursor` of the page before.
        """
        params = {
            "state": state,
            "error_type": error_type,
            "job_type": job_type,
            "queue": queue,
            "release": release,
            "since": since,
            "sort": sort,
            "page_size": page_size,
            "cursor": cursor,
        }
        return Call("GET", "/api/failures", FailureGroupPage, params)

    @Endpoint
    def failure(self, group_id: str) -> Call[FailureGroupDetails]:
        """A group of failures: by type, queue, worker and release, over time, and the jobs that failed with it last.

        Raises:
            ApiError: There is none with that id.
        """
        return Call("GET", _path(group_id), FailureGroupDetails)

    @Endpoint
    def mark_failure(self, group_id: str, action: ActionName) -> Call[FailureGroupDetails]:
        """Mark a group of failures as resolved or to be ignored, or reopen it; returns it as it is then.

        If a job fails with its error after the group was resolved, the group is regressed.

        Raises:
            ApiError: There is none with that id.
        """
        return Call("PUT", _path(group_id), FailureGroupDetails, body={"action": action})


def _path(group_id: str) -> str:
    return f"/api/failures/{quote(group_id, safe='')}"
