"""Reads a Celery message that is about to be published: its job, and the tree that the job belongs to.

A message carries its chord's body signature and what is left of its chain, with their ids (protocol 2: body[2]).
So a tree that plain Celery code builds is known from the messages alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

from jobtracker.broker.headers import REQUEST_ID_HEADER, called, sender, terms
from jobtracker.core.job import job_and_run_of
from jobtracker.core.labels import NO_LABELS, Labels, joined, labels_in
from jobtracker.core.lifecycle import Priority
from jobtracker.core.masking import ArgumentRule, stored_of_call
from jobtracker.jobs.chains import in_order, is_body, kept, kept_options, rest_in, steps_of
from jobtracker.jobs.stored_calls import why_not_sendable
from jobtracker.store.changes import NewJob
from jobtracker.store.schema import JobRecord

ACCUMULATE = "celery.accumulate"
"""Celery's own task that ends a group which has replaced a task, under that task's id."""


class TrackedTask(NamedTuple):
    """What this process knows of a task by its name."""

    job_type: str
    arguments: ArgumentRule


class _Sending(NamedTuple):
    """What the jobs of one message have in common."""

    at_ms: int
    priority: Priority
    fields: dict[str, str | int]
    data: dict[str, str]
    tags: tuple[str, ...] = ()
    """Of all of them."""
    header: str | None = None
    """The group of the sub-jobs on the way to here; Celery names it on a chord's body too, which is no part of it."""


