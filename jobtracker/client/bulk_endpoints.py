"""The endpoints of bulk runs: one change of many jobs."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack

from jobtracker.client.calls import Call, job_path
from jobtracker.client.endpoint import Endpoint
from jobtracker.core.lifecycle import Priority
from jobtracker.schemas.bulk import BulkAction, BulkPreview, BulkRefusals, BulkRun

ActionName = BulkAction | Literal["cancel", "terminate", "retry", "delete", "tag", "untag", "reprioritise"]

_UNDER = "/api/jobs/bulk"


class BulkOptions(TypedDict, total=False):
    """Which jobs a bulk run changes, and how. One of `filter`, `ids` and `all` says which."""

    filter: str
    """A query, e.g. `status:failed type:invoice since:2h`."""
    tz: str
    """The time zone of times in `filter` that name none; default: UTC."""
    ids: Sequence[str]
    """Up to 10,000 jobs."""
    all: bool
    """All jobs that there are."""
    tags: Sequence[str]
    """Of tag and untag."""
    priority: Priority | Literal["low", "normal", "high", "critical"]
    """Of reprioritise."""
    reason: str
    """Of cancel and terminate: why."""
    from_failed: bool
    """Of retry: begin with the job of the chain that did not complete."""


class BulkEndpoints:
    """The methods that both clients have for bulk runs."""

    @Endpoint
    def bulk(self, action: ActionName, **which: Unpack[BulkOptions]) -> Call[BulkRun]:
        """Change many jobs. Returns a bulk run, which goes on by itself: `wait` for its id, or ask `bulk_run`.

        Jobs that match now are changed, if they do so still when it is their turn, each once.

        Args:
            action: cancel, terminate, retry, delete, tag, untag or reprioritise.
            which: Which jobs: `filter`, `ids` or `all`; and what the action needs: `tags`, `priority`, `reason` …

        Raises:
            InvalidJobError: The filter can't be read, it is empty, or something does not go with the action.
        """
        return Call("POST", _UNDER, BulkRun, body=_body(action, which))

    @Endpoint
    def preview_bulk(self, action: ActionName, **which: Unpack[BulkOptions]) -> Call[BulkPreview]:
        """How many jobs `bulk` would change, and the first of them. Takes what `bulk` takes, and changes nothing."""
        return Call("POST", _UNDER, BulkPreview, body={**_body(action, which), "dry_run": True})

    @Endpoint
    def bulk_run(self, run_id: str) -> Call[BulkRun]:
        """How far a bulk run is, and what became of the jobs.

        Raises:
            JobNotFoundError: There is no bulk run with that id.
        """
        return Call("GET", job_path(run_id, under=_UNDER), BulkRun)

    @Endpoint
    def bulk_refused(self, run_id: str, *, cursor: int = 0, limit: int = 100) -> Call[BulkRefusals]:
        """The jobs that a bulk run could not change, each with the reason.

        Args:
            run_id: The bulk run.
            cursor: The `next_cursor` of the page before.
            limit: At most 500.
        """
        where = {"cursor": cursor, "limit": limit}
        return Call("GET", job_path(run_id, "/refused", under=_UNDER), BulkRefusals, where)


def _body(action: ActionName, which: BulkOptions) -> dict[str, Any]:
    return {"action": action, **which}
