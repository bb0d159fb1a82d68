"""What may be kept and shown of a task's arguments, and what stands for the rest."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel

MASK = "***"
"""Stands for a value that is not shown."""

ALL = "*"
"""Among the names of what is masked: all of it."""

Keep = Literal["repr", "full", "none"]

REPR_CHARS = 1024
_SHORTEST_SECRET = 4
"""Characters of a value that is looked for in texts: a shorter one would be found everywhere."""
_SCALARS = (str, bytes, int, float, Decimal, date, time, timedelta, UUID, Enum, type(None))


class ArgumentRule(BaseModel, frozen=True):
    """What a job type says about the arguments of its task. Workers announce it.

    Attributes:
        keep: What is stored of a plain Celery call's arguments: a bounded repr, all as JSON, nothing. Nothing also
            goes for the payload of an API job, once it has begun.
        mask: Names of parameters, and at any depth of keys, whose values are not shown.
        positional: The parameters that take positional arguments, in order.
        rest: The parameter that takes further ones (`*args`).
        keyword_only: The parameters that take none.
        extra: The parameter that takes keyword arguments of any other name (`**kwargs`).
    """

    keep: Keep = "repr"
    mask: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()
    rest: str | None = None
    keyword_only: tuple[str, ...] = ()
    extra: str | None = None

    @property
    def masks_any(self) -> bool:
        """Whether it may mask anything."""
        return bool(self.mask) or self.keep == "none"

    def mask_arguments(self, args: Iterable[Any], kwargs: Mapping[str, Any], ahead: int = 0) -> "MaskedArguments":
        """The arguments as they may be shown.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            ahead: How many more come before them: the results that a chord or chain passes on.
        """
        if self.keep == "none":
            given = [*args, *kwargs.values()]
            return MaskedArguments((), {}, {ALL: given} if given else {})
        if not self.mask:
            return MaskedArguments(tuple(args), kwargs)
        try:
            return self._mask_by_name(args, kwargs, ahead)
        except RecursionError:  # nested too deep to be looked through, or without end
            return MaskedArguments((), {}, {ALL: []})

    def _mask_by_name(self, args: Iterable[Any], kwargs: Mapping[str, Any], ahead: int) -> "MaskedArguments":
        hidden: Hidden = {}
        shown_args = []
        for position, value in enumerate(args, start=ahead):
            name = self._taker(position)
            masked = name is None or name in self.mask  # what nothing takes could be anything
            shown_args.append(self._shown(value, name or f"argument {position + 1}", hidden, masked=masked))
        shown_kwargs = {
            name: self._shown(value, name, hidden, masked=self._masks(name)) for name, value in kwargs.items()
        }
        return MaskedArguments(tuple(shown_args), shown_kwargs, hidden)

    def of_map(self) -> "ArgumentRule":
        """The rule for a task of Celery's that calls this one for many arguments: what it is given is nested."""
        return ArgumentRule(keep="none" if self.mask else self.keep)

    def _taker(self, position: int) -> str | None:
        return self.positional[position] if position < len(self.positional) else self.rest

    def _masks(self, name: str) -> bool:
        further = name not in self.positional and name not in self.keyword_only
        return name in self.mask or (further and self.extra in self.mask)

    def _shown(self, value: Any, name: str, hidden: "Hidden", *, masked: bool) -> Any:
        if masked and value is not None:
            hidden.setdefault(name, []).append(value)
            return MASK
        if isinstance(value, Mapping):
            return {key: self._shown(item, str(key), hidden, masked=key in self.mask) for key, item in value.items()}
        if isinstance(value, list) or type(value) is tuple:
            return type(value)([self._shown(item, name, hidden, masked=False) for item in value])
        return value if isinstance(value, _SCALARS) else _Opaque(value)


UNKNOWN_TASK = ArgumentRule(keep="none")
"""Of a task that this process knows by its name only, and no worker has announced."""

Hidden = dict[str, list[Any]]
"""The values that are not shown, by the names they stand under."""


@dataclass(frozen=True)
class MaskedArguments:
    """Arguments as they may be shown.

    Attributes:
        args: The positional ones.
        kwargs: The keyword arguments.
        hidden: What is not shown of them.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    hidden: Hidden = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of what is not shown; `ALL` where nothing is."""
        return sorted(self.hidden)

    @property
    def args_repr(self) -> str:
        """The positional ones as Celery shortens them."""
        return shortened(self.args)

    @property
    def kwargs_repr(self) -> str:
        """The keyword arguments as Celery shortens them."""
        return shortened(dict(self.kwargs))

    @cached_property
    def secrets(self) -> "tuple[Secret, ...]":
        """The hidden values as texts, the longest first."""
        values = {str(value) for values in self.hidden.values() for value in _leaves(values)}
        longest_first = sorted((v for v in values if len(v) >= _SHORTEST_SECRET), key=len, reverse=True)
        return tuple(map(Secret.of, longest_first))


class Secret(NamedTuple):
    """What texts must not tell, and what shows soon that most of them don't: a pattern for all of it takes long."""

    text: str
    plain: str
    """A part that every way to quote it leaves alone."""
    least_chars: int
    """A text that tells it is no shorter."""

    @classmethod
    def of(cls, text: str) -> "Secret":
        """A text as a secret."""
        plain = max(re.findall("[A-Za-z0-9]+", text), key=len, default="")
        return cls(text, plain, len(re.sub(r"\\+", " ", text)))


