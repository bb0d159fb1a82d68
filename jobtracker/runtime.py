"""Everything that works on one store, put together once."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from celery import Celery

from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.connection.client import RedisClient, connect
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.jobs.launcher import Launcher
from jobtracker.jobs.lost_executions import Losses
from jobtracker.jobs.propagation import Settlement
from jobtracker.reporting.applier import Applier
from jobtracker.reporting.journal import Spool
from jobtracker.reporting.reporter import Reporting
from jobtracker.settings import Settings
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore


@dataclass(frozen=True)
class Tracking:
    """The parts of jobtracker over one Redis and one Celery app."""

    settings: Settings
    app: Celery
    client: RedisClient
    keys: Keys
    store: JobStore
    queries: JobQueries
    registry: Registry
    leases: Leases
    dispatcher: Dispatcher
    settlement: Settlement
    launcher: Launcher
    losses: Losses
    applier: Applier
    reporting: Reporting

    @classmethod
    def connect(cls, settings: Settings, app: Celery, *, circuit: Circuit | None = None) -> "Tracking":
        """Put the parts together. Nothing is sent to Redis yet.

        Args:
            settings: Where Redis is, and the time limits.
            app: The Celery app that is tracked.
            circuit: For a process of many threads that ask Redis at once.
        """
        client = connect(settings.tracking_url, settings.tracking_timeout_s, circuit=circuit)
        keys = Keys(settings.tracking_namespace, settings.tracking_partitions)
        expect = functools.partial(expect_partitions, client, keys)
        store = JobStore(
            client,
            keys,
            retention_ms=settings.retention_ms,
            tombstone_s=settings.tombstone_s,
            max_log_lines=settings.max_log_lines,
            check=expect,
        )
        registry = Registry(client, keys)
        queries = JobQueries(client, keys, registry, check=expect)
        dispatcher = Dispatcher(app, queries)
        leases = Leases(client, keys, settings.lease_lost_s)
        settlement = Settlement(store, queries, dispatcher, leases, resends=settings.jobtracker_resend == "auto")
        launcher = Launcher(store, queries, registry, dispatcher, settlement)
        losses = Losses(store, queries, registry, leases, settlement)
        applier = Applier(store, queries, settlement, losses)
        spool = Spool(settings.report_spool_dir, f"{settings.tracking_url} {settings.tracking_namespace}")
        reporting = Reporting(store, applier, settings.tracking_timeout_s, settings.report_buffer_size, spool)
        return cls(
            settings,
            app,
            client,
            keys,
            store,
            queries,
            registry,
            leases,
            dispatcher,
            settlement,
            launcher,
            losses,
            applier,
            reporting,
        )

    def fenced(self, fences: Mapping[Partition, str]) -> "Tracking":
        """The same for a reaper of some partitions, each with the fence of its turn (`JobStore.fenced`)."""
        store, queries = self.store.fenced(fences), self.queries.within([*fences])
        resends = self.settlement.resends
        settlement = Settlement(store, queries, self.dispatcher, self.leases, resends=resends)
        launcher = Launcher(store, queries, self.registry, self.dispatcher, settlement)
        losses = Losses(store, queries, self.registry, self.leases, settlement)
        return replace(self, store=store, queries=queries, settlement=settlement, launcher=launcher, losses=losses)
