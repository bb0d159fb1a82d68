"""The rest of a chain: Celery's own signatures, stored so that the chain can continue from any of its jobs.

The first job of a chain stores the rest as its message has it: a list of signatures, the next one last (protocol 2:
body[2]["chain"]). A later job looks it up there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kombu.utils.json import dumps, loads

from jobtracker.core.job import job_and_run_of
from jobtracker.core.labels import without_labels
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.schema import JobRecord

Signature = Mapping[str, Any]
Kept = dict[str, Any] | list[str]
"""A signature as it is stored; for one that must not be stored, the ids of its jobs."""

_BODY = "jobtracker_body"
"""Marks the body of a chord among the steps of a chain."""

_OF_A_RUN = {"task_id", "group_id", "group_index", "chord", "root_id", "parent_id", "reply_to"}
"""Options of a signature that name its run, its place among others, or the process that waits for it."""

_OF_THE_WAY = _OF_A_RUN | {
    *("chain", "producer", "publisher", "connection", "router", "route_name", "result_cls", "task_type"),
    *("add_to_parent", "retries", "retry", "retry_policy", "argsrepr", "kwargsrepr", "serializer", "compression"),
    *("delivery_mode", "mandatory", "immediate", "queue", "exchange", "exchange_type", "routing_key", "declare"),
    *("priority", "eta", "countdown", "expires", "shadow", "origin", "replaced_task_nesting", "app"),
}
"""Options of a call that a record has, that are about its own sending, or that have passed when it is sent again."""


def steps_of(signature: Signature) -> list[Signature]:
    """The tasks that a signature stands for, in the order they will run; of a chord, those of its body.

    A group has no one task that comes next.
    """
    kwargs: Mapping[str, Any] = signature["kwargs"]
    following = [step for each in in_order(signature["options"]) for step in steps_of(each)]
    match signature["task"]:
        case "celery.chain":
            return [step for task in kwargs["tasks"] for step in steps_of(task)] + following
        case "celery.chord":
            steps = steps_of(kwargs["body"])
            return [{**each, _BODY: True} for each in steps[:1]] + steps[1:] + following
        case "celery.group":
            return following
        case _:
            return [signature, *following]


def in_order(options: Mapping[str, Any]) -> list[Signature]:
    """The rest of a chain, in the order it will run: Celery keeps the list reversed."""
    return list(reversed(options.get("chain") or []))


def is_body(step: Signature) -> bool:
    """Whether a step is the body of a chord: it gets the results of the header, not that of the job before it."""
    return bool(step.get(_BODY))


def ids_of(signature: Signature) -> list[str]:
    """The ids of the jobs that a signature stands for, in order."""
    task_ids = (step["options"].get("task_id") for step in steps_of(signature))
    return [job_and_run_of(task_id)[0] for task_id in task_ids if task_id]


def kept(chain: Sequence[Signature], may_be_stored: Callable[[Signature], bool]) -> str:
    """The rest of a chain as it is stored, JSON.

    If a part must not be stored, the parts before it can't go on as a chain, and are left out.
    """
    found: list[str] = []
    for signature in reversed(chain):
        text = _text_of(signature, may_be_stored)
        found.append(dumps(ids_of(signature)) if text is None else text)
        if text is None:
            break
    return f"[{', '.join(reversed(found))}]"


def _text_of(signature: Signature, may_be_stored: Callable[[Signature], bool]) -> str | None:
    """A signature as JSON; None: it must not be stored, JSON can't carry it, or Celery did not make it."""
    try:
        return str(dumps(signature)) if _all_in(signature, may_be_stored) else None
    except (TypeError, ValueError, KeyError, RecursionError):
        return None


def kept_options(options: Mapping[str, Any], may_be_stored: Callable[[Signature], bool]) -> str | None:
    """What a call sets beyond its record, JSON; None: nothing, or it must not be stored."""
    found = {name: value for name, value in options.items() if value and name not in _OF_THE_WAY}
    if "headers" in found:
        found["headers"] = without_labels(found["headers"])  # the record has the labels
        if not found["headers"]:
            del found["headers"]
    if not found:
        return None
    try:
        if not all(_all_in(each, may_be_stored) for each in _linked(found)):
            found = {name: value for name, value in found.items() if name not in {"link", "link_error"}}
        return dumps(found) if found else None
    except (TypeError, ValueError, KeyError, RecursionError):
        return None


