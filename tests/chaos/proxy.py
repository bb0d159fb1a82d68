"""A way to the tracking Redis that can go wrong: `python -m chaos.proxy PORT TARGET_PORT CONTROL_PORT SEED`.

In trouble it lets a request through and drops the answer, by closing the connection: executed, and not answered. It
also holds requests up, and closes connections as soon as they are made. Else it passes on what comes.
"""

import asyncio
import json
import random
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass

_HOST = "127.0.0.1"
_PIECE_BYTES = 2**16


@dataclass(frozen=True)
class Mood:
    """How it behaves for a while.

    Attributes:
        for_s: So long, in seconds.
        drops: The share of requests whose answer is dropped.
        refuses: The share of new connections that are closed at once.
        delays_s: A request is held up for so long at most, in seconds.
    """

    for_s: float
    drops: float
    refuses: float
    delays_s: float


def put_into(port: int, mood: Mood) -> None:
    """Put the proxy whose control port that is into a mood; returns when it is."""
    with socket.create_connection((_HOST, port), timeout=5) as control:
        control.sendall(json.dumps(asdict(mood)).encode() + b"\n")
        control.recv(16)


class Proxy:
    """One proxy.

    Args:
        target: The port of the server behind it.
        dice: Decide which requests go wrong.
    """

    def __init__(self, target: int, dice: random.Random) -> None:
        self._target = target
        self._dice = dice
        self._mood = Mood(0, 0, 0, 0)
        self._until = 0.0

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a mood, for as long as that lasts."""
        self._mood = Mood(**json.loads(await reader.readline()))
        self._until = time.monotonic() + self._mood.for_s
        writer.write(b"ok")
        await writer.drain()
        writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes on a connection, both ways."""
        try:
            if not self._hits(self._mood.refuses):
                await self._connect(reader, writer)
        except OSError:
            pass  # one of the two has gone
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(_HOST, self._target)
        lost = asyncio.Event()
        ways = [
            asyncio.create_task(self._requests(reader, to_server, lost)),
            asyncio.create_task(_answers(from_server, writer, lost)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_server.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await reader.read(_PIECE_BYTES):
            if time.monotonic() < self._until and self._mood.delays_s:
                await asyncio.sleep(self._dice.uniform(0, self._mood.delays_s))
            if self._hits(self._mood.drops):
                lost.set()
            writer.write(data)
            await writer.drain()

    def _hits(self, share: float) -> bool:
        return time.monotonic() < self._until and self._dice.random() < share


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
    # The server has executed what it answers; where that is to be lost, so is the connection.
    while (data := await reader.read(_PIECE_BYTES)) and not lost.is_set():
        writer.write(data)
        await writer.drain()


async def main(port: int, target: int, control: int, seed: int) -> None:
    """Run until it is killed."""
    proxy = Proxy(target, random.Random(seed))
    servers = [await asyncio.start_server(proxy.serve, _HOST, port)]
    servers.append(await asyncio.start_server(proxy.control, _HOST, control))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*map(int, sys.argv[1:])))
