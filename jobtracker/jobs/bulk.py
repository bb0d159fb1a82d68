"""Bulk runs: what they would change, how one begins, and what became of it."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from jobtracker.core.access import acting
from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.job import BULK_TYPE
from jobtracker.core.lifecycle import SETTLED, Priority, Status
from jobtracker.errors import ForbiddenError, JobNotFoundError, JobTrackerError
from jobtracker.jobs.bulk_state import BulkState, fits
from jobtracker.jobs.guards import need_reach_of_chain
from jobtracker.schemas.bulk import (
    BulkAction,
    BulkKind,
    BulkPreview,
    BulkRefusal,
    BulkRefusals,
    BulkRequest,
    BulkRun,
)
from jobtracker.schemas.filters import MOST_VALUES, JobFilter
from jobtracker.schemas.query_language import with_query
from jobtracker.store.bulk_runs import Selection
from jobtracker.store.changes import NewJob
from jobtracker.store.decode import summary_of
from jobtracker.store.job_types import CUSTOM, Registry
from jobtracker.store.list_plan import plan
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore
from jobtracker.tracing.active import current

MOST_RUNS = 10
"""So many bulk runs are under way at once."""

_PREVIEWED, _PREVIEWED_S, _SAMPLE, _AT_ONCE = 20_000, 2.0, 20, 500
"""Entries that a preview looks at, how long it may take, and how many jobs it shows."""


class TooManyBulkRunsError(JobTrackerError):
    """As many bulk runs are under way as may be."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} bulk runs have not ended. Wait for one of them, or cancel one: "
            "`jobtracker jobs list --type jobtracker.bulk` lists them."
        )


Narrowing = Callable[[JobFilter], JobFilter]


def _as_it_is(wanted: JobFilter) -> JobFilter:
    return wanted


