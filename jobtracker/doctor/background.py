"""Examinations in the background of an API process, one at a time in a store."""

import logging
import os
import socket
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

from redis.exceptions import RedisError

from jobtracker.connection.write_rejection import in_words
from jobtracker.doctor.examine import examine_apart
from jobtracker.doctor.recount import Recount
from jobtracker.errors import ExaminationError, JobTrackerError
from jobtracker.maintenance.pacing import pause_after
from jobtracker.runtime import Tracking
from jobtracker.schemas.examination import ExaminationRun, ExaminationStatus
from jobtracker.settings import Settings
from jobtracker.store.examinations import Examinations

logger = logging.getLogger(__name__)

_MOST_S = 1800.0
"""An examination that takes longer is stopped."""
_MOST_DIFFERENCES = 100_000
"""So many are kept in memory. Where there are more, something else is wrong."""
_BEAT_S = 2.0
_PREVIEW_AGE = timedelta(hours=1)
_STOPPING_S = 3.0
"""How long a process that stops waits for the piece that is under way."""


class _StoppedError(Exception):
    """The examination is to end; the message says why."""


class BackgroundDoctor:
    """Makes examinations in a thread, slowly: they read everything, and others want answers meanwhile.

    Args:
        settings: Where the store and the broker are. An examination has connections of its own.
        tracking: The store.
    """

    def __init__(self, settings: Settings, tracking: Tracking) -> None:
        self._settings = settings
        self._examinations = Examinations(tracking.client, tracking.keys)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def status(self) -> ExaminationStatus:
        """The running examination, of any process, and the last one that has ended.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        return ExaminationStatus(current=self._examinations.current(), last=self._examinations.last())

    def examine(self, run_id: str | None = None) -> ExaminationRun:
        """Start an examination.

        Args:
            run_id: Its id. If there is one with that id, nothing is done. Default: a new one.

        Raises:
            ExaminationError: Another one runs.
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        return self._known(run_id) or self._start(run_id, previewed_by=None)

    def repair(self, examination_id: str, run_id: str | None = None) -> ExaminationRun:
        """Start a repair of what the last examination has shown. What differs then is mended, also if it is new.

        Args:
            examination_id: The examination.
            run_id: As for `examine`.

        Raises:
            ExaminationError: Another one runs, or that one is not the last, found nothing, or is too old.
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        if known := self._known(run_id):
            return known
        last = self._examinations.last()
        if last is None or last.id != examination_id:
            raise ExaminationError(
                f"The last examination is {last.id if last else 'gone'}, not {examination_id}: look at it first."
            )
        if last.result is None or last.ended_at is None:
            raise ExaminationError(f"Examination {examination_id} has no result: {last.detail}. Examine again.")
        if datetime.now(UTC) - last.ended_at > _PREVIEW_AGE:
            raise ExaminationError(f"Examination {examination_id} is over an hour old. Examine again.")
        if not any(group.repaired < group.count for group in last.result.differences):
            raise ExaminationError(f"Examination {examination_id} left nothing to repair.")
        return self._start(run_id, previewed_by=examination_id)

    def stop(self) -> None:
        """Stop the examination that runs in this process, if one does."""
        self._stopping.set()
        if self._thread:
            self._thread.join(_STOPPING_S)

    def _known(self, run_id: str | None) -> ExaminationRun | None:
        if run_id is None:
            return None
        runs = (self._examinations.current(), self._examinations.last())
        return next((run for run in runs if run and run.id == run_id), None)

    def _start(self, run_id: str | None, *, previewed_by: str | None) -> ExaminationRun:
        run = ExaminationRun(
            id=run_id or uuid.uuid4().hex,
            state="running",
            repair=previewed_by is not None,
            previewed_by=previewed_by,
            started_at=datetime.now(UTC),
            process=f"{socket.gethostname()}:{os.getpid()}",
        )
        if not self._examinations.begin(run):
            current = self._examinations.current()
            since = f", since {current.started_at:%H:%M:%S} UTC on {current.process}" if current else ""
            raise ExaminationError(f"An examination runs already{since}. Wait until it has ended.")
        self._thread = threading.Thread(target=self._run, args=(run,), name="examination", daemon=True)
        self._thread.start()
        return run

    def _run(self, run: ExaminationRun) -> None:
        pace = _Pace(self._examinations, run, self._stopping)
        try:
            run.result = examine_apart(self._settings, repair=run.repair, step=pace)
            run.state, run.jobs_looked_at = "done", run.result.jobs or 0
            run.differences_found = sum(group.count for group in run.result.differences)
        except _StoppedError as stopped:
            run.state, run.detail = "stopped", str(stopped)
        except (JobTrackerError, RedisError) as error:
            run.state, run.detail = "failed", in_words(error)
        except Exception as error:
            logger.exception("examination_failed")
            run.state, run.detail = "failed", f"{type(error).__name__}; the log of {run.process} says more"
        run.ended_at = datetime.now(UTC)
        try:
            self._examinations.end(run)
        except RedisError as error:  # nobody sees its result; that it runs is forgotten in a while
            logger.warning("examination_not_stored", extra={"error": str(error)})


class _Pace:
    """What happens between two pieces of an examination: a pause, and now and then a word about how far it is."""

    def __init__(self, examinations: Examinations, run: ExaminationRun, stopping: threading.Event) -> None:
        self._examinations = examinations
        self._run = run
        self._stopping = stopping
        self._began = self._beat = self._last = time.monotonic()

    def __call__(self, recount: Recount) -> None:
        if self._stopping.is_set():
            raise _StoppedError("its API process was stopped")
        now = time.monotonic()
        if now - self._began > _MOST_S:
            raise _StoppedError(f"it took longer than {_MOST_S / 60:.0f} minutes: run `jobtracker doctor`")
        if len(recount.differences) > _MOST_DIFFERENCES:
            raise _StoppedError(f"there are more than {_MOST_DIFFERENCES:,} differences: run `jobtracker doctor`")
        if now - self._beat > _BEAT_S:
            self._beat = now
            self._run.jobs_looked_at, self._run.differences_found = recount.jobs, len(recount.differences)
            if not self._examinations.renew(self._run):
                raise _StoppedError("it was silent for too long, and taken for gone")
        pause_after(self._last)
        self._last = time.monotonic()
