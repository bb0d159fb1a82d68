"""Does bulk runs, in the API's processes: one process at a time works at each of them.

A process holds a bulk run for some seconds, and longer each time that it writes down how far it is. If it dies,
another one goes on. First it writes down which jobs it is about to change. A job is changed together with a mark of
the run (`JobRecord.bulk`), so whoever goes on sees which of these were changed.
"""

import json
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence

from jobtracker.broker.connection import BROKER_TIMEOUT_S, connected
from jobtracker.connection.client import is_away
from jobtracker.core.access import Principal, acting
from jobtracker.core.job import as_reason
from jobtracker.core.lifecycle import SETTLED, Event, Status
from jobtracker.errors import BrokerUnavailableError, JobNotFoundError
from jobtracker.jobs.bulk_actions import Acted
from jobtracker.jobs.bulk_state import MOST_KEPT, BulkState
from jobtracker.maintenance.pacing import pause_after
from jobtracker.runtime import Tracking
from jobtracker.schemas.bulk import BulkAction
from jobtracker.store.schema import JobRecord
from jobtracker.tracing.active import continued

logger = logging.getLogger(__name__)

HELD_MS = 15_000
"""So long nobody else works at a bulk run after its process wrote something down."""

_TURN_S = 2.0
"""So long a process works at one bulk run, before it is the turn of the next one."""

_AT_ONCE = {BulkAction.RETRY: 20, BulkAction.TERMINATE: 100}
_MOST_AT_ONCE = 200
"""Jobs of one step: it takes the server some milliseconds, between pauses."""

_MOST_BELOW = 2000
"""Sub-jobs of the jobs of one step; one job with more of them is a step alone."""

_ATTEMPTS = 3
"""So often a step is tried that fails in an unexpected way."""


