"""What needs somebody: looked at when somebody asks, once for all who ask at about the same time."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from datetime import timedelta
from urllib.parse import urlsplit

from jobtracker.core.lifecycle import SETTLED, Event
from jobtracker.diagnosis.blocked_jobs import MOST_GROUPS, NAMED, BlockedJobsFinder, OpenJobs
from jobtracker.diagnosis.conclusions import moment
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import BrokerUnavailableError
from jobtracker.schemas.attention import Attention, DisabledWebhook, LostWorker, UnconsumedQueue
from jobtracker.schemas.failures import FailureFilter, FailureState
from jobtracker.store.schema import JobRecord
from jobtracker.store.webhook_endpoints import EndpointStore

_KEPT_S = 3.0
"""An answer that is younger does."""
_PATIENCE_S = 0.25
"""How long an asker waits for a new answer while there is an older one."""
_OLD_S = 30.0
"""An answer that is older than that does not do."""
_STRANGERS_S = 30.0
"""How old the answer may be of workers that are not tracked: it takes the whole time limit of `Inspector`."""
_WINDOW = timedelta(hours=1)
MOST_FAILURES = 1000
"""Failures that are looked at."""
_NEEDY = (FailureState.NEW, FailureState.REGRESSED)
"""Groups of failures in these states need somebody, …"""
_SEEN_WITHIN = timedelta(days=1)
"""… if a job of theirs has failed since then."""
_MOST_LOST = 50
"""Lost workers that are told of."""


class AttentionDesk:
    """Finds out what needs somebody.

    Args:
        inspector: Asks workers and broker.
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._tracking = inspector.tracking
        self._blocked = BlockedJobsFinder(Explainer(inspector.tracking, inspector), self._consumed_among)
        self._endpoints = EndpointStore(inspector.tracking.client, inspector.tracking.keys)
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(2, "attention")
        self._looking: Future[Attention] | None = None
        self._last: Attention | None = None
        self._looked_at = float("-inf")

    def close(self) -> None:
        """Begin no further look."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def attention(self) -> Attention:
        """What needs somebody; at most some seconds old, or half a minute if it takes long to find out.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        with self._lock:
            age_s = time.monotonic() - self._looked_at
            last = self._last if age_s < _OLD_S else None
            if last and age_s < _KEPT_S:
                return last
            looking = self._looking or self._begin()
        try:
            return looking.result(_PATIENCE_S if last else None)
        except NotYetError:
            if last is None:  # the look itself took too long
                raise
            return last

    def latest(self, renew_s: float, old_s: float) -> Attention | None:
        """What was found last; None: nothing yet, or it is too old. It is not waited for a look.

        Args:
            renew_s: A look begins where the last one is older, in seconds.
            old_s: The age that is too old.
        """
        with self._lock:
            age_s = time.monotonic() - self._looked_at
            if age_s >= renew_s and self._looking is None:
                self._begin()
            return self._last if age_s < old_s else None

    def _begin(self) -> "Future[Attention]":
        self._looking = Future()
        threading.Thread(target=self._run, args=(self._looking,), name="attention", daemon=True).start()
        return self._looking

    def _run(self, looking: "Future[Attention]") -> None:
        try:
            found = self.look()
        except BaseException as error:  # noqa: BLE001 (who waits gets it)
            with self._lock:
                self._looking = None
            looking.set_exception(error)
        else:
            with self._lock:
                self._looking, self._last, self._looked_at = None, found, time.monotonic()
            looking.set_result(found)

    def look(self) -> Attention:
        """Find it out now.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        began = time.monotonic()
        queries = self._tracking.queries
        unavailable: list[str] = []
        asked = self._threads.submit(self._unconsumed, unavailable)  # it waits for the broker, as the next line does
        open_jobs = self._blocked.look()
        now_ms = queries.server_ms()
        since = moment(now_ms) - _WINDOW
        failed, total = queries.failed_since(since, MOST_FAILURES)
        needy = FailureFilter(_NEEDY, since=moment(now_ms) - _SEEN_WITHIN)
        failures = queries.failure_groups(needy, size=MOST_GROUPS)
        lost_workers = self._lost_workers(open_jobs, failed)
        not_settled = sum(each.count for each in queries.counts() if each.status not in SETTLED)
        unconsumed_queues = asked.result()
        return Attention(
            at=moment(now_ms),
            took_s=round(time.monotonic() - began, 3),
            open_jobs=not_settled,
            looked_at=open_jobs.looked_at,
            complete=open_jobs.complete,
            blocked=open_jobs.groups,
            blocked_left_out=open_jobs.left_out,
            failures_since=since,
            failed=total,
            failures_looked_at=len(failed),
            failures=sorted(failures.groups, key=lambda group: -group.jobs_of_day),
            more_failures=failures.next_cursor is not None,
            unconsumed_queues=unconsumed_queues,
            lost_workers=lost_workers,
            disabled_webhooks=self._disabled_webhooks(),
            unavailable=[*dict.fromkeys(open_jobs.unavailable + unavailable)],
        )

    def _consumed_among(self, queues: set[str]) -> set[str]:
        """Those of some queues that a worker consumes which is not tracked; none if the broker does not answer."""
        try:
            return queues & self._inspector.consumed_anywhere(_STRANGERS_S) if queues else set()
        except BrokerUnavailableError:
            return set()

    def _unconsumed(self, unavailable: list[str]) -> list[UnconsumedQueue]:
        try:
            depths = self._inspector.queue_depths()
        except BrokerUnavailableError as error:
            unavailable.append(f"which queues nobody consumes: {error}")
            return []
        if depths.some_left_out:
            unavailable.append("what waits in some queues: calls have named more than the store remembers")
        waiting = [each for each in depths.queues if each.messages and not each.consumers and not each.consumer_count]
        consumed = self._consumed_among({each.queue for each in waiting if each.consumer_count is None})
        return [
            UnconsumedQueue(queue=each.queue, messages=each.messages)
            for each in waiting
            if each.queue not in consumed
        ]

    def _lost_workers(self, open_jobs: OpenJobs, failed: Sequence[JobRecord]) -> list[LostWorker]:
        live = {worker.name for worker in self._tracking.leases.live()}
        lost_with: dict[str, list[str]] = {}
        for record in failed:
            if record.inferred in {Event.LOSE, Event.QUARANTINE} and record.worker:
                lost_with.setdefault(record.worker, []).append(record.id)
        found = []
        for lease in self._tracking.leases.lost(_MOST_LOST):
            worker = lease.worker
            running = open_jobs.of_lease.get(lease.incarnation, [])
            gone = lost_with.get(worker.name, []) if worker else []
            found.append(
                LostWorker(
                    incarnation=lease.incarnation,
                    name=worker.name if worker else None,
                    lost_at=moment(lease.ended_ms),
                    is_back=worker is not None and worker.name in live,
                    pool=worker.pool if worker else None,
                    concurrency=worker.concurrency if worker else None,
                    queues=worker.queues if worker else [],
                    release=worker.release or None if worker else None,
                    open_jobs=len(running),
                    failed_jobs=len(gone),
                    job_ids=[*running, *gone][:NAMED],
                )
            )
        return found

    def _disabled_webhooks(self) -> list[DisabledWebhook]:
        return [
            DisabledWebhook(
                id=each.id,
                description=each.description,
                host=urlsplit(each.url).hostname or urlsplit(each.url).path,
                disabled_at=each.disabled_at,
                reason=each.disabled_reason or "",
            )
            for each in self._endpoints.disabled()
            if each.disabled_at
        ]
