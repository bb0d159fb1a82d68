"""What a task declares: its job type, its payload, and what of it may be stored."""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from celery import Task
from celery.local import Proxy
from pydantic import BaseModel, TypeAdapter

from jobtracker.core.lifecycle import OnLost
from jobtracker.core.masking import ArgumentRule, Keep

_MARK = "__jobtracker__"

_WHILE = ("pending", "running", "retrying", "completed")
T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class UniqueCall:
    """Of the calls of a task with the same arguments there is one job at a time.

    Attributes:
        by: Names of the parameters whose values count; None: all of them; none: there is one call at a time.
        while_: The statuses of the first job in which there is no second one.
        for_s: No longer than so many seconds after the first call; None: no limit.
        then: What a second call returns, which is not sent: "join", the `AsyncResult` of the first job; "drop", one
            of its own, whose result never comes.
    """

    by: tuple[str, ...] | None = None
    while_: tuple[str, ...] = _WHILE[:3]
    for_s: float | None = None
    then: str = "join"

    def __post_init__(self) -> None:
        if "pending" not in self.while_ or not {*self.while_} <= {*_WHILE}:
            raise ValueError(f"unique: while has pending, and others of {_WHILE}, not {self.while_!r}")
        if self.for_s is not None and self.for_s <= 0:
            raise ValueError(f"unique: for_s is more than 0, not {self.for_s!r}")
        if self.then not in {"join", "drop"}:
            raise ValueError(f"unique: then is join or drop, not {self.then!r}")

    @classmethod
    def of(cls, given: "bool | Mapping[str, Any]") -> "UniqueCall | None":
        """What `tracked` was given."""
        if isinstance(given, bool):
            return cls() if given else None
        if unknown := given.keys() - {"by", "while", "for_s", "then"}:
            raise ValueError(f"unique takes by, while, for_s and then, not {', '.join(sorted(unknown))}")
        if isinstance(given.get("by"), str) or isinstance(given.get("while"), str):
            raise TypeError("unique: by and while take lists of names")
        by = given.get("by")
        return cls(
            by=None if by is None else tuple(by),
            while_=tuple(given.get("while", _WHILE[:3])),
            for_s=given.get("for_s"),
            then=given.get("then", "join"),
        )


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A task as a job type.

    Attributes:
        job_type: The type's name; None: the task's own name.
        payload: A pydantic model of the task's keyword arguments; None: the schema follows from its signature.
        store_arguments: What is stored of a plain Celery call's arguments: "repr", shortened; "full", as JSON, which
            is needed to run such a job again; "none". None: what the project's default says (STORE_ARGUMENTS). The
            payload of an API job is always stored until the job begins; with "none" it goes then, and is not shown
            before.
        mask: Names of parameters whose values are not stored, shown or logged: "***" stands for them. A name also
            counts as a key inside of other arguments, at any depth. None is shown as it is.
        store_result: Keep the result.
        on_lost: What becomes of a job whose worker or process dies after its message is acknowledged: "fail", or
            "rerun" in a new run. A plain Celery call needs `store_arguments="full"` for that.
        max_deliveries: A job fails when so many workers or processes have died with it; 1 or more. It is not started
            again then, until somebody retries it.
        unique: There is one job at a time for the same arguments. Calls in groups, chords and chains are sent always,
            and so are calls from processes that do not have the task's code.
    """

    job_type: str | None = None
    payload: type[BaseModel] | None = None
    store_arguments: Keep | None = None
    mask: frozenset[str] = frozenset()
    store_result: bool = True
    on_lost: OnLost = OnLost.FAIL
    max_deliveries: int = 3
    unique: UniqueCall | None = None

    def __post_init__(self) -> None:
        if self.max_deliveries < 1:
            raise ValueError(f"max_deliveries is 1 or more, not {self.max_deliveries!r}")
        if self.store_arguments not in {None, *get_args(Keep)}:
            raise ValueError(f"store_arguments is one of {get_args(Keep)}, not {self.store_arguments!r}")


DEFAULT = Declaration()


def tracked(
    job_type: str | None = None,
    *,
    payload: type[BaseModel] | None = None,
    store_arguments: Keep | None = None,
    mask: Collection[str] = (),
    store_result: bool = True,
    on_lost: Literal["fail", "rerun"] = "fail",
    max_deliveries: int = 3,
    unique: bool | Mapping[str, Any] = False,
) -> Callable[[T], T]:
    """Declare a task's job type. Composes with `@app.task` and `@shared_task`; goes below them, next to the function.

        @shared_task
        @tracked("invoice")
        def invoice(customer: str, lines: list[int]) -> dict: ...

    A class-based task takes it on its class. The arguments are those of `Declaration`; `unique` is True, or a mapping
    with `by`, `while`, `for_s` and `then` (`UniqueCall`).

    Raises:
        TypeError: The decorator stands above `@app.task`: Celery's task would have to be built now, before the app is
            set up. Or `mask` is one text instead of a set of names.
        ValueError: There is no such `store_arguments` or `on_lost`, or `max_deliveries` is below 1.
    """
    if isinstance(mask, str):
        raise TypeError(f"mask takes a set of names: mask={{{mask!r}}}")
    declaration = Declaration(
        job_type=job_type,
        payload=payload,
        store_arguments=store_arguments,
        mask=frozenset(mask),
        store_result=store_result,
        on_lost=OnLost(on_lost),
        max_deliveries=max_deliveries,
        unique=UniqueCall.of(unique),
    )

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
    return next(iter(_parameters(task)), None)


def _parameters(task: Task) -> list[inspect.Parameter]:
    """A task's parameters; none where they are not known, as of what is compiled."""
    try:
        return list(inspect.signature(task.run).parameters.values())
    except (ValueError, TypeError):
        return []


