"""The source of a function library, made of the files in `lua/`.

A file in `lua/commands/` is the body of one function. A file in `lua/lib/` has local functions for others. Each names
in its head what it includes (`--- @include lib/record`). A library has the tables that Python renders
(`lua/lib/keys.lua` lists them), its commands, and what they include, once each; one that writes `lib/fencing` too.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from importlib import resources

from jobtracker.core.job import RUN_MARK
from jobtracker.core.lifecycle import INFERENCES, MATRIX, MIDWAY, REPORTED, SETTLED, Priority
from jobtracker.store.flow_series import FLOW
from jobtracker.store.histograms import BUCKETS, GAMMA, SUMMED, TOTALS
from jobtracker.store.keys import (
    LET_GO,
    MOST_COUNTED,
    MOST_LABELS,
    MOST_NAMED,
    MOST_QUEUES,
    MOST_RELEASE_SERIES,
    NOBODY,
    PREFIXES,
)
from jobtracker.store.queue_series import AT_QUEUE, KEEP_S, SLOT_MS
from jobtracker.store.schema import PLACES, lua_tables

NAME = "@LIBRARY@"
"""Stands for the name of the library, which depends on its source."""

_BEGIN = "if not redis_call then find_globals() end PREFIX = ARGV[1]"

_GLOBALS = {
    name: name.replace(".", "_") if "." in name else f"lua_{name}"
    for name in (
        *("redis.call", "cmsgpack.pack", "cmsgpack.unpack", "math.floor", "math.max", "string.format"),
        *("ipairs", "pairs", "tonumber", "unpack"),
    )
}
"""What is called often, and its local name: a global one is looked up in two tables with each call, and the server
guards these. They are found with the first call, for a server that loads a library has only some of them yet."""

_CALL_OF_A_GLOBAL = re.compile(
    rf"--.*|(?<![\w.:])(?:{'|'.join(re.escape(name) for name in _GLOBALS)})(?=\()"  # not in comments
)

_SCALAR = str | int | float

_NAMED = re.compile(r"--.*|\b[A-Z_]+(?:\.\w+)?\b")  # not in comments

_FIELD = re.compile(r"--.*|\b(rec|new)\.(\w+)")

_INCLUDE = re.compile(r"^--- @include (\S+)$", re.MULTILINE)


class IncludeError(Exception):
    """Files of `lua/` include each other."""


def render(commands: Iterable[str], keep_s: int = 0, *, reads_only: bool = False) -> str:
    """The source of a library.

    Args:
        commands: Names of files in `lua/commands/`.
        keep_s: Lifetime of time series, in seconds.
        reads_only: The commands write nothing.

    Raises:
        IncludeError: Files include each other.
    """
    commands = list(commands)
    return "\n".join(text for _, text in parts(commands, keep_s, reads_only=reads_only))


def parts(commands: Iterable[str], keep_s: int = 0, *, reads_only: bool = False) -> list[tuple[str, str]]:
    """The same in parts: each with the name of its file, "" where it is of none."""
    commands = [f"commands/{command}" for command in commands]
    texts: dict[str, str] = {}
    for name in commands if reads_only else ["lib/fencing", *commands]:
        _resolve(name, texts, [])
    tables = _tables(keep_s)
    constants = _constants(tables)
    texts = {name: _with_local_names(_with_constants(text, constants)) for name, text in texts.items()}
    local_names = ", ".join(_GLOBALS.values())
    found = [("", f"local {local_names}\nlocal function find_globals() {local_names} = {', '.join(_GLOBALS)} end")]
    used = {name.partition(".")[0] for text in texts.values() for name in _NAMED.findall(text)}
    found += [
        ("", f"local {name} = {lua_table(value)}")
        for name, value in tables.items()
        if name in used and name not in constants
    ]
    found += [(name, text) for name, text in texts.items() if name not in commands]
    found.append(("", "local COMMANDS = {}"))
    for name in commands:
        command = name.partition("/")[2]
        found.append(("", f"function COMMANDS.{command}(KEYS, ARGV)\n{_BEGIN}"))
        found += [(name, texts[name]), ("", f"end\n{_registration(command, reads_only=reads_only)}")]
    return found


def _resolve(name: str, texts: dict[str, str], above: list[str]) -> None:
    """Add a file to `texts`, behind all that it includes."""
    if name in above:
        raise IncludeError(" includes ".join([*above, name]))
    if name in texts:
        return
    text = (resources.files(__package__) / "lua" / f"{name}.lua").read_text()
    for included in _INCLUDE.findall(text):
        _resolve(included, texts, [*above, name])
    texts[name] = text


def _constants(tables: Mapping[str, object]) -> dict[str, object]:
    """What is one value by its name, and what is one in a table by both names (`PLACE.status`)."""
    found: dict[str, object] = {name: value for name, value in tables.items() if isinstance(value, _SCALAR)}
    for name, table in tables.items():
        if isinstance(table, Mapping):
            found |= {f"{name}.{key}": value for key, value in table.items() if isinstance(value, _SCALAR)}
    return found


def _with_constants(text: str, constants: Mapping[str, object]) -> str:
    """The same text with values in the place of their names: Lua lets a library have 200 local names.

    A record (`rec`, or `new`, what is given of a new one) has its fields by their places, the text by their names.
    """
    text = _FIELD.sub(_by_place, text)
    return _NAMED.sub(lambda found: lua_table(constants[found[0]]) if found[0] in constants else found[0], text)


def _by_place(found: re.Match[str]) -> str:
    return f"{found[1]}[{PLACES[found[2]]}]" if found[2] in PLACES else found[0]


def _with_local_names(text: str) -> str:
    """The same text with local names in the place of global ones."""
    return _CALL_OF_A_GLOBAL.sub(lambda found: _GLOBALS.get(found[0], found[0]), text)


def _registration(command: str, *, reads_only: bool) -> str:
    if reads_only:
        of = f"function_name='{NAME}_{command}', callback=COMMANDS.{command}, flags={{'no-writes'}}"
        return f"redis.register_function{{{of}}}"
    return (
        f"redis.register_function('{NAME}_{command}', COMMANDS.{command})\n"
        f"redis.register_function('{NAME}_fenced_{command}', fenced(COMMANDS.{command}))"
    )


def _tables(keep_s: int) -> dict[str, object]:
    return {
        "KEY": PREFIXES,
        **lua_tables(),
        "MATRIX": MATRIX,
        "REPORTED": REPORTED,
        "MIDWAY": MIDWAY,
        "INFERENCE": INFERENCES,
        "SETTLED": SETTLED,
        "LOG_GAMMA": math.log(GAMMA),
        "TOTAL": {name: str(64 * n) for n, name in enumerate(TOTALS)},
        "BUCKETS": BUCKETS,
        "SUMMED": SUMMED,
        "FLOW": FLOW,
        "KEEP_S": keep_s,
        "LET_GO": LET_GO,
        "NORMAL": Priority.NORMAL,
        "RUN_MARK": RUN_MARK,
        "NOBODY": NOBODY,
        "MOST_QUEUES": MOST_QUEUES,
        "MOST_RELEASE_SERIES": MOST_RELEASE_SERIES,
        "MOST_NAMED": MOST_NAMED,
        "MOST_LABELS": MOST_LABELS,
        "MOST_COUNTED": MOST_COUNTED,
        "AT_QUEUE": AT_QUEUE,
        "QUEUE_SLOT_MS": SLOT_MS,
        "QUEUE_KEEP_S": KEEP_S,
    }


def lua_table(value: object) -> str:
    """A Python value of dicts, sets and strings as a Lua literal."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"[{lua_table(k)}]={lua_table(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(lua_table, value)) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(f"[{lua_table(item)}]=true" for item in sorted(value)) + "}"
    return json.dumps(value)
