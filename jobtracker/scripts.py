"""The Lua verbs of `lua/`, as a function library of the server.

A function library (Redis 7 or newer, Valkey) keeps its tables between calls; a script would build them anew each
time, which costs more than most verbs. It is part of the server's data: replicated, and there after a restart.
https://redis.io/docs/latest/develop/programmability/functions-intro/
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from redis.exceptions import ResponseError

from jobtracker.connection import RedisClient
from jobtracker.histograms import GAMMA
from jobtracker.keys import PREFIXES
from jobtracker.lifecycle import EVIDENCE, MATRIX, PRESUMPTIONS, SETTLED

Args = Sequence[str | int | float]


class Library:
    """Some verbs as one library, loaded where the server does not have it.

    Its name bears a digest of its source, so processes of different releases or settings do not replace each
    other's.

    Args:
        verbs: Names of files in `lua/`.
        keep_s: Lifetime of time series, in seconds.
    """

    def __init__(self, verbs: Iterable[str], keep_s: int = 0) -> None:
        body = _render(verbs, keep_s)
        self.name = f"jobtracker_{hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()[:12]}"
        self.source = f"#!lua name={self.name}\n" + body.replace(_NAME, self.name)

    def call(self, client: RedisClient, verb: str, key: str, args: Args) -> Any:
        """Call a verb: one round trip, three where the server does not have the library."""
        function = f"{self.name}_{verb}"
        try:
            return client.fcall(function, 1, key, *args)
        except ResponseError as error:
            if not _is_unknown(error):
                raise
            self.load(client)
            return client.fcall(function, 1, key, *args)

    def call_many(self, client: RedisClient, verb: str, calls: Sequence[tuple[str, Args]]) -> list[Any]:
        """Call a verb once for each `(key, args)`, in order, in one pipeline."""
        if not calls:
            return []
        pipe = client.pipeline(transaction=False)
        for key, args in calls:
            pipe.fcall(f"{self.name}_{verb}", 1, key, *args)
        answers = pipe.execute(raise_on_error=False)
        for n, answer in enumerate(answers):
            if isinstance(answer, ResponseError) and _is_unknown(answer):
                answers[n] = self.call(client, verb, *calls[n])
            elif isinstance(answer, Exception):
                raise answer
        return list(answers)

    def load(self, client: RedisClient) -> None:
        """Load the library into the server; does nothing where somebody else has."""
        try:
            client.function_load(self.source)
        except ResponseError as error:
            if "already exists" not in str(error):
                raise


_NAME = "@LIBRARY@"


def _render(verbs: Iterable[str], keep_s: int) -> str:
    tables = {
        "KEY": PREFIXES,
        "MATRIX": MATRIX,
        "EVIDENCE": EVIDENCE,
        "PRESUMPTION": PRESUMPTIONS,
        "SETTLED": SETTLED,
        "GAMMA": GAMMA,
        "KEEP_S": keep_s,
    }
    parts = [f"local {name} = {lua_table(value)}" for name, value in tables.items()]
    parts.append(_read("record"))
    for verb in verbs:
        parts.append(f"redis.register_function('{_NAME}_{verb}', function(KEYS, ARGV)\nPREFIX = ARGV[1]")
        parts.append(f"{_read(verb)}\nend)")
    return "\n".join(parts)


def _read(name: str) -> str:
    return (resources.files("jobtracker") / "lua" / f"{name}.lua").read_text()


def _is_unknown(error: ResponseError) -> bool:
    return "Function not found" in str(error)


def lua_table(value: object) -> str:
    """A Python value of dicts, sets and strings as a Lua literal."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"[{lua_table(k)}]={lua_table(v)}" for k, v in value.items()) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(f"[{lua_table(item)}]=true" for item in sorted(value)) + "}"
    return json.dumps(value)
