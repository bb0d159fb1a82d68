"""The pydantic models of requests and answers of the API, shared by the server, the client and the command line.

A model is imported when it is first used.
"""

from typing import TYPE_CHECKING

from jobtracker.core.lazy_names import lazy_names

if TYPE_CHECKING:
    from jobtracker.schemas.api_keys import ApiKey, IssuedKey, KeyState, Me
    from jobtracker.schemas.attention import Attention, BlockedJobs, DisabledWebhook, LostWorker, UnconsumedQueue
    from jobtracker.schemas.audit import AuditEntry, AuditOutcome, AuditPage
    from jobtracker.schemas.bulk import (
        BulkAction,
        BulkKind,
        BulkPreview,
        BulkRefusal,
        BulkRefusals,
        BulkRequest,
        BulkRun,
    )
    from jobtracker.schemas.drains import Drain, DrainMark, DrainState, HeldTask, IfStopped
    from jobtracker.schemas.events import JobHint, LiveEvent
    from jobtracker.schemas.examination import (
        DifferenceGroup,
        Examination,
        ExaminationRun,
        ExaminationStatus,
        Flaw,
        Trap,
    )
    from jobtracker.schemas.explanation import (
        CancelRequest,
        Code,
        Estimate,
        Explanation,
        GroupCounts,
        Location,
        MessageLocation,
        QueueState,
        SubJobState,
        WorkerState,
    )
    from jobtracker.schemas.failures import (
        FailureGroupDetails,
        FailureGroupPage,
        FailureGroupSummary,
        FailureState,
    )
    from jobtracker.schemas.filters import Origin, Sort
    from jobtracker.schemas.health import Component, Health
    from jobtracker.schemas.history import HistoryEntry, Step
    from jobtracker.schemas.job_types import JobType
    from jobtracker.schemas.jobs import (
        FailedJob,
        FailedJobPage,
        Job,
        JobError,
        JobPage,
        JobSummary,
        JobTree,
        LargeValue,
        LogLine,
        Progress,
        SubJobCounts,
    )
    from jobtracker.schemas.problems import FieldProblem, Problem
    from jobtracker.schemas.releases import (
        FailuresCompared,
        Release,
        ReleaseComparison,
        ReleaseFigures,
        Releases,
        ReleaseTypeFigures,
        RunTimesCompared,
        TypeCompared,
        Verdict,
    )
    from jobtracker.schemas.requests import (
        BatchCreate,
        BatchCreated,
        JobCreate,
        JobUpdate,
        ProgressUpdate,
        SubJobCreate,
    )
    from jobtracker.schemas.search import Suggestion, Suggestions
    from jobtracker.schemas.stats import (
        ActiveJobs,
        Durations,
        FlowPoint,
        Group,
        JobCount,
        Performance,
        PerformanceColumns,
        PerformanceReport,
        PerformanceSeries,
        Stats,
        Throughput,
    )
    from jobtracker.schemas.timeline import Timeline
    from jobtracker.schemas.trees import TreeOutline
    from jobtracker.schemas.webhooks import (
        Delivery,
        DeliveryAttempt,
        DeliveryPage,
        DeliveryState,
        Webhook,
        WebhookCreated,
        WebhookEvent,
        WebhookList,
        WebhookMessage,
    )
    from jobtracker.schemas.worker_figures import RunningJob, RunTimes, WorkerFigures, WorkerReport, WorkerRunTimes
    from jobtracker.schemas.workers import (
        QueueColumns,
        QueueDepth,
        QueueFigures,
        QueueReport,
        QueueSeries,
        QueueWindow,
        Worker,
        WorkerStats,
    )

