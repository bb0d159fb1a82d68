"""What the command line asks of the API."""

from typing import Any

import httpx

from jobtracker.errors import JobTrackerError
from jobtracker.models import JobTree


class ApiError(JobTrackerError):
    """The API does not answer, or refuses."""


def post_with_sub_jobs(client: httpx.Client, body: dict[str, Any]) -> JobTree:
    """Create a job with its sub-jobs."""
    return JobTree.model_validate(_ask(client, "POST", "/api/jobs/with-subjobs", json=body))


def get_tree(client: httpx.Client, job_id: str) -> JobTree:
    """A job with all its sub-jobs as they are now."""
    return JobTree.model_validate(_ask(client, "GET", f"/api/tracking/job-tree/{job_id}"))


def _ask(client: httpx.Client, method: str, path: str, *, json: Any = None) -> Any:
    try:
        response = client.request(method, path, json=json)
    except httpx.HTTPError as error:
        raise ApiError(f"The API at {client.base_url} does not answer: {error}") from error
    if not response.is_success:
        raise ApiError(f"{method} {path}: the API answers {response.status_code}. {_reason(response)}")
    return response.json()


def _reason(response: httpx.Response) -> str:
    # RFC 9457 problem details, unless something else stands between us and the API.
    try:
        problem = response.json()
    except ValueError:
        return response.text[:500]
    return (
        str(problem.get("detail") or problem.get("title") or problem) if isinstance(problem, dict) else str(problem)
    )
