"""Conditions and values as declared trees: what a filter and a derive step say instead of SQL."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from workers.tables.columns import ColumnName

Constant: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr | None

_MAX_BRANCHES = 50
_MAX_ARGUMENTS = 10
_MAX_VALUES = 1_000
MAX_NODES = 200
"""How many parts one condition or value may have."""

NO_VALUE = frozenset({"is_null", "is_not_null"})
MANY_VALUES = frozenset({"in", "not_in"})


class Declared(BaseModel):
    """What a payload declares; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Comparison(Declared):
    """A column compared with a constant. A null is equal to nothing: ask for it with is_null."""

    column: ColumnName = Field(description="The column to look at.")
    op: Literal[
        "eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "contains", "starts_with", "ends_with", "is_null",
        "is_not_null",
    ] = Field(description="How to compare; contains, starts_with and ends_with mind capitals.")  # fmt: skip
    value: Constant | Annotated[list[Constant], Field(max_length=_MAX_VALUES)] = Field(
        default=None, description="The constant; a list for in and not_in; none for is_null and is_not_null."
    )

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Self:
        if self.op in NO_VALUE and self.value is not None:
            raise ValueError(f"{self.op} takes no value")
        if self.op in MANY_VALUES and not isinstance(self.value, list):
            raise ValueError(f"{self.op} takes a list of values")
        if isinstance(self.value, list) and None in self.value:
            raise ValueError(f"{self.op} takes no null, which is equal to nothing: ask for it with is_null")
        if self.op not in NO_VALUE | MANY_VALUES and (self.value is None or isinstance(self.value, list)):
            raise ValueError(f"{self.op} takes one value")
        return self


class All(Declared):
    """True where each of the conditions is."""

    all: list["Condition"] = Field(min_length=1, max_length=_MAX_BRANCHES)


class Any(Declared):
    """True where one of the conditions is."""

    any: list["Condition"] = Field(min_length=1, max_length=_MAX_BRANCHES)


class Not(Declared):
    """True where the condition is false."""

    # "not" is a keyword of Python's
    negated: "Condition" = Field(alias="not")


Condition: TypeAlias = Comparison | All | Any | Not


class ColumnValue(Declared):
    """The value that a column has in the row."""

    column: ColumnName


class ConstantValue(Declared):
    """The same value in each row."""

    value: Constant


class Call(Declared):
    """An operation on other values."""

    op: Literal[
        "add", "subtract", "multiply", "divide", "modulo", "negate", "absolute", "round", "floor", "ceiling",
        "concat", "lower", "upper", "trim", "length", "substring", "replace",
        "coalesce", "least", "greatest",
        "year", "month", "day", "weekday", "hour", "days_between",
    ] = Field(
        description="round: value, digits. substring: text, first character from 1, length. replace: text, old, new. "
        "weekday: 1 is Monday. days_between: from, to. Division by zero gives null."
    )  # fmt: skip
    args: list["Expression"] = Field(
        min_length=1, max_length=_MAX_ARGUMENTS, description="What it works on, in order."
    )

    @model_validator(mode="after")
    def _has_enough_arguments(self) -> Self:
        fewest, most = ARGUMENTS.get(self.op, (1, 1))
        if not fewest <= len(self.args) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise ValueError(f"{self.op} takes {wanted} arguments, not {len(self.args)}")
        return self


class Choice(Declared):
    """One value where the condition is true, else another."""

    when: Condition
    then: "Expression"
    otherwise: "Expression" = Field(description='Give {"value": null} for nothing.')


Expression: TypeAlias = ColumnValue | ConstantValue | Call | Choice

ARGUMENTS = {
    **dict.fromkeys(("add", "multiply", "concat", "coalesce", "least", "greatest"), (2, _MAX_ARGUMENTS)),
    **dict.fromkeys(("subtract", "divide", "modulo", "days_between"), (2, 2)),
    **dict.fromkeys(("substring", "replace"), (3, 3)),
    "round": (1, 2),
}
"""The fewest and the most arguments of each operation; one where it is not listed."""


def count_nodes(tree: Condition | Expression) -> int:
    """Count the parts of a condition or value."""
    match tree:
        case All(all=branches) | Any(any=branches) | Call(args=branches):
            return 1 + sum(map(count_nodes, branches))
        case Not(negated=condition):
            return 1 + count_nodes(condition)
        case Choice(when=condition, then=first, otherwise=second):
            return 1 + count_nodes(condition) + count_nodes(first) + count_nodes(second)
        case _:
            return 1
