"""Every endpoint of the API, described once for both clients."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack, cast

from jobtracker.client.access_endpoints import AccessEndpoints
from jobtracker.client.audit_endpoints import AuditEndpoints
from jobtracker.client.bulk_endpoints import BulkEndpoints
from jobtracker.client.calls import Call, job_path
from jobtracker.client.endpoint import Endpoint
from jobtracker.client.failure_endpoints import FailureEndpoints
from jobtracker.client.tracking_endpoints import TrackingEndpoints
from jobtracker.client.webhook_endpoints import WebhookEndpoints
from jobtracker.core.lifecycle import FailurePolicy, Priority, Status
from jobtracker.schemas.explanation import Explanation
from jobtracker.schemas.filters import Origin
from jobtracker.schemas.history import HistoryEntry
from jobtracker.schemas.jobs import Job, JobError, JobPage, JobTree, LogLine
from jobtracker.schemas.requests import BatchCreated, JobCreate, ProgressUpdate, SubJobCreate
from jobtracker.schemas.search import Suggestions

PriorityName = Priority | Literal["low", "normal", "high", "critical"]
StatusName = Status | Literal["pending", "running", "completed", "failed", "cancelled", "retrying"]
PolicyName = FailurePolicy | Literal["fail", "fail_fast", "continue"]
OriginName = Origin | Literal["api", "beat", "task", "plain"]
SortName = Literal["created_at", "-created_at", "status_changed_at", "-status_changed_at"]


Texts = str | Sequence[str]


class JobFilters(TypedDict, total=False):
    """Which jobs a list shows, and in which order.

    A filter that is not given does not apply. Of several values of one filter a job must have one. Times need a time
    zone.
    """

    q: str | None
    """A query, e.g. `status:failed type:invoice since:2h`, besides the other filters."""
    tz: str
    """The time zone of times in `q` that name none; default: UTC."""
    status: StatusName | Sequence[StatusName] | None
    job_type: Texts | None
    priority: PriorityName | Sequence[PriorityName] | None
    parent: Texts | None
    sent_by: Texts | None
    group: Texts | None
    tag: Texts | None
    queue: Texts | None
    worker: Texts | None
    release: Texts | None
    error_type: Texts | None
    failure_group: Texts | None
    origin: OriginName | Sequence[OriginName] | None
    schedule: Texts | None
    """An entry in beat's schedule."""
    name: Texts | None
    """Part of the name."""
    text: Texts | None
    """Part of the name, the type or the reason; several: each of them."""
    created_from: datetime | None
    created_to: datetime | None
    started_from: datetime | None
    started_to: datetime | None
    finished_from: datetime | None
    finished_to: datetime | None
    running_at: datetime | None
    min_run_s: float | None
    max_run_s: float | None
    min_wait_s: float | None
    max_wait_s: float | None
    min_retries: int | None
    max_retries: int | None
    min_losses: int | None
    max_losses: int | None
    has_log: bool | None
    sort: SortName | None
    """By status_changed_at only with a status, or a time at which jobs started or finished. A minus: newest first."""


class SendingOptions(TypedDict, total=False):
    """When and where the task of a job is sent; see `jobtracker.schemas.sending.Sending`. Times need a time zone."""

    eta: datetime | None
    countdown: float | None
    expires: datetime | float | None
    queue: str | None


def _given(sending: SendingOptions) -> dict[str, Any]:
    return {name: value for name, value in sending.items() if value is not None}


class JobChanges(TypedDict, total=False):
    """What is to change of a job; see `jobtracker.schemas.requests.JobUpdate`."""

    name: str
    tags: Sequence[str]
    priority: PriorityName
    payload: Mapping[str, Any]
    status: Literal["running", "completed", "failed", "cancelled"] | Status
    progress: ProgressUpdate
    result: Any
    error: JobError