def payload_schema(task: Task) -> dict[str, Any] | None:
    """The JSON Schema of a task's keyword arguments; None where its signature does not say."""
    declared = declaration_of(task)
    if declared and declared.payload:
        return _schema_of(declared.payload)
    run: Any = functools.partial(task.run, None) if takes_results(task) else task.run
    schema = _schema_of(run)
    return schema if schema and schema.get("type") == "object" else None


def argument_rule(task: Task, default: Keep = "repr") -> ArgumentRule:
    """What may be kept and shown of a task's arguments; `default` counts where the task declares nothing.

    Masked are the names that the task declares, and those whose type is secret: pydantic's `SecretStr`, a field
    with `json_schema_extra={"writeOnly": True}`.
    """
    declaration = declaration_of(task) or DEFAULT
    by_kind: dict[Any, list[str]] = {}
    for parameter in _parameters(task):
        by_kind.setdefault(parameter.kind, []).append(parameter.name)
    kinds = inspect.Parameter
    return ArgumentRule(
        keep=declaration.store_arguments or default,
        mask=tuple(sorted({*declaration.mask, *_secret_by_type(task, declaration)})),
        positional=tuple(by_kind.get(kinds.POSITIONAL_ONLY, []) + by_kind.get(kinds.POSITIONAL_OR_KEYWORD, [])),
        rest=next(iter(by_kind.get(kinds.VAR_POSITIONAL, [])), None),
        keyword_only=tuple(by_kind.get(kinds.KEYWORD_ONLY, [])),
        extra=next(iter(by_kind.get(kinds.VAR_KEYWORD, [])), None),
    )


def _secret_by_type(task: Task, declaration: Declaration) -> set[str]:
    schemas = {name: _schema_of(hint) for name, hint in _hints(task).items() if hint not in _NEVER_SECRET}
    if declaration.payload:
        schemas[""] = _schema_of(declaration.payload)
    return {
        secret
        for name, schema in schemas.items()
        if schema
        for secret in _secret_properties({"properties": {name: schema}}, schema.get("$defs", {}))
    }


def _hints(task: Task) -> dict[str, Any]:
    """The types of a task's parameters, without those that exist for type checkers only."""
    function = inspect.unwrap(task.run)
    scope = getattr(function, "__globals__", {})
    hints: dict[str, Any] = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        with suppress(Exception):  # what is written there may raise anything
            hints |= get_type_hints(SimpleNamespace(__annotations__={name: hint}), scope, include_extras=True)
    hints.pop("return", None)
    return hints


_NEVER_SECRET = (str, int, float, bool, bytes, list, dict, Any)
"""Most parameters: not worth a schema."""


def _schema_of(kind: Any) -> dict[str, Any] | None:
    try:
        return TypeAdapter(kind).json_schema()
    except Exception:  # noqa: BLE001 (beside pydantic's own errors, what an annotation or a model of theirs raises)
        return None


def _secret_properties(schema: Any, definitions: dict[str, Any]) -> Iterator[str]:
    """The names of the properties, at any depth of a JSON Schema, that may be written and not read."""
    if isinstance(schema, dict):
        for name, part in (schema.get("properties") or {}).items():
            if _is_secret(part, definitions, ()):
                yield name
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _secret_properties(part, definitions)


def _is_secret(schema: Any, definitions: dict[str, Any], within: tuple[str, ...]) -> bool:
    """Whether a part of a schema is secret itself, one of its alternatives, or what its list or mapping holds."""
    if isinstance(schema, list):
        return any(_is_secret(part, definitions, within) for part in schema)
    if not isinstance(schema, dict):
        return False
    if schema.get("writeOnly") is True or schema.get("format") == "password":
        return True
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name and name not in within and _is_secret(definitions.get(name), definitions, (*within, name)):
        return True
    parts = ("anyOf", "oneOf", "allOf", "items", "prefixItems", "additionalProperties")
    return any(_is_secret(schema.get(part), definitions, within) for part in parts)
