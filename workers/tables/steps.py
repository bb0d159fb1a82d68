"""The steps that a data_processing job may declare."""

from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from workers.tables.expressions import MAX_NODES, ColumnName, Condition, Declared, Expression, count_nodes

_MAX_COLUMNS = 500
Columns: TypeAlias = Annotated[list[ColumnName], Field(min_length=1, max_length=_MAX_COLUMNS)]


class Filter(Declared):
    """Keep the rows for which the condition is true."""

    step: Literal["filter"]
    where: Condition

    @model_validator(mode="after")
    def _is_not_huge(self) -> Self:
        _check_nodes(count_nodes(self.where))
        return self


class Select(Declared):
    """Keep these columns, in this order."""

    step: Literal["select"]
    columns: Columns


class Rename(Declared):
    """Give columns new names."""

    step: Literal["rename"]
    columns: dict[ColumnName, ColumnName] = Field(
        min_length=1, max_length=_MAX_COLUMNS, description="Old to new name."
    )


class Derive(Declared):
    """Add a column, or replace one, with a value that follows from the row."""

    step: Literal["derive"]
    column: ColumnName = Field(description="The name of the column to add or replace.")
    value: Expression

    @model_validator(mode="after")
    def _is_not_huge(self) -> Self:
        _check_nodes(count_nodes(self.value))
        return self


class ColumnType(StrEnum):
    """What a column can be cast to."""

    TEXT = "text"
    """Characters."""
    INTEGER = "integer"
    """Whole numbers of 64 bits; fractions are rounded."""
    NUMBER = "number"
    """Floating point of 64 bits."""
    DECIMAL = "decimal"
    """Exact, 18 digits of which 4 after the point."""
    BOOLEAN = "boolean"
    """True or false."""
    DATE = "date"
    """A day."""
    TIMESTAMP = "timestamp"
    """A day and time without a zone."""


class Cast(Declared):
    """Change the type of columns."""

    step: Literal["cast"]
    columns: dict[ColumnName, ColumnType] = Field(min_length=1, max_length=_MAX_COLUMNS)
    on_error: Literal["fail", "null"] = Field(
        default="fail", description="What a value that does not fit does: fail the job, or become null."
    )


class Dedupe(Declared):
    """Keep the first of the rows that are alike."""

    step: Literal["dedupe"]
    by: Columns | None = Field(default=None, description="The columns that make rows alike; by default all.")


class Measure(Declared):
    """One figure of each group."""

    function: Literal["count", "count_distinct", "sum", "mean", "median", "min", "max", "stddev"] = Field(
        description="All of them leave out nulls. stddev is that of a sample."
    )
    column: ColumnName | None = Field(default=None, description="Of which column; count without one counts rows.")

    @model_validator(mode="after")
    def _names_a_column(self) -> Self:
        if self.column is None and self.function != "count":
            raise ValueError(f"{self.function} needs a column")
        return self


class Aggregate(Declared):
    """One row for each group, sorted by what makes the groups."""

    step: Literal["aggregate"]
    by: list[ColumnName] = Field(default=[], max_length=_MAX_COLUMNS, description="None: all rows are one group.")
    values: dict[ColumnName, Measure] = Field(
        min_length=1, max_length=_MAX_COLUMNS, description="The figures, by the name of their column in the result."
    )


class SortKey(Declared):
    """A column to sort by."""

    column: ColumnName
    descending: bool = False


class Sort(Declared):
    """Sort the rows; nulls come last, and rows that are equal keep their order."""

    step: Literal["sort"]
    by: list[SortKey] = Field(min_length=1, max_length=_MAX_COLUMNS)


class Limit(Declared):
    """Keep some rows only."""

    step: Literal["limit"]
    rows: int = Field(ge=0, le=2**53, description="How many.")
    offset: int = Field(default=0, ge=0, le=2**53, description="How many to leave out before them.")


Step: TypeAlias = Annotated[
    Filter | Select | Rename | Derive | Cast | Dedupe | Aggregate | Sort | Limit, Field(discriminator="step")
]


def _check_nodes(nodes: int) -> None:
    if nodes > MAX_NODES:
        raise ValueError(f"has {nodes} parts; at most {MAX_NODES} are taken")