class BulkRunner:
    """Does bulk runs, in turns."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._me = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._failures: Counter[str] = Counter()

    def step(self) -> None:
        """Work at each bulk run for a while, if no other process does, until nothing more can be done now."""
        goes_on = True
        while goes_on:
            turns = [self._work(run_id) for run_id in self._tracking.queries.open_bulk_runs()]
            goes_on = any(turns)

    def stop(self) -> None:
        """End with the part that is under way: this process is about to end. Other processes go on at once."""
        self._stopping.set()

    def _work(self, run_id: str) -> bool:
        """Work at a bulk run; returns whether it is to be gone on with at once."""
        if self._stopping.is_set():
            return False
        try:
            turn = _Turn(self._tracking, run_id, self._me, self._stopping.is_set)
            goes_on = turn.take() and turn.work_for_asker()
        except Exception as error:
            if is_away(error):
                raise
            self._failures[run_id] += 1
            logger.warning("bulk run %s: %s", run_id, error, exc_info=True)
            if self._failures[run_id] < _ATTEMPTS:
                return False
            reason = as_reason(f"it can't go on: {type(error).__name__}: {error}")
            self._tracking.store.apply(Event.FAIL, run_id, run=0, fields={"reason": reason})
            goes_on = False
        self._failures.pop(run_id, None)
        return goes_on


class _Turn:
    """The work of this process at one bulk run."""

    def __init__(self, tracking: Tracking, run_id: str, me: str, is_to_stop: Callable[[], bool]) -> None:
        self._tracking = tracking
        self._run_id = run_id
        self._me = me
        self._is_to_stop = is_to_stop
        self._loaded: dict[str, JobRecord] = {}
        self._again = False
        self._state: BulkState

    def take(self) -> bool:
        """Take it on; returns whether there is something to do, and nobody else does it."""
        store = self._tracking.store
        held = store.hold_bulk(self._run_id, self._me, HELD_MS)
        if held is None or held.status in SETTLED:
            return False
        if not held.state:
            reason = "it is not known what it is to do: its state is gone"
            store.apply(Event.FAIL, self._run_id, run=0, fields={"reason": reason})
            return False
        self._state = BulkState.model_validate_json(held.state)
        self._again = bool(self._state.under_way)
        if held.status is Status.PENDING:
            store.apply(Event.START, self._run_id, run=0)
        return held.status is not None

    def work_for_asker(self) -> bool:
        """Do steps, as asked for by who asked for the run: the history of each job names them."""
        name, key_id = self._state.asked_by, self._state.asked_key
        token = acting.set(Principal(name, frozenset(), key_id) if name else None)
        try:
            with continued(self._state.traceparent):
                return self.work()
        finally:
            acting.reset(token)

    def work(self) -> bool:
        """Do steps until it is the next one's turn; returns whether there is more to do now."""
        ends_at = time.monotonic() + _TURN_S
        state = self._state
        while not state.is_done:
            if self._is_to_stop() or time.monotonic() > ends_at:
                goes_on = self._tell(self._so_far)
                return self._write(0) and goes_on
            began = time.monotonic()
            if not state.under_way:
                if not self._write(HELD_MS, self._choose()):
                    return False
            elif not self._can_go_on():
                return self._wait_for_broker()
            elif not self._change():
                return False
            pause_after(began)
        result = json.dumps(state.counts())
        self._tracking.store.apply(Event.COMPLETE, self._run_id, run=0, data={"result": result})
        self._write(0)
        return False

    def _choose(self) -> Acted:
        """Choose the jobs that come next; returns what is known of others already."""
        state, queries = self._state, self._tracking.queries
        if selection := state.read_selection:
            found = queries.look(selection, state.goes_on_at, _MOST_AT_ONCE)
            state.place, state.is_through = found.place, found.place is None
            state.looked_at += found.looked_at
            self._loaded = {record.id: record for record in found.records}
            # What has come by once more is done.
            state.under_way = [record.id for record in found.records if record.bulk != self._run_id]
        else:
            ids = queries.bulk_ids(self._run_id, state.next_part)
            state.next_part += 1
            state.looked_at += len(ids)
            state.is_through = not ids or state.looked_at >= (state.ids or 0)
            self._loaded = {record.id: record for record in queries.records(ids)}
            state.under_way = [record.id for record in self._loaded.values() if record.exists]
            missing = [record.id for record in self._loaded.values() if not record.exists]
            return Acted(refused=[(each, str(JobNotFoundError(each))) for each in missing])
        return Acted()

    def _can_go_on(self) -> bool:
        """Whether the broker answers, where it has to: a retry that can't be sent fails."""
        if self._state.action not in {BulkAction.RETRY, BulkAction.TERMINATE}:
            return True
        try:
            with connected(self._tracking.app, BROKER_TIMEOUT_S):
                return True
        except BrokerUnavailableError:
            return False

    def _wait_for_broker(self) -> bool:
        """Let go of the run until the next round; returns False."""
        self._tell("the broker does not answer: it goes on when that does")
        self._write(0)
        return False

    def _change(self) -> bool:
        """Change some of the jobs under way; returns whether the run goes on, and is still this process's."""
        state = self._state
        ids = state.under_way[: _AT_ONCE.get(state.action, _MOST_AT_ONCE)]
        missing = [each for each in ids if each not in self._loaded]
        self._loaded |= {record.id: record for record in self._tracking.queries.records(missing)}
        records = _few_enough([self._loaded.pop(each) for each in ids], state.action)
        acted = self._tracking.jobs.bulk_actions.act(self._run_id, state, records, again=self._again)
        state.under_way = [*acted.waiting, *state.under_way[len(records) :]]
        self._again = self._again and bool(state.under_way)
        if not self._write(HELD_MS, acted):
            return False
        return self._wait_for_broker() if acted.waiting else self._tell(self._so_far)

    def _write(self, for_ms: int, acted: Acted | None = None) -> bool:
        """Write down how far the run is; returns whether it goes on, and is still this process's."""
        state, fields = self._state, {}
        if acted:
            state.done += acted.done
            state.below += acted.below
            state.left_alone += acted.left_alone
            state.refused += len(acted.refused)
            if kept := acted.refused[: MOST_KEPT - state.refused_kept]:
                fields[f"refused:{state.refused_parts}"] = json.dumps([(each, as_reason(why)) for each, why in kept])
                state.refused_parts += 1
                state.refused_kept += len(kept)
        fields["state"] = state.model_dump_json()
        held = self._tracking.store.hold_bulk(self._run_id, self._me, for_ms, **fields)
        return held is not None and held.status is not None and held.status not in SETTLED

    @property
    def _so_far(self) -> str:
        return f"{self._state.done:,} done, {self._state.refused:,} refused"

    def _tell(self, message: str) -> bool:
        """Report the run's progress; returns whether it goes on: it may have been cancelled."""
        state = self._state
        fields: dict[str, str | int] = {
            "progress_done": state.looked_through,
            "progress_total": max(state.total, 1),
            "progress_message": message,
        }
        return self._tracking.store.apply(Event.PROGRESS, self._run_id, run=0, fields=fields).applied


def _few_enough(records: Sequence[JobRecord], action: BulkAction) -> list[JobRecord]:
    """The first of some jobs that have few enough sub-jobs together, one at least."""
    chosen: list[JobRecord] = []
    below = 0
    for record in records:
        below += record.subs if action.goes_down else 0
        if chosen and below > _MOST_BELOW:
            break
        chosen.append(record)
    return chosen
