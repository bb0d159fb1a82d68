"""The only reader of jobs. Nothing here writes."""

from jobtracker.store.bulk_runs import BulkReader
from jobtracker.store.failures import FailureReader
from jobtracker.store.groups import GroupReader
from jobtracker.store.hints import Hint, HintReader
from jobtracker.store.indexes import IndexReader, SentQueues
from jobtracker.store.job_reader import Loaded
from jobtracker.store.metrics import HOUR_MS, MINUTE_MS, MetricsReader
from jobtracker.store.outlines import OutlineReader
from jobtracker.store.timeline import TimelineReader
from jobtracker.store.totals import TotalsReader
from jobtracker.store.trees import as_notified

__all__ = ["HOUR_MS", "MINUTE_MS", "Hint", "JobQueries", "Loaded", "SentQueues", "as_notified"]


class JobQueries(
    GroupReader,
    OutlineReader,
    TimelineReader,
    MetricsReader,
    IndexReader,
    FailureReader,
    HintReader,
    BulkReader,
    TotalsReader,
):
    """All that can be asked: single jobs, trees and their outlines, groups, lists, timelines, figures, indexes."""
