"""Which workers were drained, and which queues they consumed before: known wherever somebody wants to undo it."""

from collections.abc import Iterable

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.schemas.drains import DrainMark
from jobtracker.store.decode import read
from jobtracker.store.keys import Keys

_KEPT_S = 30 * 86_400
"""So long it is known which queues a drained worker had; one that is not stopped by then needs a restart."""


class Drains:
    """The marks of drained workers, by the incarnation: a worker that starts again consumes again.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._part = keys.parts[0]

    def remember(self, incarnation: str, queues: Iterable[str]) -> DrainMark:
        """Note that a worker is to consume nothing, before it is told so.

        What it is known to have consumed when it was drained earlier stays known: that may have been broken off
        half way. Callers find out what it consumes before they call this.
        """
        now = server_ms(self._client, self._part("drain", incarnation))
        before = self.of([incarnation]).get(incarnation)
        mark = DrainMark(
            since_ms=before.since_ms if before else now,
            queues=sorted({*queues, *(before.queues if before else ())}),
        )
        self._client.set(self._part("drain", incarnation), mark.model_dump_json(), ex=_KEPT_S)
        return mark

    def forget(self, incarnation: str) -> None:
        """Note that a worker consumes again what it had."""
        self._client.delete(self._part("drain", incarnation))

    def of(self, incarnations: Iterable[str]) -> dict[str, DrainMark]:
        """The marks of those of these workers that were drained, by incarnation."""
        names = list(incarnations)
        texts = self._client.mget([self._part("drain", name) for name in names]) if names else []
        marks = ((name, read(DrainMark, text)) for name, text in zip(names, texts, strict=True) if text)
        return {name: mark for name, mark in marks if mark}
