"""A task for each way that a task can end, and some to build trees of."""

import os
import signal
import sys
import time
from typing import Any, Literal

from billiard import current_process
from celery import Task, chain, chord, group, shared_task
from celery.backends.base import DisabledBackend
from celery.backends.redis import RedisBackend
from celery.exceptions import Ignore, Reject
from pydantic import BaseModel, SecretStr

from jobtracker import current_job, tracked
from project.diary import diary, did

SOON_S = 0.15
"""When a retry comes. Without a pause its attempt may be done before Celery stores RETRY, a state that then stays."""


@shared_task(name="ok")
def ok(value: Any = None) -> Any:
    """Return the value."""
    did("began")
    did("returned")
    return value


@shared_task(name="kept")
@tracked(store_arguments="full")
def kept(value: Any = None) -> Any:
    """As `ok`; its arguments are stored."""
    did("began")
    did("returned")
    return value


@shared_task(name="add")
def add(one: int, other: int) -> int:
    """Add two numbers."""
    did("began")
    did("returned")
    return one + other


@shared_task(name="limited", rate_limit="30/m")
@tracked(store_arguments="full")
def limited(value: Any = None) -> Any:
    """Return the value; a worker begins one every two seconds."""
    did("began")
    did("returned")
    return value


@shared_task(name="fail")
def fail(message: Any = "as asked") -> None:
    """Raise."""
    did("began")
    raise ValueError(message)


class UntoldError(Exception):
    """An error with a defect of its own."""

    def __str__(self) -> str:
        raise RuntimeError("in its own text")


@shared_task(name="fail_untold")
def fail_untold() -> None:
    """Raise what can't be told."""
    did("began")
    raise UntoldError


@shared_task(name="hold")
def hold(gate: str, value: Any = None) -> Any:
    """Wait at a gate, then return the value."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")
    return value


@shared_task(name="hold_late", acks_late=True)
def hold_late(gate: str) -> None:
    """Wait at a gate; acknowledged when it is done."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")


@shared_task(name="hold_late_rerun", acks_late=True)
@tracked(on_lost="rerun")
def hold_late_rerun(gate: str) -> None:
    """Wait at a gate; acknowledged when it is done, and to run again where it is lost."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")


@shared_task(name="hold_and_look")
def hold_and_look(gate: str) -> None:
    """Wait at a gate, or until the job is cancelled."""
    did("began")
    look_until_open(gate)
    did("returned")


@shared_task(name="hold_and_look_as_parent")
def hold_and_look_as_parent(results: Any = None, gate: str = "") -> Any:
    """Wait at a gate, or until the job is cancelled, with the results of sub-jobs."""
    did("began")
    look_until_open(gate)
    did("returned")
    return results


def look_until_open(gate: str) -> None:
    """Wait at a gate; stop the task where its job is cancelled."""
    for _ in diary().until_open(gate):
        if current_job().cancel_requested:
            did("stopped")
        current_job().raise_if_cancelled()


@shared_task(name="hold_and_fail")
def hold_and_fail(gate: str) -> None:
    """Wait at a gate, then raise."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    raise ValueError("as asked")


@shared_task(name="begun_aloud", track_started=True)
def begun_aloud() -> None:
    """Return; Celery stores that it has begun."""
    did("began")
    did("returned")


@shared_task(name="hold_and_retry", bind=True)
def hold_and_retry(self: Task, gate: str) -> None:
    """Wait at a gate and ask to be retried, then return."""
    did(f"began attempt {self.request.retries}")
    for _ in diary().until_open(gate):
        pass
    if not self.request.retries:
        raise self.retry(exc=ConnectionError("not yet"), countdown=1)
    did("returned")


@shared_task(name="unserialisable")
def unserialisable() -> Any:
    """Return what JSON can't carry."""
    did("began")
    did("returned")
    return object()


@shared_task(name="note")
def note(task_id: str) -> str:
    """Return the id of the task that this is the errback of."""
    did("began")
    did("returned")
    return task_id