__all__ = [
    "ActiveJobs",
    "ApiKey",
    "Attention",
    "AuditEntry",
    "AuditOutcome",
    "AuditPage",
    "BatchCreate",
    "BatchCreated",
    "BlockedJobs",
    "BulkAction",
    "BulkKind",
    "BulkPreview",
    "BulkRefusal",
    "BulkRefusals",
    "BulkRequest",
    "BulkRun",
    "CancelRequest",
    "Code",
    "Component",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryPage",
    "DeliveryState",
    "DifferenceGroup",
    "DisabledWebhook",
    "Drain",
    "DrainMark",
    "DrainState",
    "Durations",
    "Estimate",
    "Examination",
    "ExaminationRun",
    "ExaminationStatus",
    "Explanation",
    "FailedJob",
    "FailedJobPage",
    "FailureGroupDetails",
    "FailureGroupPage",
    "FailureGroupSummary",
    "FailureState",
    "FailuresCompared",
    "FieldProblem",
    "Flaw",
    "FlowPoint",
    "Group",
    "GroupCounts",
    "Health",
    "HeldTask",
    "HistoryEntry",
    "IfStopped",
    "IssuedKey",
    "Job",
    "JobCount",
    "JobCreate",
    "JobError",
    "JobHint",
    "JobPage",
    "JobSummary",
    "JobTree",
    "JobType",
    "JobUpdate",
    "KeyState",
    "LargeValue",
    "LiveEvent",
    "Location",
    "LogLine",
    "LostWorker",
    "Me",
    "MessageLocation",
    "Origin",
    "Performance",
    "PerformanceColumns",
    "PerformanceReport",
    "PerformanceSeries",
    "Problem",
    "Progress",
    "ProgressUpdate",
    "QueueColumns",
    "QueueDepth",
    "QueueFigures",
    "QueueReport",
    "QueueSeries",
    "QueueState",
    "QueueWindow",
    "Release",
    "ReleaseComparison",
    "ReleaseFigures",
    "ReleaseTypeFigures",
    "Releases",
    "RunTimes",
    "RunTimesCompared",
    "RunningJob",
    "Sort",
    "Stats",
    "Step",
    "SubJobCounts",
    "SubJobCreate",
    "SubJobState",
    "Suggestion",
    "Suggestions",
    "Throughput",
    "Timeline",
    "Trap",
    "TreeOutline",
    "TypeCompared",
    "UnconsumedQueue",
    "Verdict",
    "Webhook",
    "WebhookCreated",
    "WebhookEvent",
    "WebhookList",
    "WebhookMessage",
    "Worker",
    "WorkerFigures",
    "WorkerReport",
    "WorkerRunTimes",
    "WorkerState",
    "WorkerStats",
]

_MODULES = {
    "jobtracker.schemas.api_keys": "ApiKey IssuedKey KeyState Me",
    "jobtracker.schemas.events": "JobHint LiveEvent",
    "jobtracker.schemas.attention": "Attention BlockedJobs DisabledWebhook LostWorker UnconsumedQueue",
    "jobtracker.schemas.audit": "AuditEntry AuditOutcome AuditPage",
    "jobtracker.schemas.bulk": ("BulkAction BulkKind BulkPreview BulkRefusal BulkRefusals BulkRequest BulkRun"),
    "jobtracker.schemas.drains": "Drain DrainMark DrainState HeldTask IfStopped",
    "jobtracker.schemas.examination": "DifferenceGroup Examination ExaminationRun ExaminationStatus Flaw Trap",
    "jobtracker.schemas.explanation": (
        "CancelRequest Code Estimate Explanation GroupCounts Location MessageLocation QueueState SubJobState "
        "WorkerState"
    ),
    "jobtracker.schemas.failures": "FailureGroupDetails FailureGroupPage FailureGroupSummary FailureState",
    "jobtracker.schemas.filters": "Origin Sort",
    "jobtracker.schemas.health": "Component Health",
    "jobtracker.schemas.history": "HistoryEntry Step",
    "jobtracker.schemas.job_types": "JobType",
    "jobtracker.schemas.jobs": (
        "FailedJob FailedJobPage Job JobError JobPage JobSummary JobTree LargeValue LogLine Progress SubJobCounts"
    ),
    "jobtracker.schemas.problems": "FieldProblem Problem",
    "jobtracker.schemas.releases": (
        "FailuresCompared Release ReleaseComparison ReleaseFigures ReleaseTypeFigures Releases RunTimesCompared "
        "TypeCompared Verdict"
    ),
    "jobtracker.schemas.requests": "BatchCreate BatchCreated JobCreate JobUpdate ProgressUpdate SubJobCreate",
    "jobtracker.schemas.search": "Suggestion Suggestions",
    "jobtracker.schemas.stats": (
        "ActiveJobs Durations FlowPoint Group JobCount Performance PerformanceColumns PerformanceReport "
        "PerformanceSeries Stats Throughput"
    ),
    "jobtracker.schemas.timeline": "Timeline",
    "jobtracker.schemas.trees": "TreeOutline",
    "jobtracker.schemas.webhooks": (
        "Delivery DeliveryAttempt DeliveryPage DeliveryState Webhook WebhookCreated WebhookEvent WebhookList "
        "WebhookMessage"
    ),
    "jobtracker.schemas.worker_figures": "RunTimes RunningJob WorkerFigures WorkerReport WorkerRunTimes",
    "jobtracker.schemas.workers": (
        "QueueColumns QueueDepth QueueFigures QueueReport QueueSeries QueueWindow Worker WorkerStats"
    ),
}
__getattr__ = lazy_names(__name__, {name: module for module, names in _MODULES.items() for name in names.split()})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
