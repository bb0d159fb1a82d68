"""Passes the hints of the store on to the viewers of this process.

While there are viewers, a thread reads the hints of all partitions; on a Redis Cluster, one for each partition. All
else happens on the event loop. Viewers that want the same get the same bytes.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from redis.exceptions import RedisError

from jobtracker.connection.cluster import ClusterClient
from jobtracker.errors import TooManyViewersError
from jobtracker.server.live.batches import Batch, Wanted
from jobtracker.server.live.positions import Positions, as_ordered, positions_in
from jobtracker.server.live.reader import News, Reader
from jobtracker.server.live.viewers import Viewer
from jobtracker.store.keys import Partition
from jobtracker.store.reader import Hint, JobQueries
from jobtracker.store.writer import JobStore

EVENT_EVERY_S = 0.25
"""At most so often a viewer gets an event of what changed."""
HEARTBEAT_S = 5.0
REST_MS_PER_VIEWER = 40
"""All pages of a process that show the list ask about 75 times a second then, or less."""
_LONGEST_REST_MS = 20_000
_MOST_REPLAYED = 5000
"""Entries of a partition. A viewer that has missed more reads anew."""
_CATCHES_UP_S = 3.0
"""A viewer may have been further with another process."""

_ASKS_AGAIN_S = 0.2
_SLACK_S = 0.01
"""One reader takes as long a rest as viewers are to have; of several, one has to wait for the other."""

T = TypeVar("T")


class _Channel:
    """Viewers that want the same, and what they are told next."""

    __slots__ = ("batch", "viewers", "wanted")

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.batch = Batch()
        self.viewers: set[Viewer] = set()


class Hub:
    """The viewers of a process, and what they are told.

    Args:
        store: Has the hints written.
        queries: Reads them.
        most_viewers: How many there may be.
        timeout_s: The longest that Redis may take to answer.
    """

    def __init__(self, store: JobStore, queries: JobQueries, most_viewers: int, timeout_s: float) -> None:
        self.wants_trees = False
        self._store = store
        self._queries = queries
        self._most_viewers = most_viewers
        self._timeout_s = timeout_s
        self._parts = queries.keys.parts
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: dict[Reader, str | None] = {}
        """Each with why Redis does not answer it; None where it does."""
        self._positions: dict[Partition, str] = {}
        self._viewers: set[Viewer] = set()
        self._channels: dict[str | None, dict[Wanted, _Channel]] = {}
        """By the id of the one job that is wanted."""
        self._waiting: set[asyncio.Future[None]] = set()
        self._flushed_at = 0.0
        self._flush_timer: asyncio.TimerHandle | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._has_ended = False

    # -- viewers ----------------------------------------------------------------------------------------------------

    @property
    def viewer_count(self) -> int:
        """How many there are."""
        return len(self._viewers)

    def check_room(self) -> None:
        """Do nothing where there is room for one more viewer.

        Raises:
            TooManyViewersError: There is none.
        """
        if len(self._viewers) >= self._most_viewers:
            raise TooManyViewersError(self._most_viewers)

    def join(self, viewer: Viewer) -> None:
        """Add a viewer. It is told something once it is `placed`."""
        self._viewers.add(viewer)
        if self._has_ended:
            viewer.end()
        elif not self._readers:
            self._start()
        elif why := self._away():
            viewer.away(why)

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer; with the last one the readers end."""
        self._viewers.discard(viewer)
        alike = self._channels.get(viewer.wanted.job_id, {})
        channel = alike.get(viewer.wanted)
        if channel is not None:
            channel.viewers.discard(viewer)
            if not channel.viewers:
                del alike[viewer.wanted]
                if not alike:
                    del self._channels[viewer.wanted.job_id]
                self.wants_trees = any(each.wanted.tree is not None for each in self._each_channel())
        if not self._viewers:
            self._stop()

    def _add_to_channel(self, viewer: Viewer) -> None:
        alike = self._channels.setdefault(viewer.wanted.job_id, {})
        channel = alike.setdefault(viewer.wanted, _Channel(viewer.wanted))
        channel.viewers.add(viewer)
        self.wants_trees = self.wants_trees or viewer.wanted.tree is not None

    def _each_channel(self) -> Iterator["_Channel"]:
        for alike in self._channels.values():
            yield from alike.values()

    async def place(self, viewer: Viewer, last_event_id: str | None) -> None:
        """Let a viewer be told of what changes from now on, or after the event of an id.

        Waits while Redis is away.
        """
        await self._wait_until(self._is_reading)
        after = self._parted(last_event_id) if last_event_id else None
        if after is not None and not await self._has_reached(after):
            after = None
        await self._wait_until(self._is_reading)
        self._flush()  # what was read before it came is no news to it
        self._add_to_channel(viewer)
        event_id, positions = self._event_id(), dict(self._positions)
        if not last_event_id:
            viewer.begins(event_id, resumed=False)
        elif after is None or (missed := await self._missed(viewer.wanted, after, positions)) is None:
            viewer.misses(event_id, "Too much has happened since that event, or it is not known any more.")
        else:
            viewer.resumes(missed, event_id)

    async def _has_reached(self, after: Mapping[Partition, str]) -> bool:
        """Whether these are positions of ours; another process may have been further, for a moment."""

        def ahead() -> list[Partition]:
            return [part for part in after if as_ordered(after[part]) > as_ordered(self._positions.get(part, "0-0"))]

        if not (parts := ahead()):
            return True
        known = await _asked(lambda: all(self._queries.is_position(part, after[part]) for part in parts))
        return known and await self._wait_until(lambda: not ahead(), _CATCHES_UP_S)

    async def _missed(
        self, wanted: Wanted, after: Mapping[Partition, str], until: Mapping[Partition, str]
    ) -> Batch | None:
        """What happened between two positions; None where nobody knows."""

        def read() -> list[Hint] | None:
            missed: list[Hint] = []
            for part in self._parts:
                if after[part] != until[part]:
                    some = self._queries.hints_between(part, after[part], until[part], _MOST_REPLAYED)
                    if some is None:
                        return None
                    missed += some
            return missed

        hints = await _asked(read)
        if hints is None:
            return None
        batch = Batch()
        for hint in hints:
            if wanted.takes(hint, None):
                batch.add(hint)
        if batch and wanted.tree is not None:
            batch.give_up()  # whether they are of that tree was not asked
        return batch

    def positions(self) -> Positions | None:
        """How far the hints were read; None where they are not read now."""
        if not self._is_reading():
            return None
        return tuple(as_ordered(self._positions[part]) for part in self._parts)

    def positions_in(self, event_id: str) -> Positions | None:
        """The positions that an event's id names; None where it is none of this store."""
        return positions_in(event_id, len(self._parts))

    def end(self) -> None:
        """End all streams, for good: the process is about to."""
        self._has_ended = True
        for viewer in self._viewers:
            viewer.end()
        self._stop()

    # -- what the readers say, in their threads ----------------------------------------------------------------------

    def began(self, reader: Reader, positions: Mapping[Partition, str], *, anew: bool) -> None:
        """A reader reads from these positions on."""
        self._call(self._begin, reader, positions, anew)

    def read(self, reader: Reader, news: News) -> None:
        """A reader has read hints."""
        self._call(self._pass_on, reader, news)

    def is_away(self, reader: Reader, why: str) -> None:
        """Redis does not answer a reader."""
        self._call(self._note_away, reader, why)

    def _call(self, function: Any, reader: Reader, *args: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(lambda: function(reader, *args) if reader in self._readers else None)

    # -- on the event loop -------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        is_cluster = isinstance(self._queries.client, ClusterClient)
        shares: Sequence[Sequence[Partition]] = [[part] for part in self._parts] if is_cluster else [self._parts]
        for share in shares:
            reader = Reader(self._store, self._queries, share, self, self._timeout_s)
            self._readers[reader] = None
        for reader in self._readers:
            reader.start()
        self._heartbeat = self._loop.call_later(HEARTBEAT_S, self._beat)

    def _stop(self) -> None:
        for reader in self._readers:
            reader.stop()
        for timer in (self._flush_timer, self._heartbeat):
            if timer:
                timer.cancel()
        self._readers, self._positions, self._channels = {}, {}, {}
        self._flush_timer = self._heartbeat = None
        self.wants_trees = False

    def _away(self) -> str | None:
        return next((why for why in self._readers.values() if why is not None), None)

    def _begin(self, reader: Reader, positions: Mapping[Partition, str], anew: bool) -> None:
        self._flush()
        was_away = self._away() is not None
        self._readers[reader] = None
        self._positions.update(positions)
        self._notify()
        event_id = self._event_id()
        for channel in self._each_channel():
            for viewer in channel.viewers:
                if anew:
                    viewer.misses(event_id, "Events are missing: Redis has lost them, or too much happened at once.")
                elif was_away and self._is_reading():
                    viewer.begins(event_id, resumed=True)

    def _note_away(self, reader: Reader, why: str) -> None:
        self._flush()
        self._readers[reader] = why
        for viewer in self._viewers:
            viewer.away(why)

    def _pass_on(self, _: Reader, news: News) -> None:
        for number, hint in enumerate(news.hints):
            above = news.above[number] if news.above is not None else None
            for job_id in (None, hint.id):
                for channel in self._channels.get(job_id, {}).values():
                    if channel.wanted.takes(hint, above):
                        channel.batch.add(hint)
                        if channel.wanted.tree is not None and above is None:
                            channel.batch.give_up()  # its viewer came while this was read
        self._positions.update(news.positions)
        self._notify()
        loop = asyncio.get_running_loop()
        due_s = self._flushed_at + EVENT_EVERY_S - loop.time()
        if due_s <= _SLACK_S:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = loop.call_later(due_s, self._flush)

    def _flush(self) -> None:
        """Let the viewers have what was read."""
        if self._flush_timer:
            self._flush_timer.cancel()
            self._flush_timer = None
        event_id = self._event_id()
        for channel in self._each_channel():
            if channel.batch:
                self._flushed_at = asyncio.get_running_loop().time()
                batch, channel.batch = channel.batch, Batch()
                batch.rest_ms = min(_LONGEST_REST_MS, REST_MS_PER_VIEWER * len(self._viewers))
                for viewer in channel.viewers:
                    viewer.changed(batch, event_id)

    def _beat(self) -> None:
        event_id = self._event_id()
        at_rest = {viewer for channel in self._each_channel() if not channel.batch for viewer in channel.viewers}
        for viewer in self._viewers:
            viewer.ping(event_id if viewer in at_rest else None)
        self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)

    def _notify(self) -> None:
        while self._waiting:
            waiting = self._waiting.pop()
            if not waiting.done():
                waiting.set_result(None)

    async def _wait_until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait for a condition that what the readers say makes true; False where it takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not condition():
                    waiting = asyncio.get_running_loop().create_future()
                    self._waiting.add(waiting)
                    await waiting
                return True
        return False

    def _is_reading(self) -> bool:
        return len(self._positions) == len(self._parts) and self._away() is None

    def _event_id(self) -> str:
        return ",".join(self._positions.get(part, "") for part in self._parts)

    def _parted(self, event_id: str) -> Mapping[Partition, str] | None:
        if self.positions_in(event_id) is None:
            return None
        return dict(zip(self._parts, event_id.split(","), strict=True))


async def _asked(read: Callable[[], T]) -> T:
    """What Redis says, as soon as it does."""
    while True:
        with contextlib.suppress(RedisError):
            return await asyncio.to_thread(read)
        await asyncio.sleep(_ASKS_AGAIN_S)
