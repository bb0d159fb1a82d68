"""Finds parents and sub-jobs whose records about each other disagree.

A sub-job may settle in one call and notify its parent in the next, so a check may come in between. A difference
counts only if a second check finds it again, and if it has lasted for `LEASE_LOST_S`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.runtime import Tracking
from jobtracker.schemas.examination import Flaw
from jobtracker.store.changes import NewJob, News
from jobtracker.store.keys import Partition
from jobtracker.store.reader import as_notified
from jobtracker.store.records import ask
from jobtracker.store.schema import JobRecord, decode
from jobtracker.store.verification import Difference, Unlisted, Verification, Verified

_BATCH = 200


class TreeCheck:
    """The families of one recount.

    Args:
        tracking: The store.
        checks: Look, each at one of its partitions.
        repair: Repair differences, by notifying parents again. That can be repeated.
        step: Called after each piece. What it raises ends the check.
    """

    def __init__(
        self,
        tracking: Tracking,
        checks: Mapping[Partition, Verification],
        *,
        repair: bool,
        step: Callable[[], None],
    ) -> None:
        self.tracking = tracking
        self.repair = repair
        self._step = step
        self._checks = checks
        self._parents: set[str] = set()
        self._to_follow: set[tuple[str, str]] = set()  # a parent, and what follows for it
        self._unlisted: set[tuple[str, str]] = set()  # a sub-job, and the parent that does not list it
        self._short: dict[str, Difference] = {}  # parents that list fewer sub-jobs than they count
        self._seen: set[Difference] = set()

    def note(self, verified: Verified) -> list[Difference]:
        """Keep what has to be looked at twice; returns the rest."""
        self._parents.update(family.parent_id for family in verified.families)
        self._to_follow.update(_following(verified))
        self._unlisted.update(self._unlisted_of(verified))
        rest = []
        for each in verified.differences:
            if (each.flaw, each.where) == (Flaw.FAMILY, "subs") and int(each.found) > int(each.wanted):
                self._short[each.subject] = each
            else:
                rest.append(each)
        return rest

    def look(self) -> None:
        """The first look at what parents were told; what the verification saw was the first look at the rest."""
        self._seen = set(self._unnotified(self._parents))

    def settle(self, not_before: float) -> list[Difference]:
        """The second look, at that time of the monotonic clock: what differs for good, repaired where it can be."""
        if self._seen or self._to_follow or self._unlisted:
            time.sleep(max(0.0, not_before - time.monotonic()))
        found = [self._attach(*each) for each in self._lasting_orphans().items()]
        lasting = self._seen & set(self._unnotified({each.subject for each in self._seen}))
        found.append([self._mend_unnotified(each) for each in sorted(lasting)])
        follows = self._aged(set(_following(self._again(parent for parent, _ in self._to_follow))) & self._to_follow)
        found.append([self._mend_status(*each) for each in sorted(follows)])
        found.append([self._mend_short(each) for each in self._short.values()])
        return [each for some in found for each in some]

    # -- looking ----------------------------------------------------------------------------------------------------

    def _unnotified(self, parents: Iterable[str]) -> Iterator[Difference]:
        client, keys, long_ago_ms = self.tracking.client, self.tracking.keys, self._long_ago_ms()
        for some in _batches(sorted(parents), _BATCH):
            pipe = client.pipeline(transaction=False)
            for parent in some:
                pipe.zrange(keys("subs", parent), 0, -1)
                pipe.hgetall(keys("outcomes", parent))
            answers = pipe.execute()
            subs = {parent: family for parent, family in zip(some, answers[::2], strict=True) if family}
            told = dict(zip(some, answers[1::2], strict=True))
            pipe = client.pipeline(transaction=False)
            for family in subs.values():
                for sub in family:
                    ask(pipe, keys, sub)
            ids = [sub for family in subs.values() for sub in family]
            records = map(decode, ids, pipe.execute() if subs else [])
            for parent, family in subs.items():
                for sub in family:
                    record = next(records)
                    run, status, names = record.run, record.status, record.parent
                    if status is None or record.status_changed_at > long_ago_ms:
                        continue  # a sub-job may be announced before it is recorded
                    if names != parent:
                        yield Difference(
                            Flaw.UNNOTIFIED, f"parent of {sub}", parent, names or "", parent, is_repaired=False
                        )
                    was = as_notified(told[parent].get(sub, ""))
                    if was != f"{run}:{status}" and (was.partition(":")[2] in SETTLED or status in SETTLED):
                        where = f"outcome of {sub}"
                        yield Difference(Flaw.UNNOTIFIED, where, parent, was, f"{run}:{status}", is_repaired=False)
            self._step()

    def _again(self, job_ids: Iterable[str]) -> Verified:
        looks = [
            self._checks[part].jobs([("job", job_id) for job_id in some], repair=False)
            for part, own in self.tracking.keys.share_out(sorted(job_ids)).items()
            for some in _batches(own, _BATCH)
        ]
        return Verified(
            [each for look in looks for each in look.differences],
            [each for look in looks for each in look.families],
            [each for look in looks for each in self._unlisted_of(look)],
            [],
        )

    def _unlisted_of(self, verified: Verified) -> list[Unlisted]:
        """All sub-jobs that their parents don't list, those in other partitions too."""
        keys, apart = self.tracking.keys, [each for each in verified.apart if len(self.tracking.keys.parts) > 1]
        pipe = self.tracking.client.pipeline(transaction=False)
        for sub, parent in apart:
            pipe.exists(keys("job", parent))
            pipe.zscore(keys("subs", parent), sub)
        answers = pipe.execute()
        seen = zip(apart, answers[::2], answers[1::2], strict=True)
        return verified.unlisted + [each for each, is_there, place in seen if is_there and place is None]

    def _aged(self, found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those whose job, the first of each pair, has been where it is for long."""
        found = list(found)
        entered = self.tracking.queries.fields([job_id for job_id, _ in found], JobRecord.status_changed_at)
        long_ago_ms = self._long_ago_ms()
        return [each for each, at_ms in zip(found, entered, strict=True) if at_ms and int(at_ms) <= long_ago_ms]

    def _lasting_orphans(self) -> dict[str, list[str]]:
        """The sub-jobs that their parents don't list, by parent."""
        unlisted = set(self._again(sub for sub, _ in self._unlisted).unlisted)
        orphans: dict[str, list[str]] = defaultdict(list)
        for sub, parent in sorted(self._aged(unlisted & self._unlisted)):
            orphans[parent].append(sub)
        return orphans

    def _long_ago_ms(self) -> int:
        return self.tracking.queries.server_ms() - int(self.tracking.settings.lease_lost_s * 1000)

    # -- mending ----------------------------------------------------------------------------------------------------

    def _attach(self, parent: str, orphans: list[str]) -> list[Difference]:
        """List sub-jobs again; only where it is certain at which place, for results are handed on in that order."""
        places = {int(score) for _, score in self._places(parent)}
        free = sorted(set(range(len(places) + len(orphans))) - places)
        certain = len(orphans) == 1 and len(free) == 1
        if self.repair and certain:
            self.tracking.store.create(NewJob(id=parent, fields={}, subs={free[0]: orphans[0]}))
            self._tell(parent, orphans[0])
            self._short.pop(parent, None)
        elif parent in self._short:
            del self._short[parent]  # its number of sub-jobs is right: they are there, but not listed
        return [
            Difference(Flaw.UNNOTIFIED, f"place of {sub}", parent, "", "listed", is_repaired=self.repair and certain)
            for sub in orphans
        ]

    def _places(self, parent: str) -> list[tuple[str, float]]:
        return list(self.tracking.client.zrange(self.tracking.keys("subs", parent), 0, -1, withscores=True))

    def _mend_unnotified(self, each: Difference) -> Difference:
        what, _, sub = each.where.partition(" of ")
        if not self.repair or (what == "parent" and each.found):
            return each  # it names another one: nobody knows which is right
        if what == "parent":
            self.tracking.store.update(sub, fields={"parent": each.subject})
        self._tell(each.subject, sub)
        return each._replace(is_repaired=True)

    def _mend_status(self, parent: str, follows: str) -> Difference:
        """Tell it once more of any of its sub-jobs: what follows is found out anew then."""
        subs = self.tracking.queries.some_subs(parent, set(Status), 1) if self.repair else []
        for sub in subs:
            self._tell(parent, sub.id)
        return Difference(Flaw.UNNOTIFIED, "status", parent, "", follows, is_repaired=bool(subs))

    def _tell(self, parent: str, sub: str) -> None:
        if state := self.tracking.queries.state(sub):
            self.tracking.propagation.notify_parent(News(parent, sub, *state))

    def _mend_short(self, each: Difference) -> Difference:
        """Its sub-jobs are neither listed nor there: what it lists is all there is."""
        if not self.repair:
            return each
        verification = self._checks[self.tracking.keys.of(each.subject)]
        mended = verification.jobs([("job", each.subject)], repair=True, shrink=True)
        subs = self.tracking.queries.some_subs(each.subject, set(Status), 1)
        for sub in subs:
            self._tell(each.subject, sub.id)
        return next((again for again in mended.differences if again.where == "subs"), each)


def _following(verified: Verified) -> Iterator[tuple[str, str]]:
    return ((family.parent_id, family.follows) for family in verified.families if family.follows)


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
