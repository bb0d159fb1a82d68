"""Starts jobs that were created without being started."""

from dataclasses import dataclass

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.errors import IllegalTransitionError
from jobtracker.jobs.asking import asked_by
from jobtracker.jobs.dispatcher import is_large
from jobtracker.jobs.guards import check_has_no_parent, check_is_no_bulk_run, not_allowed
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.stored_calls import chosen_queue
from jobtracker.jobs.tree_sender import TreeSender, changed_places, parents_in
from jobtracker.schemas.sending import Sending
from jobtracker.store.job_types import Registry
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

_WHY_NOT = "it was started already. To run it again when it has failed or was cancelled, retry it."


@dataclass(frozen=True)
class Starting:
    """Starts jobs."""

    store: JobStore
    queries: JobQueries
    registry: Registry
    sender: TreeSender
    large_values: LargeValues

    def start(self, job_id: str, sending: Sending | None = None) -> None:
        """Send a job, with all its sub-jobs, to Celery.

        Args:
            job_id: The job.
            sending: When and where its own task is sent; default: as it was created.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It was started already, is part of another job, or has expired.
            InvalidPayloadError: Its type was announced meanwhile, and its payload does not fit.
            BrokerUnavailableError: The broker does not answer; the job is as it was, or cancelled if part of its
                tree had been sent.
            QueueMissingError: It has no queue for one of them; the job is as it was.
        """
        record = self.queries.record(job_id)
        check_is_no_bulk_run(record, "start")
        check_has_no_parent(self.queries, record, "start", "start its parent")
        trees = self.queries.families(job_id)
        places = changed_places(self.queries, self.registry, self.large_values, list(trees))
        if is_large(trees):
            for each in parents_in(trees):
                places[each]["callback_mode"] = "own"
        at_ms, sending = now_ms(), sending or Sending()
        places = {each: place | asked_by("started_by") for each, place in places.items()}
        fields = {**places.pop(job_id), **sending.times_ms(at_ms)}
        expires = int(fields.get("expires") or record.expires or at_ms + 1)
        if record.run == 0 and expires <= at_ms:
            why = f"it expired at {from_ms(expires):%Y-%m-%d %H:%M:%S} UTC. Start it with another `expires`."
            raise IllegalTransitionError(job_id, record.nearest_status, "start", why)
        chosen = {}
        if sending.queue:
            fields["queue"] = sending.queue
            chosen = chosen_queue(sending.queue)
        root = self.store.apply(Event.ENQUEUE, job_id, fields=fields, data=chosen)
        if not root.applied:
            raise not_allowed(job_id, root, "start", _WHY_NOT)
        changes = {job_id: root, **self.store.apply_many(Event.ENQUEUE, places)}
        runs = {each: change.run for each, change in changes.items() if change.applied}
        if runs.keys() != trees.keys():
            self._start_in_part(trees, runs)
        else:
            self.sender.send(trees, runs)

    def _start_in_part(self, trees: dict[str, list[str]], runs: dict[str, int]) -> None:
        """Send a tree in which some jobs had ended, or had begun elsewhere, before it was started.

        These get no message, so no chord of Celery's would complete: we call the parents' tasks.
        """
        parents = parents_in(trees)
        for each in parents:
            self.store.update(each, fields={"callback_mode": "own"})
        self.sender.send_ready([each for each in runs if not trees[each]], runs)
        for each in reversed(parents):
            if not runs.keys() >= set(trees[each]):
                self.sender.propagation.recheck_parent(each, trees[each])
