"""Which failures belong together: the fingerprint of an exception, from its type, message and traceback as texts.

The texts are those that are stored, so all who know a failure find the same group: the process in which the task ran,
and those that read of it in Celery's result backend or are told over the API. What differs between two failures of
one kind is left out: line numbers, and in the message numbers, ids, addresses, paths and quoted parts.

A group follows from

* the type, with its module, and the types of explicit causes (`raise … from …`);
* the deepest frame of the project's own code, file and function; without one the deepest of all;
* what was wrong there. Where a library raised the exception: its message, masked. Where the project's own code did:
  the line of code, which does not depend on the data. A `raise` with a text is enough. To any other line the masked
  message is added.

What is wrong with the data differs from one to the next: of types such as `JSONDecodeError` the message says that,
and is left out. An exception that comes from outside at any line, such as a time limit, has the outermost own frame
instead, and endless recursion the functions that recur.
"""

import functools
import hashlib
import json
import keyword
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_MOST_CHARS = 100_000
"""Of a traceback: what is deepest stands at its end."""
_MOST_MESSAGE = 500
_MOST_SHOWN = 200
_MOST_FRAMES = 3
_GROUP_CHARS = 12

_FROM_OUTSIDE = frozenset({
    "billiard.exceptions.SoftTimeLimitExceeded", "billiard.exceptions.TimeLimitExceeded", "gevent.timeout.Timeout",
    "eventlet.timeout.Timeout", "greenlet.GreenletExit", "MemoryError", "KeyboardInterrupt", "SystemExit",
    "RecursionError",
})  # fmt: skip
"""Types of exceptions that any line may raise: they say nothing of the line."""


_ABOUT_DATA = re.compile(
    r"(?:Pars|Syntax|Decod|Encod|Scan|Validat|Invalid|Malformed|Unpack|Unpickl)\w*$"
    r"|^(?:re|zlib|struct)\.error$|^(?:binascii|csv)\.Error$"
)
"""Types whose messages say what is wrong with the data: that differs from one to the next."""


class Fingerprint(NamedTuple):
    """What a failure has in common with others of its kind."""

    group: str
    """Short id of the group, hexadecimal."""
    type: str
    """The exception's type, with its module unless it is a builtin."""
    message: str
    """The first line of its message, masked."""
    frames: tuple[str, ...]
    """The deepest frames, "file:function", the deepest last."""

    @property
    def fields(self) -> dict[str, str | int]:
        """What a report of the failure says of its group (`store/lua/lib/failures.lua`).

        Half a character in a message stays one: the Redis client replaces it. As an escape Lua would refuse it.
        """
        shape = json.dumps({"type": self.type, "message": self.message, "frames": self.frames}, ensure_ascii=False)
        return {"error_type": self.type, "failure_group": self.group, "failure_shape": shape}


class _Frame(NamedTuple):
    place: str
    function: str
    code: str
    is_own: bool

    def __str__(self) -> str:
        return f"{self.place}:{self.function}"


def type_name(error: object) -> str:
    """The name of an exception's type, with its module unless it is a builtin."""
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module in {"builtins", "__main__"} else f"{module}.{kind.__qualname__}"[:200]


def fingerprint(kind: str, message: str = "", traceback: str | None = None) -> Fingerprint:
    """The fingerprint of a failure. Of one of which only the type is known the store makes the same group.

    Args:
        kind: The exception's type, as `type_name` has it, or another word for what happened.
        message: Its message, without secrets.
        traceback: Its traceback as Python prints it, without secrets; None or "": there is none.
    """
    kind, text = kind[:200], _first_line(message)
    *causes, last = _blocks((traceback or "")[-_MOST_CHARS:]) or [("", False)]
    frames = _frames_of(last[0])
    own = [frame for frame in frames if frame.is_own]
    shown = (own or frames)[-_MOST_FRAMES:]
    parts = [kind, *_inner_types(last[0])]
    if kind in _FROM_OUTSIDE:
        where = tuple(map(str, _recursing(own) or own[:1]))
        return Fingerprint(_hash([kind, *where]), kind, "", where[-_MOST_FRAMES:])
    parts += [f"by {each}" for each in _causes(causes, is_explicit=last[1])]
    parts += [str(frame) for frame in shown[-1:]]
    code = frames[-1].code if frames and frames[-1].is_own else ""
    if code:
        parts.append(_plain_code(code))
    masked = mask(text)
    if masked and not (code and _says_all(code)) and not (own and _ABOUT_DATA.search(kind)):
        parts.append(_without_names(masked) if code.startswith("raise") else masked)
    return Fingerprint(_hash(parts), kind, _for_people(text, code), tuple(map(str, shown)))


