"""Compile a declared step to one SELECT over a table.

The only text of the payload that gets into the SQL is the names of columns, quoted: those that must exist are looked
up among the table's columns first. Every value is bound.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any as Anything

from workers.tables.columns import TYPES, check_distinct, check_known, free_name, quote
from workers.tables.expressions import (
    MANY_VALUES,
    All,
    Any,
    Call,
    Choice,
    ColumnValue,
    Comparison,
    Condition,
    ConstantValue,
    Expression,
    Not,
)
from workers.tables.steps import (
    Aggregate,
    Cast,
    Dedupe,
    Derive,
    Filter,
    Limit,
    Measure,
    OneTableStep,
    Rename,
    Select,
    Sort,
)

MAX_TEXT_BYTES = 2**18
"""The longest text that concat and replace may make. Nested in each other they grow without end, and what rows take
while they are computed counts towards no limit of DuckDB's."""

_COMPARISONS = {
    "eq": "{column} = {value}",
    "ne": "{column} <> {value}",
    "lt": "{column} < {value}",
    "le": "{column} <= {value}",
    "gt": "{column} > {value}",
    "ge": "{column} >= {value}",
    "contains": "contains({column}, {value})",
    "starts_with": "starts_with({column}, {value})",
    "ends_with": "ends_with({column}, {value})",
    "is_null": "{column} IS NULL",
    "is_not_null": "{column} IS NOT NULL",
}
_CALLS = {
    "subtract": "({0} - {1})",
    "divide": "({0} / nullif({1}, 0))",
    "modulo": "({0} % nullif({1}, 0))",
    "negate": "(- {0})",
    "absolute": "abs({0})",
    "floor": "floor({0})",
    "ceiling": "ceil({0})",
    "lower": "lower({0})",
    "upper": "upper({0})",
    "trim": "trim({0}, ' \t\n\r\v\f\u00a0')",
    "length": "length({0})",
    "substring": "substring({0}, {1}, {2})",
    "year": "year({0})",
    "month": "month({0})",
    "day": "day({0})",
    "weekday": "isodow({0})",
    "hour": "hour({0})",
    "days_between": "date_diff('day', {0}, {1})",
}
_SIZES: dict[str, Callable[[Sequence[str]], str]] = {
    "concat": lambda args: " + ".join(f"coalesce(strlen(CAST({arg} AS VARCHAR)), 0)" for arg in args),
    "replace": lambda args: (
        f"strlen({args[0]}) + (strlen({args[2]}) - strlen({args[1]})) "
        f"* ((strlen({args[0]}) - strlen(replace({args[0]}, {args[1]}, ''))) // nullif(strlen({args[1]}), 0))"
    ),
}
"""How many bytes the text has that a call makes, where that may be more than its arguments have."""

_JOINED_CALLS = {
    "add": (" + ", "({})"),
    "multiply": (" * ", "({})"),
    "coalesce": (", ", "coalesce({})"),
    "least": (", ", "least({})"),
    "greatest": (", ", "greatest({})"),
    "round": (", ", "round({})"),
}
_MEASURES = {
    "count": "count({})",
    "count_distinct": "count(DISTINCT {})",
    "sum": "sum({})",
    "mean": "avg({})",
    "median": "median({})",
    "min": "min({})",
    "max": "max({})",
    "stddev": "stddev_samp({})",
}


def compile_step(step: OneTableStep, table: str, columns: Sequence[str]) -> tuple[str, list[Anything]]:
    """Compile a step.

    Args:
        step: What to do.
        table: The name of the table that it works on, one of ours.
        columns: The columns that the table has.

    Returns:
        A SELECT with "?" for each value, and the values. Rows keep their order unless the step gives them another.

    Raises:
        InputError: The step names a column that there is not, or would make two columns of one name.
    """
    return _Compiler(table, columns).compile(step)


