"""Calls of a library's functions: sent at once, answered later."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

import msgpack
from redis.client import NEVER_DECODE
from redis.exceptions import ConnectionError, MovedError, ResponseError, TimeoutError  # noqa: A004 (redis-py's own names)

from jobtracker.connection.client import RedisClient, give_back, is_away
from jobtracker.connection.cluster import ClusterClient

T = TypeVar("T")

Args = Sequence[str | int | float | bytes]
Call = tuple[str, Args]
"""A key and the further arguments of a command."""
Calls = Sequence[Call]


class Loadable(Protocol):
    """Functions that can be loaded into a server and called there."""

    name: str

    def load(self, client: RedisClient) -> None:
        """Load them; nothing happens where they are there."""

    def begin(self, client: RedisClient, command: str, calls: Calls) -> "PendingCalls":
        """Send calls of a command, and leave their answers for later."""


class FencedError(ResponseError):
    """Another leader has taken over: what this one has decided meanwhile must not be carried out."""


class Pending:
    """Commands that are under way. They hold a connection until their answers are read.

    A caller that has something else to do meanwhile does not wait for them: a publisher's own message is on its way
    while the record of the job is. The connection itself is spoken to (redis-py's `Connection`), for `Redis` and its
    pipeline send and wait in one step, and spend more time on the way there than the server on the command.

    Args:
        client: Of one server.
        commands: The commands as the server reads them, in one piece or several.
        count: How many commands.
    """

    def __init__(self, client: RedisClient, commands: list[bytes], count: int) -> None:
        self._count = count
        self._pool = client.connection_pool
        self._connection = self._pool.get_connection()
        try:
            self._connection.send_packed_command(commands)
        except BaseException:
            self.abandon()
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
        """What became of each, in order, its error where it failed; to be asked for once.

        Raises:
            redis.exceptions.RedisError: The server does not answer.
        """
        answers: list[Any] = []
        is_unable = False
        try:
            for _ in range(self._count):
                try:
                    answers.append(self._connection.read_response(disable_decoding=not decoded))
                except ResponseError as error:
                    answers.append(error)
                    is_unable = is_unable or is_away(error)
        except BaseException:
            self.abandon()
            raise
        # A server that has become a replica stays one: its successor is found by connecting anew.
        give_back(self._connection, self._pool, broken=is_unable)
        return answers

    def abandon(self) -> None:
        """Ask for no answers any more. One that nobody reads would be taken for the next call's."""
        give_back(self._connection, self._pool, broken=True)


class PendingCalls(Pending):
    """Calls of a library's functions that are under way."""

    def __init__(self, library: Loadable, client: RedisClient, command: str, calls: Calls) -> None:
        self._library = library
        self._client = client
        self._command = command
        self._calls = calls
        super().__init__(client, _function_calls(f"{library.name}_{command}", calls), len(calls))

    def each(self, *, decoded: bool = True) -> list[Any]:
        """The same; where the server does not have the library, it is loaded and the calls are made again."""
        answers = super().each(decoded=decoded)
        for n, answer in enumerate(answers):
            if not isinstance(answer, ResponseError):
                continue
            if "Function not found" in str(answer):
                self._library.load(self._client)
                try:
                    again = self._library.begin(self._client, self._command, [self._calls[n]])
                    [answers[n]] = again.answers(decoded=decoded)
                except ResponseError as error:
                    answers[n] = error
            elif str(answer).startswith("FENCED "):
                answers[n] = FencedError(str(answer))
        return answers


class ClusterCalls(PendingCalls):
    """Calls that are under way at the nodes of a cluster, to each those that concern its keys.

    If a node does not have a key any more, it says which one does: those calls were not made, and are made there. If
    a node does not answer, it is not known whether they were made: the caller gets an error, and the next call finds
    out which node has taken over.
    """

    def __init__(self, library: Loadable, client: ClusterClient, command: str, calls: Calls) -> None:
        self._library = library
        self._client: ClusterClient = client
        self._command = command
        self._calls = calls
        numbers: dict[Any, list[int]] = {}
        for n, (key, _) in enumerate(calls):
            numbers.setdefault(client.server_of(key), []).append(n)
        self._pending: list[tuple[list[int], PendingCalls]] = []
        try:
            for server, own in numbers.items():
                self._pending.append((own, PendingCalls(library, server, command, [calls[n] for n in own])))
        except BaseException as error:
            self._note(error)
            self.abandon()
            raise

    def each(self, *, decoded: bool = True) -> list[Any]:
        """The same; where a node does not have a key any more, the calls are made at the one that has it."""
        answers = self._once(decoded)
        moved = [n for n, answer in enumerate(answers) if isinstance(answer, MovedError)]
        if moved:
            self._client.look_anew()
            found = ClusterCalls(self._library, self._client, self._command, [self._calls[n] for n in moved])
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

    def abandon(self) -> None:
        """The same, at all nodes."""
        while self._pending:
            self._pending.pop()[1].abandon()

    def _note(self, error: BaseException) -> None:
        if isinstance(error, ConnectionError | TimeoutError):
            self._client.look_anew()


def _function_calls(function: str, calls: Calls) -> list[bytes]:
    """The calls as the server reads them (https://redis.io/docs/latest/develop/reference/protocol-spec/).

    redis-py's own way of doing that takes several times as long.
    """
    head = f"\r\n$5\r\nFCALL\r\n${len(function)}\r\n{function}\r\n$1\r\n1\r\n".encode()
    sent = []
    for key, args in calls:
        values = [each if each.__class__ is bytes else str(each).encode(errors="replace") for each in (key, *args)]
        sent += [b"*%d%b" % (len(values) + 3, head), *[b"$%d\r\n%b\r\n" % (len(each), each) for each in values]]
    return [b"".join(sent)]


def read_keys(client: RedisClient, commands: Sequence[tuple[str, str]]) -> list[Any]:
    """Answers to commands that read a key and take nothing else (GET, HGETALL), in order and as bytes.

    All are sent at once, and once more if the server has closed the connection meanwhile.

    Raises:
        redis.exceptions.RedisError: The first error there was; the message names the command and the key.
    """
    if isinstance(client, ClusterClient):
        pipe = client.pipeline(transaction=False)
        for command, key in commands:
            pipe.execute_command(command, key, **{NEVER_DECODE: True})
        return list(pipe.execute())
    texts = ((command.encode(), key.encode(errors="replace")) for command, key in commands)
    sent = [b"".join(b"*2\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(c), c, len(k), k) for c, k in texts)]
    pending = Pending(client, sent, len(commands))
    try:
        answers = pending.each(decoded=False)
    except ConnectionError:
        answers = Pending(client, sent, len(commands)).each(decoded=False)
    for (command, key), answer in zip(commands, answers, strict=True):
        if isinstance(answer, ResponseError):
            answer.args = (f"{answer} ({command} {key})",)
            raise answer
    return answers


def packed(*values: Any) -> bytes:
    """Some values, at most 15, as one argument: their MessagePack, one after the other.

    A function of the server unpacks it in a fraction of the time that it takes to read as many arguments. Whole
    numbers of more than 64 bits, and what MessagePack does not know, are texts there.
    """
    try:
        text = msgpack.packb(values, use_bin_type=False, default=_plain)
    except UnicodeEncodeError:  # half a character; to say so for each call takes longer
        text = msgpack.packb(values, use_bin_type=False, default=_plain, unicode_errors="replace")
    return bytes(text[1:])  # without the head of the list, which is one byte


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def batched(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """The items in lists of at most so many."""
    left = iter(items)
    while some := list(islice(left, most)):
        yield some
