"""Checks that the store's partition count matches this process's configuration.

Otherwise it would not find its jobs.
"""

from jobtracker.connection.client import RedisClient, server_of
from jobtracker.errors import (
    OutdatedSchemaError,
    PartitionsError,
    RepartitionInProgressError,
    RestoreUnfinishedError,
)
from jobtracker.store.keys import Keys

RESTORING = "restoring:"
"""How the mark of a store begins that is being restored; the number of partitions that may have keys follows."""


def expect_partitions(client: RedisClient, keys: Keys) -> None:
    """Do nothing where the store has as many partitions as there are in `keys`; an empty one has them from now on.

    Raises:
        PartitionsError: It has another number.
        RepartitionInProgressError: It is on its way to another one.
        RestoreUnfinishedError: It is being restored.
        OutdatedSchemaError: Its records are those of an earlier release.
    """
    wanted, key = len(keys.parts), keys("partitions")
    found = partitions_of(client, keys)
    if found is None and wanted > 1:
        client.set(key, wanted, nx=True)
        found = int(client.get(key) or wanted)
    if found is not None and found != wanted:
        raise PartitionsError(found, wanted)
    if found is not None and _is_of_earlier_release(client, keys):
        raise OutdatedSchemaError(keys.namespace)


def _is_of_earlier_release(client: RedisClient, keys: Keys) -> bool:
    """Whether records are hashes, or keys have but the number of their partition, as until November 2026."""
    if len(keys.parts) > 1 and client.exists(f"{keys.namespace}:{{1}}:kinds"):
        return True
    part = keys.parts[0]
    kind = client.srandmember(part("kinds"))
    job_id = kind and client.zrandmember(part("type", kind.partition(":")[2]))
    return bool(job_id) and client.type(part("job", job_id)) == "hash"


def servers_of(client: RedisClient, keys: Keys) -> dict[RedisClient, str]:
    """A client of each server that has a partition, with a key of it that is never there."""
    servers: dict[RedisClient, str] = {}
    for part in keys.parts:
        servers.setdefault(server_of(client, part.prefix), part("probe"))
    return servers


def partitions_of(client: RedisClient, keys: Keys) -> int | None:
    """How many partitions a store has; None where nothing says so, for there is no job in it.

    Raises:
        RepartitionInProgressError: It is on its way from one number to another.
        RestoreUnfinishedError: It is being restored.
    """
    noted = client.get(keys.parts[0]("partitions"))
    if noted is not None:
        if noted.startswith(RESTORING):
            raise RestoreUnfinishedError(int(noted.removeprefix(RESTORING)))
        was, is_moving, wanted = noted.partition(">")
        if is_moving:
            raise RepartitionInProgressError(int(was), int(wanted))
        return int(was)
    return 1 if client.exists(keys.parts[0]("kinds")) else None
