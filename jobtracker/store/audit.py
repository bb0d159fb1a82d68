"""The audit: who asked for which change, and what became of it. Append-only: what an entry says is never changed.

An entry is written before its change is carried out, and completed afterwards. So a change that happened is never
without its entry. If the process dies in between, the entry stays, and its outcome is unknown.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.core.access import acting
from jobtracker.core.clock import from_ms
from jobtracker.schemas.audit import AuditEntry, AuditFilter, AuditOutcome, AuditPage
from jobtracker.settings import Settings
from jobtracker.store.cursors import BadCursorError, Cursor
from jobtracker.store.functions import Library
from jobtracker.store.keys import Keys

logger = logging.getLogger(__name__)

_AT_ONCE = 500
"""Entries of one round trip."""
_LOOKED_AT = 5000
"""So many entries are looked at for a page, at most."""
LONGEST = 300
"""Characters of one value."""
_ID = re.compile(r"\d{1,19}-\d{1,19}")


class AuditCursor(Cursor):
    """Where a list of entries goes on: behind which one."""

    before: str


class AuditLog:
    """The audit of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        settings: How long it is kept, and how many entries.
        check: Called before entries are written. If it raises, nothing is written.
    """

    def __init__(
        self, client: RedisClient, keys: Keys, settings: Settings, *, check: Callable[[], None] | None = None
    ) -> None:
        self._client = client
        self._part = keys.parts[0]
        self._keep_ms = int(settings.audit_retention_days * 86_400_000)
        self._most = settings.audit_max_entries
        self._functions = Library(["append_audit"], check=check)

    def begin(self, via: str, action: str, **about: Any) -> str:
        """Write an entry for a change that is about to be carried out; returns its id.

        Args:
            via: "api" or "cli".
            action: What was asked for.
            about: Further fields of `AuditEntry`. The caller is known (`acting`).

        Raises:
            redis.exceptions.RedisError: It was not written: the change must not be carried out.
        """
        return self._append("", _begun(via, action, about), None)

    def end(self, entry_id: str, outcome: AuditOutcome, **about: Any) -> None:
        """Note what became of a change. If that can't be written, its outcome stays unknown."""
        try:
            self._append(entry_id, "", {"outcome": outcome, **about})
        except RedisError as error:
            logger.warning("audit_end_not_written", extra={"entry": entry_id, "error": str(error)})

    def add(self, via: str, action: str, outcome: AuditOutcome, about: Mapping[str, Any], **ended: Any) -> None:
        """Write a whole entry, for what changes nothing: a request that is refused."""
        try:
            self._append("", _begun(via, action, about), {"outcome": outcome, **ended})
        except RedisError as error:
            logger.warning("audit_not_written", extra={"action": action, "error": str(error)})

    @contextmanager
    def recording(self, via: str, action: str, **about: Any) -> Iterator[None]:
        """Write an entry around what is carried out in this context.

        Raises:
            redis.exceptions.RedisError: It was not written; nothing is carried out.
        """
        began, entry_id = time.monotonic(), self.begin(via, action, **about)
        try:
            yield
        except BaseException:
            self.end(entry_id, AuditOutcome.FAILED, took_ms=_since(began))
            raise
        self.end(entry_id, AuditOutcome.DONE, took_ms=_since(began))

    def page(self, wanted: AuditFilter, *, size: int, cursor: str | None = None) -> AuditPage:
        """Entries, the latest first. A page with a filter may be short, and have a cursor all the same.

        Raises:
            BadCursorError: The cursor is none.
        """
        before = _read(cursor) if cursor else None
        now = server_ms(self._client, self._part("audit"))
        oldest = max(now - self._keep_ms, _ms(wanted.since) or 0)
        until = _ms(wanted.until)
        newest = f"({before}" if before else "+" if until is None else str(until)
        found: list[AuditEntry] = []
        left, last = _LOOKED_AT, None
        while left > 0 and len(found) < size:
            entries = self._client.xrevrange(self._part("audit"), newest, oldest, min(left, _AT_ONCE, 4 * size))
            if not entries:
                return AuditPage(entries=found, next_cursor=None, cut_before=self._cut_before())
            ends = self._client.hmget(self._part("audit_ends"), [entry_id for entry_id, _ in entries])
            for (entry_id, fields), ended in zip(entries, ends, strict=True):
                left, last = left - 1, entry_id
                entry = _entry(entry_id, fields["begun"], ended)
                if _fits(entry, wanted):
                    found.append(entry)
                    if len(found) == size:
                        break
            newest = f"({last}"
        more = AuditCursor(before=last).write() if last else None
        return AuditPage(entries=found, next_cursor=more, cut_before=self._cut_before())

    def _cut_before(self) -> datetime | None:
        cut = self._client.get(self._part("audit_cut"))
        return from_ms(int(cut)) if cut else None

    def _append(self, entry_id: str, begun: str, ended: Mapping[str, Any] | None) -> str:
        args: list[str | int | float] = [
            self._part.prefix,
            self._keep_ms,
            self._most,
            entry_id,
            begun,
            _text(ended) if ended else "",
        ]
        answer: str = self._functions.call(self._client, "append_audit", self._part("audit"), args)
        return answer


def _begun(via: str, action: str, about: Mapping[str, Any]) -> str:
    who = acting.get()
    named = {"principal": who.name, "key_id": who.key_id} if who else {}
    return _text({"via": via, "action": action, **named, **about})


def _text(fields: Mapping[str, Any]) -> str:
    """Fields as they are stored. What is too long is cut: an entry has a bounded size."""
    told = {name: _cut(value) for name, value in fields.items() if value is not None}
    return json.dumps(told, separators=(",", ":"))


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, dict) and len(text := json.dumps(value)) > 4 * LONGEST:
        return {"cut": text[: 4 * LONGEST]}
    return value


def _entry(entry_id: str, begun: str, ended: str | None) -> AuditEntry:
    fields = json.loads(begun) | (json.loads(ended) if ended else {"outcome": AuditOutcome.UNKNOWN})
    at = from_ms(int(entry_id.partition("-")[0]))
    return AuditEntry.model_validate({"principal": None, **fields, "id": entry_id, "at": at})


def _fits(entry: AuditEntry, wanted: AuditFilter) -> bool:
    pairs = (
        (wanted.principal, entry.principal),
        (wanted.action, entry.action),
        (wanted.job, entry.target),
        (wanted.outcome, entry.outcome),
    )
    return all(asked is None or asked == found for asked, found in pairs)


def _read(cursor: str) -> str:
    before = AuditCursor.read(cursor).before
    if not _ID.fullmatch(before):
        raise BadCursorError("The cursor can't be read. Take it from next_cursor as it is.")
    return before


def _ms(at: datetime | None) -> int | None:
    return None if at is None else max(int(at.timestamp() * 1000), 0)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
