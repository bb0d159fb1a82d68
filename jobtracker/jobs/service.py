"""The use cases of jobs, one module each, under one object."""

from jobtracker.jobs.bulk import BulkRuns
from jobtracker.jobs.bulk_actions import BulkActions
from jobtracker.jobs.create import Creation
from jobtracker.jobs.create_batch import BatchCreation
from jobtracker.jobs.create_unique import UniqueCreation
from jobtracker.jobs.delete import Deletion
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.jobs.guards import releases_unrecorded
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.retry import Retrying
from jobtracker.jobs.start import Starting
from jobtracker.jobs.tree_sender import TreeSender
from jobtracker.jobs.update import Updating
from jobtracker.store.job_types import Registry
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore


class JobService:
    """Creates jobs, starts, cancels, retries, changes and deletes them, alone or many at once.

    Args:
        store: Where jobs are changed.
        queries: Where they are read.
        registry: The job types that workers announced.
        dispatcher: Sends them.
        propagation: Propagates the outcomes.
        large_values: Keeps payloads and results that are too large for Redis.
    """

    def __init__(
        self,
        store: JobStore,
        queries: JobQueries,
        registry: Registry,
        dispatcher: Dispatcher,
        propagation: Propagation,
        large_values: LargeValues,
    ) -> None:
        sender = TreeSender(store, queries, dispatcher, propagation)
        deletion = Deletion(store, queries)
        creation = Creation(store, registry, sender, large_values, deletion.delete)

        self.create = releases_unrecorded(creation.create)
        self.create_one = releases_unrecorded(creation.create_one)
        unique = UniqueCreation(queries, creation)
        self.create_unique = releases_unrecorded(unique.create_unique)
        self.create_unique_tree = releases_unrecorded(unique.create_unique_tree)
        self.submit = releases_unrecorded(creation.submit)
        batches = BatchCreation(store, queries, creation, dispatcher, propagation.cancellation)
        self.create_batch = releases_unrecorded(batches.create_batch)
        self.start = Starting(store, queries, registry, sender, large_values).start
        self.cancel = propagation.cancellation.cancel
        retrying = Retrying(store, queries, registry, sender, large_values)
        self.first_to_retry = retrying.first
        self.retry = retrying.retry
        self.update = Updating(store, queries, registry, propagation, large_values).update
        self.delete = deletion.delete
        self.empty_trash = deletion.empty_trash
        self.bulk = BulkRuns(store, queries, registry)
        self.bulk_actions = BulkActions(store, queries, propagation.cancellation, deletion, retrying)
