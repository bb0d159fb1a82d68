"""Whether the call of a job's task can be repeated from what is stored of it."""

from collections.abc import Mapping

from kombu.utils.json import dumps, loads

from jobtracker.core.masking import ALL
from jobtracker.store.schema import JobRecord


def why_not_sendable(record: JobRecord, data: Mapping[str, str]) -> str | None:
    """Why a job's task can't be called with the arguments that are stored; None: it can.

    Args:
        record: The job.
        data: Its bulky part.
    """
    if record.replaced and record.subs:
        return "its task has put a group or chord into its place, whose own arguments are not stored"
    if record.link == "outdated":
        return f"they hold what the job before it, {record.sent_by}, had returned in an earlier run"
    names = record.masked
    if names == [ALL]:
        return f"its type {record.type} stores none"
    if names:
        return f"its type {record.type} masks {', '.join(names)}"
    if data.get("arguments_repr", "() {}") not in {"() {}", "[] {}"}:
        return f'declare its task {record.task} with @tracked(store_arguments="full"), or set STORE_ARGUMENTS=full'
    return None


def chosen_queue(queue: str | None) -> dict[str, str]:
    """A queue that a request names for a job, as a field of the job's data; it counts more than that of the type."""
    return {"options": dumps({"queue": queue})} if queue else {}


def has_chosen_queue(data: Mapping[str, str]) -> bool:
    """Whether the request that created or started a job has named its queue."""
    return "queue" in loads(data.get("options") or "{}")


def why_not_repeatable(record: JobRecord, data: Mapping[str, str]) -> str | None:
    """Why a job can't run again as it did before, with its links and its place in a chain; None: it can.

    Args:
        record: The job.
        data: Its bulky part.
    """
    if why := why_not_sendable(record, data):
        return why
    if record.linked and not {"link", "link_error"} & loads(data.get("options") or "{}").keys():
        return 'what its link or link_error calls is not stored: that takes store_arguments="full" of all of it'
    if record.link == "body" and not record.subs:
        return f"it is the body of a chord, whose header only the job before it, {record.sent_by}, sends"
    was_sent = record.queued or record.deliveries
    if record.sent_by and not record.link and not was_sent and record.origin != "api":
        return (
            "it was recorded by an earlier release, which did not note whether it takes the result of the job before"
        )
    return None
