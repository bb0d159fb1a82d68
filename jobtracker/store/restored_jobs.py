"""What becomes of the jobs of a restored store: of parents, and of jobs that had not ended.

Jobs were read one after the other, so a parent may know less of its sub-jobs, or more, than their records say. The
records of the sub-jobs are right.

Nobody knows what has become of open jobs since: most have run. If they stayed open, their messages would be missing,
and maintenance would send them again. So they fail, unless somebody asks for something else. That is inferred: if
the message is still at the broker after all, or a worker runs the job, its report counts. Celery's result backend is
asked too, as of any other lost job.
"""

import json
from collections.abc import Callable, Iterable, Iterator

from jobtracker.connection.client import RedisClient, keys_from
from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.job import BULK_TYPE
from jobtracker.core.lifecycle import SETTLED, Event, Status
from jobtracker.settings import Settings
from jobtracker.store.functions import batched
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.records import fetch
from jobtracker.store.schema import JobRecord
from jobtracker.store.trees import as_notified
from jobtracker.store.verification import Verification
from jobtracker.store.writer import JobStore

ERROR_TYPE = "RestoredFromBackup"
"""Of jobs that had not ended when the backup was taken."""

_AT_ONCE = 100
_SUBS_AT_ONCE = 500
_MOST_ROUNDS = 100
"""Trees are no deeper, mostly: what follows for a parent may concern the one above it."""


class RestoredJobs:
    """The jobs of a store that is being restored. Nobody else writes to it.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        settings: How long settled jobs stay.
        step: Called after each piece.
    """

    def __init__(
        self, client: RedisClient, keys: Keys, settings: Settings, *, step: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._keys = keys
        self._store = JobStore(client, keys, retention_ms=settings.retention_ms)
        self._step = step

    def settle(self, moment_ms: int, *, keep_open: bool) -> int:
        """Let parents know what the records of their sub-jobs say, and let open jobs fail; returns how many did.

        Args:
            moment_ms: Which moment the backup stands for; 0: that is not known.
            keep_open: They stay open, and what follows for parents is left to maintenance.
        """
        ended, before = 0, set[str]()
        for _ in range(_MOST_ROUNDS):
            follows = set(self._reconcile())
            if keep_open:
                self._leave_to_maintenance(follows)
                return 0
            if follows - before:  # first: a parent that is open again has not ended either
                self._follow(follows)
                before = follows
                continue
            failed = self._fail_open(moment_ms)
            ended += failed
            if not failed:
                break
        for part in self._keys.parts:
            self._client.unlink(part("unsent"), part("unconfirmed"))  # none of these is to be sent
        return ended

    # -- parents ----------------------------------------------------------------------------------------------------

    def _reconcile(self) -> Iterator[str]:
        """Write what parents know of their sub-jobs; returns those for which something follows."""
        for part in self._keys.parts:
            verification, head = Verification(self._client, part), part("subs", "")
            for found in keys_from(self._client, head):
                for some in batched((key.removeprefix(head) for key in found), _AT_ONCE):
                    for parent in some:
                        self._reconcile_one(part, parent)
                    verified = verification.jobs([("job", parent) for parent in some], repair=True)
                    yield from (family.parent_id for family in verified.families if family.follows)
                    self._step()

    def _reconcile_one(self, part: Partition, parent: str) -> None:
        for subs in self._subs(part, parent):
            known = dict(zip(subs, self._client.hmget(part("outcomes", parent), subs), strict=True))
            wanted = {
                record.id: f"{record.run}{f'.{left}' if (left := self._left(parent, record)) else ''}:{record.status}"
                for record in fetch(self._client, self._keys, subs)
                if record.status
            }
            wrong = {
                sub: outcome
                for sub, outcome in wanted.items()
                if as_notified(known[sub] or "") != as_notified(outcome)
                and {outcome.rpartition(":")[2], (known[sub] or "").rpartition(":")[2]} & SETTLED
            }
            if wrong:
                self._client.hset(part("outcomes", parent), mapping=wrong)

    def _left(self, parent: str, sub: JobRecord) -> int:
        """How often a sub-job has left a terminal status, where its parent has to know that."""
        return 0 if self._keys.are_together(parent, sub.id) else sub.reopen_count

    def _subs(self, part: Partition, parent: str) -> Iterator[list[str]]:
        cursor = 0
        while True:
            cursor, found = self._client.zscan(part("subs", parent), cursor, count=_SUBS_AT_ONCE)
            yield from batched((sub for sub, _ in found), _SUBS_AT_ONCE)
            if not cursor:
                return

    def _a_sub_of(self, parent: str) -> JobRecord | None:
        for subs in self._subs(self._keys.of(parent), parent):
            for record in fetch(self._client, self._keys, subs):
                if record.status:
                    return record
        return None

    def _follow(self, parents: Iterable[str]) -> None:
        """Let parents come to what follows from their sub-jobs. Nothing is sent: who is open then fails."""
        for parent in parents:
            sub = self._a_sub_of(parent)
            if sub is not None and sub.status:
                self._store.notify_parent(parent, sub.id, sub.run, sub.status)
            self._step()

    def _leave_to_maintenance(self, parents: Iterable[str]) -> None:
        for parent in parents:
            if (sub := self._a_sub_of(parent)) is not None:
                self._client.zadd(self._keys.of(sub.id)("unnotified"), {sub.id: now_ms()})

    # -- open jobs --------------------------------------------------------------------------------------------------

    def _fail_open(self, moment_ms: int) -> int:
        of = f" of {from_ms(moment_ms):%Y-%m-%d %H:%M:%S} UTC" if moment_ms else ""
        reason = (
            f"the store was restored from a backup{of}, in which it had not ended; what has become of it since is "
            "not known. If it is to run again, retry it"
        )
        data = {"error": json.dumps({"type": ERROR_TYPE, "message": reason})}
        failed = 0
        for records in self._open():
            own = [each for each in records if each.run or each.status != Status.PENDING or each.type == BULK_TYPE]
            fields: dict[str, dict[str, str | int]] = {
                each.id: {"reason": reason, "error_type": ERROR_TYPE, "unanswered": "1"} for each in own
            }
            if fields:
                runs = {each.id: each.run for each in own}
                changes = self._store.apply_many(Event.LOSE, fields, runs, data)
                failed += sum(change.applied for change in changes.values())
            self._step()
        return failed

    def _open(self) -> Iterator[list[JobRecord]]:
        """The jobs that have not ended; they may do so meanwhile."""
        for part in self._keys.parts:
            for status in (each for each in Status if each not in SETTLED):
                for found in keys_from(self._client, part("entered", status, "")):
                    for index in found:
                        cursor = 0
                        while True:
                            cursor, entries = self._client.zscan(index, cursor, count=_AT_ONCE)
                            for some in batched((job_id for job_id, _ in entries), _AT_ONCE):
                                yield fetch(self._client, self._keys, some)
                            if not cursor:
                                break
