"""Sends whole trees whose runs are recorded, and cancels what could not be sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobtracker.core.job import as_reason, task_id_of
from jobtracker.core.lifecycle import Event, Status
from jobtracker.errors import BrokerUnavailableError, PartialDispatchError
from jobtracker.jobs.dispatcher import Dispatcher, is_large
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.stored_calls import has_chosen_queue
from jobtracker.schemas.jobs import custom_payload
from jobtracker.store.job_types import Registry
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.writer import JobStore


@dataclass(frozen=True)
class TreeSender:
    """Sends trees: small ones at once, large ones by way of the workers."""

    store: JobStore
    queries: JobQueries
    dispatcher: Dispatcher
    propagation: Propagation

    def send(
        self, trees: Mapping[str, list[str]], runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None
    ) -> None:
        """Send a tree whose runs are recorded, as a chord.

        Args:
            trees: The sub-jobs of its root, which comes first, and of each job below it.
            runs: The run of each.
            loaded: What is stored of the jobs, if that is known.

        Raises:
            BrokerUnavailableError: The broker does not answer. The runs are taken back; if part of the tree was sent,
                or has begun, the tree is cancelled.
            QueueMissingError: It has no queue for one of them. The runs are taken back.
        """
        root = next(iter(trees))
        leaves = [each for each in runs if not trees[each]]
        try:
            if is_large(trees):
                self._hand_over(leaves, runs)
            else:
                self.dispatcher.publish(trees, runs, loaded)
        except PartialDispatchError as error:
            self._cancel_unsent(root, error)
            raise
        except Exception as error:
            if not self.take_back(root, runs, error):
                raise
        self._confirm(runs, but=leaves if is_large(trees) else [])

    def send_ready(self, ready: Sequence[str], runs: Mapping[str, int]) -> None:
        """Send those jobs of a tree that need not wait for their sub-jobs; we call the tasks of the others.

        Args:
            ready: These jobs.
            runs: The run of each job of the tree that was recorded.

        Raises:
            BrokerUnavailableError: The broker does not answer; the runs have failed.
            QueueMissingError: It has no queue for one of them; the runs have failed.
            ResultUnavailableError: A result that one of them takes is gone; the runs have failed.
        """
        try:
            if is_large(ready):
                self._hand_over(ready, runs)
            else:
                for each in ready:
                    self.dispatcher.publish_alone(each, runs[each])
        except Exception as error:
            reason = as_reason(f"it could not be sent again: {error}")
            fields: dict[str, str | int] = {"reason": reason, "error_type": type(error).__name__}
            if isinstance(error, BrokerUnavailableError):
                fields["bulk"] = (
                    ""  # a bulk run that retries them has not done so: it goes on when the broker answers
                )
            # They fail as of the next run, which nobody sends: if a message of this one turns up, it is refused.
            later = {each: run + 1 for each, run in runs.items()}
            for each, change in self.store.apply_many(Event.FAIL, dict.fromkeys(runs, fields), later).items():
                self.propagation.propagate(each, change)
            raise
        self._confirm(runs, but=ready if is_large(ready) else [])

    def take_back(self, root: str, runs: Mapping[str, int], error: Exception) -> bool:
        """Take back the runs whose messages were probably not sent; returns whether a job runs all the same.

        If some of the tree has begun, the rest is cancelled.

        Args:
            root: The root of the tree.
            runs: The run of each job; parents stand before their sub-jobs.
            error: Why they were not sent.
        """
        # The root last: if this process dies midway, the outbox relay sends it all.
        undone = self.store.apply_many(Event.UNENQUEUE, {each: {} for each in reversed([*runs])}, runs)
        sent = [each for each, c in undone.items() if not c.applied and c.after is not Status.CANCELLED]
        if sent and len(runs) > 1:
            self._cancel_unsent(root, error)
        return sent == [root] == list(runs)

    def _hand_over(self, ready: Sequence[str], runs: Mapping[str, int]) -> None:
        """Let workers send jobs' own tasks."""
        task_ids = [task_id_of(each, runs[each]) for each in ready]
        self.store.hand_over(task_ids)
        self.dispatcher.hand_over(task_ids, self.queries.records(ready))

    def _cancel_unsent(self, root: str, error: Exception) -> None:
        # Messages that are out can't be called back, and the others will never be sent: a new run starts clean.
        reason = f"it could not be sent whole: {error}. Retry it."
        self.propagation.cancellation.cancel_trees([root], reason=as_reason(reason))

    def _confirm(self, runs: Mapping[str, int], *, but: Sequence[str] = ()) -> None:
        """Note that runs were sent, or that nothing is to be sent of them; but for those that workers send."""
        others = set(but)
        self.store.confirm(*(task_id_of(each, run) for each, run in runs.items() if each not in others))


def parents_in(trees: Mapping[str, list[str]]) -> list[str]:
    """The jobs of a tree that have sub-jobs."""
    return [each for each, subs in trees.items() if subs]


def changed_places(
    queries: JobQueries, registry: Registry, large_values: LargeValues, job_ids: Sequence[str]
) -> dict[str, dict[str, str | int]]:
    """The task and queue of each job, if they changed since it was recorded: its type was announced, or moved.

    Unchanged fields are left out: the payload, and with it the task of a custom job, may be changed meanwhile.

    Raises:
        InvalidPayloadError: A type was announced meanwhile, and the payload does not fit it.
        UnknownJobTypeError: A type is not announced any more.
        SubJobsError: A type takes no results of sub-jobs any more, or needs them now.
        ArgumentsUnavailableError: The object store has lost a payload.
        BrokerUnavailableError: The object store does not answer.
    """
    places: dict[str, dict[str, str | int]] = {}
    for record, data in queries.load(job_ids):
        place: dict[str, str | int] = {}
        job_type = registry.all().get(record.type)
        if record.origin == "api":
            complete = large_values.with_arguments(record.id, data)
            payload = json.loads(complete["payload"])
            if "custom_task" in complete:
                payload = custom_payload(complete["custom_task"], json.loads(complete["args"]), payload)
            job_type, _, _ = registry.resolve(record.type, payload, has_sub_jobs=bool(record.subs))
            place["task"] = job_type.task
        elif record.queue:  # where its own caller had sent it
            job_type = None
        if job_type is not None and job_type.queue and not has_chosen_queue(data):
            place["queue"] = job_type.queue
        stored = record.as_texts()
        places[record.id] = {name: value for name, value in place.items() if stored.get(name) != value}
    return places
