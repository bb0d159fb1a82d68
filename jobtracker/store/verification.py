"""The store's own check: commands that compare indexes and other derived data with the records, and repair them.

Each call looks at a bounded number of jobs at one moment (`lua/commands/verify_*.lua`), so it may run beside
anything: nothing differs only because it moved meanwhile, and what is mended is right when it is mended.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jobtracker.connection.client import RedisClient
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.examination import Flaw
from jobtracker.store.functions import Library
from jobtracker.store.keys import Partition

MOST_ADDED_UP = 20_000
"""Pending jobs of one account that are added up in one call: it takes the server some milliseconds."""


class TooManyToAddUpError(JobTrackerError):
    """Somebody has so many jobs pending that nobody adds them up in one call."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"The pending bytes of {account} were not added up: more than {MOST_ADDED_UP:,} jobs are counted."
        )


class Difference(NamedTuple):
    """Something beside a record that is not as the record says."""

    flaw: Flaw
    where: str
    """The index, field or key."""
    subject: str
    """The job, or the counter."""
    found: str
    wanted: str
    is_repaired: bool


class Family(NamedTuple):
    """What holds of a parent at one moment."""

    parent_id: str
    follows: str
    """What follows for it by what it was told, and has not come about; "" where nothing does."""


class Unlisted(NamedTuple):
    """A sub-job that names a parent which does not list it."""

    job_id: str
    parent_id: str


class Verified(NamedTuple):
    """What one look at some jobs has found."""

    differences: list[Difference]
    families: list[Family]
    unlisted: list[Unlisted]
    apart: list[Unlisted]
    """Sub-jobs whose parent is not in their partition: whether it is there and lists them was not looked at."""


class Verification:
    """Compares and mends what one partition holds.

    Args:
        client: A Redis client that decodes responses.
        part: The partition that is looked at.
    """

    def __init__(self, client: RedisClient, part: Partition) -> None:
        self.client = client
        self.part = part
        self._functions = Library(("verify_jobs", "verify_index", "verify_quota"))

    def jobs(self, named: Iterable[tuple[str, str]], *, repair: bool, shrink: bool = False) -> Verified:
        """Look at keys that belong to jobs, each given by its name in `keys.PREFIXES` and the job's id.

        Args:
            named: The keys. Groups of failures may be among them: "failure", and the group's id.
            repair: Mend what differs.
            shrink: So too a parent that counts more sub-jobs than it lists: they are nowhere else.
        """
        args: list[Any] = [
            self.part.prefix,
            2 if repair and shrink else int(repair),
            *(part for pair in named for part in pair),
        ]
        differences, families = self._functions.call(self.client, "verify_jobs", self.part("kinds"), args)
        return Verified(
            [
                Difference(Flaw(flaw), where, subject, found, wanted, bool(repaired))
                for flaw, where, subject, found, wanted, repaired in differences
            ],
            [Family(*entry) for entry in families if len(entry) == 2],
            [Unlisted(entry[0], entry[2]) for entry in families if entry[1:2] == ["unlisted"] and len(entry) > 2],
            [Unlisted(entry[0], entry[2]) for entry in families if entry[1:2] == ["apart"] and len(entry) > 2],
        )

    def index(self, parts: Sequence[str], job_ids: Sequence[str], *, repair: bool) -> list[Difference]:
        """Look at entries of an index, which is given as for `Keys`: ("entered", "failed", "low", "custom")."""
        status, priority, job_type, group = "", "", "", ""
        if parts[0] == "entered":
            status, priority, job_type = parts[1:]
        elif parts[0] == "failed_by":
            status, group = "failed", parts[1]
        else:
            job_type = "".join(parts[1:])
        args: list[Any] = [self.part.prefix, int(repair), status, priority, job_type, group, *job_ids]
        strays, repaired = self._functions.call(self.client, "verify_index", self.part(*parts), args)
        return [Difference(Flaw.STRAY, ":".join(parts), job_id, "there", "", bool(repaired)) for job_id in strays]

    def quota(self, account: str, *, repair: bool) -> Difference | None:
        """Add up what somebody has pending; None: the total is right.

        Raises:
            TooManyToAddUpError: They have more jobs pending than one call may look at.
        """
        args: list[Any] = [self.part.prefix, int(repair), MOST_ADDED_UP]
        answer = self._functions.call(self.client, "verify_quota", self.part("quota", account), args)
        if not answer:
            raise TooManyToAddUpError(account)
        found, wanted, repaired = answer
        return None if found == wanted else Difference(Flaw.TOTAL, "quota", account, found, wanted, bool(repaired))