@shared_task(name="note_exception")
def note_exception(request: Any, error: BaseException, traceback: Any) -> None:
    """Write down the error of the task that this is the errback of."""
    diary().write(f"errback of {request.id}", type(error).__name__)


# -- again and again --------------------------------------------------------------------------------------------


@shared_task(name="flaky", bind=True, max_retries=5)
def flaky(self: Task, failures: int = 1, countdown: float = SOON_S) -> int:
    """Ask to be retried a number of times, then return how many."""
    did(f"began attempt {self.request.retries}")
    if self.request.retries < failures:
        raise self.retry(exc=ConnectionError("not yet"), countdown=countdown)
    did("returned")
    return failures


@shared_task(name="never", bind=True, max_retries=1)
def never(self: Task) -> None:
    """Ask to be retried once more than is allowed."""
    did(f"began attempt {self.request.retries}")
    raise self.retry(exc=ConnectionError("never"), countdown=SOON_S)


@shared_task(name="mended")
def mended(name: str, value: Any = None) -> Any:
    """Raise until the gate of that name is open."""
    did("began")
    diary().pass_gate(name)
    did("returned")
    return value


@shared_task(name="mended_and_kept")
@tracked(store_arguments="full")
def mended_and_kept(name: str, value: Any = None) -> Any:
    """As `mended`; its arguments are stored."""
    did("began")
    diary().pass_gate(name)
    did("returned")
    return value


@shared_task(name="fetch")
@tracked(store_arguments="full")
def fetch(name: str) -> str:
    """Return what stands for a document."""
    did("began")
    did("returned")
    return f"{name}.pdf"


@shared_task(name="resize")
@tracked(store_arguments="full")
def resize(document: str, size: int, gate: str = "") -> str:
    """Return what stands for a smaller one; raise until a gate is open."""
    did("began")
    if gate:
        diary().pass_gate(gate)
    did("returned")
    return f"{document}@{size}"


@shared_task(name="keep")
@tracked(store_arguments="full")
def keep(document: str, folder: str) -> str:
    """Return where a document is kept."""
    did("began")
    did("returned")
    return f"{folder}:{document}"


@shared_task(name="mended_parent")
def mended_parent(results: Any = None, name: str = "") -> Any:
    """Raise until the gate of that name is open, then return the results of the sub-jobs."""
    did("began")
    diary().pass_gate(name)
    did("returned")
    return results


@shared_task(name="rejected", bind=True, acks_late=True)
def rejected(self: Task, requeue: bool) -> None:
    """Reject the message the first time."""
    did("began")
    if len(diary().read(self.request.id)) == 1:
        raise Reject("not here", requeue=requeue)
    did("returned")


@shared_task(name="ignored")
def ignored() -> None:
    """Say that there is no outcome."""
    did("began")
    raise Ignore


class Forgetful(Task):
    """A task whose result nobody keeps."""

    @property
    def backend(self) -> DisabledBackend:
        """Celery's own where none is configured."""
        return DisabledBackend(app=self.app)


@shared_task(name="ignored_without_backend", base=Forgetful)
def ignored_without_backend() -> None:
    """Say that there is no outcome, where none would be kept."""
    did("began")
    raise Ignore


@shared_task(name="ignored_with_outcome", bind=True)
def ignored_with_outcome(self: Task, state: str) -> None:
    """Store the outcome by hand, then raise Ignore."""
    did("began")
    if state == "SUCCESS":
        self.update_state(state=state, meta="by hand")
    else:
        self.backend.mark_as_failure(self.request.id, ValueError("by hand"), request=self.request)
    raise Ignore


# -- processes that are lost ------------------------------------------------------------------------------------


@shared_task(name="lost")
def lost(how: str) -> None:
    """End the process that runs the task."""
    did("began")
    lose_process(how)


@shared_task(name="lost_late", acks_late=True)
def lost_late() -> None:
    """End the process, or what Celery has in its place; acknowledged when it is done."""
    did("began")
    lose_process("sys.exit")


