"""Backups in memory, and restores of them."""

import gzip
import io
from collections.abc import Callable
from typing import Any

import msgpack

from jobtracker.connection.client import RedisClient
from jobtracker.settings import Settings
from jobtracker.store.backup import Backup
from jobtracker.store.backup_file import BackupReader, BackupWriter
from jobtracker.store.keys import Keys
from jobtracker.store.restore import Restore


def back_up(client: RedisClient, keys: Keys, *, meanwhile: Callable[[int], None] | None = None) -> bytes:
    """A backup of a store; something else happens after each of its entries."""
    stream = io.BytesIO()
    backup = Backup(client, keys)
    writer = BackupWriter(stream, backup.header())
    for n, entry in enumerate(backup.entries()):
        writer.add(entry)
        if meanwhile:
            meanwhile(n)
    writer.end(backup.end())
    return stream.getvalue()


def restoring(client: RedisClient, keys: Keys, backup: bytes) -> tuple[BackupReader, Restore]:
    """A restore into a namespace, before it has begun."""
    reader = BackupReader(io.BytesIO(backup), "the backup")
    settings = Settings(tracking_namespace=keys.namespace, tracking_partitions=len(keys.parts))
    return reader, Restore(client, settings, reader.header, patience_s=0)


def restore(client: RedisClient, keys: Keys, backup: bytes, *, keep_open: bool = False) -> Restore:
    """Restore a backup into a namespace."""
    reader, work = restoring(client, keys, backup)
    work.run(reader, keep_open=keep_open)
    return work


def values_of(backup: bytes) -> list[Any]:
    """What is in the file."""
    return list(msgpack.Unpacker(io.BytesIO(gzip.decompress(backup)), raw=True, strict_map_key=False))