def _hash(parts: Sequence[str]) -> str:
    whole = "\0".join(parts).encode(errors="replace")
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()[:_GROUP_CHARS]


# -- the traceback ---------------------------------------------------------------------------------------------------

_CAUSE = "\nThe above exception was the direct cause of the following exception:\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n"
_INNER = re.compile(r"^[ |]*\+-\+?-+ \d+ -+$", re.MULTILINE)
_FILE = re.compile(r'^[ |+]*File "([^"\n]{1,1000})", line \d+, in ([^\n]{1,200})\n?([^\n]{0,1000})', re.MULTILINE)
_ERROR = re.compile(r"^[ |]*([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)
_NO_FUNCTIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})
"""Frames that a newer Python does not have."""


def _recursing(frames: Sequence[_Frame]) -> list[str]:
    """The functions that are there more than once, in order of their names."""
    counts = Counter(map(str, frames))
    return sorted(name for name, count in counts.items() if count > 1)


def _blocks(text: str) -> list[tuple[str, bool]]:
    """The exceptions of a traceback, in its order: the text of each, and whether the one before is its cause."""
    blocks: list[tuple[str, bool]] = []
    for part in text.split(_CAUSE):
        first, *others = part.split(_CONTEXT)
        blocks += [(first, bool(blocks)), *((other, False) for other in others)]
    return blocks


def _causes(blocks: Sequence[tuple[str, bool]], *, is_explicit: bool) -> Iterator[str]:
    """The types of the explicit causes, from the last one on."""
    for text, is_next_explicit in reversed(blocks):
        if not is_explicit:
            return
        yield _type_in(text)
        is_explicit = is_next_explicit


def _type_in(text: str) -> str:
    last = text.rfind('File "')
    found = _ERROR.search(text, text.find("\n", last) + 1 if last >= 0 else 0)
    while found and found[1] == "Traceback":
        found = _ERROR.search(text, found.end())
    return found[1] if found else ""


def _inner_types(text: str) -> list[str]:
    """The types of the exceptions in an exception group, each once."""
    first = _INNER.search(text)
    if first is None:
        return []
    return sorted({_type_in(each) for each in _INNER.split(text[first.start() :])[1:20]} - {""})


@functools.lru_cache(4)
def _frames_of(text: str) -> list[_Frame]:
    inner = _INNER.search(text)
    frames = []
    for found in _FILE.finditer(text[: inner.start()] if inner else text):
        path, function, code = found.groups()
        if function not in _NO_FUNCTIONS:
            place, is_own = _place(path)
            frames.append(_Frame(place, function, code.strip(" |+"), is_own))
    return frames


_INSTALLED = re.compile(r".*/(?:site|dist)-packages/")
_STANDARD = re.compile(r".*/(?:lib(?:64)?/python\d[^/]*|Python\d+/Lib|python\d+\.zip)/", re.IGNORECASE)
_TRACKER = f"{Path(__file__).resolve().parents[1].as_posix()}/"
_RELEASE = re.compile(r"[\w.-]*\d[\w.-]*")


@functools.lru_cache(1000)
def _place(path: str) -> tuple[str, bool]:
    """A file as it is called on every machine and in every release, and whether it is the project's own."""
    path = path.replace("\\", "/")
    for root in (_INSTALLED, _STANDARD):
        if found := root.match(path):
            return path[found.end() :], False
    if path.startswith(("<", _TRACKER)):
        return path.rpartition("/")[2], False
    *folders, name = path.split("/")[-2:]
    return "/".join([*(_RELEASE.sub("<n>", folder) for folder in folders), name]), True


# -- the line of code ------------------------------------------------------------------------------------------------

_STRING_OR_NAME = re.compile(r"""("[^"]*"|'[^']*'|\.\w+|\b\w+(?=\())|\b[^\W\d]\w*""")
_LITERAL = re.compile(r"""["'][^"']*[A-Za-z]{2}""")