class _Compiler:
    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.table = table
        self.columns = dict.fromkeys(columns)
        self.values: list[Anything] = []
        self.place = free_name("place", columns)

    def compile(self, step: OneTableStep) -> tuple[str, list[Anything]]:
        match step:
            case Filter():
                sql = self.select(clauses=f"WHERE {self.condition(step.where)}")
            case Select():
                sql = self.projection((name, self.column(name)) for name in step.columns)
            case Rename():
                check_known(step.columns, self.columns)
                sql = self.projection((step.columns.get(name, name), quote(name)) for name in self.columns)
            case Derive():
                value = self.expression(step.value)
                kept = [(name, value if name == step.column else quote(name)) for name in self.columns]
                sql = self.projection(kept if step.column in self.columns else [*kept, (step.column, value)])
            case Cast():
                check_known(step.columns, self.columns)
                sql = self.projection((name, self.cast(name, step)) for name in self.columns)
            case Dedupe():
                alike = ", ".join(map(self.column, step.by or self.columns))
                sql = self.in_order(f"QUALIFY row_number() OVER (PARTITION BY {alike} ORDER BY {self.place}) = 1")
            case Aggregate():
                sql = self.aggregation(step)
            case Sort():
                keys = [
                    f"{self.column(key.column)} {'DESC' if key.descending else 'ASC'} NULLS LAST" for key in step.by
                ]
                sql = self.in_order(keys=keys)
            case Limit():
                sql = self.select(clauses=f"LIMIT {self.bind(step.rows)} OFFSET {self.bind(step.offset)}")
        return sql, self.values

    def select(self, columns: str = "*", clauses: str = "") -> str:
        return f"SELECT {columns} FROM {self.table} {clauses}"  # noqa: S608 - of quoted names, "?" and our own words

    def in_order(self, clauses: str = "", keys: Sequence[str] = ()) -> str:
        """Select with the place of each row at hand, sorted by the keys and then by that place."""
        return (
            f"SELECT * EXCLUDE ({self.place}) "  # noqa: S608
            f"FROM (SELECT *, row_number() OVER () AS {self.place} FROM {self.table}) "
            f"{clauses} ORDER BY {', '.join([*keys, self.place])}"
        )

    def column(self, name: str) -> str:
        check_known([name], self.columns)
        return quote(name)

    def projection(self, columns: Iterable[tuple[str, str]]) -> str:
        pairs = list(columns)
        check_distinct(name for name, _ in pairs)
        return self.select(", ".join(f"{sql} AS {quote(name)}" for name, sql in pairs))

    def cast(self, name: str, step: Cast) -> str:
        if name not in step.columns:
            return quote(name)
        function = "TRY_CAST" if step.on_error == "null" else "CAST"
        return f"{function}({quote(name)} AS {TYPES[step.columns[name]]})"

    def aggregation(self, step: Aggregate) -> str:
        by = [self.column(name) for name in step.by]
        check_distinct([*step.by, *step.values])
        figures = [f"{self.measure(measure)} AS {quote(name)}" for name, measure in step.values.items()]
        clauses = f"GROUP BY {', '.join(by)} ORDER BY {', '.join(by)}" if by else ""
        return self.select(", ".join(by + figures), clauses)

    def measure(self, measure: Measure) -> str:
        return (
            "count(*)" if measure.column is None else _MEASURES[measure.function].format(self.column(measure.column))
        )

    def bind(self, value: Anything) -> str:
        self.values.append(value)
        return "?"

    def condition(self, condition: Condition) -> str:
        match condition:
            case All():
                return "(" + " AND ".join(map(self.condition, condition.all)) + ")"
            case Any():
                return "(" + " OR ".join(map(self.condition, condition.any)) + ")"
            case Not():
                return f"(NOT {self.condition(condition.negated)})"
            case Comparison():
                return self.comparison(condition)

    def comparison(self, comparison: Comparison) -> str:
        column = self.column(comparison.column)
        if comparison.op in MANY_VALUES and isinstance(comparison.value, list):
            if not comparison.value:
                return "false" if comparison.op == "in" else "true"
            values = ", ".join(map(self.bind, comparison.value))
            return f"({column} {'IN' if comparison.op == 'in' else 'NOT IN'} ({values}))"
        template = _COMPARISONS[comparison.op]
        value = self.bind(comparison.value) if "{value}" in template else ""
        return "(" + template.format(column=column, value=value) + ")"

    def expression(self, expression: Expression) -> str:
        match expression:
            case ColumnValue():
                return self.column(expression.column)
            case ConstantValue():
                return self.bind(expression.value)
            case Choice():
                when = self.condition(expression.when)
                then, otherwise = self.expression(expression.then), self.expression(expression.otherwise)
                return f"(CASE WHEN {when} THEN {then} ELSE {otherwise} END)"
            case Call():
                args = [self.expression(arg) for arg in expression.args]
                if expression.op in _SIZES:
                    return _bounded(expression.op, args)
                if expression.op in _JOINED_CALLS:
                    separator, template = _JOINED_CALLS[expression.op]
                    return template.format(separator.join(args))
                return _CALLS[expression.op].format(*args)


def _bounded(function: str, args: Sequence[str]) -> str:
    """A call that fails where it would make too long a text.

    The arguments are put into a list of one, whose only element stands for them: each is written and computed once.
    """
    fields = ", ".join(f"'a{number}': {arg}" for number, arg in enumerate(args))
    names = [f"x.a{number}" for number in range(len(args))]
    complaint = f"{function} would make a text of more than {MAX_TEXT_BYTES:,} bytes"
    return (
        f"list_transform([{{{fields}}}], lambda x: CASE WHEN {_SIZES[function](names)} > {MAX_TEXT_BYTES} "
        f"THEN error('{complaint}') ELSE {function}({', '.join(names)}) END)[1]"
    )
