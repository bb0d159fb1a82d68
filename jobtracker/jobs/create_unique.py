"""Creates jobs of which there is one at a time. The store decides (`store/lua/lib/unique.lua`)."""

import hashlib
import json
from dataclasses import dataclass, replace

from jobtracker.core.clock import now_ms
from jobtracker.core.job import UNIQUE_DIGITS, unique_field
from jobtracker.errors import UniqueKeyTakenError
from jobtracker.jobs.create import Creation
from jobtracker.jobs.guards import admit, need_reach, release
from jobtracker.schemas.requests import SubJobCreate, Unique
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
            ForbiddenError: Who asks may not see the other job.
        """
        at_ms, digest = now_ms(), digest_of(job.job_type, unique.key)
        checked = self.creation.checked(job, request_id, at_ms if start else None, ids=ids, unique_digest=digest)
        admit(checked.records)
        field = unique_field(digest, unique.while_, at_ms, unique.for_s)
        for left in reversed(range(3)):
            [record] = self.creation.finished(checked)  # its objects are discarded where another job has its key
            record = replace(record, fields={**record.fields, "unique": field})
            try:
                return self.creation.create_recorded(record, at_ms, start=start, is_new=ids is None), False
            except UniqueKeyTakenError as error:
                [(other, data)] = self.queries.load([error.job_id], missing_ok=True)
                if other.exists:
                    release(record.id)
                    need_reach(other.type, other.tags)
                    return (other, data), True
                if not left:
                    raise
        raise AssertionError("unreachable")


def digest_of(job_type: str, key: str) -> str:
    """The digest of a unique key."""
    return hashlib.sha256(json.dumps([job_type, key]).encode()).hexdigest()[:UNIQUE_DIGITS]
