"""Bulk runs: which jobs they are about, how far they are, and what they change job by job."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from jobtracker.core.job import BULK_TYPE
from jobtracker.core.labels import MOST_TAGS
from jobtracker.core.lifecycle import Outcome, Priority, Status
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.changes import NewJob
from jobtracker.store.job_reader import JobReader
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.list_checks import Beside, Check, checks_of, passes
from jobtracker.store.list_plan import Index, Plan, plan
from jobtracker.store.merge import Place
from jobtracker.store.pipeline import Call
from jobtracker.store.schema import JobRecord

NOT_HELD, GONE = 0, -1
_IDS_OF_A_FIELD = 500
_EXPIRES_S = 3600
"""So long a bulk run stays whose job was never recorded, because its process died."""


class Held(NamedTuple):
    """A bulk run that this process works at."""

    state: str
    """How far it is: what its holder wrote."""
    status: Status | None
    """That of its job; None: there is none (any more)."""


@dataclass(frozen=True)
class Selection:
    """The jobs that match a filter up to a moment, oldest first."""

    way: Plan
    all_checks: tuple[Check, ...]
    """What each of them fits."""

    @classmethod
    def of(cls, wanted: JobFilter, until_ms: int, default_queue: str = "celery") -> "Selection":
        """Those that came to their status, or were created, at a time or before."""
        wanted = wanted.with_default_queue(default_queue)
        way = plan(wanted)
        if way.index.name != "subs":
            high = until_ms if way.high == "+inf" else min(int(way.high), until_ms)
            way = replace(way, high=str(high))
        return cls(replace(way, order="asc"), tuple(checks_of(wanted, ())))

    def however_they_change(self, until_ms: int) -> "Selection":
        """The same jobs, also where they come to another of its statuses later; of those created then or before."""
        created = Check("between", "created", [0, until_ms], is_negated=False)
        way = replace(self.way, high="+inf", checks=[*self.way.checks, created])
        return Selection(way, (*self.all_checks, created))

    def has(self, record: JobRecord) -> bool:
        """Whether a job matches. What is not in its record counts as no match."""
        return record.exists and passes(record, self.all_checks, Beside())

    def write(self) -> dict[str, Any]:
        """It as JSON can hold it."""
        way = self.way
        index = {name: getattr(way.index, name) for name in Index.__dataclass_fields__}
        return {
            "index": index,
            "order": way.order,
            "low": way.low,
            "high": way.high,
            "checks": way.checks,
            "all": self.all_checks,
        }

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Selection":
        """What `write` wrote."""
        index: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told["index"].items()}
        checks, all_checks = ([Check(*each) for each in told[name]] for name in ("checks", "all"))
        return cls(Plan(Index(**index), told["order"], told["low"], told["high"], checks), tuple(all_checks))


class Looked(NamedTuple):
    """Some jobs of a selection."""

    records: list[JobRecord]
    place: Place | None
    """Behind which entry it goes on; None at its end."""
    looked_at: int
    """How many entries were looked at."""


class BulkWriter(JobWriter):
    """Writes bulk runs, and what they change that nobody else does."""

    def create_bulk(self, job: NewJob, state: str, ids: Sequence[str]) -> None:
        """Record a bulk run and its job."""
        parts = [ids[first : first + _IDS_OF_A_FIELD] for first in range(0, len(ids), _IDS_OF_A_FIELD)]
        fields = {"state": state} | {f"ids:{n}": json.dumps(some) for n, some in enumerate(parts)}
        key = self.keys("bulk", job.id)
        pipe = self.client.pipeline(transaction=True)
        pipe.hset(key, mapping=fields)
        pipe.expire(key, _EXPIRES_S)
        pipe.execute()
        self.create(job)
        self.client.persist(key)

    def hold_bulk(self, run_id: str, holder: str, for_ms: int, **fields: str) -> Held | None:
        """Work at a bulk run, and write down what is to be known of it; None where another process works at it.

        Args:
            run_id: The bulk run.
            holder: This process; each has a name of its own.
            for_ms: How long nobody else may work at it, from now; 0: this process lets go.
            fields: Its fields, e.g. its state. Nothing is written if another process has worked at it since this one
                held it.
        """
        pairs = [part for pair in fields.items() for part in pair]
        part = self.keys.of(run_id)
        answer = self._functions.call(
            self.client, "hold_bulk", part("bulk", run_id), [part.prefix, holder, for_ms, *pairs]
        )
        if answer[0] == NOT_HELD:
            return None
        if answer[0] == GONE:
            return Held("", None)
        return Held(answer[1], Status(answer[2]) if answer[2] else None)

    def tag_all(
        self, job_ids: Sequence[str], run_id: str, add: Sequence[str], take: Sequence[str], by: str = ""
    ) -> list[Outcome]:
        """Add tags to jobs and take tags from them; illegal where a job would have more than `MOST_TAGS`.

        Args:
            job_ids: The jobs.
            run_id: The bulk run.
            add: These tags.
            take: And these.
            by: The caller, for their history.
        """
        calls = [self._call(job_id, run_id, by, MOST_TAGS, len(add), *add, *take) for job_id in job_ids]
        return list(map(Outcome, self._functions.call_many(self.client, "tag", calls)))

    def reprioritise_all(
        self, job_ids: Sequence[str], run_id: str, priority: Priority, by: str = ""
    ) -> list[Outcome]:
        """Give jobs another priority; illegal of those that were started. The arguments are those of `tag_all`."""
        fields = {"priority": priority, "bulk": run_id}
        calls = [self._update_call(job_id, fields, {}, unsent_only=True, by=by) for job_id in job_ids]
        return list(map(Outcome, self._functions.call_many(self.client, "update", calls)))

    def _call(self, job_id: str, *args: str | int) -> Call:
        part = self.keys.of(job_id)
        return part("job", job_id), [part.prefix, job_id, *args]


class BulkReader(JobReader):
    """Reads bulk runs, and the jobs that they are about."""

    def open_bulk_runs(self) -> list[str]:
        """Ids of those that have not settled, oldest first."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.keys.parts:
            for status in (Status.PENDING, Status.RUNNING):
                pipe.zrange(part("entered", status, f"{Priority.NORMAL}:{BULK_TYPE}"), 0, -1, withscores=True)
        found = [(score, job_id) for answer in pipe.execute() for job_id, score in answer]
        return [job_id for _, job_id in sorted(found)]

    def bulk_state(self, run_id: str) -> str | None:
        """How far a bulk run is, as its holder wrote it; None where there is no such bulk run."""
        found: str | None = self.client.hget(self.keys("bulk", run_id), "state")
        return found

    def bulk_ids(self, run_id: str, number: int) -> list[str]:
        """A part of the jobs that a bulk run was given, by its number; none behind the last one."""
        return self._of_bulk(run_id, f"ids:{number}")

    def bulk_refused(self, run_id: str, number: int) -> list[list[str]]:
        """A part of the jobs that a bulk run could not change, each with the reason."""
        return self._of_bulk(run_id, f"refused:{number}")

    def _of_bulk(self, run_id: str, field: str) -> list[Any]:
        text = self.client.hget(self.keys("bulk", run_id), field)
        return list(json.loads(text)) if text else []

    def look(self, selection: Selection, place: Place | None, most: int) -> Looked:
        """Some jobs of a selection, in its order."""
        found = self._pages.find(self.parts, selection.way, most, place, 0)
        return Looked([row.record for row in found.rows], found.last, found.looked_at)

    def entries_of(self, selection: Selection) -> int:
        """How many entries would be looked at for all jobs of a selection."""
        found = self._pages.find(self.parts, replace(selection.way, checks=[]), 1, None, 0)
        return found.total or 0
