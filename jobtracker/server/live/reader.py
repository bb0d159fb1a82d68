"""Reads the hints of some partitions in a thread, for all viewers of a process."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from redis.exceptions import RedisError

from jobtracker.connection.write_rejection import in_words
from jobtracker.errors import JobTrackerError
from jobtracker.server.live.lineage import Lineage
from jobtracker.store.hints import WATCH_MS
from jobtracker.store.keys import Partition
from jobtracker.store.reader import Hint, JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore

logger = logging.getLogger("jobtracker.server")

RENEWED_S = WATCH_MS / 1000 / 4
READ_AT_ONCE = 2000
"""Entries. The stream keeps several times as many, so a reader that gets fewer has missed none."""
REST_S = 0.25
"""After it has read something: what changes meanwhile is read in one go, and goes to the viewers at once."""
_LONGEST_BLOCK_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
"""Between tries while Redis is away."""


class News(NamedTuple):
    """What a reader has read."""

    positions: Mapping[Partition, str]
    """Where it is now, in those partitions where it has moved."""
    hints: Sequence[Hint]
    above: Sequence[frozenset[str]] | None
    """Of each hint the ids of its job and those above it; None where nobody had asked for trees."""


class Listener(Protocol):
    """Is told what a reader reads, in the reader's thread."""

    wants_trees: bool

    def began(self, reader: "Reader", positions: Mapping[Partition, str], *, anew: bool) -> None:
        """It reads from these positions on; `anew`: some hints before them may be missing."""

    def read(self, reader: "Reader", news: News) -> None:
        """It has read hints."""

    def is_away(self, reader: "Reader", why: str) -> None:
        """Redis does not answer."""


class Reader:
    """Reads the hints of partitions that lie on one server, as long as it is wanted.

    Args:
        store: Has the hints written.
        queries: Reads them.
        parts: The partitions.
        listener: Is told.
        timeout_s: The longest that Redis may take to answer.
    """

    def __init__(
        self, store: JobStore, queries: JobQueries, parts: Sequence[Partition], listener: Listener, timeout_s: float
    ) -> None:
        self.parts = parts
        self._store = store
        self._queries = queries
        self._listener = listener
        self._block_ms = max(1, int(min(_LONGEST_BLOCK_S, timeout_s / 2) * 1000))
        self._lineage = Lineage(lambda ids: queries.fields(ids, JobRecord.parent))
        self._stop = threading.Event()
        self._positions: dict[Partition, str] = {}
        self._is_away = False
        self._renew_at = 0.0

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="jobtracker-hints", daemon=True).start()

    def stop(self) -> None:
        """End, soon: a read that is under way is not interrupted."""
        self._stop.set()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                rest_s = self._step()
                pause_s = _FIRST_PAUSE_S
            except Exception as error:
                if not isinstance(error, RedisError | JobTrackerError):
                    logger.exception("hints_unreadable")
                if self._stop.is_set():
                    return
                if not self._is_away:
                    self._is_away = True
                    logger.warning("hints_unavailable", extra={"error": str(error)})
                    self._listener.is_away(self, in_words(error))
                self._renew_at = 0.0
                rest_s, pause_s = pause_s, min(2 * pause_s, _LONGEST_PAUSE_S)
            self._stop.wait(rest_s)

    def _step(self) -> float:
        """Read once; returns for how long to rest."""
        if time.monotonic() >= self._renew_at:
            self._renew()
        found = self._queries.next_hints(self._positions, block_ms=self._block_ms, most=READ_AT_ONCE)
        if not found:
            return 0.0
        for part, (_, _, entries) in found.items():
            if entries == READ_AT_ONCE and not self._queries.is_position(part, self._positions[part]):
                self._begin(self._store.watch(self.parts), anew=True)
                return 0.0
        hints = [hint for _, some, _ in found.values() for hint in some]
        above = self._lineage.above(hints) if self._listener.wants_trees else None
        moved = {part: position for part, (position, _, _) in found.items()}
        self._positions.update(moved)
        self._listener.read(self, News(moved, hints, above))
        return REST_S

    def _renew(self) -> None:
        last = self._store.watch(self.parts)
        is_new = not self._positions
        has_gap = any(not self._queries.is_position(*at) for at in self._positions.items())
        if is_new or has_gap:
            self._begin(last, anew=has_gap)
        elif self._is_away:
            self._begin(self._positions, anew=False)
        self._renew_at = time.monotonic() + RENEWED_S

    def _begin(self, positions: Mapping[Partition, str], *, anew: bool) -> None:
        self._positions = dict(positions)
        self._is_away = False
        self._listener.began(self, dict(positions), anew=anew)
