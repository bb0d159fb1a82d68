"""What a task says about itself: its job type, its payload, and what of it may be stored."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from celery import Task
from celery.local import Proxy
from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError

_MARK = "__jobtracker__"
T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A task as a job type.

    Attributes:
        job_type: The type's name; None: the task's own name.
        payload: A pydantic model of the task's keyword arguments; None: the schema follows from its signature.
        store_args: Keep the arguments of plain Celery calls as JSON (needed to run such a job again); otherwise a
            bounded repr. Payloads of jobs that came through the API are always kept.
        store_result: Keep the result.
    """

    job_type: str | None = None
    payload: type[BaseModel] | None = None
    store_args: bool = False
    store_result: bool = True


DEFAULT = Declaration()


def tracked(
    job_type: str | None = None,
    *,
    payload: type[BaseModel] | None = None,
    store_args: bool = False,
    store_result: bool = True,
) -> Callable[[T], T]:
    """Declare a task's job type. Composes with `@app.task` and `@shared_task`; goes below them, next to the function.

        @shared_task
        @tracked("invoice")
        def invoice(customer: str, lines: list[int]) -> dict: ...

    A class-based task takes it on its class. The arguments are those of `Declaration`.

    Raises:
        TypeError: It stands above `@app.task`: Celery's task would have to be built now, before the app is set up.
    """
    declaration = Declaration(job_type=job_type, payload=payload, store_args=store_args, store_result=store_result)

    def declare(target: T) -> T:
        if issubclass(type(target), Proxy | Task):  # isinstance would ask the proxy, and so build the task
            raise TypeError("Put @tracked below @app.task or @shared_task, right above the function.")
        setattr(target, _MARK, declaration)
        return target

    return declare


def declaration_of(task: Task) -> Declaration | None:
    """What a task declared, or None."""
    declared = getattr(task.run, _MARK, None) or getattr(type(task), _MARK, None)
    return declared if isinstance(declared, Declaration) else None


def takes_results(task: Task) -> bool:
    """Whether a task can be the body of a chord: its first parameter is positional-only, `*args`, or `results`."""
    first = _first_parameter(task)
    return first is not None and (
        first.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL} or first.name == "results"
    )


def needs_results(task: Task) -> bool:
    """Whether a task can be nothing but the body of a chord: that parameter has no default."""
    first = _first_parameter(task)
    return (
        first is not None
        and takes_results(task)
        and first.kind is not inspect.Parameter.VAR_POSITIONAL
        and first.default is inspect.Parameter.empty
    )


def _first_parameter(task: Task) -> inspect.Parameter | None:
    return next(iter(inspect.signature(task.run).parameters.values()), None)


def payload_schema(task: Task) -> dict[str, Any] | None:
    """The JSON Schema of a task's keyword arguments, or None where its signature does not tell."""
    declared = declaration_of(task)
    if declared and declared.payload:
        return declared.payload.model_json_schema()
    run: Any = functools.partial(task.run, None) if takes_results(task) else task.run
    try:
        schema = TypeAdapter(run).json_schema()
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError, NameError, TypeError):
        return None
    return schema if schema.get("type") == "object" else None
