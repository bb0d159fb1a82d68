"""A restore: writes a backup (`backup.py`) into a namespace that has no store, or in the place of the one it has.

The store is locked by a mark meanwhile (`partitions.RESTORING`), so nobody takes half of it for the whole: clients
that use it check that every `CHECKED_EVERY_S` seconds and stop. A restore that was broken off is begun anew.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jobtracker.connection.client import RedisClient, keys_from, server_of
from jobtracker.errors import JobTrackerError, RestoreUnfinishedError
from jobtracker.settings import Settings
from jobtracker.store.backup_file import BackupFileError, BackupReader, Entry, Jobs
from jobtracker.store.functions import CHECKED_EVERY_S, Library, batched
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.leases import Leases
from jobtracker.store.libraries import Libraries
from jobtracker.store.partitions import RESTORING, partitions_of, servers_of
from jobtracker.store.restored_jobs import RestoredJobs
from jobtracker.store.schema import SCHEMA
from jobtracker.store.webhooks import WebhookStore

_NAMED = 5
_AT_ONCE = 8
"""Entries of one round trip."""
_REMOVED_AT_ONCE = 500

_OF_A_STORE = ("kinds", "api_keys", "webhooks")
"""If none of these is there, nobody has recorded anything: processes have left their own keys at most."""


class RestoreError(JobTrackerError):
    """A backup can't be restored here, or not now; the message says what to do."""


@dataclass
class RestoreFigures:
    """How far a restore is, and what it has done.

    Attributes:
        removed: Keys of the store that was there before.
        jobs: Jobs that were written, each time that they came.
        keys: Other keys, or pieces of them; not those that have expired meanwhile.
        without_key: Jobs that lost their unique key, because another one has it.
        ended: Jobs that had not ended, and have failed now.
    """

    removed: int = 0
    jobs: int = 0
    keys: int = 0
    without_key: int = 0
    ended: int = 0


