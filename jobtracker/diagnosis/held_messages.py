"""Which messages workers hold: what they answer, and what they may hold without an answer."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jobtracker.broker.message_search import UnackedMessage, find_unacked
from jobtracker.diagnosis.inspector import Inspector, lists_of
from jobtracker.schemas.workers import HOLDS_COMMAND, Holding, Worker
from jobtracker.store.functions import batched

_ASKED_AT_ONCE = 500
"""Tasks about which workers are asked with one message."""


class HeldMessages:
    """Asks workers about messages.

    Args:
        inspector: Reaches the workers.
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._leases = inspector.leases

    def of_workers(self, workers: Collection[Worker], task_ids: Collection[str]) -> dict[str, Holding]:
        """Ask live workers which messages of some tasks they hold; gives the timely answers by incarnation.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        names = [worker.name for worker in workers if worker.tells_holds]
        found: dict[str, Holding] = {}
        if not names or not task_ids:
            return found
        with self._inspector.broker() as connection:
            for number, some in enumerate(batched(sorted(task_ids), _ASKED_AT_ONCE)):
                told = self._ask(connection, names, some)
                # A worker counts as silent unless it has answered each time.
                found = (
                    told if not number else {each: _joined(found[each], told[each]) for each in found.keys() & told}
                )
        return found

    def _ask(self, connection: Any, names: list[str], task_ids: Sequence[str]) -> dict[str, Holding]:
        replies = self._inspector.app.control.broadcast(
            HOLDS_COMMAND,
            arguments={"task_ids": list(task_ids)},
            destination=names,
            reply=True,
            timeout=self._inspector.timeout_s,
            connection=connection,
        )
        answers = [answer for reply in replies or [] for answer in reply.values() if "lease" in answer]  # no error
        return {holding.lease: holding for holding in map(Holding.model_validate, answers)}

    def perhaps_held(self, messages: Mapping[str, str]) -> set[str]:
        """Those of messages that a worker holds, or may hold: one without a lease, or one that does not answer.

        Args:
            messages: The queues of the messages by task id.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        live = self._leases.live()
        holdings = self.of_workers(live, messages)
        if {worker.incarnation for worker in live} - holdings.keys():
            return set(messages)
        held = {task_id for holding in holdings.values() for task_id in holding.held}
        return held & messages.keys() | self.perhaps_held_untracked(messages, live)

    def perhaps_held_untracked(self, messages: Mapping[str, str], live: Collection[Worker]) -> set[str]:
        """Those of messages that a worker without a lease holds, or may hold, as all that its queues had.

        All workers are asked, for the whole time limit: who knows who will answer?

        Args:
            messages: The queues of the messages by task id.
            live: The workers that have a lease.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._inspector.broker() as connection:
            consumed = lists_of(self._inspector.ask(connection, None).active_queues())
            strangers = consumed.keys() - {worker.name for worker in live}
            told = self._inspector.ask(connection, list(strangers)).query_task(*messages) if strangers else None
        queues = {queue["name"] for name in strangers for queue in consumed[name]}
        held = {task_id for tasks in (told or {}).values() if isinstance(tasks, dict) for task_id in tasks}
        return {task_id for task_id, queue in messages.items() if task_id in held or queue in queues}

    def told_by_anyone(self, task_ids: Collection[str]) -> set[str]:
        """Those of the tasks that a worker says it has, even one without a lease: all are asked, for the time limit.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._inspector.broker() as connection:
            answers = self._inspector.ask(connection, None).query_task(*task_ids) or {}
        return {task_id for tasks in answers.values() if isinstance(tasks, dict) for task_id in tasks} & set(task_ids)

    def abandoned(self) -> list[UnackedMessage]:
        """Messages that were fetched and not acknowledged, and that no worker has; known on Redis only.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        with self._inspector.broker() as connection:
            taken = find_unacked(connection)
        held = self.perhaps_held({each.task_id: each.queue for each in taken}) if taken else set()
        return [each for each in taken if each.task_id not in held]


def _joined(one: Holding, other: Holding) -> Holding:
    return Holding(lease=one.lease, held=one.held | other.held, ended=one.ended | other.ended, opaque=other.opaque)
