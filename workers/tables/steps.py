"""The steps that a data_processing job may declare."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from workers.tables.columns import ColumnName, ColumnType
from workers.tables.expressions import MAX_NODES, Condition, Declared, Expression, count_nodes
from workers.tables.source import TableInput

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


class KeyPair(Declared):
    """Two columns that are to be equal."""

    left: ColumnName = Field(description="The column of the table that the steps work on.")
    right: ColumnName = Field(description="The column of the second table.")


class Join(Declared):
    """Add the columns of a second table, where the keys of its rows are equal to those of this one's.

    A null is equal to nothing. A row that finds several partners is there once with each. The keys stand once in the
    result, under the names that this table has for them.
    """

    step: Literal["join"]
    table: TableInput = Field(description="The second table, named as the first one is.")
    on: list[ColumnName | KeyPair] = Field(
        min_length=1, max_length=20, description="What must be equal: columns that both have, or pairs of columns."
    )
    how: Literal["inner", "left", "right", "full", "semi", "anti"] = Field(
        default="inner",
        description="Rows without a partner: inner leaves them out, left keeps those of this table, right those of "
        "the second, full both. semi keeps the rows that have a partner as they are, anti those that have none.",
    )
    suffix: str | None = Field(
        default=None,
        min_length=1,
        max_length=30,
        description="Added to a column of the second table whose name this one has too; without it that is an error.",
    )


OneTableStep: TypeAlias = Filter | Select | Rename | Derive | Cast | Dedupe | Aggregate | Sort | Limit
Step: TypeAlias = Annotated[OneTableStep | Join, Field(discriminator="step")]


def _check_nodes(nodes: int) -> None:
    if nodes > MAX_NODES:
        raise ValueError(f"has {nodes} parts; at most {MAX_NODES} are taken")