class Endpoints(
    TrackingEndpoints, FailureEndpoints, BulkEndpoints, AuditEndpoints, WebhookEndpoints, AccessEndpoints
):
    """The methods that both clients have, one for each endpoint."""

    @Endpoint
    def create(
        self,
        job_type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        priority: PriorityName = Priority.NORMAL,
        tags: Sequence[str] = (),
        start: bool = False,
        unique: Mapping[str, Any] | None = None,
        **sending: Unpack[SendingOptions],
    ) -> Call[Job]:
        """Create a job. It is pending until it is started, here or by `start`.

        Args:
            job_type: One of `job_types()`.
            payload: The task's keyword arguments.
            name: For people; default: the job type.
            priority: How urgent it is.
            tags: To find it by.
            start: Send it to Celery at once.
            unique: `{"key": …}`, perhaps with `while` and `for_s`: if there is a job with that key, it is returned.
            sending: When and where: eta or countdown, expires, queue. Seconds count from the start.

        Raises:
            InvalidJobError: The type is not known, the payload does not fit its schema, or it could never begin.
        """
        body: dict[str, Any] = {"name": name or job_type, "job_type": job_type, "payload": payload or {}}
        body |= {"priority": priority, "tags": list(tags), "start": start, **_given(sending)}
        body |= {"unique": unique} if unique else {}
        return Call("POST", "/api/jobs/", Job, body=body)

    @Endpoint
    def create_tree(
        self,
        job_type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        sub_jobs: Sequence[SubJobCreate | Mapping[str, Any]],
        name: str | None = None,
        priority: PriorityName = Priority.NORMAL,
        tags: Sequence[str] = (),
        failure_policy: PolicyName = FailurePolicy.FAIL,
        start: bool = False,
        unique: Mapping[str, Any] | None = None,
        **sending: Unpack[SendingOptions],
    ) -> Call[JobTree]:
        """Create a parent with sub-jobs, nested to any depth. Its own task runs after them and gets their results.

        Args:
            job_type: The parent's own type.
            payload: The parent's own.
            sub_jobs: `SubJobCreate`s, or mappings with the same fields: name, job_type, payload, sub_jobs …
            name: For people; default: the job type.
            priority: How urgent it is; its sub-jobs inherit it.
            tags: To find it by.
            failure_policy: What it does when a sub-job does not complete.
            start: Send it to Celery at once.
            unique: As for `create`: the parent has the key, as long as it has one of the statuses.
            sending: When and where the parent's own task is sent: eta or countdown, expires, queue.

        Raises:
            InvalidJobError: A type is not known, a payload does not fit, or a task can't take results.
        """
        body: dict[str, Any] = {"name": name or job_type, "job_type": job_type, "payload": payload or {}}
        body |= {"priority": priority, "tags": list(tags), "failure_policy": failure_policy, "start": start}
        body |= {"sub_jobs": list(sub_jobs), **_given(sending)} | ({"unique": unique} if unique else {})
        return Call("POST", "/api/jobs/with-subjobs", JobTree, body=body)

    @Endpoint
    def create_batch(
        self, jobs: Sequence[JobCreate | Mapping[str, Any]], *, start: bool = False
    ) -> Call[BatchCreated]:
        """Create up to 10,000 jobs without sub-jobs: all of them, or none. Returns their `ids`, in order.

        Where another job has the `unique` key of one, its id is there, and `joined` has its place. Then there may be
        200 jobs.

        Args:
            jobs: `JobCreate`s, or mappings with the same fields: job_type, payload, name, priority, tags, unique …
            start: Send them to Celery at once. Workers send them, if they are more than 50.

        Raises:
            InvalidJobError: Some of them can't be created; `problems` names the first 50 by their places.
        """
        return Call("POST", "/api/jobs/batch", BatchCreated, body={"jobs": list(jobs), "start": start})

    @Endpoint
    def start(self, job_id: str, **sending: Unpack[SendingOptions]) -> Call[Job]:
        """Send a job, with its sub-jobs, to Celery.

        Args:
            job_id: The job.
            sending: When and where its own task is sent: eta or countdown, expires, queue.

        Raises:
            IllegalTransitionError: It was started before.
        """
        return Call("POST", job_path(job_id, "/start"), Job, body=_given(sending) or None)

    @Endpoint
    def cancel(self, job_id: str, *, reason: str | None = None, terminate: bool = False) -> Call[Job]:
        """Cancel a job and its sub-jobs. Waiting jobs are cancelled at once; running tasks are asked to stop.

        Args:
            job_id: The job.
            reason: Why; shown in the job and its history.
            terminate: Kill a running task instead of asking it to stop.

        Raises:
            IllegalTransitionError: It has ended already.
        """
        body = {"terminate": terminate} if reason is None else {"terminate": terminate, "reason": reason}
        return Call("POST", job_path(job_id, "/cancel"), Job, body=body)

    @Endpoint
    def retry(self, job_id: str, *, from_failed: bool = False) -> Call[Job]:
        """Run a failed or cancelled job again. Of a parent, only the sub-jobs that did not complete run again.

        What follows it in its chain runs after it. Returns the job that runs again.

        Args:
            job_id: The job.
            from_failed: If an earlier job of its chain did not complete, run that one again, and then the rest.

        Raises:
            IllegalTransitionError: It has not failed, and was not cancelled; or a job before it in its chain did not
                complete.
        """
        return Call("POST", job_path(job_id, "/retry"), Job, body={"from_failed": True} if from_failed else None)

    @Endpoint
    def update(self, job_id: str, **changes: Unpack[JobChanges]) -> Call[Job]:
        """Change a job: name, tags, before the start also priority and payload. Or report on a job outside of Celery.

        Raises:
            IllegalTransitionError: Its status does not allow it.
        """
        return Call("PUT", job_path(job_id), Job, body=changes)

    @Endpoint
    def delete(self, job_id: str) -> Call[None]:
        """Remove a job with its sub-jobs.

        Raises:
            IllegalTransitionError: It was started and has not ended: cancel it first.
        """
        return Call("DELETE", job_path(job_id), cast("type[None]", None))

    @Endpoint
    def get(self, job_id: str) -> Call[Job]:
        """A job with its payload, result and error.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return Call("GET", job_path(job_id), Job)

    @Endpoint
    def payload(self, job_id: str) -> Call[Any]:
        """The payload of a job, however large it is.

        Raises:
            JobNotFoundError: There is none with that id.
            ApiError: It is not stored; the message says why.
        """
        return Call("GET", job_path(job_id, "/payload"), cast("type[Any]", Any), is_stored_value=True)

    @Endpoint
    def args(self, job_id: str) -> Call[list[Any]]:
        """The positional arguments of a job's task, however large they are.

        Raises:
            JobNotFoundError: There is none with that id.
            ApiError: They are not stored; the message says why.
        """
        return Call("GET", job_path(job_id, "/args"), list[Any], is_stored_value=True)

    @Endpoint
    def result(self, job_id: str) -> Call[Any]:
        """The result of a job, however large it is.

        Dates, UUIDs and decimals are as Celery writes them: `{"__type__": …, "__value__": …}`. NaN, Infinity and
        half of a surrogate pair are what the task returned.

        Raises:
            JobNotFoundError: There is none with that id.
            ApiError: There is no result, or it is not stored; the message says why.
        """
        return Call("GET", job_path(job_id, "/result"), cast("type[Any]", Any), is_stored_value=True)

    @Endpoint
    def explain(self, job_id: str) -> Call[Explanation]:
        """Why a job is not done, or why it ended as it did.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return Call("GET", job_path(job_id, "/explain"), Explanation)

    @Endpoint
    def history(self, job_id: str) -> Call[list[HistoryEntry]]:
        """What has happened to a job, oldest first.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return Call("GET", job_path(job_id, "/history"), list[HistoryEntry])

    @Endpoint
    def logs(self, job_id: str, *, limit: int = 1000, after: str | None = None) -> Call[list[LogLine]]:
        """The last lines of a job's own log, oldest first; with `after` the first ones behind the line of that id."""
        return Call("GET", job_path(job_id, "/logs"), list[LogLine], {"limit": limit, "after": after})

    @Endpoint
    def page(
        self,
        *,
        page: int | None = None,
        page_size: int = 50,
        cursor: str | None = None,
        **filters: Unpack[JobFilters],
    ) -> Call[JobPage]:
        """One page of a list of jobs. It may be short and still have a `next_cursor`. `jobs` iterates over all.

        Args:
            page: Its number, from 1.
            page_size: At most 500.
            cursor: The `next_cursor` of the page before, instead of a number.
            filters: Which jobs, and in which order.
        """
        where = {"page": page, "page_size": page_size, "cursor": cursor}
        return Call("GET", "/api/jobs/", JobPage, {**filters, **where})

    @Endpoint
    def suggest(self, q: str = "", *, at: int | None = None) -> Call[Suggestions]:
        """What may stand at a place of a query: qualifiers, or values of the one that stands before it.

        Args:
            q: The query as far as it is typed.
            at: The place, in characters from 0; default: its end.
        """
        return Call("GET", "/api/search/suggest", Suggestions, {"q": q, "at": at})
