"""The Lua verbs of `lua/`, as a function library of the server.

A function library (Redis 7 or newer, Valkey) keeps its tables between calls; a script would build them anew each
time, which costs more than most verbs. It is part of the server's data: replicated, and there after a restart.
https://redis.io/docs/latest/develop/programmability/functions-intro/
"""

import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from itertools import groupby, islice
from typing import Any, TypeVar

from redis.exceptions import ConnectionError, MovedError, ResponseError, TimeoutError  # noqa: A004 (redis-py's own names)

from jobtracker.connection.client import RedisClient, give_back, is_away
from jobtracker.connection.cluster import ClusterClient
from jobtracker.core.job import RUN_MARK
from jobtracker.core.lifecycle import EVIDENCE, MATRIX, PRESUMPTIONS, SETTLED, Priority
from jobtracker.store.histograms import BUCKETS, GAMMA, TOTALS
from jobtracker.store.keys import LET_GO, MOST_QUEUES, NOBODY, PREFIXES, RECORD_FIELDS, SCHEMA

T = TypeVar("T")

Args = Sequence[str | int | float]
Call = tuple[str, Args]
"""A key and the further arguments of a verb."""
Calls = Sequence[Call]


class Library:
    """Some verbs as one library, loaded where the server does not have it.

    Its name bears a digest of its source, so processes of different releases or settings do not replace each
    other's.

    Args:
        verbs: Names of files in `lua/`.
        keep_s: Lifetime of time series, in seconds.
        reads_only: The verbs write nothing, so a server that takes no writes now (no memory left, a replica) calls
            them all the same.
        check: Done before the first call, and again before one every `CHECKED_EVERY_S`; where it raises that is not
            made.
    """

    def __init__(
        self,
        verbs: Iterable[str],
        keep_s: int = 0,
        *,
        reads_only: bool = False,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._check = check
        self._check_at = 0.0
        body = _render(verbs, keep_s, reads_only=reads_only)
        self.name = f"jobtracker_{hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()[:12]}"
        self.source = f"#!lua name={self.name}\n" + body.replace(_NAME, self.name)

    def call(self, client: RedisClient, verb: str, key: str, args: Args) -> Any:
        """Call a verb: one round trip, three where the server does not have the library."""
        return self.begin(client, verb, [(key, args)]).answers()[0]

    def call_many(self, client: RedisClient, verb: str, calls: Calls) -> list[Any]:
        """Call a verb once for each `(key, args)`, in order, however many there are.

        A bundle of them is one call of a function (lua/many.lua): a command of its own for each would cost the caller
        twice the time, and the server more than the verb. Where one raises, those behind it may not be made.
        """
        if len(calls) == 1:
            return [self.call(client, verb, *calls[0])]
        answers: dict[int, Any] = {}
        for some in batched(_bundles(calls), _BUNDLES):
            packed = [_packed(verb, [calls[n] for n in bundle]) for bundle in some]
            for bundle, each in zip(some, self.begin(client, "many", packed).answers(), strict=True):
                answers.update(zip(bundle, each, strict=False))  # an error is the last of its bundle's answers
        for answer in answers.values():
            if isinstance(answer, Exception):
                raise answer
        return [answers[n] for n in range(len(calls))]

    def call_all(self, client: RedisClient, verb: str, calls: Iterable[tuple[str, Args]]) -> None:
        """Call a verb for each `(key, args)`, in any order; while the server is at one the next one is made up."""
        begun: deque[PendingCalls] = deque()
        try:
            for call in calls:
                begun.append(self.begin(client, verb, [call]))
                if len(begun) > 1:
                    begun.popleft().answers()
            while begun:
                begun.popleft().answers()
        finally:
            for each in begun:
                each.abandon()

    def begin(self, client: RedisClient, verb: str, calls: Calls) -> "PendingCalls":
        """Send calls of a verb, and leave their answers for later."""
        if self._check is not None and (now := time.monotonic()) >= self._check_at:
            self._check()
            self._check_at = now + CHECKED_EVERY_S
        if isinstance(client, ClusterClient):
            return ClusterCalls(self, client, verb, calls)
        return PendingCalls(self, client, verb, calls)

    def fenced(self, fences: Mapping[str, str]) -> "Library":
        """The same verbs for a reaper; they raise `FencedError` where its turn is over (lua/fence.lua).

        Args:
            fences: What the reaper's lock holds while it has it, by the prefix of the partition.
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


def _packed(verb: str, calls: Calls) -> tuple[str, Args]:
    text = json.dumps([([key], list(map(str, args))) for key, args in calls], ensure_ascii=False)
    return calls[0][0], [calls[0][1][0], verb, text]


class _FencedLibrary(Library):
    def __init__(self, library: Library, fences: Mapping[str, str]) -> None:
        self.name, self.source = library.name, library.source
        self._library = library
        self._fences = fences

    def begin(self, client: RedisClient, verb: str, calls: Calls) -> "PendingCalls":
        fenced = [(key, [*args, self._fences.get(str(args[0]), "")]) for key, args in calls]
        return self._library.begin(client, f"fenced_{verb}", fenced)


class FencedError(ResponseError):
    """Another reaper has taken over: what this one has decided meanwhile must not be carried out."""


class PendingCalls:
    """Calls that are under way. They hold a connection until their answers are read.

    A caller that has something else to do meanwhile does not wait for them: a publisher's own message is on its way
    while the record of the job is. The connection itself is spoken to (redis-py's `Connection`), for `Redis` sends
    and waits in one step, and spends more time on the way there than the server on the verb.
    """

    def __init__(self, library: Library, client: RedisClient, verb: str, calls: Calls) -> None:
        self._library = library
        self._client = client
        self._verb = verb
        self._calls = calls
        self._pool = client.connection_pool
        self._connection = self._pool.get_connection()
        try:
            self._connection.send_packed_command(_commands(f"{library.name}_{verb}", calls))
        except BaseException:
            self._give_back(broken=True)
            raise

    def answers(self, *, decoded: bool = True) -> list[Any]:
        """The answers, in order; to be asked for once.

        Args:
            decoded: Their strings as texts; else as bytes.

        Raises:
            redis.exceptions.RedisError: The first error there was. The calls behind it were made all the same.
        """
        answers = self.each(decoded=decoded)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def each(self, *, decoded: bool = True) -> list[Any]:
        """What became of each call, in order, its error where it failed; to be asked for once.

        Raises:
            redis.exceptions.RedisError: The server does not answer.
        """
        answers: list[Any] = []
        failed: list[int] = []
        try:
            for n in range(len(self._calls)):
                try:
                    answers.append(self._connection.read_response(disable_decoding=not decoded))
                except ResponseError as error:
                    answers.append(error)
                    failed.append(n)
        except BaseException:
            self.abandon()
            raise
        # A server that has become a replica stays one: its successor is found by connecting anew.
        self._give_back(broken=any(is_away(answers[n]) for n in failed))
        for n in failed:
            if "Function not found" in str(answers[n]):
                self._library.load(self._client)
                try:
                    again = self._library.begin(self._client, self._verb, [self._calls[n]])
                    [answers[n]] = again.answers(decoded=decoded)
                except ResponseError as error:
                    answers[n] = error
            elif str(answers[n]).startswith("FENCED "):
                answers[n] = FencedError(str(answers[n]))
        return answers

    def abandon(self) -> None:
        """Ask for no answers any more."""
        self._give_back(broken=True)  # an answer that nobody reads would be taken for the next call's

    def _give_back(self, *, broken: bool = False) -> None:
        if broken:
            self._connection.disconnect()
            self._pool.release(self._connection)
        else:
            give_back(self._connection, self._pool)


class ClusterCalls(PendingCalls):
    """Calls that are under way at the nodes of a cluster, to each those that concern its keys.

    A node that does not have a key any more says who does: those calls were not made, and are made there. Where a
    node does not answer nobody knows, and its caller is told; the next call finds out who has taken over from it.
    """

    def __init__(self, library: Library, client: ClusterClient, verb: str, calls: Calls) -> None:
        self._library = library
        self._client: ClusterClient = client
        self._verb = verb
        self._calls = calls
        numbers: dict[Any, list[int]] = {}
        for n, (key, _) in enumerate(calls):
            numbers.setdefault(client.server_of(key), []).append(n)
        self._pending: list[tuple[list[int], PendingCalls]] = []
        try:
            for server, own in numbers.items():
                self._pending.append((own, PendingCalls(library, server, verb, [calls[n] for n in own])))
        except BaseException as error:
            self._note(error)
            self.abandon()
            raise

    def each(self, *, decoded: bool = True) -> list[Any]:  # noqa: D102 (as PendingCalls)
        answers = self._once(decoded)
        moved = [n for n, answer in enumerate(answers) if isinstance(answer, MovedError)]
        if moved:
            self._client.look_anew()
            found = ClusterCalls(self._library, self._client, self._verb, [self._calls[n] for n in moved])
            for n, answer in zip(moved, found._once(decoded), strict=True):  # not followed for ever
                answers[n] = answer
        return answers

    def _once(self, decoded: bool) -> list[Any]:
        answers: list[Any] = [None] * len(self._calls)
        failure: Exception | None = None
        while self._pending:
            own, pending = self._pending.pop()
            try:
                for n, answer in zip(own, pending.each(decoded=decoded), strict=True):
                    answers[n] = answer
            except (ConnectionError, TimeoutError) as error:
                self._note(error)
                failure = error
            except BaseException:
                self.abandon()
                raise
        if failure is not None:
            raise failure
        return answers

    def abandon(self) -> None:  # noqa: D102 (likewise)
        while self._pending:
            self._pending.pop()[1].abandon()

    def _note(self, error: BaseException) -> None:
        if isinstance(error, ConnectionError | TimeoutError):
            self._client.look_anew()


def _commands(function: str, calls: Calls) -> list[bytes]:
    """The calls as the server reads them (https://redis.io/docs/latest/develop/reference/protocol-spec/).

    redis-py's own way of doing that takes several times as long.
    """
    head = f"\r\n$5\r\nFCALL\r\n${len(function)}\r\n{function}\r\n$1\r\n1\r\n"
    sent = []
    for key, args in calls:
        texts = [key, *[arg if arg.__class__ is str else str(arg) for arg in args]]
        text = "".join([f"${len(each)}\r\n{each}\r\n" for each in texts])
        if not text.isascii():
            values = [each.encode(errors="replace") for each in texts]
            sent += [f"*{len(texts) + 3}{head}".encode(), *(b"$%d\r\n%s\r\n" % (len(v), v) for v in values)]
        else:
            sent.append(f"*{len(texts) + 3}{head}{text}".encode())
    return [b"".join(sent)]


def batched(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """The items in lists of at most so many."""
    left = iter(items)
    while some := list(islice(left, most)):
        yield some


_NAME = "@LIBRARY@"


def _render(verbs: Iterable[str], keep_s: int, *, reads_only: bool) -> str:
    tables = {
        "KEY": PREFIXES,
        "PLACE": {name: place for place, name in enumerate(RECORD_FIELDS)},
        "NAME": dict(enumerate(RECORD_FIELDS)),
        "MATRIX": MATRIX,
        "EVIDENCE": EVIDENCE,
        "PRESUMPTION": PRESUMPTIONS,
        "SETTLED": SETTLED,
        "LOG_GAMMA": math.log(GAMMA),
        "TOTAL": {name: n for n, name in enumerate(TOTALS)},
        "BUCKETS": BUCKETS,
        "KEEP_S": keep_s,
        "LET_GO": LET_GO,
        "SCHEMA": SCHEMA,
        "NORMAL": Priority.NORMAL,
        "PRIORITIES": list(Priority),
        "RUN_MARK": RUN_MARK,
        "NOBODY": NOBODY,
        "MOST_QUEUES": MOST_QUEUES,
    }
    parts = [f"local {name} = {lua_table(value)}" for name, value in tables.items()]
    parts += [*map(_read, ("series", "ledger", "record", "lists", "fence")), "local VERB = {}"]
    for verb in verbs:
        parts.append(f"function VERB.{verb}(KEYS, ARGV, ...)")
        parts.append(f"PREFIX = ARGV[1]\n{_read(verb)}\nend")
        if reads_only:
            of = f"function_name='{_NAME}_{verb}', callback=VERB.{verb}, flags={{'no-writes'}}"
            parts.append(f"redis.register_function{{{of}}}")
            continue
        parts.append(f"redis.register_function('{_NAME}_{verb}', VERB.{verb})")
        parts.append(f"redis.register_function('{_NAME}_fenced_{verb}', fenced(VERB.{verb}))")
    return "\n".join(parts)


def _read(name: str) -> str:
    return (resources.files(__package__) / "lua" / f"{name}.lua").read_text()


def lua_table(value: object) -> str:
    """A Python value of dicts, sets and strings as a Lua literal."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"[{lua_table(k)}]={lua_table(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(lua_table, value)) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(f"[{lua_table(item)}]=true" for item in sorted(value)) + "}"
    return json.dumps(value)
