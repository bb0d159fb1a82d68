"""Checks the Lua of the store as the server gets it: by luacheck (Debian: lua-check), and for hidden names of Lua.

Without luacheck it says so and goes on; with CI set that is an error.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from jobtracker.store.lua_source import parts

LONGEST_LINE = 130
OPTIONS = [
    *["--std", "lua51", "--read-globals", "redis", "cjson", "cmsgpack"],
    *["--no-unused-args", "--no-max-line-length", "--formatter", "plain", "--codes", "--no-color"],
]
BUILTINS = frozenset(
    [
        *[
            "assert",
            "collectgarbage",
            "error",
            "getmetatable",
            "ipairs",
            "load",
            "loadstring",
            "next",
            "pairs",
            "pcall",
        ],
        *[
            "rawequal",
            "rawget",
            "rawset",
            "select",
            "setmetatable",
            "tonumber",
            "tostring",
            "type",
            "unpack",
            "xpcall",
        ],
        *["coroutine", "debug", "math", "os", "string", "table", "bit", "cjson", "cmsgpack", "redis"],
    ]
)

Line = tuple[str, int]
"""A file, and a line in it."""


def main() -> int:
    """Print what is wrong; returns how many things."""
    lua = resources.files("jobtracker.store") / "lua"
    lines: list[tuple[Line, str]] = []
    written: list[tuple[Line, str]] = []  # with names in the place of constants
    for name, text in parts(sorted(Path(each.name).stem for each in (lua / "commands").iterdir())):
        lines += _numbered(name, text)
        if name:
            written += _numbered(name, (lua / f"{name}.lua").read_text())
    problems = [*_too_long(written), *_hidden_builtins(lines), *_luacheck(lines)]
    for problem in problems:
        print(problem)
    return len(problems)


def _numbered(name: str, text: str) -> list[tuple[Line, str]]:
    return [((name, number), line) for number, line in enumerate(text.rstrip("\n").split("\n"), start=1)]


def _too_long(lines: list[tuple[Line, str]]) -> Iterator[str]:
    for (name, number), line in lines:
        if len(line) > LONGEST_LINE:
            yield f"{name}.lua:{number}: the line is longer than {LONGEST_LINE} characters"


def _hidden_builtins(lines: list[tuple[Line, str]]) -> Iterator[str]:
    for (name, number), line in lines:
        code = line.partition("--")[0]
        named = re.findall(r"\blocal (?!function)([\w, ]+)|\bfunction *\w*\(([^)]*)\)|\blocal function (\w+)", code)
        names = {each.strip() for found in named for part in found for each in part.split(",")}
        for hidden in sorted(names & BUILTINS):
            yield f"{name}.lua:{number}: {hidden} is a name of Lua's own"


def _luacheck(lines: list[tuple[Line, str]]) -> Iterator[str]:
    if shutil.which("luacheck") is None:
        text = "luacheck is not installed (Debian: lua-check)"
        if os.environ.get("CI"):
            yield text
        else:
            print(f"{text}: the Lua is not checked.")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "library.lua"
        path.write_text("".join(f"{line}\n" for _, line in lines))
        done = subprocess.run(["luacheck", *OPTIONS, str(path)], capture_output=True, text=True, check=False)
    if done.stderr:
        yield done.stderr

    def where(found: re.Match[str]) -> str:
        name, number = lines[int(found[1]) - 1][0]
        return f"line {number} of {name}.lua"

    for problem in done.stdout.splitlines():
        _, line, column, text = problem.split(":", 3)
        name, number = lines[int(line) - 1][0]
        yield f"{name}.lua:{number}:{column}:{re.sub(r'line ([0-9]+)', where, text)}"


if __name__ == "__main__":
    sys.exit(main() > 0)
