"""Reads the request of a running task, to record its job if it is not recorded."""

from collections.abc import Callable
from typing import Any

from jobtracker.broker.headers import called, sender, terms
from jobtracker.core.labels import labels_in
from jobtracker.core.lifecycle import Priority
from jobtracker.core.masking import MASK, shortened, stored_when_sent
from jobtracker.core.traceparent import HEADER, read
from jobtracker.instrumentation.current_job import CurrentJob
from jobtracker.instrumentation.message_parser import MessageReader, TrackedTask, tags_of
from jobtracker.jobs.chains import ids_of, in_order, kept
from jobtracker.store.changes import NewJob


def job_of_request(
    name: str,
    request: Any,
    job: CurrentJob,
    tracked: TrackedTask,
    *,
    priority_of: Callable[[int | None], Priority],
    reader: MessageReader,
) -> NewJob:
    """How to record the job of a running task.

    Args:
        name: The task's name.
        request: Its request.
        job: The job.
        tracked: As what the task is tracked.
        priority_of: Maps a broker's number (or None) to a priority.
        reader: Says what may be stored of the tasks that follow in its chain.
    """
    delivery = request.delivery_info or {}
    sent_by, sent_from = sender(request)
    labels = labels_in(request)
    fields: dict[str, str | int] = {
        "name": labels.name or request.shadow or called(name, request.kwargs),
        "type": tracked.job_type,
        "task": name,
        **tags_of(labels),
        "queue": delivery.get("routing_key") or "",
        "priority": priority_of(delivery.get("priority")),
        "run": job.run,
        **({"queued": job.sent} if isinstance(job.sent, int) and job.sent else {}),
        **sent_by,
        **terms(request),
    }
    if (traceparent := request.get(HEADER)) and read(traceparent):
        fields[HEADER] = traceparent
    if request.group and not request.chord:
        fields["group"] = request.group
    if request.callbacks or request.errbacks:
        fields["linked"] = "1"
    bulk: dict[str, str] = {}
    if following := in_order({"chain": request.chain}):
        fields |= {"next": ids[0]} if (ids := ids_of(following[0])) else {}
        bulk["chain"] = kept(following, reader.may_be_stored)
    masked_args = tracked.arguments.mask_arguments(request.args, request.kwargs)
    args_repr, kwargs_repr = request.argsrepr, request.kwargsrepr
    if masked_args.hidden:
        args_repr = _masked_repr(args_repr, request.args, masked_args.args_repr)
        kwargs_repr = _masked_repr(kwargs_repr, request.kwargs, masked_args.kwargs_repr)
    stored = stored_when_sent(tracked.arguments, masked_args, args_repr, kwargs_repr)
    return NewJob(id=job.id, fields=fields | stored.fields, data=stored.data | sent_from | bulk)


def _masked_repr(header: str | None, value: Any, masked: str) -> str:
    """What may be shown in place of the repr that a message brings.

    A repr that its sender made may hide what the type does not mask, and show what it does: nothing of it is shown.
    """
    of_celery = {shortened(value), shortened(tuple(value)), masked, None}
    return masked if header in of_celery else MASK
