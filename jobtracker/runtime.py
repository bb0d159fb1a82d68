"""Builds the objects that work on one store, and connects them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from celery import Celery

from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.connection.client import RedisClient, connect
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.lost_executions import LostExecutions
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.relaunch import Relauncher
from jobtracker.jobs.result_backend import ResultBackend
from jobtracker.jobs.results import JobResults
from jobtracker.jobs.service import JobService
from jobtracker.jobs.signatures import SignatureBuilder
from jobtracker.jobs.stored_values import StoredValues
from jobtracker.objects.opening import open_object_store
from jobtracker.reporting.applier import Applier
from jobtracker.reporting.journal import Spool
from jobtracker.reporting.reporter import Reporter
from jobtracker.settings import Settings
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.leases import Leases
from jobtracker.store.object_names import ObjectNames
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
    object_names: ObjectNames
    large_values: LargeValues
    stored_values: StoredValues
    dispatcher: Dispatcher
    result_backend: ResultBackend
    propagation: Propagation
    relauncher: Relauncher
    jobs: JobService
    lost_executions: LostExecutions
    applier: Applier
    reporter: Reporter

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
        registry = Registry(client, keys, settings.expected_job_types, lambda: str(app.conf.task_default_queue))
        queries = JobQueries(client, keys, registry, check=expect, trace_url_template=settings.trace_url_template)
        object_names = ObjectNames(client, keys)
        large_values = LargeValues(open_object_store(settings), object_names.store_id, settings.max_result_bytes)
        result_backend = ResultBackend(app)
        results = JobResults(queries, result_backend, large_values)
        signatures = SignatureBuilder(app, queries, results, large_values)
        dispatcher = Dispatcher(app, queries, signatures)
        leases = Leases(client, keys, settings.lease_lost_s)
        propagation = Propagation(store, queries, dispatcher, leases)
        relauncher = Relauncher(store, queries, propagation, resends=settings.jobtracker_resend == "auto")
        jobs = JobService(store, queries, registry, dispatcher, propagation, large_values)
        lost_executions = LostExecutions(store, queries, registry, leases, propagation, relauncher)
        applier = Applier(store, queries, propagation, relauncher, lost_executions)
        spool = Spool(settings.report_spool_dir, f"{settings.tracking_url} {settings.tracking_namespace}")
        reporter = Reporter(store, applier, settings.tracking_timeout_s, settings.report_buffer_size, spool)
        return cls(
            settings,
            app,
            client,
            keys,
            store,
            queries,
            registry,
            leases,
            object_names,
            large_values,
            StoredValues(queries, large_values),
            dispatcher,
            result_backend,
            propagation,
            relauncher,
            jobs,
            lost_executions,
            applier,
            reporter,
        )

    def fenced(self, fences: Mapping[Partition, str]) -> "Tracking":
        """The same for the leader of some partitions: its writes bear the fences of its term (`JobStore.fenced`)."""
        store, queries = self.store.fenced(fences), self.queries.within([*fences])
        propagation = Propagation(store, queries, self.dispatcher, self.leases)
        relauncher = Relauncher(store, queries, propagation, resends=self.relauncher.resends)
        return replace(
            self,
            store=store,
            queries=queries,
            propagation=propagation,
            relauncher=relauncher,
            jobs=JobService(store, queries, self.registry, self.dispatcher, propagation, self.large_values),
            lost_executions=LostExecutions(store, queries, self.registry, self.leases, propagation, relauncher),
        )