@shared_task(name="late_once", bind=True, acks_late=True, acks_on_failure_or_timeout=False, time_limit=1)
def late_once(self: Task) -> str:
    """Pass the hard time limit the first time; the message goes back to the queue."""
    did("began")
    if len(diary().read(self.request.id)) == 1:
        for _ in diary().until_open("never opened"):
            pass
    did("returned")
    return "second delivery"


@shared_task(name="lost_once_rejected", bind=True, acks_late=True, reject_on_worker_lost=True)
def lost_once_rejected(self: Task) -> str:
    """End the process the first time; the message goes back to the queue."""
    did("began")
    if len(diary().read(self.request.id)) == 1:
        lose_process("SIGKILL")
    did("returned")
    return "second delivery"


@shared_task(name="deadly", acks_late=True, reject_on_worker_lost=True)
@tracked(max_deliveries=2)
def deadly(how: str = "SIGKILL") -> None:
    """End the process every time; the message goes back to the queue."""
    did("began")
    lose_process(how)


@shared_task(name="deadly_late", acks_late=True)
@tracked(max_deliveries=2)
def deadly_late() -> None:
    """End the whole worker every time; the message goes back to the queue."""
    did("began")
    os.killpg(os.getpgrp(), signal.SIGKILL)


@shared_task(name="lost_once_rerun", bind=True)
@tracked(on_lost="rerun", store_arguments="full")
def lost_once_rerun(self: Task, how: str) -> str:
    """End the process in the first run."""
    did("began")
    if "~" not in self.request.id:
        lose_process(how)
    did("returned")
    return "second run"


@shared_task(name="deadly_rerun")
@tracked(on_lost="rerun", store_arguments="full", max_deliveries=2)
def deadly_rerun() -> None:
    """End the process in every run."""
    did("began")
    lose_process("SIGKILL")


@shared_task(name="hold_rerun")
@tracked(on_lost="rerun", store_arguments="full")
def hold_rerun(gate: str) -> str:
    """Wait at a gate; run again where the worker is lost."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")
    return gate


@shared_task(name="lost_once_retried", bind=True, retry_on_worker_lost=True, default_retry_delay=SOON_S)
def lost_once_retried(self: Task) -> str:
    """End the process the first time; the worker sends a retry."""
    did(f"began attempt {self.request.retries}")
    if self.request.retries == 0:
        lose_process("SIGKILL")
    did("returned")
    return "second attempt"


def lose_process(how: str) -> None:
    """End this process in one of the ways it can."""
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "_exit":
        os._exit(3)
    else:
        sys.exit(3)


class PickyBackend(RedisBackend):
    """A result backend that does not take some states."""

    refused = frozenset({"SUCCESS"})

    def _store_result(self, task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        if state in self.refused:
            raise OSError("the result can't be stored")
        return super()._store_result(task_id, result, state, *args, **kwargs)


class UnstorableTask(Task):
    """A task whose result can't be stored."""

    @property
    def backend(self) -> PickyBackend:
        """The app's own backend, but for successes."""
        return PickyBackend(app=self.app, url=self.app.backend_cls)


class BrokenBehindBackend(RedisBackend):
    """A result backend that fails when it has stored a success, as one that is killed just then."""

    def mark_as_done(self, *args: Any, **kwargs: Any) -> None:
        super().mark_as_done(*args, **kwargs)
        raise OSError("the chord can't be told")


class BrokenBehindTask(Task):
    """A task whose success is stored, and then Celery fails."""

    @property
    def backend(self) -> BrokenBehindBackend:
        """The app's own backend, but for what follows a success."""
        return BrokenBehindBackend(app=self.app, url=self.app.backend_cls)


@shared_task(name="broken_behind", base=BrokenBehindTask)
def broken_behind() -> int:
    """Return seven."""
    did("began")
    did("returned")
    return 7


