"""The function library: Lua commands (`lua/`), rendered and loaded into the server.

A function library (Redis 7 or newer, Valkey) keeps its tables between calls; a script would build them anew each
time, which costs more than most commands. It is part of the server's data: replicated, and there after a restart.
https://redis.io/docs/latest/develop/programmability/functions-intro/
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from redis.exceptions import ResponseError

from jobtracker.connection.client import RedisClient
from jobtracker.connection.cluster import ClusterClient
from jobtracker.store.libraries import made_here
from jobtracker.store.lua_source import NAME, render
from jobtracker.store.pipeline import Args, Call, Calls, ClusterCalls, FencedError, PendingCalls, batched, packed


class Library:
    """Some commands as one library, which is loaded if the server does not have it.

    Its name bears a digest of its source, so processes of different releases or settings do not replace each
    other's.

    Args:
        commands: Names of files in `lua/commands/`.
        keep_s: Lifetime of time series, in seconds.
        reads_only: The commands write nothing, so a server that takes no writes now (no memory left, a replica) calls
            them all the same.
        check: Called before the first call, and again every `CHECKED_EVERY_S`. If it raises, the call is not made.
    """

    def __init__(
        self,
        commands: Iterable[str],
        keep_s: int = 0,
        *,
        reads_only: bool = False,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._check = check
        self._check_at = 0.0
        body = render(commands, keep_s, reads_only=reads_only)
        self.name = f"jobtracker_{hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()[:12]}"
        self.source = f"#!lua name={self.name}\n" + body.replace(NAME, self.name)
        made_here.add(self.name)

    def call(self, client: RedisClient, command: str, key: str, args: Args) -> Any:
        """Call a command: one round trip, three where the server does not have the library."""
        return self.begin(client, command, [(key, args)]).answers()[0]

    def call_many(self, client: RedisClient, command: str, calls: Calls) -> list[Any]:
        """Call a command once for each `(key, args)`, in order, however many there are.

        A bundle of them is one call of a function (`lua/commands/batch.lua`): a call of its own for each would cost
        the caller twice the time, and the server more than the command. Where one raises, those behind it may not be
        made.
        """
        if len(calls) == 1:
            return [self.call(client, command, *calls[0])]
        answers: dict[int, Any] = {}
        for some in batched(_bundles(calls), _BUNDLES):
            bundles = [_together(command, [calls[n] for n in bundle]) for bundle in some]
            for bundle, each in zip(some, self.begin(client, "batch", bundles).answers(), strict=True):
                answers.update(zip(bundle, each, strict=False))  # an error is the last of its bundle's answers
        for answer in answers.values():
            if isinstance(answer, Exception):
                raise answer
        return [answers[n] for n in range(len(calls))]

    def call_together(self, client: RedisClient, command: str, calls: Calls) -> list[Any]:
        """Call a command for each `(key, args)` of one partition, in order and in one step: nobody else is served."""
        return list(self.begin(client, "batch", [_together(command, calls)]).answers()[0])

    def call_all(self, client: RedisClient, command: str, calls: Iterable[tuple[str, Args]]) -> None:
        """Call a command for each `(key, args)`, in any order; while the server is at one the next one is made up."""
        begun: deque[PendingCalls] = deque()
        try:
            for call in calls:
                begun.append(self.begin(client, command, [call]))
                if len(begun) > 1:
                    begun.popleft().answers()
            while begun:
                begun.popleft().answers()
        finally:
            for each in begun:
                each.abandon()

    def begin(self, client: RedisClient, command: str, calls: Calls) -> "PendingCalls":
        """Send calls of a command, and leave their answers for later."""
        if self._check is not None and (now := time.monotonic()) >= self._check_at:
            self._check()
            self._check_at = now + CHECKED_EVERY_S
        if isinstance(client, ClusterClient):
            return ClusterCalls(self, client, command, calls)
        return PendingCalls(self, client, command, calls)

    def fenced(self, fences: Mapping[str, str]) -> "Library":
        """The same commands for a leader; they raise `FencedError` once its term is over (`lua/lib/fencing.lua`).

        Args:
            fences: What the leader's lock holds during its term, by the prefix of the partition.
        """
        return _FencedLibrary(self, fences)

    def load(self, client: RedisClient) -> None:
        """Load the library into the server; does nothing where somebody else has."""
        try:
            client.function_load(self.source)
        except ResponseError as error:
            if "already exists" not in str(error):
                raise


CHECKED_EVERY_S = 5.0
"""So long a process goes on that has looked at what the store is like."""

_BUNDLE = 50
"""Calls that are made in one go: it takes the server a few milliseconds, in which nobody else is served."""
_BUNDLES = 20
"""Bundles of one round trip."""


def _bundles(calls: Calls) -> Iterator[list[int]]:
    """The numbers of calls in bundles, in order; a bundle is about one partition, that of the first argument."""

    def prefix(number: int) -> str:
        return str(calls[number][1][0])

    for _, of_one in groupby(sorted(range(len(calls)), key=prefix), key=prefix):
        yield from batched(of_one, _BUNDLE)


def _together(command: str, calls: Calls) -> tuple[str, Args]:
    bundle = [([key], [each if each.__class__ is bytes else str(each) for each in args]) for key, args in calls]
    return calls[0][0], [calls[0][1][0], command, packed(bundle)]


class _FencedLibrary(Library):
    def __init__(self, library: Library, fences: Mapping[str, str]) -> None:
        self.name, self.source = library.name, library.source
        self._library = library
        self._fences = fences

    def begin(self, client: RedisClient, command: str, calls: Calls) -> "PendingCalls":
        fenced = [(key, [*args, self._fences.get(str(args[0]), "")]) for key, args in calls]
        return self._library.begin(client, f"fenced_{command}", fenced)


__all__ = ["CHECKED_EVERY_S", "Args", "Call", "Calls", "FencedError", "Library", "PendingCalls", "batched"]