def _however_quoted(text: str) -> str:
    """A pattern for a text, its repr, its JSON, the repr of its repr and so on: they differ in backslashes."""
    return "".join(map(_however_quoted_part, re.findall(r"\\+|[^\\]", text)))


def _however_quoted_part(part: str) -> str:
    if part.startswith("\\"):
        return r"\\+"
    if part in "'\"":
        return r"\\*" + part
    escapes = {ascii(part)[1:-1], json.dumps(part)[1:-1]} - {part}
    spelled = (r"\\+".join(map(re.escape, escape.split("\\"))) for escape in sorted(escapes))
    return f"(?:{'|'.join([re.escape(part), *spelled])})" if escapes else re.escape(part)


def shortened(value: object) -> str:
    """A repr as Celery makes it for the headers of a message."""
    from celery.utils.saferepr import saferepr  # which the models, and so the command line, do without

    return str(saferepr(value, maxlen=REPR_CHARS))


def mask_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """A text in which the mask stands for each secret, in a repr of it too, or a repr of that."""
    likely = [each.text for each in secrets if each.least_chars <= len(text) and each.plain in text]
    return re.sub("|".join(map(_however_quoted, likely)), MASK, text) if likely else text


class Stored(NamedTuple):
    """What is recorded of arguments: fields of the record, and of its bulky part."""

    fields: dict[str, str | int]
    data: dict[str, str]


NOTHING = Stored({}, {})


def stored_of_call(
    rule: ArgumentRule,
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    args_repr: str | None,
    kwargs_repr: str | None,
    ahead: int = 0,
) -> Stored:
    """What is recorded of a plain Celery call, as `stored_when_sent`.

    Args:
        rule: The rule of its task.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        args_repr: As `stored_when_sent` has it; and so `kwargs_repr`.
        kwargs_repr: See there.
        ahead: As `ArgumentRule.mask_arguments` has it.
    """
    if rule.keep == "repr" and not rule.mask and args_repr and kwargs_repr:  # as most: no argument is looked at
        return Stored({}, {"arguments_repr": _both(args_repr, kwargs_repr)})
    return stored_when_sent(rule, rule.mask_arguments(args, kwargs, ahead), args_repr, kwargs_repr)


def stored_when_sent(
    rule: ArgumentRule, masked_args: MaskedArguments, args_repr: str | None, kwargs_repr: str | None
) -> Stored:
    """What is recorded of a plain Celery call.

    Args:
        rule: The rule of its task.
        masked_args: Its arguments, by that rule.
        args_repr: The positional ones as its message shows them, if it does: protocol 1 and other languages may not.
        kwargs_repr: The same for the keyword arguments.
    """
    fields = _masked(masked_args)
    if rule.keep == "none":
        return Stored(fields, {})
    if rule.keep == "full" and (data := _as_json(masked_args)):
        return Stored(fields, data)
    shown = _both(args_repr or masked_args.args_repr, kwargs_repr or masked_args.kwargs_repr)
    return Stored(fields, {"arguments_repr": shown})


def stored_when_begun(rule: ArgumentRule, args: Sequence[Any], kwargs: Mapping[str, Any], ahead: int = 0) -> Stored:
    """What takes the place of the arguments that are stored when a job has begun; nothing where they may stay.

    Args:
        rule: The rule of its task.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        ahead: How many more come before them.
    """
    masked_args = rule.mask_arguments(args, kwargs, ahead)
    if not masked_args.hidden:
        return NOTHING
    data = dict.fromkeys(("args", "payload", "arguments_repr"), "")
    if rule.keep != "none":
        data["arguments_repr"] = _both(masked_args.args_repr, masked_args.kwargs_repr)
        data |= _as_json(masked_args)
    return Stored(_masked(masked_args), data)


def _as_json(masked_args: MaskedArguments) -> dict[str, str]:
    from kombu.utils.json import dumps  # only then: kombu is slow to import

    try:
        return {"args": dumps(masked_args.args), "payload": dumps(masked_args.kwargs)}
    except (TypeError, ValueError):
        return {}  # another serializer carries what JSON can't


def _masked(masked_args: MaskedArguments) -> dict[str, str | int]:
    return {"masked": json.dumps(masked_args.names)} if masked_args.hidden else {}


def _both(args_repr: str, kwargs_repr: str) -> str:
    return f"{args_repr} {kwargs_repr}"[:REPR_CHARS]


def repr_masked(value: Any) -> Any:
    """JSON as it was, which does not show in messages that are made with its repr, nor the keys within it."""
    if isinstance(value, dict):
        value = {_REPR_MASKED[str](key): repr_masked(item) for key, item in value.items()}
    elif isinstance(value, list):
        value = [repr_masked(item) for item in value]
    kind = next((each for each in _REPR_MASKED if isinstance(value, each) and not isinstance(value, bool)), None)
    return _REPR_MASKED[kind](value) if kind else value


_REPR_MASKED: dict[type, Any] = {
    kind: type(f"ReprMasked{kind.__name__}", (kind,), {"__repr__": lambda _: repr(MASK)})
    for kind in (str, int, float, list, dict)
}


class _Opaque:
    """Stands for an object that can't be looked into."""

    def __init__(self, value: object) -> None:
        self.name = type(value).__qualname__

    def __repr__(self) -> str:
        return f"<{self.name}>"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value
