"""What a Celery message about to be published tells: the job it is, and the tree it belongs to.

A message carries its chord's body signature and what is left of its chain, with their ids (protocol 2: body[2]).
So a tree that plain Celery code builds is known from the messages alone.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kombu.utils.json import dumps

from jobtracker.declarations import Declaration
from jobtracker.dispatch import REQUEST_ID_HEADER
from jobtracker.lifecycle import Priority
from jobtracker.models import job_and_run_of
from jobtracker.store import NewJob

_REPR_CHARS = 1024


class Known(NamedTuple):
    """What this process knows of a task by its name."""

    job_type: str
    declaration: Declaration


class MessageReader:
    """Makes records of messages.

    Args:
        know: Tells the job type and declaration of a task's name, or None for one that is not tracked.
        priority_of: Maps a broker's number (or None) to a priority.
    """

    def __init__(self, know: Callable[[str], Known | None], priority_of: Callable[[int | None], Priority]) -> None:
        self.know = know
        self.priority_of = priority_of

    def jobs(
        self, name: str, headers: Mapping[str, Any], properties: Mapping[str, Any], queue: str, body: Any, at_ms: int
    ) -> list[NewJob]:
        """The jobs that a message tells of: itself, the parents it is a sub-job of, what its chain still holds."""
        args, kwargs, embedded = body
        found: list[NewJob] = []
        known = self.know(name)
        if known is None:
            return found
        job_id, run = job_and_run_of(headers["id"])
        priority = self.priority_of(properties.get("priority"))
        fields: dict[str, str | int] = {
            "name": headers.get("shadow") or name,
            "type": known.job_type,
            "task": name,
            "queue": queue,
            "priority": priority,
            "run": run,
            "queued": at_ms,
            "origin": "celery",
        }
        if headers.get("eta"):
            fields["eta"] = int(datetime.fromisoformat(headers["eta"]).timestamp() * 1000)
        if headers.get(REQUEST_ID_HEADER):
            fields["request_id"] = headers[REQUEST_ID_HEADER]
        family = list(self._parents(embedded.get("chord"), job_id, headers.get("group_index"), priority))
        if family:
            fields["parent"] = family[0].id
        chain = list(self._chain(embedded.get("chain"), priority))
        if chain:
            fields["next"] = chain[0].id
        data = stored_arguments(known.declaration, args, kwargs, headers.get("argsrepr"), headers.get("kwargsrepr"))
        return [NewJob(id=job_id, fields=fields, data=data), *family, *chain]

    def _parents(
        self, signature: Mapping[str, Any] | None, job_id: str, index: int | None, priority: Priority
    ) -> Iterator[NewJob]:
        """The parent of a header task, and that parent's own parents."""
        while signature:
            options = signature["options"]
            if not options.get("task_id") or _is_canvas(signature["task"]):
                return
            parent_id, run = job_and_run_of(options["task_id"])
            position = index or 0
            fields, data = self._described(signature, run, priority)
            signature, index = options.get("chord"), options.get("group_index")
            if signature and signature["options"].get("task_id"):
                fields["parent"] = job_and_run_of(signature["options"]["task_id"])[0]
            yield NewJob(id=parent_id, fields=fields, data=data, subs={position: job_id})
            job_id = parent_id

    def _chain(self, signatures: list[Mapping[str, Any]] | None, priority: Priority) -> Iterator[NewJob]:
        """The jobs that a chain still holds, in the order they will run (Celery keeps the list reversed)."""
        following = [
            s for s in reversed(signatures or []) if s["options"].get("task_id") and not _is_canvas(s["task"])
        ]
        for place, signature in enumerate(following):
            job_id, run = job_and_run_of(signature["options"]["task_id"])
            fields, data = self._described(signature, run, priority)
            family = list(
                self._parents(
                    signature["options"].get("chord"), job_id, signature["options"].get("group_index"), priority
                )
            )
            if family:
                fields["parent"] = family[0].id
            if place + 1 < len(following):
                fields["next"] = job_and_run_of(following[place + 1]["options"]["task_id"])[0]
            yield NewJob(id=job_id, fields=fields, data=data)
            yield from family

    def _described(
        self, signature: Mapping[str, Any], run: int, priority: Priority
    ) -> tuple[dict[str, str | int], dict[str, str]]:
        name, options = signature["task"], signature["options"]
        known = self.know(name) or Known(name, Declaration())
        number = options.get("priority")
        fields: dict[str, str | int] = {
            "name": options.get("shadow") or name,
            "type": known.job_type,
            "task": name,
            "priority": priority if number is None else self.priority_of(number),
            "run": run,
            "origin": "celery",
        }
        if options.get("queue"):
            fields["queue"] = str(options["queue"])
        args, kwargs = signature.get("args") or (), signature.get("kwargs") or {}
        return fields, stored_arguments(known.declaration, args, kwargs, repr(tuple(args)), repr(kwargs))


def stored_arguments(
    declaration: Declaration, args: Any, kwargs: Any, args_repr: str | None, kwargs_repr: str | None
) -> dict[str, str]:
    """What may be stored of a task's arguments: all of them as JSON, or a bounded repr."""
    if declaration.store_args:
        try:
            return {"args": dumps(list(args)), "payload": dumps(kwargs)}
        except (TypeError, ValueError):
            pass  # another serializer carries what JSON can't
    return {"arguments_repr": f"{args_repr or '()'} {kwargs_repr or '{}'}"[:_REPR_CHARS]}


def _is_canvas(task: str) -> bool:
    return task in {"celery.chain", "celery.group", "celery.chord"}
