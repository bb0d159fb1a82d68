"""Whether the call of a job's task can be repeated from what is stored of it."""

import json
from collections.abc import Mapping

from kombu.utils.json import loads

from jobtracker.core.job import task_of
from jobtracker.core.masking import ALL


def why_not_sendable(record: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    """Why a job's task can't be called with the arguments that are stored; None: it can.

    Args:
        record: The job.
        data: Its bulky part.
    """
    if record.get("replaced") and record.get("subs"):
        return "its task has put a group or chord into its place, whose own arguments are not stored"
    if record.get("link") == "outdated":
        return f"they hold what the job before it, {record['sent_by']}, had returned in an earlier run"
    names = json.loads(record.get("masked") or "[]")
    if names == [ALL]:
        return f"its type {record['type']} stores none"
    if names:
        return f"its type {record['type']} masks {', '.join(names)}"
    if data.get("arguments_repr", "() {}") not in {"() {}", "[] {}"}:
        return f'declare its task {task_of(record)} with @tracked(store_arguments="full")'
    return None


def why_not_repeatable(record: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    """Why a job can't run again as it did before, with its links and its place in a chain; None: it can.

    Args:
        record: The job.
        data: Its bulky part.
    """
    if why := why_not_sendable(record, data):
        return why
    if record.get("linked") and not {"link", "link_error"} & loads(data.get("options") or "{}").keys():
        return 'what its link or link_error calls is not stored: that takes store_arguments="full" of all of it'
    if record.get("link") == "body" and not record.get("subs"):
        return f"it is the body of a chord, whose header only the job before it, {record['sent_by']}, sends"
    was_sent = record.get("queued") or record.get("deliveries")
    if record.get("sent_by") and not record.get("link") and not was_sent and record.get("origin") != "api":
        return (
            "it was recorded by an earlier release, which did not note whether it takes the result of the job before"
        )
    return None
