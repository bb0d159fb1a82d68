"""Notifies parents and the next jobs of chains, if the process that should have done so has died."""

from jobtracker.maintenance.leadership import Leadership

_BATCH = 500
"""Jobs of one round."""


class ParentNotifier:
    """Notifies the jobs that wait for other jobs.

    Args:
        leadership: Tells the store.
    """

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership

    def notify(self) -> int:
        """Propagate the state of jobs of which nobody was notified for as long as a lease; returns how many."""
        tracking = self._leadership.tracking
        queries = tracking.queries
        before_ms = queries.server_ms() - int(tracking.settings.lease_lost_s * 1000)
        unnotified = queries.records(queries.unnotified(before_ms, _BATCH))
        for record in unnotified:
            tracking.propagation.catch_up(record.id)
        return len(unnotified)