class MessageReader:
    """Makes new jobs of messages.

    Args:
        find: Finds the job type of a task by its name and keyword arguments, and what may be kept of these; None: it
            is not tracked.
        priority_of: Maps a broker's number (or None) to a priority.
    """

    def __init__(
        self, find: Callable[[str, Any], TrackedTask | None], priority_of: Callable[[int | None], Priority]
    ) -> None:
        self.find = find
        self.priority_of = priority_of

    def jobs(
        self,
        name: str,
        headers: Mapping[str, Any],
        properties: Mapping[str, Any],
        queue: str,
        body: Any,
        at_ms: int,
        *,
        options: Mapping[str, Any] | None = None,
        labels: Labels = NO_LABELS,
        goes_on: bool = False,
        published: bool = False,
        chained_anew: bool = False,
    ) -> list[NewJob]:
        """The jobs of a message: its own, the parents of that, and what its chain still holds.

        Args:
            name: The task's name.
            headers: Of the message.
            properties: Of the message.
            queue: Where it goes.
            body: Of the message.
            at_ms: When it is sent.
            options: With which it is called; default: not known.
            labels: The tags of all of the jobs, and a name for the first: the job itself, or the parent of all.
            goes_on: The job before it in its chain sends it, and what follows is recorded: only the next one is told.
            published: As `NewJob` has it, of the message's own job.
            chained_anew: The same.
        """
        args, kwargs, embedded = body
        known = self.find(name, kwargs)
        if known is None:
            return []
        job_id, run = job_and_run_of(headers["id"])
        own = labels_in(headers)
        sending = _Sending(at_ms, self.priority_of(properties.get("priority")), *sender(headers), tags=labels.tags)
        fields: dict[str, str | int] = {
            "name": own.name or headers.get("shadow") or called(name, kwargs),
            "type": known.job_type,
            "task": name,
            **tags_of(own, labels.tags),
            "queue": queue,
            "priority": sending.priority,
            "run": run,
            "queued": at_ms,
            **sending.fields,
            **terms(headers),
        }
        if embedded.get("callbacks") or embedded.get("errbacks"):
            fields["linked"] = "1"
        if headers.get(REQUEST_ID_HEADER):
            fields["request_id"] = headers[REQUEST_ID_HEADER]
        following, around = in_order(embedded), []
        if following or embedded.get("chord") or headers.get("group"):
            place = {**embedded, "group_id": headers.get("group"), "group_index": headers.get("group_index")}
            told = 1 if goes_on else None
            steps = [step for each in following[:told] for step in steps_of(each)]
            around = self._around(job_id, fields, place, steps[:told], sending)
        stored = stored_of_call(known.arguments, args, kwargs, headers.get("argsrepr"), headers.get("kwargsrepr"))
        data = stored.data | sending.data
        if following and not goes_on:
            data["chain"] = kept(following, self.may_be_stored)
        if options and (text := kept_options(options, self.may_be_stored)):
            record = JobRecord.of(job_id, fields | stored.fields)
            data |= {} if why_not_sendable(record, data) else {"options": text}
        fields |= stored.fields
        own_job = NewJob(id=job_id, fields=fields, data=data, published=published, chained_anew=chained_anew)
        jobs = [own_job, *around]
        return _with_name(jobs, labels.name) if labels.name and not own.name else jobs

    def may_be_stored(self, signature: Mapping[str, Any]) -> bool:
        """Whether the arguments of a task that is yet to be sent may be stored."""
        args, kwargs = signature.get("args") or (), signature.get("kwargs") or {}
        if not args and not kwargs:
            return True
        known = self.find(signature["task"], kwargs)
        if known is None or known.arguments.keep != "full":
            return False
        return not known.arguments.mask_arguments(args, kwargs, ahead=0 if signature.get("immutable") else 1).hidden

    @staticmethod
    def task_ids_ahead(body: Any) -> set[str]:
        """The task ids of a message's chord and of what its chain still holds."""
        embedded = body[2]
        signatures = [*([embedded["chord"]] if embedded.get("chord") else []), *in_order(embedded)]
        return {step["options"].get("task_id") for each in signatures for step in steps_of(each)}

    def _around(
        self,
        job_id: str,
        fields: dict[str, str | int],
        options: Mapping[str, Any],
        following: Sequence[Mapping[str, Any]],
        sending: _Sending,
    ) -> list[NewJob]:
        """The parents of a job and the jobs after it in its chain; `fields` get the ids of the nearest of both.

        A chord is sent as a whole, with its header. What follows in a chain is sent by the task before it.
        """
        found = self._parents(job_id, fields, options, sending)
        for step in following:  # no recursion: a chain may have any number of jobs
            job = self._job(step, sending)
            if job is None:
                break
            fields["next"] = job.id
            own = cast("dict[str, str | int]", job.fields)
            own |= {"sent_by": job_id, "link": "body" if is_body(step) else "announced"}
            found += [job, *self._parents(job.id, own, step["options"], sending)]
            job_id, fields = job.id, own
        return found

    def _parents(
        self, job_id: str, fields: dict[str, str | int], options: Mapping[str, Any], sending: _Sending
    ) -> list[NewJob]:
        """The parent of a job, with all that is around that; `fields` get its id, or that of their group."""
        group, chord = options.get("group_id"), options.get("chord")
        if not chord:
            if group and group != sending.header:
                fields["group"] = str(group)
            return []
        sending = sending._replace(header=group)
        steps = steps_of(chord)
        job = self._job(steps[0], sending) if steps else None
        if job is None:
            return []
        fields["parent"] = job.id
        own, data = cast("dict[str, str | int]", job.fields), cast("dict[str, str]", job.data)
        own |= {"queued": sending.at_ms, **sending.fields}
        data |= sending.data
        if rest := rest_in(chord, job.id):
            data["chain"] = kept(rest, self.may_be_stored)
        around = self._around(job.id, own, steps[0]["options"], steps[1:], sending)
        return [replace(job, subs={options.get("group_index") or 0: job_id}), *around]

    def _job(self, step: Mapping[str, Any], sending: _Sending) -> NewJob | None:
        """The job of a step that is yet to be sent; None where it is not tracked."""
        task_id, known = step["options"].get("task_id"), self.find(step["task"], step["kwargs"])
        if not task_id or (known is None and step["task"] != ACCUMULATE):
            return None
        fields, data = self._described(step, known or TrackedTask(ACCUMULATE, ArgumentRule()), sending)
        job_id, fields["run"] = job_and_run_of(task_id)
        return NewJob(id=job_id, fields=fields, data=data)

    def _described(
        self, signature: Mapping[str, Any], known: TrackedTask, sending: _Sending
    ) -> tuple[dict[str, str | int], dict[str, str]]:
        name, options = signature["task"], signature["options"]
        args, kwargs = signature.get("args") or (), signature.get("kwargs") or {}
        number, own = options.get("priority"), labels_in(options.get("headers") or {})
        fields: dict[str, str | int] = {
            "name": own.name or options.get("shadow") or called(name, kwargs),
            "type": known.job_type,
            "task": name,
            **tags_of(own, sending.tags),
            "priority": sending.priority if number is None else self.priority_of(number),
        }
        if options.get("queue"):
            fields["queue"] = str(options["queue"])
        if options.get("link") or options.get("link_error"):
            fields["linked"] = "1"
        if signature.get("immutable"):
            fields["immutable"] = "1"
        ahead = 0 if signature.get("immutable") else 1  # what the tasks before it return
        reprs = options.get("argsrepr"), options.get("kwargsrepr")
        stored = stored_of_call(known.arguments, args, kwargs, *reprs, ahead)
        return fields | stored.fields, stored.data


def is_body_of(current: Any, task_id: str) -> bool:
    """Whether a task is the body of the chord in whose header the task is that runs here."""
    body = current.request.chord
    first = steps_of(body)[:1] if body else []  # a group has no one task that comes first
    return any(step["options"].get("task_id") == task_id for step in first)


def tags_of(labels: Labels, around: tuple[str, ...] = ()) -> dict[str, str]:
    """The tags of a job as a field of its record: those around its call, and its own."""
    tags = joined(around, labels.tags) if around else labels.tags
    return {"tags": json.dumps(tags)} if tags else {}


def _with_name(jobs: Sequence[NewJob], name: str) -> list[NewJob]:
    """The jobs of a message, with a name for the first: its own job or, if that is a sub-job, the parent of all."""
    top = [job for job in jobs if job.subs and "parent" not in job.fields][-1:] or jobs[:1]
    return [replace(job, fields={**job.fields, "name": name}) if job is top[0] else job for job in jobs]
