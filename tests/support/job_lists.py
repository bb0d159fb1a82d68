"""What a list of jobs should show, found the slow and obvious way: read everything, filter, sort."""

import json
import math
from typing import Any

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import SETTLED
from jobtracker.schemas.filters import JobFilter, NumberRange, Sort, TimeRange
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
            wanted.sort is None and (len(wanted.parent) == 1 or wanted.running_at is not None)
        )
        now = now_ms()
        found = [
            ((self._score(job_id, record, wanted), job_id.encode()), job_id)
            for job_id, record in (self._frozen or self._records()).items()
            if matches(record, wanted, now)
        ]
        return sorted(found, reverse=not ascending)

    def after(self, wanted: JobFilter, place: Place) -> list[str]:
        """The jobs that match and stand behind a place."""
        entries = self.entries(wanted)
        ascending = entries == sorted(entries)
        return [job_id for here, job_id in entries if (here > place if ascending else here < place)]

    def _records(self) -> "dict[str, Facts]":
        start = "}:" + PREFIXES["job"]
        found = list(self.client.scan_iter(match=f"{self.keys.namespace}:{{*{start}*", count=1000))
        pipe = self.client.pipeline(transaction=False)
        for key in found:
            pipe.execute_command("GET", key, **{NEVER_DECODE: True})
        ids = [key.partition(start)[2] for key in found]
        records: dict[str, Facts] = {record.id: record.as_texts() for record in map(decode, ids, pipe.execute())}
        for job_id in ids:
            pipe.hget(self.keys("data", job_id), "schedule")
            pipe.exists(self.keys("log", job_id))
        answers = pipe.execute()
        for job_id, schedule, has_log in zip(ids, answers[::2], answers[1::2], strict=True):
            records[job_id] |= {"schedule": schedule, "has_log": bool(has_log)}
        return records

    def _score(self, job_id: str, record: "Facts", wanted: JobFilter) -> int:
        if wanted.sort in {Sort.CREATED, Sort.CREATED_DESC}:
            return int(record["created"])
        if wanted.sort is None and len(wanted.parent) == 1:
            return int(self.client.zscore(self.keys("subs", wanted.parent[0]), job_id))
        if wanted.sort is not None or is_by_change(wanted):
            return int(record["status_changed_at"])
        return int(record["created"])


DEFAULT_QUEUE = "mail"
"""Of jobs that were sent, and name none."""

Facts = dict[str, Any]
"""A record as texts, and what else is known of the job: schedule, has_log."""


def matches(record: Facts, wanted: JobFilter, now_ms: int) -> bool:
    """Whether a job is on a list; each filter in its own words."""
    record = {"priority": "normal", "name": record["type"]} | record
    texts = [record["name"], record["type"], record.get("reason", "")]
    started, settled = _ms(record, "started"), record["status"] in SETTLED
    began = _ms(record, "began") or started
    ended = _ms(record, "finished")
    finished = ended or (now_ms if record["status"] == "running" else None)
    ran = None if began is None or finished is None else max(finished - began, 0)
    waited = None
    if (queued := _ms(record, "queued")) is not None:
        asked = _ms(record, "due" if started else "eta")  # a countdown is no wait
        waited = max((started or ended or now_ms) - max(queued, asked or 0), 0)
    origin = record.get("origin")
    if origin not in {"api", "beat"}:
        origin = "task" if "sent_by" in record else "plain"
    equal: dict[str, Any] = {
        "status": wanted.status,
        "type": wanted.job_type,
        "priority": wanted.priority,
        "parent": wanted.parent,
        "sent_by": wanted.sent_by,
        "group": wanted.group,
        "worker": wanted.worker,
        "release": wanted.release,
        "error_type": wanted.error_type,
        "failure_group": wanted.failure_group,
    }
    named = record.get("actual_queue") or record.get("queue") or (DEFAULT_QUEUE if record.get("queued") else None)
    at = None if wanted.running_at is None else round(wanted.running_at.timestamp() * 1000)
    assert settled == (ended is not None)
    return (
        all(record.get(field) in values for field, values in equal.items() if values)
        and (not wanted.queue or named in wanted.queue)
        and (not wanted.tag or bool(set(wanted.tag) & set(json.loads(record.get("tags", "[]")))))
        and (not wanted.name or any(_has(record["name"], part) for part in wanted.name))
        and all(any(_has(text, part) for text in texts) for part in wanted.text)
        and (not wanted.origin or origin in wanted.origin)
        and (not wanted.schedule or (origin == "beat" and record.get("schedule") in wanted.schedule))
        and _within(record.get("created"), wanted.created)
        and _within(record.get("started"), wanted.started)
        and _within(record.get("finished"), wanted.finished)
        and (
            at is None
            or (
                started is not None
                and started <= at
                and (record["status"] == "running" or int(record["status_changed_at"]) > at)
            )
        )
        and _in(ran, wanted.run_ms)
        and _in(waited, wanted.wait_ms)
        and _in(int(record.get("attempt", 0)), wanted.retries)
        and _in(int(record.get("losses", 0)), wanted.losses)
        and wanted.has_log in {None, record.get("has_log", False)}
        and not any(matches(record, other, now_ms) for other in wanted.excluded)
    )


def is_by_change(wanted: JobFilter) -> bool:
    """Whether a list goes by the time of the status, if nothing else is asked for."""
    excluded = any(other.status for other in wanted.excluded)
    failed = wanted.failure_group or wanted.error_type
    return bool(wanted.status or excluded or failed or wanted.started.since or wanted.finished or wanted.running_at)


def _ms(record: Facts, field: str) -> int | None:
    return int(record[field]) if field in record else None


def _has(text: str, part: str) -> bool:
    return part.lower() in text.lower()


def _in(value: int | None, wanted: NumberRange) -> bool:
    if not wanted:
        return True
    low = -math.inf if wanted.low is None else wanted.low
    high = math.inf if wanted.high is None else wanted.high
    return value is not None and low <= value <= high


def _within(at_ms: str | None, times: TimeRange) -> bool:
    low, high = (at and round(at.timestamp() * 1000) for at in (times.since, times.until))
    return _in(None if at_ms is None else int(at_ms), NumberRange(low=low, high=high))
