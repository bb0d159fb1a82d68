"""Runs maintenance in rounds, in one process at a time: it handles what no process reports.

Every worker and API process has a runner; `Leadership` lets one of them act. Each step can be repeated.
"""

import logging

from jobtracker.connection.client import is_away
from jobtracker.maintenance.abandoned_messages import AbandonedMessages
from jobtracker.maintenance.job_rescuer import JobRescuer
from jobtracker.maintenance.leadership import Leadership
from jobtracker.maintenance.notifier import ParentNotifier
from jobtracker.maintenance.objects import ObjectRemover
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.maintenance.overdue_jobs import OverdueJobs
from jobtracker.maintenance.pruner import Pruner
from jobtracker.maintenance.totals_keeper import TotalsKeeper
from jobtracker.maintenance.unreported_ends import UnreportedEnds
from jobtracker.runtime import Tracking
from jobtracker.store.functions import FencedError
from jobtracker.store.libraries import Libraries

logger = logging.getLogger(__name__)


class MaintenanceRunner:
    """Runs the services of maintenance, if this process leads.

    Attributes:
        leadership: Whether it does.
        rescuer: Settles jobs whose worker is lost or has stopped.
        abandoned: Gives messages of lost workers back to their queues.
        overdue: Settles jobs that have ended, expired or lost their message without a report.
        notifier: Notifies parents that were not notified.
        pruner: Removes settled jobs after their retention time, and queues that nobody uses.
        totals: Keeps the totals of all time.
        objects: Removes objects from the object store that no job needs.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.leadership = leadership = Leadership(tracking)
        ends = UnreportedEnds(leadership)
        self.rescuer = JobRescuer(leadership, ends)
        self.abandoned = AbandonedMessages(leadership)
        self.overdue = OverdueJobs(leadership, ends)
        self.notifier = ParentNotifier(leadership)
        self.pruner = Pruner(leadership)
        self.totals = TotalsKeeper(leadership)
        self.objects = ObjectRemover(leadership)
        self._libraries = Libraries(tracking.client, tracking.keys)

    @property
    def relay(self) -> OutboxRelay:
        """Records and sends what a dying process has left."""
        return OutboxRelay(self.leadership.tracking)

    def step(self) -> None:
        """One round, if no other process leads."""
        leadership = self.leadership
        try:
            self._libraries.renew()
            parts = leadership.renew()
            self.rescuer.rescue_lost(parts)
            leadership.renew()
            self.abandoned.give_back(parts)
            for step in (
                self._record_drafts,
                self.overdue.settle_finished,
                self.overdue.cancel_expired,
                self.rescuer.correct_unanswered,
                self.notifier.notify,
                self._relay_outbox,
                self.totals.fold,
                self.totals.name_types,
                self.pruner.prune,
                self.pruner.forget_queues,
                self.objects.step,
                self._libraries.remove_unused,
                self._libraries.remove_strange,
            ):
                leadership.renew()
                step()
            if leadership.renew():
                self.overdue.rescue_missing()
            self.totals.note()
        except FencedError as error:
            logger.debug("%s", error)
        except Exception as error:
            if is_away(error):
                leadership.note_outage()
            raise

    def _record_drafts(self) -> int:
        return self.relay.record_drafts()

    def _relay_outbox(self) -> int:
        return self.relay.send()
