"""The kinds of fields that a record of the store has: how each is decoded, and what else holds of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar, Unpack, cast, overload

T = TypeVar("T")


class Record:
    """What is stored of one thing, by the places of its fields. Nobody can change it.

    Args:
        record_id: What it tells of.
        values: What is stored.
    """

    __slots__ = ("_id", "_values")

    def __init__(self, record_id: str, values: Mapping[int, Any]) -> None:
        self._id = record_id
        self._values = values

    @property
    def id(self) -> str:
        """What it tells of."""
        return self._id

    @property
    def exists(self) -> bool:
        """Something is stored."""
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self._id == other._id and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._id)


Filter = Literal["eq", "between", "tag", "contains", "queue"]
"""How a list can filter by a field (`lua/lib/list_checks.lua`)."""


class Traits(TypedDict, total=False):
    """What else holds of a field."""

    since: int
    """The schema that introduced it; default: the first."""
    cleared_by_new_run: bool
    """It tells of one run: a new run starts without it."""
    in_snapshot: bool
    """A history entry that takes a verdict back, or ends a run, keeps its value."""
    from_message: bool
    """A message that Celery code sends under the job's id says it anew."""
    filter: Filter
    """Lists can be filtered by it, in this way."""


class Field(Generic[T]):
    """A field of a record: decoded when it is read, for lists read few fields of many records.

    Attributes:
        name: Its name, in Python and in Lua.
        place: Its name in Redis. A place is never used again for another field.
        default: What it is where it is not stored.
        is_number: Lua keeps it as a number; else as a text.
        is_required: Every record has it, so its default is not used.
        traits: What else holds of it.
    """

    __slots__ = ("_decode", "default", "is_number", "is_required", "name", "place", "traits")
    name: str

    def __init__(
        self,
        place: int,
        decode: Callable[[Any], T],
        default: T,
        traits: Traits,
        *,
        is_number: bool = False,
        is_required: bool = False,
    ) -> None:
        self.place = place
        self.default = default
        self.is_number = is_number
        self.is_required = is_required
        self.traits = traits
        self._decode = decode

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, record: None, owner: type) -> "Field[T]": ...
    @overload
    def __get__(self, record: "Record", owner: type) -> T: ...
    def __get__(self, record: "Record | None", owner: type) -> "Field[T] | T":
        if record is None:
            return self
        value = record._values.get(self.place)  # noqa: SLF001 (a part of the record's class)
        return self.default if value is None else self._decode(value)


class Ledger(NamedTuple):
    """What executions of a job did beside the one that counts."""

    redeliveries: int = 0
    double_runs: int = 0
    wasted_ms: int = 0


@overload
def number(place: int, *, default: int, **traits: Unpack[Traits]) -> Field[int]: ...
@overload
def number(place: int, **traits: Unpack[Traits]) -> Field[int | None]: ...
def number(place: int, *, default: int | None = None, **traits: Unpack[Traits]) -> Any:
    """A whole number. One that is its default is not stored, but for the run."""
    return Field(place, int, default, traits, is_number=True)


def required(place: int, **traits: Unpack[Traits]) -> Field[int]:
    """A whole number that every record has."""
    return Field(place, int, 0, traits, is_number=True, is_required=True)


@overload
def text(place: int, *, default: str, **traits: Unpack[Traits]) -> Field[str]: ...
@overload
def text(place: int, **traits: Unpack[Traits]) -> Field[str | None]: ...
def text(place: int, *, default: str | None = None, **traits: Unpack[Traits]) -> Any:
    """A text."""
    return Field(place, str, default, traits)


class _SameAs(Field[str]):
    __slots__ = ("_other",)

    def __init__(self, other: Field[str], place: int, traits: Traits) -> None:
        super().__init__(place, str, "", traits)
        self._other = other

    @overload
    def __get__(self, record: None, owner: type) -> "Field[str]": ...
    @overload
    def __get__(self, record: Record, owner: type) -> str: ...
    def __get__(self, record: Record | None, owner: type) -> "Field[str] | str":
        if record is None:
            return self
        value = record._values.get(self.place)  # noqa: SLF001 (fields decode records)
        return self._other.__get__(record, owner) if value is None else str(value)


def same_as(other: Field[str], place: int, **traits: Unpack[Traits]) -> Field[str]:
    """A text that is not stored where it is the same as that of another field."""
    return _SameAs(other, place, traits)


def flag(place: int, **traits: Unpack[Traits]) -> Field[bool]:
    """A flag; "1" is stored for True, nothing for False."""
    return Field(place, bool, False, traits)


def decimal(place: int, **traits: Unpack[Traits]) -> Field[float | None]:
    """A number that its writer has made a text of."""
    return Field(place, lambda value: None if value == "" else float(value), None, traits)


def text_list(place: int, **traits: Unpack[Traits]) -> Field[Sequence[str]]:
    """A JSON list of texts."""
    return Field(place, lambda value: cast("Sequence[str]", json.loads(value)) if value else (), (), traits)


def amounts(place: int, **traits: Unpack[Traits]) -> Field[Ledger]:
    """The amounts of a `Ledger`, separated by spaces."""
    return Field(place, lambda value: Ledger(*map(int, value.split())), Ledger(), traits)
