"""Say why the database refuses something, without a value of the input: it may be a patient's."""

import errno
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from workers.errors import DISK_FULL, InputError, OverBudgetError, ValueRefusedError
from workers.tables.settings import TableSettings

_SPEAKING = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.NotImplementedException,
    duckdb.ParserException,
    duckdb.PermissionException,
)
"""Raised before a value is looked at: their words name columns and types, and no values."""

_OWN = re.compile(r"Invalid Input Error: ((?:concat|replace) would make a text of more than [\d,]+ bytes)")
"""What a compiled step says itself."""

_MALFORMED = re.compile(
    r"Invalid Input Error: (Malformed JSON in file \"[^\"]*\", at byte \d+ in [a-z/]+ \d+: [\w -]+)"
)
_TWICE = re.compile(
    r"Invalid Input Error: JSON transform error in file .*, in line (\d+): .* has duplicate key \"(.*)\""
)
_IN_LINE = re.compile(r"Invalid Input Error: JSON transform error in file \"[^\"]*\", in line (\d+): ")
_LINE_OF_CSV = re.compile(r"Invalid Input Error: CSV Error on Line: (\d+)\n")
_DEEP = re.compile(r"Invalid Input Error: (JSON exceeds maximum recursion depth of \d+)")
_PARQUET = re.compile(
    r"Invalid Input Error: (File '[^']*' too small to be a Parquet file|No magic bytes found[\w ]*)"
)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def refusal(error: duckdb.Error, files: Sequence[Path]) -> InputError:
    """Give what an error of DuckDB's is to those who made the job.

    Args:
        error: What DuckDB raised.
        files: Those that it may read, whose paths are not told.

    Returns:
        OverBudgetError: It needs more memory, or more room on the disk.
        ValueRefusedError: A value does not fit the type that it must have.
        InputError: Anything else.
    """
    message = str(error)
    match error:
        case duckdb.OutOfMemoryException():
            return _over_budget(message)
        case duckdb.ConversionException():
            return ValueRefusedError("a value does not fit the type that it must have there: cast its column before")
        case duckdb.OutOfRangeException():
            return ValueRefusedError("a number is out of the range of its type")
        case duckdb.IOException():
            return _of_files(message, files)
        case duckdb.InvalidInputException():
            return _of_input(message, files)
        case _ if isinstance(error, _SPEAKING):
            return InputError(_without_paths(_first_line(message), files))
    return InputError(f"the database refuses it ({type(error).__name__})")


def _over_budget(message: str) -> OverBudgetError:
    memory_mb = TableSettings.from_env().table_memory_mb
    disk = ", and has no more room for temporary files" if "temp_directory" in message else ""
    return OverBudgetError(
        f"used more than {memory_mb} MB of memory for tables (TABLE_MEMORY_MB), or than JOB_MEMORY_MB allows{disk}"
    )


def _of_files(message: str, files: Sequence[Path]) -> InputError:
    if any(f'"errno":"{number}"' in message or os.strerror(number) in message for number in _FULL):
        return OverBudgetError(DISK_FULL)
    try:
        said = str(json.loads(message[message.index("{") :])["exception_message"])
    except (ValueError, LookupError):
        said = _first_line(message)
    return InputError(_without_paths(said, files))


def _of_input(message: str, files: Sequence[Path]) -> InputError:
    for pattern in (_OWN, _MALFORMED, _DEEP, _PARQUET):
        if found := pattern.match(message):
            return InputError(_without_paths(found[1].strip(), files))
    if found := _TWICE.match(message):
        return InputError(f'the object in line {found[1]} has a duplicate key "{found[2]}"')
    if found := _IN_LINE.match(message):
        return ValueRefusedError(f"a value in line {found[1]} does not fit the type of its column")
    if found := _LINE_OF_CSV.match(message):
        return InputError(f"line {found[1]} of the CSV file can't be read")
    return ValueRefusedError("a value, or the file, is not as it must be")


def _first_line(message: str) -> str:
    return message.partition("\n")[0]


def _without_paths(message: str, files: Sequence[Path]) -> str:
    for file in files:
        message = message.replace(str(file), file.name)
    return message
