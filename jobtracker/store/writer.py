"""The only writer: every change of a job is one call of one Lua command (`lua/commands/`, one a file).

The tables of `lifecycle`, `schema` and `keys` are rendered into them, so Lua and Python can't disagree about what is
legal.
"""

from jobtracker.store.bulk_runs import BulkWriter
from jobtracker.store.drafts import DRAFT_MS, DraftWriter
from jobtracker.store.failures import FailureWriter
from jobtracker.store.hints import HintWriter
from jobtracker.store.job_writer import Begun
from jobtracker.store.leadership import LeadershipWriter
from jobtracker.store.notifications import NotificationWriter
from jobtracker.store.outbox_index import OutboxIndexWriter
from jobtracker.store.retention import REMOVED_AT_ONCE, RetentionWriter
from jobtracker.store.totals import TotalsWriter
from jobtracker.store.unique_keys import UniqueKeyWriter

__all__ = ["DRAFT_MS", "REMOVED_AT_ONCE", "Begun", "JobStore"]


class JobStore(
    DraftWriter,
    BulkWriter,
    NotificationWriter,
    OutboxIndexWriter,
    RetentionWriter,
    LeadershipWriter,
    FailureWriter,
    HintWriter,
    UniqueKeyWriter,
    TotalsWriter,
):
    """All that can be written."""