def _plain_code(code: str) -> str:
    """A line of code without its formatting and the names of its variables."""
    code = re.sub(r"\{[^{}]*\}", "{}", code.partition("  #")[0])
    code = _STRING_OR_NAME.sub(lambda found: found[0] if found[1] or keyword.iskeyword(found[0]) else "_", code)
    return re.sub(r"\s+|,(?=[)\]}])", "", code).replace('"', "'")


def _says_all(code: str) -> bool:
    """Whether the line tells the failure from others at the same place: it has the text that it raises."""
    is_whole = code.count("(") == code.count(")")
    return is_whole and (code.startswith("assert ") or (code.startswith("raise ") and _has_text(code)))


def _has_text(code: str) -> bool:
    return bool(_LITERAL.search(re.sub(r"\{[^{}]*\}", "", code)))


# -- the message -----------------------------------------------------------------------------------------------------

_MASKS = [
    (re.compile(pattern), mark)
    for pattern, mark in (
        (r"\b[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]+", "<url>"),
        (r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", "<address>"),
        (r"<[\w.]+(?: [^<>]{0,200})? at 0x[0-9a-fA-F]+>", "<object>"),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<id>"),
        (r"(?<![\w.])[bru]{0,2}'(?:[^'\\]|\\.)*'(?!\w)", "<quoted>"),
        (r"(?<![\w.])[bru]{0,2}\"(?:[^\"\\]|\\.)*\"|`[^`]*`|“[^”]*”|«[^»]*»", "<quoted>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", "<time>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b", "<address>"),
        (r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4}(?![\w:])", "<address>"),
        (r"(?<![\w<])(?:[A-Za-z]:)?(?:[\\/][\w.~%+@-]+){2,}[\\/]?|(?<![\w<])/[\w.~%+@-]+", "<path>"),
        (r"\b0x[0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b", "<hex>"),
        (r"(?<![\w<.-])[-+]?\d++(?:[.,_]\d++)*+(?:[eE][-+]?\d++)?+(?![\w-])", "<n>"),
        (r"(?<![\w<.-])\d++(?:[.,_]\d++)*+(?=[a-zA-Zµ%]{1,3}(?!\w))", "<n>"),
        (r"(?<![<\w])[\w.:-]*\d[\w.:-]*", "<id>"),
        (r"(?<![<\w])[\w+/=.-]{40,}", "<id>"),
    )
]
_LISTS = re.compile(r"(<[a-z]+>)(?:(?:, ?|: ?| ?/ ?)(?:<[a-z]+>|None|True|False))+")
_PLURAL = re.compile(r"(<n> (?:[a-z-]+ )?[a-z-]{3,})s\b")


def _first_line(message: str) -> str:
    lines = (line.strip() for line in message[: 4 * _MOST_MESSAGE].splitlines())
    return next(filter(None, lines), "")[:_MOST_MESSAGE]


@functools.lru_cache(100)
def mask(message: str) -> str:
    """A line of a message in which marks such as <n> stand for what differs between failures of one kind."""
    for pattern, mark in _MASKS:
        message = pattern.sub(mark, message)
    return _PLURAL.sub(r"\1", _LISTS.sub("<list>", message))


def _without_names(masked: str) -> str:
    """Of a message whose text does not stand in the line that raised it: the words that are no names."""
    return " ".join(re.findall(r"(?<!\S)[a-zà-ÿ]{2,}(?=[.,:;!?]?(?:\s|$))", masked)) if " " in masked else ""


def _for_people(text: str, code: str) -> str:
    """The message as people read it: as `mask`, but what stands in the line of code stays, and nothing else does."""
    if not code:
        return mask(text)[:_MOST_SHOWN]
    constants = map(re.escape, re.findall(r"""["']([\w .-]{1,60})["']""", code))
    pieces = re.split("'(" + "|".join(constants) + ")'", text)  # every second one is a constant
    shown = "".join(f"'{each}'" if n % 2 else mask(each) for n, each in enumerate(pieces))
    if _says_all(code) and _has_text(code):
        words = set(re.findall(r"[^\W\d_]+", code))
        shown = re.sub(r"(?<![<\w])[^\W\d_]+(?!\w*>)", lambda w: w[0] if w[0] in words else "<…>", shown)
        shown = re.sub(r"<…>(?:[\s,.-]*<…>)+", "<…>", shown)
    return shown[:_MOST_SHOWN]
