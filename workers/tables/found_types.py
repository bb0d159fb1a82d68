"""Find out of which type the values of a column are: of one that every value is sure to be of, else text."""

from collections.abc import Mapping, Sequence

from workers.tables.columns import quote
from workers.tables.sandbox import Sandbox

TEXT = "VARCHAR"

_SAMPLE_ROWS = 1_000
"""So many rows are tried first: most types are ruled out by them."""

_COLUMNS = 100
"""So many columns are tried in one query."""

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = f"{_DAY}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]{{1,6}})?)?"

_YEARS = "BETWEEN 1 AND 9999"
"""Python, and most programs that read a result, know no others."""

# Only what is written as ISO 8601 has it: 01/02/2024 is two days.
TIMES = {
    "DATE": f"regexp_full_match(@v, '{_DAY}') AND year(TRY_CAST(@v AS DATE)) {_YEARS}",
    "TIMESTAMP": f"regexp_full_match(@v, '{_TIME}') AND year(TRY_CAST(@v AS TIMESTAMP)) {_YEARS}",
    "TIMESTAMP WITH TIME ZONE": (
        f"regexp_full_match(@v, '{_TIME}(Z|[+-][0-9]{{2}}(:[0-9]{{2}})?)') "
        f"AND year(TRY_CAST(@v AS TIMESTAMPTZ)) {_YEARS}"
    ),
}
"""By what all values of a column, @v, are of a type of times."""

VALUES = {
    # A number with leading zeros is a code, one of more than 18 digits does not stay exact, and one with a plus and
    # many digits is a telephone's.
    "BIGINT": "regexp_full_match(@v, '\\s*(-?(0|[1-9][0-9]{0,17})|\\+(0|[1-9][0-9]{0,5}))\\s*')",
    # The exponent keeps it finite. Without a point and a sign it may be a code: 2E10.
    "DOUBLE": (
        "regexp_full_match(@v, '\\s*(-?((0|[1-9][0-9]{0,14})(\\.[0-9]*)?|\\.[0-9]+)|"
        "\\+((0|[1-9][0-9]{0,5})(\\.[0-9]*)?|\\.[0-9]+))"
        "([eE][+-]?0*([0-9]{1,2}|1[0-9]{2}|2[0-8][0-9]))?\\s*') "
        "AND NOT regexp_full_match(@v, '\\s*[+-]?[0-9]+[eE][0-9]+\\s*')"
    ),
    "BOOLEAN": "lower(@v) IN ('true', 'false')",
    **TIMES,
}
"""By what all values of a column of a CSV file are of a type; of those that fit the first one is taken."""


def find_types(
    sandbox: Sandbox, table: str, tests: Mapping[str, Mapping[str, str]], is_given: str = "@v IS NOT NULL"
) -> dict[str, str]:
    """Find the first type that all values of each text column are of.

    Args:
        sandbox: It has the table.
        table: The name of the table.
        tests: For each column the SQL types to try, each with a condition on a value @v.
        is_given: The condition by which there is a value to look at.

    Returns:
        For each column its SQL type; text where none fits, or no value is there.
    """
    found = dict.fromkeys(tests, TEXT)
    columns = list(tests)
    for start in range(0, len(columns), _COLUMNS):
        some = columns[start : start + _COLUMNS]
        pairs = [(column, sql_type) for column in some for sql_type in tests[column]]
        fitting = _all_of(sandbox, f"(FROM {table} LIMIT {_SAMPLE_ROWS})", pairs, tests, is_given)
        # Of each column the first type that is left, until one of all its values is found.
        while fitting:
            first = dict(reversed(fitting))
            certain = dict(_all_of(sandbox, table, list(first.items()), tests, is_given))
            found |= certain
            fitting = [pair for pair in fitting if pair[0] not in certain and pair not in first.items()]
    return found


def _all_of(
    sandbox: Sandbox,
    table: str,
    pairs: Sequence[tuple[str, str]],
    tests: Mapping[str, Mapping[str, str]],
    is_given: str,
) -> list[tuple[str, str]]:
    """Those of the pairs of a column and a type where all values of the column are of the type, and one is there."""
    if not pairs:
        return []
    conditions = []
    for column, sql_type in pairs:
        test, given = (each.replace("@v", quote(column)) for each in (tests[column][sql_type], is_given))
        conditions.append(f"bool_and(coalesce({test}, false)) FILTER ({given})")
    [fits] = sandbox.execute(f"SELECT {', '.join(conditions)} FROM {table}")  # noqa: S608 (quoted names, our own words)
    return [pair for pair, fit in zip(pairs, fits, strict=True) if fit]
