"""Creates jobs of which there is one at a time. The store decides (`store/lua/lib/unique.lua`)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from jobtracker.core.access import acting
from jobtracker.core.clock import now_ms
from jobtracker.core.job import UNIQUE_DIGITS, unique_field
from jobtracker.errors import UniqueKeyTakenError
from jobtracker.jobs.create import Creation, as_recorded
from jobtracker.jobs.guards import admit, need_reach, release
from jobtracker.schemas.requests import SubJobCreate, Unique
from jobtracker.store.changes import NewJob
from jobtracker.store.following_ids import FollowingIds
from jobtracker.store.reader import JobQueries, Loaded


@dataclass(frozen=True)
class UniqueCreation:
    """Creates jobs with unique keys."""

    queries: JobQueries
    creation: Creation

    def create_unique(
        self,
        job: SubJobCreate,
        unique: Unique,
        *,
        start: bool,
        request_id: str | None = None,
        ids: FollowingIds | None = None,
    ) -> tuple[Loaded, bool]:
        """Create a job, as `create_one` does, unless there is one of its type that has its unique key.

        Args:
            job: The job.
            unique: Its unique key.
            start: Start it too. A job that is there already stays as it is.
            request_id: Of the request that creates it.
            ids: As for `submit`.

        Returns:
            What is stored of it, or of the job that has its key; and whether it is that other job.

        Raises:
            UniqueKeyTakenError: Another job had the key, and was gone when it was looked at, three times.
            ForbiddenError: The caller may not see the other job.
        """

        def make(records: list[NewJob], at_ms: int) -> Loaded:
            return self.creation.create_recorded(records[0], at_ms, start=start, is_new=ids is None)

        return self._once(job, unique, start=start, request_id=request_id, ids=ids, make=make)

    def create_unique_tree(
        self,
        job: SubJobCreate,
        unique: Unique,
        *,
        start: bool,
        request_id: str | None = None,
        ids: FollowingIds | None = None,
    ) -> tuple[str, bool]:
        """The same of a job with sub-jobs, which has the key as long as it has one of the statuses; returns its id.

        The arguments and errors are those of `create_unique`.
        """

        def make(records: list[NewJob], at_ms: int) -> Loaded:
            self.creation.create_unique_tree(records, at_ms, start=start, is_new=ids is None)
            return as_recorded(records[-1])

        (record, _), is_other = self._once(job, unique, start=start, request_id=request_id, ids=ids, make=make)
        principal = acting.get()
        if is_other and principal and principal.limited:
            for each in self.queries.records(self.queries.families(record.id)):
                need_reach(each.type, each.tags)
        return record.id, is_other

    def _once(
        self,
        job: SubJobCreate,
        unique: Unique,
        *,
        start: bool,
        request_id: str | None,
        ids: FollowingIds | None,
        make: Callable[[list[NewJob], int], Loaded],
    ) -> tuple[Loaded, bool]:
        """What `make` makes of the records at a time (ms), or the job that has the key; and whether it is that."""
        at_ms, digest = now_ms(), digest_of(job.job_type, unique.key)
        checked = self.creation.checked(job, request_id, at_ms if start else None, ids=ids, unique_digest=digest)
        admit(checked.records)
        field = unique_field(digest, unique.while_, at_ms, unique.for_s)
        for left in reversed(range(3)):
            *below, root = self.creation.finished(checked)  # its objects are discarded where another job has its key
            root = replace(root, fields={**root.fields, "unique": field})
            try:
                return make([*below, root], at_ms), False
            except UniqueKeyTakenError as error:
                for record in (*below, root):
                    self.creation.large_values.remove_all(record.data)
                [(other, data)] = self.queries.load([error.job_id], missing_ok=True)
                if other.exists:
                    release(*(record.id for record in (*below, root)))
                    need_reach(other.type, other.tags)
                    return (other, data), True
                if not left:
                    raise
        raise AssertionError("unreachable")


def digest_of(job_type: str, key: str) -> str:
    """The digest of a unique key."""
    return hashlib.sha256(json.dumps([job_type, key]).encode()).hexdigest()[:UNIQUE_DIGITS]