class Restore:
    """One restore.

    Args:
        client: A Redis client that decodes responses, and gives the server time.
        settings: Which namespace, how many partitions, and how long leases last.
        header: What the backup begins with.
        patience_s: How long after the mark is set a client may still use the store, because it has not checked again.

    Attributes:
        figures: How far it is.
        step: Called after each piece.

    Raises:
        BackupFileError: It is a backup that this release can't restore.
        RestoreError: The store is to have another number of partitions than the backup has.
    """

    def __init__(
        self,
        client: RedisClient,
        settings: Settings,
        header: dict[str, Any],
        *,
        patience_s: float = CHECKED_EVERY_S + 1,
    ) -> None:
        _expect_schema(header)
        there, wanted = header["partitions"], settings.tracking_partitions
        if there != wanted:
            raise RestoreError(
                f"The backup has {there} partition{'s' if there > 1 else ''}, and TRACKING_PARTITIONS is {wanted} "
                f"here. Set it to {there}, restore, and then move the store: `jobtracker repartition --to {wanted}`."
            )
        self.figures = RestoreFigures()
        self._client = client
        self._settings = settings
        self._keys = Keys(settings.tracking_namespace, wanted)
        self._functions = Library(("restore_jobs", "restore_keys"))
        self._patience_s = patience_s
        self.step: Callable[[], None] = lambda: None
        self._mark = self._keys.parts[0]("partitions")

    @property
    def is_unfinished(self) -> bool:
        """A restore into this namespace has begun and not ended."""
        return str(self._client.get(self._mark) or "").startswith(RESTORING)

    def store_before(self) -> int | None:
        """How many jobs the store has that is there; None where none is there.

        Raises:
            RepartitionInProgressError: It is being moved to another number of partitions.
        """
        there = self._keys_before()
        if self.is_unfinished or any(self._client.exists(part(name)) for part in there.parts for name in _OF_A_STORE):
            return sum(1 for part in there.parts for found in keys_from(self._client, part("job", "")) for _ in found)
        return None

    def expect_unused(self) -> None:
        """Do nothing if no process uses the namespace.

        Raises:
            RestoreError: Workers or the API use it.
        """
        there = self._keys_before()
        workers = [each.name for each in Leases(self._client, there, self._settings.lease_lost_s).live()]
        if workers or any(self._client.exists(part("leader")) for part in there.parts):
            more = f" and {len(workers) - _NAMED} more" if len(workers) > _NAMED else ""
            users = (
                f"these workers use it: {', '.join(workers[:_NAMED])}{more}" if workers else "an API or a worker does"
            )
            raise RestoreError(
                f"The namespace {self._keys.namespace!r} is in use: {users}. Stop the workers, the API and all "
                "publishers first, and try again half a minute later: a process that was killed counts as alive "
                "until then. Or say --force: they stop writing, and go on with the restored store."
            )

    def run(self, backup: BackupReader, *, keep_open: bool) -> None:
        """Remove what is there, write the backup, and make anew what follows from it.

        Args:
            backup: The backup, to be read from its beginning. If that fails, the mark stays.
            keep_open: Jobs that had not ended stay as they are; else they have failed.

        Raises:
            BackupFileError: It is damaged.
            redis.exceptions.RedisError: Redis does not answer, or has no memory left.
        """
        most = max(len(self._keys.parts), len(self._keys_before().parts))
        self._client.set(self._mark, f"{RESTORING}{most}")
        time.sleep(self._patience_s)
        self._remove(Keys(self._keys.namespace, most))
        for server in servers_of(self._client, self._keys):
            self._functions.load(server)
        for some in batched(self._sorted_out(backup.entries()), _AT_ONCE):
            self._write(some)
            self.step()
        self._drop_strange_indexes()
        jobs = RestoredJobs(self._client, self._keys, self._settings, step=self.step)
        self.figures.ended = jobs.settle(backup.told.get("moment_ms", 0), keep_open=keep_open)
        WebhookStore(self._client, self._keys).announce_if_wanted()  # last: nobody is told of what was done here
        Libraries(self._client, self._keys).renew()
        self._client.set(self._mark, len(self._keys.parts))

    def _keys_before(self) -> Keys:
        """The keys of what is there."""
        try:
            partitions = partitions_of(self._client, self._keys) or len(self._keys.parts)
        except RestoreUnfinishedError as error:
            partitions = error.partitions
        return Keys(self._keys.namespace, partitions)

    def _remove(self, there: Keys) -> None:
        for part in there.parts:
            for found in keys_from(self._client, part.prefix):
                for some in batched((key for key in found if key != self._mark), _REMOVED_AT_ONCE):
                    self.figures.removed += self._client.unlink(*some)
                self.step()

    def _sorted_out(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for each in entries:
            if not 0 <= each.partition < len(self._keys.parts):
                raise BackupFileError(f"The backup names partition {each.partition}, which it does not have.")
            yield each

    def _write(self, entries: list[Entry]) -> None:
        shares: dict[Partition, list[Entry]] = {}
        for each in entries:
            shares.setdefault(self._keys.parts[each.partition], []).append(each)
        for part, own in shares.items():
            pipe = server_of(self._client, part.prefix).pipeline(transaction=False)
            for each in own:  # as the library's own way of calling takes texts only
                command = "restore_jobs" if isinstance(each, Jobs) else "restore_keys"
                pipe.execute_command(
                    "FCALL", f"{self._functions.name}_{command}", 1, part("kinds"), part.prefix, *each.packed
                )
            for each, answer in zip(own, pipe.execute(), strict=True):
                if isinstance(each, Jobs):
                    self.figures.jobs += len(each.packed)
                    self.figures.without_key += answer
                else:
                    self.figures.keys += answer

    def _drop_strange_indexes(self) -> None:
        """Remove the indexes of groups of failures that are not in the backup: there were too many groups."""
        for part in self._keys.parts:
            head = part("failed_by", "")
            for found in keys_from(self._client, head):
                if not found:
                    continue
                groups = [key.removeprefix(head) for key in found]
                known = self._client.mget([part("failure", group) for group in groups])
                if gone := [key for key, group in zip(found, known, strict=True) if group is None]:
                    self._client.unlink(*gone)


def _expect_schema(header: dict[str, Any]) -> None:
    schema = header.get("schema")
    if not isinstance(header.get("partitions"), int) or not isinstance(schema, int):
        raise BackupFileError("The backup does not say what its records are like.")
    if schema != SCHEMA:
        age = "a newer" if schema > SCHEMA else "an older"
        raise BackupFileError(
            f"The backup was made by {age} release ({header.get('made_by')}): its records have the schema {schema}, "
            f"and this release reads the schema {SCHEMA}. Restore it with that release."
        )