@dataclass(frozen=True)
class BulkRuns:
    """Previews bulk runs, begins them, and tells of them. `maintenance.bulk_runner` does what they are to do."""

    store: JobStore
    queries: JobQueries
    registry: Registry

    def preview(self, wanted: BulkRequest, *, narrowed: Narrowing = _as_it_is) -> BulkPreview:
        """What a bulk run would change.

        Args:
            wanted: The bulk run.
            narrowed: Makes a filter find only what the caller may see.

        Raises:
            InvalidQueryError, UnknownZoneError: The filter can't be read.
            ForbiddenError: The caller is limited to some jobs, and wants others of their chains retried.
        """
        state = self._state_of(wanted, narrowed)
        found = _Preview(state, self.registry)
        if wanted.ids is not None:
            for first in range(0, len(wanted.ids), _AT_ONCE):
                some = self.queries.records(list(dict.fromkeys(wanted.ids))[first : first + _AT_ONCE])
                found.add([record for record in some if record.exists])
        elif selection := state.read_selection:
            self._look(selection, found)
        selection = state.read_selection
        # Of those that wait, an index does not say which were started.
        is_counted = selection and not selection.way.checks and not wanted.action.needs_unsent
        if not found.ended and is_counted:
            return found.answer(exact=state.total)
        every = self._selection(narrowed(_filter_of(wanted))) if wanted.ids is None else None
        if found.ended and every and wanted.action.statuses != frozenset(Status):
            others = _Preview(state, self.registry)
            self._look(every, others)
            found.left_alone = others.unfit if others.ended else None
        return found.answer(exact=found.count if found.ended else None)

    def begin(
        self,
        wanted: BulkRequest,
        *,
        narrowed: Narrowing = _as_it_is,
        request_id: str | None = None,
        run_id: str | None = None,
    ) -> BulkRun:
        """Record a bulk run, which is done soon.

        Args:
            wanted: The bulk run.
            narrowed: Makes a filter find only what the caller may see.
            request_id: Of the request that asks for it.
            run_id: Its id. If there is one with that id, nothing is done. Default: a new one.

        Raises:
            InvalidQueryError, UnknownZoneError: The filter can't be read.
            ForbiddenError: The caller could not see the jobs without these tags, or is limited to some jobs and wants
                others of their chains retried.
            TooManyBulkRunsError: `MOST_RUNS` have not ended.
        """
        if run_id and self.queries.records([run_id])[0].exists:
            return self.get(run_id)
        _check_stays_in_reach(wanted)
        state = self._state_of(wanted, narrowed, lasts=True)
        if len(self.queries.open_bulk_runs()) >= MOST_RUNS:
            raise TooManyBulkRunsError(MOST_RUNS)
        run_id = run_id or self.store.keys.new_id()
        fields: dict[str, str | int] = {
            "name": f"{wanted.action} {state.filter or ('all jobs' if wanted.all else f'{state.ids} jobs')}"[:200],
            "type": BULK_TYPE,
            "task": BULK_TYPE,
            "priority": Priority.NORMAL,
            "origin": "api",
        }
        given = {"request_id": request_id, "traceparent": state.traceparent}
        fields |= {name: text for name, text in given.items() if text}
        payload = wanted.model_dump(mode="json", exclude_defaults=True, exclude={"ids"})
        told = {"asked_by": state.asked_by} if state.asked_by else {}
        data = {"payload": json.dumps(payload | told | ({"ids": state.ids} if state.ids else {}))}
        job = NewJob(id=run_id, fields=fields, data=data)
        self.store.create_bulk(job, state.model_dump_json(), list(dict.fromkeys(wanted.ids or [])))
        return self.get(run_id)

    def get(self, run_id: str) -> BulkRun:
        """A bulk run.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        [record] = self.queries.records([run_id])
        state = self._read(record)
        return BulkRun(
            id=run_id,
            action=state.action,
            filter=state.filter,
            ids=state.ids,
            asked_by=state.asked_by,
            status=record.nearest_status,
            reason=record.reason,
            created_at=from_ms(record.created),
            finished_at=from_ms(record.finished) if record.finished else None,
            total=state.total,
            **state.counts() | {"looked_at": state.looked_through},
        )

    def refused(self, run_id: str, cursor: int = 0, limit: int = 100) -> BulkRefusals:
        """Some of the jobs that a bulk run could not change, in its order.

        Args:
            run_id: The bulk run.
            cursor: Behind how many of them they are; those of earlier pages.
            limit: At most so many.

        Raises:
            JobNotFoundError: There is no bulk run with that id.
        """
        [record] = self.queries.records([run_id])
        state = self._read(record)
        found: list[BulkRefusal] = []
        seen = 0
        for number in range(state.refused_parts):
            some = self.queries.bulk_refused(run_id, number)
            found += [BulkRefusal(id=job_id, reason=why) for job_id, why in some[max(cursor - seen, 0) :]]
            seen += len(some)
            if len(found) >= limit:
                break
        shown = found[:limit]
        behind = cursor + len(shown)
        return BulkRefusals(
            refused=shown,
            next_cursor=behind if behind < state.refused_kept and shown else None,
            total=state.refused,
        )

    def _read(self, record: JobRecord) -> BulkState:
        text = self.queries.bulk_state(record.id)
        if not record.exists or record.type != BULK_TYPE or text is None:
            raise JobNotFoundError(record.id)
        state = BulkState.model_validate_json(text)
        asker = acting.get()
        if asker and asker.limited and not state.is_of(asker):
            raise JobNotFoundError(record.id)
        return state

    def _now_ms(self) -> int:
        """Now, by the clock that is ahead: what has happened up to now is not later."""
        return max(self.queries.server_ms(), now_ms())

    def _selection(self, wanted: JobFilter) -> Selection:
        return Selection.of(wanted, self._now_ms(), self.registry.default_queue())

    def _state_of(self, wanted: BulkRequest, narrowed: Narrowing, *, lasts: bool = False) -> BulkState:
        """What a bulk run begins with; `lasts`: its jobs may come to other statuses until it is their turn."""
        need_reach_of_chain(from_failed=bool(wanted.from_failed))
        asker, until_ms = acting.get(), self._now_ms()
        selection, found = None, None
        if wanted.ids is None:
            found = narrowed(_filter_of(wanted))
            possible = _possible(found, wanted)
            selection = Selection.of(possible, until_ms, self.registry.default_queue()) if possible else None
        given = len(dict.fromkeys(wanted.ids)) if wanted.ids is not None else None
        total = self.queries.entries_of(selection) if selection else given or 0
        if lasts and found and selection and _may_change(found, wanted.action):
            selection = selection.however_they_change(until_ms)
        return BulkState(
            action=wanted.action,
            filter=wanted.filter or None,
            tags=tuple(wanted.tags or ()),
            priority=wanted.priority,
            reason=wanted.reason,
            from_failed=bool(wanted.from_failed),
            ids=given,
            selection=json.loads(json.dumps(selection.write())) if selection else None,
            asked_by=asker.name if asker else None,
            asked_key=asker.key_id if asker else None,
            job_types=asker.job_types if asker else None,
            job_tags=asker.tags if asker else None,
            traceparent=current(),
            is_through=selection is None and given is None,
            total=total,
        )

    def _look(self, selection: Selection, found: "_Preview") -> None:
        """Look at jobs of a selection until there are no more, or enough."""
        ends_at, place = time.monotonic() + _PREVIEWED_S, None
        found.ended = False
        while found.looked_at < _PREVIEWED and time.monotonic() < ends_at:
            some = self.queries.look(selection, place, _AT_ONCE)
            found.looked_at += some.looked_at
            found.add(some.records)
            place = some.place
            if place is None:
                found.ended, found.looked_to_ms = True, None
                return
            found.looked_to_ms = place.score if selection.way.index.name != "subs" else None


class _Preview:
    """What a preview has found so far."""

    def __init__(self, state: BulkState, registry: Registry) -> None:
        self.ended = True
        self.looked_at = 0
        self.looked_to_ms: int | None = None
        self.unfit = 0
        self.left_alone: int | None = 0
        self._state, self._registry = state, registry
        self._parents: dict[str, str | None] = {}
        self._kinds: dict[str, tuple[Status, str]] = {}
        self._sample: list[JobRecord] = []
        self._types: dict[str, bool] = {}

    @property
    def count(self) -> int:
        return len(self._kinds)

    def add(self, records: list[JobRecord]) -> None:
        """Count jobs."""
        state = self._state
        for record in records:
            if not state.reaches(record) or (record.type == BULK_TYPE and state.ids is None):
                continue
            if not fits(state.action, record):
                self.unfit += 1
                continue
            self._note_unannounced(record)
            self._parents[record.id] = record.parent
            self._kinds[record.id] = record.nearest_status, record.type
            if len(self._sample) < _SAMPLE:
                self._sample.append(record)
        if state.ids is not None:
            self.looked_at, self.left_alone = self.looked_at + len(records), self.unfit

    def _note_unannounced(self, record: JobRecord) -> None:
        """Note the type of a job that would run again, if no worker has announced it."""
        name = record.type if record.type != CUSTOM else record.task
        if self._state.action is BulkAction.RETRY and name not in self._types:
            self._types[name] = self._registry.type_of(record) is not None

    def answer(self, exact: int | None) -> BulkPreview:
        """What was found; `exact`: how many jobs there are, if that is known."""
        goes_down = self._state.action.goes_down
        below = {each for each, parent in self._parents.items() if goes_down and parent in self._parents}
        kinds = Counter(kind for each, kind in self._kinds.items() if each not in below)
        return BulkPreview(
            action=self._state.action,
            count=self.count if exact is None else exact,
            is_exact=exact is not None,
            looked_at=self.looked_at,
            looked_to=from_ms(self.looked_to_ms) if self.looked_to_ms is not None else None,
            below=len(below) if self.ended else None,
            left_alone=self.left_alone if self.ended else None,
            kinds=[BulkKind(status=s, job_type=name, count=n) for (s, name), n in kinds.most_common()],
            unannounced=sorted(name for name, is_announced in self._types.items() if not is_announced)[:_SAMPLE],
            sample=[summary_of(record) for record in self._sample],
        )


def _check_stays_in_reach(wanted: BulkRequest) -> None:
    """Check that the caller does not take the tags from jobs by which they may see them."""
    asker = acting.get()
    if wanted.action is BulkAction.UNTAG and asker and not set(asker.tags or ()).isdisjoint(wanted.tags or ()):
        raise ForbiddenError(
            f"{asker.name} is limited to jobs with one of the tags {', '.join(asker.tags or ())}, and can't take "
            "these. Ask an admin for a key that may do more."
        )


def _filter_of(wanted: BulkRequest) -> JobFilter:
    found = with_query(JobFilter(), wanted.filter, wanted.tz)
    if len(found.excluded) < MOST_VALUES:
        found = found.model_copy(update={"excluded": (*found.excluded, JobFilter(job_type=(BULK_TYPE,)))})
    return found


def _possible(found: JobFilter, wanted: BulkRequest) -> JobFilter | None:
    """The jobs in a status in which this can be done to them; None: there can't be any."""
    possible = wanted.action.statuses
    if possible == frozenset(Status):
        return found
    statuses = tuple(status for status in (found.status or Status) if status in possible)
    return found.model_copy(update={"status": statuses}) if statuses else None


def _may_change(found: JobFilter, action: BulkAction) -> bool:
    """Whether a job that goes from one status to another still is one of those that were meant.

    A filter by status, or by the time of a start or an end, means the jobs that fit when it begins.
    """
    means_all = plan(found.model_copy(update={"sort": None})).index.name == "type"
    return means_all and action.statuses != frozenset(Status) and len(action.statuses - SETTLED) > 1
