"""What a list of jobs should show, found the slow and obvious way: read everything, filter, sort."""

import json
from typing import Any

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.schemas.filters import JobFilter, Sort, TimeRange
from jobtracker.store.keys import PREFIXES, Keys
from jobtracker.store.schema import decode

Place = tuple[int, bytes]
"""Where an entry stands in its index: score, then id."""


class JobLists:
    """Answers any filter from all records: as they are now or, `frozen`, as they were at first."""

    def __init__(self, client: RedisClient, keys: Keys, *, frozen: bool = False) -> None:
        self.client = client
        self.keys = keys
        self._frozen = self._records() if frozen else None

    def ids(self, wanted: JobFilter) -> list[str]:
        """All jobs that match, in order."""
        return [job_id for _, job_id in self.entries(wanted)]

    def entries(self, wanted: JobFilter) -> list[tuple[Place, str]]:
        """The same, with where each stands."""
        ascending = wanted.sort in {Sort.CREATED, Sort.STATUS_CHANGED} or (
            wanted.parent is not None and wanted.sort is None
        )
        found = [
            ((self._score(job_id, record, wanted), job_id.encode()), job_id)
            for job_id, record in (self._frozen or self._records()).items()
            if _matches(record, wanted)
        ]
        return sorted(found, reverse=not ascending)

    def after(self, wanted: JobFilter, place: Place) -> list[str]:
        """The jobs that match and stand behind a place."""
        entries = self.entries(wanted)
        ascending = entries == sorted(entries)
        return [job_id for here, job_id in entries if (here > place if ascending else here < place)]

    def _records(self) -> dict[str, dict[str, str]]:
        start = "}:" + PREFIXES["job"]
        found = list(self.client.scan_iter(match=f"{self.keys.namespace}:{{*{start}*", count=1000))
        pipe = self.client.pipeline(transaction=False)
        for key in found:
            pipe.execute_command("GET", key, **{NEVER_DECODE: True})
        ids = [key.partition(start)[2] for key in found]
        return {record.id: record.as_texts() for record in map(decode, ids, pipe.execute())}

    def _score(self, job_id: str, record: dict[str, str], wanted: JobFilter) -> int:
        if wanted.sort in {Sort.CREATED, Sort.CREATED_DESC}:
            return int(record["created"])
        if wanted.sort is None and wanted.parent is not None:
            return int(self.client.zscore(self.keys("subs", wanted.parent), job_id))
        if wanted.sort is not None or wanted.status is not None:
            return int(record["status_changed_at"])
        return int(record["created"])


def _matches(record: dict[str, str], wanted: JobFilter) -> bool:
    record = {"priority": "normal", "name": record["type"]} | record
    equal: dict[str, Any] = {
        "status": wanted.status,
        "type": wanted.job_type,
        "priority": wanted.priority,
        "parent": wanted.parent,
        "sent_by": wanted.sent_by,
        "group": wanted.group,
    }
    return (
        all(record.get(field) == value for field, value in equal.items() if value is not None)
        and (wanted.tag is None or wanted.tag in json.loads(record.get("tags", "[]")))
        and (wanted.name is None or wanted.name.lower() in record.get("name", "").lower())
        and _within(record.get("created"), wanted.created)
        and _within(record.get("finished"), wanted.finished)
    )


def _within(at_ms: str | None, times: TimeRange) -> bool:
    if not times:
        return True
    return (
        at_ms is not None
        and (times.since is None or int(at_ms) >= round(times.since.timestamp() * 1000))
        and (times.until is None or int(at_ms) <= round(times.until.timestamp() * 1000))
    )