class AwayBehindBackend(BrokenBehindBackend):
    """A result backend that is away when it has stored a success, until the main process asks."""

    def _store_result(self, task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        if state == "FAILURE" and current_process().name != "MainProcess":
            raise OSError("the failure can't be stored")
        return super()._store_result(task_id, result, state, *args, **kwargs)


class AwayBehindTask(Task):
    """A task whose success is stored, and then Celery fails twice."""

    @property
    def backend(self) -> AwayBehindBackend:
        """The app's own backend, but for chords and failures."""
        return AwayBehindBackend(app=self.app, url=self.app.backend_cls)


@shared_task(name="away_behind", base=AwayBehindTask)
def away_behind() -> int:
    """Return seven."""
    did("began")
    did("returned")
    return 7


class SilentBackend(PickyBackend):
    """A result backend that takes no end."""

    refused = frozenset({"SUCCESS", "FAILURE"})


class UntellableTask(Task):
    """A task whose end Celery can't store."""

    @property
    def backend(self) -> SilentBackend:
        """The app's own backend, but for all ends."""
        return SilentBackend(app=self.app, url=self.app.backend_cls)


@shared_task(name="untellable", base=UntellableTask)
def untellable() -> None:
    """Return, and nobody gets to know."""
    did("began")
    did("returned")


@shared_task(name="lost_untold", base=UntellableTask)
def lost_untold() -> None:
    """End the process, and nobody gets to know."""
    did("began")
    lose_process("SIGKILL")


@shared_task(name="unstorable", base=UnstorableTask)
def unstorable() -> str:
    """Return what the backend does not take."""
    did("began")
    did("returned")
    return "lost"


# -- replaced ---------------------------------------------------------------------------------------------------


@shared_task(name="replaced", bind=True)
@tracked(store_arguments="full")
def replaced(self: Task, by: str, elsewhere: str = "") -> Any:
    """Put another task, or a tree of tasks, into this one's place."""
    did(f"replaced by {by}")
    task = self.app.signature
    two = [task("ok", args=[n]) for n in range(2)]
    replacements = {
        "task": task("ok", args=["in its place"]),
        "group": group(two, app=self.app),
        "chord": chord(two, task("collect"), app=self.app),
        "chain": chain(task("ok", args=[1]), task("add", args=[2]), app=self.app),
        "failing group": group([*two, task("fail")], app=self.app),
        "failing task": task("fail"),
        "task elsewhere": task("ok").set(queue=elsewhere),
    }
    return self.replace(replacements[by])


# -- senders ----------------------------------------------------------------------------------------------------


@shared_task(name="sends", bind=True)
def sends(self: Task, way: str) -> list[str]:
    """Send further tasks; return their ids, in the order in which they are to run."""
    task = self.app.signature
    two = [task("ok", args=[n]) for n in range(2)]
    if way == "task":
        sent = [task("ok").apply_async()]
    elif way == "group":
        sent = group(two, app=self.app).apply_async().children
    elif way == "chain":
        last = chain(task("ok", args=[1]), task("add", args=[2]), app=self.app).apply_async()
        sent = [last.parent, last]
    else:
        body = chord(two, task("collect"), app=self.app).apply_async()
        sent = [*body.parent.children, body]
    did("sent")
    return [result.id for result in sent]


@shared_task(name="sends_then_fails", bind=True)
@tracked(store_arguments="full")
def sends_then_fails(self: Task, gate: str) -> str:
    """Send a task; raise until a gate is open."""
    sent = self.app.signature("ok").apply_async()
    diary().pass_gate(gate)
    return str(sent.id)


# -- parents ----------------------------------------------------------------------------------------------------


@shared_task(name="collect")
@tracked(store_arguments="full")
def collect(results: Any = None, label: str | None = None) -> Any:
    """Return the results of the sub-jobs."""
    did("began")
    did("returned")
    return {"label": label, "results": results} if label else results


@shared_task(name="collect_errors")
def collect_errors(results: list[Any] | None = None) -> dict[str, Any]:
    """Return the results of the sub-jobs, and the errors of those that have none."""
    did("began")
    errors = [job.error.message if job.error else None for job in current_job().sub_jobs()]
    did("returned")
    return {"results": results, "errors": errors}


# -- what a job says of itself ----------------------------------------------------------------------------------


@shared_task(name="count")
def count(total: int) -> int:
    """Report progress over a number of items, and log a line for each."""
    did("began")
    job = current_job()
    for number in job.track(range(total), note="counting"):
        job.log(f"item {number}", "debug")
    did("returned")
    return total


@shared_task(name="halfway")
def halfway(gate: str) -> None:
    """Report that half is done, then wait at a gate."""
    did("began")
    current_job().progress(1, 2, "half")
    for _ in diary().until_open(gate):
        pass
    did("returned")


@shared_task(name="hold_and_report")
def hold_and_report(gate: str, what: Literal["progress", "log"]) -> None:
    """Report progress, or log lines, all the time that it waits at a gate."""
    did("began")
    job = current_job()
    for number, _ in enumerate(diary().until_open(gate), start=1):
        job.progress(number, 1_000_000) if what == "progress" else job.log(f"line {number}")
    did("returned")


class Declared(Task):
    """A class-based task with a declaration."""

    name = "declared_class"

    def run(self, value: int) -> int:
        """Return the value."""
        did("began")
        did("returned")
        return value


@shared_task(name="declared")
@tracked("declared_type", store_arguments="full")
def declared(value: int) -> int:
    """Return the value."""
    did("began")
    did("returned")
    return value


@shared_task(name="secret")
@tracked(store_result=False)
def secret(password: str) -> str:
    """Return what must not be stored."""
    did("began")
    did("returned")
    return password


@shared_task(name="compute")
def compute(seconds: float) -> None:
    """Compute all that time, without a pause for anybody else."""
    did("began")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    did("returned")


@shared_task(name="apply_another", bind=True)
def apply_another(self: Task) -> list[str]:
    """Look at the current job before, within and after a task that is applied in place."""
    ids = [current_job().id]
    ids.append(self.app.tasks["current_id"].apply().get(disable_sync_subtasks=False))
    ids.append(self.app.tasks["current_id"]())
    ids.append(current_job().id)
    return ids


@shared_task(name="current_id")
def current_id() -> str:
    """Return the id of the current job."""
    return current_job().id


# -- arguments that are not for everybody --------------------------------------------------------------------------


@shared_task(name="pay", bind=True)
@tracked("payment", mask={"card"})
def pay(self: Task, amount: Any = 0, card: Any = None, how: str = "return", **details: Any) -> Any:
    """Return the amount, or end in another way, with the card in what it says."""
    did("began")
    if how == "fail":
        raise ValueError(f"the card {card!r} is refused")
    if how == "reject":
        raise Reject(f"the card {card!r} is refused")
    if how == "refuse":
        raise ValueError("refused")
    if how == "retry" and not self.request.retries:
        raise self.retry(exc=ValueError(f"the card {card!r} is busy"), countdown=SOON_S)
    if how.startswith("gate"):
        for _ in diary().until_open(how):
            pass
    did("returned")
    return amount


@shared_task(name="pay_and_keep")
@tracked(mask={"card"}, store_arguments="full")
def pay_and_keep(amount: Any, card: Any = None) -> Any:
    """Fail; its arguments are stored, but for the card."""
    did("began")
    raise ValueError("as asked")


@shared_task(name="bill")
@tracked("bill", mask={"card"})
def bill(results: Any = None, card: Any = None, how: str = "return") -> Any:
    """Return the results of the sub-jobs."""
    did("began")
    if how == "fail":
        raise ValueError(f"the card {card!r} is refused")
    did("returned")
    return results


@shared_task(name="silent")
@tracked("silent", store_arguments="none")
def silent(note: str = "", fails: bool = False) -> None:
    """Say nothing."""
    did("began")
    if fails:
        raise ValueError(note)
    did("returned")


class Account(BaseModel):
    """Whom to log in."""

    user: str
    pin: SecretStr | None = None


@shared_task(name="login")
@tracked("login")
def login(account: Account, password: SecretStr | None = None) -> None:
    """Do nothing with either."""
    did("began")
    did("returned")