def _all_in(signature: Signature, may_be_stored: Callable[[Signature], bool]) -> bool:
    """Whether a signature and all signatures in it may be stored."""
    kwargs, options = signature["kwargs"], signature["options"]
    inner = [*_linked(options), *(options.get("chain") or [])]
    match signature["task"]:
        case "celery.chain" | "celery.group":
            inner += kwargs["tasks"]
        case "celery.chord":
            inner += [*_header(kwargs["header"]), kwargs["body"]]
        case _ if not may_be_stored(signature):
            return False
    is_tree = signature["task"] in {"celery.chain", "celery.group", "celery.chord"}
    return not (is_tree and signature.get("args")) and all(_all_in(each, may_be_stored) for each in inner)


def _header(header: Any) -> Iterable[Signature]:
    return [header] if isinstance(header, Mapping) else list(header)


def _linked(options: Mapping[str, Any]) -> list[Signature]:
    """What is called at the end of a task."""
    found: list[Signature] = []
    for name in ("link", "link_error"):
        linked = options.get(name) or []
        found += [linked] if isinstance(linked, Mapping) else linked
    return found


def rest_of(queries: JobQueries, record: JobRecord, data: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """What follows a job in its chain, signatures in order; None: that is not stored, or not any more.

    Args:
        queries: Where the first job of the chain is read.
        record: The job.
        data: Its bulky part.
    """
    job_id, seen = record.id, set()
    while record.link and record.id not in seen:
        seen.add(record.id)
        [(record, data)] = queries.load([record.sent_by or ""], missing_ok=True)
        if not record.exists:
            return None
    if "chain" not in data:
        return None if record.next or seen else []
    chain: list[Kept] = loads(data["chain"])
    left = chain if record.id == job_id else _after(chain, job_id)
    if left is None or any(isinstance(each, list) for each in left):
        return None
    return [each for each in left if not isinstance(each, list)]


def rest_in(signature: Signature, job_id: str) -> list[Any]:
    """What follows a job in the signature that it is part of, signatures in order."""
    return _after_in(signature, job_id) or []


def _after(chain: Sequence[Any], job_id: str) -> list[Any] | None:
    """What comes after a job; None: it is not in the chain, or something after it was left out."""
    for place, each in enumerate(chain, start=1):
        if isinstance(each, list):
            if job_id in each:
                return list(chain[place:]) if each[-1] == job_id else None
        elif (inner := _after_in(each, job_id)) is not None:
            return [*inner, *chain[place:]]
    return None


def _after_in(signature: Signature, job_id: str) -> list[Any] | None:
    following = in_order(signature["options"])
    match signature["task"]:
        case "celery.chain":
            inner = _after(signature["kwargs"]["tasks"], job_id)
        case "celery.chord":
            inner = _after_in(signature["kwargs"]["body"], job_id)
        case "celery.group":
            inner = None
        case _:
            is_it = job_and_run_of(signature["options"].get("task_id") or "")[0] == job_id
            inner = [] if is_it else None
    return _after(following, job_id) if inner is None else [*inner, *following]


def renewed(signature: Signature, task_ids: Mapping[str, str]) -> dict[str, Any]:
    """A signature as it is sent once more: with the task ids of the next runs, and outside of Celery's chords.

    Args:
        signature: As it was sent first.
        task_ids: The task ids of the jobs in it, by job id; a task that is no job yet gets an id from Celery.
    """
    options = {name: value for name, value in signature["options"].items() if name not in _OF_A_RUN}
    if task_id := task_ids.get(job_and_run_of(signature["options"].get("task_id") or "")[0]):
        options["task_id"] = task_id
    if "chain" in options:
        options["chain"] = [renewed(each, task_ids) for each in options["chain"] or []]
    kwargs = dict(signature["kwargs"])
    match signature["task"]:
        case "celery.chain" | "celery.group":
            kwargs["tasks"] = [renewed(each, task_ids) for each in kwargs["tasks"]]
        case "celery.chord":
            header = kwargs["header"]
            is_group = isinstance(header, Mapping)
            kwargs["header"] = renewed(header, {}) if is_group else [renewed(each, {}) for each in header]
            kwargs["body"] = renewed(kwargs["body"], task_ids)
    return {**signature, "kwargs": kwargs, "options": options}


def following(queries: JobQueries, record: JobRecord) -> list[JobRecord]:
    """The records of the jobs that follow one in its chain, in order, as far as they are recorded."""
    found: list[JobRecord] = []
    seen = {record.id}
    while (next_id := record.next) and next_id not in seen:
        seen.add(next_id)
        [record] = queries.records([next_id])
        if not record.exists:
            break
        found.append(record)
    return found


def loaded_before(queries: JobQueries, record: JobRecord) -> Loaded | None:
    """The job before one in its chain; only its id if it is gone. None: there is no job before it."""
    if not record.link:
        return None
    return queries.load([record.sent_by or ""], missing_ok=True)[0]


def takes_result(record: JobRecord) -> bool:
    """Whether a job's stored arguments lack the first one: the result of the job before it."""
    return record.link == "announced" and not record.immutable
