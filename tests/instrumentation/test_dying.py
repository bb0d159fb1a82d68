"""Whatever step a process dies at, the rest is mended.

Each operation is made to die before its first command to a Redis, the broker's included, before its second, and so on
until it comes to its end, each time with jobs of its own. Then a worker, with its maintenance, goes on with what all
of them have left. To die is to have nothing to do with any server from then on: what was sent has arrived, and nobody
reads the answers.
"""

import base64
import json
import time
import warnings
from contextlib import suppress
from typing import Any

import pytest
from celery import chain, chord
from celery.app.trace import trace_task_ret
from redis import Redis
from support.dying import (
    COMPLETED,
    OPERATIONS,
    SOON,
    Case,
    State,
    die,
    operation,
    states,
)
from support.raw_records import alter
from support.recount import recount
from support.workers_under_test import PATIENCE_S, job, new_project

from jobtracker import Status
from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import SETTLED, Event
from jobtracker.doctor.recount import Recount
from jobtracker.errors import BrokerUnavailableError
from jobtracker.local.ports import free_port
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.store.schema import JobRecord

pytestmark = [
    pytest.mark.long,
    pytest.mark.thorough,
    pytest.mark.timeout(300),  # of which the first test waits for all the others
]

MISSING = frozenset({"missing"})
OPEN = "open"
"""A gate."""
MENDED_WITHIN_S = 3 * PATIENCE_S
"""Hundreds of jobs of dead processes, on a busy machine."""
LOOKS_AT_REST = 5
"""A look is no snapshot: a job may go from a status that was looked at later to one that was looked at before."""


AWAY = {"celery_broker_url": f"redis://127.0.0.1:{free_port()}/1"}


def tree(**fields: Any) -> Any:
    """A tree of depth two, whose result is TREE_RESULT."""
    inner = job("collect", sub_jobs=[job("ok", {"value": 1})])
    return job("collect", sub_jobs=[inner, job("ok", {"value": 2})], **fields)


TREE_RESULT = [[1], 2]


@operation()
def start_a_job(living, mortal):
    root = living.create("ok", {"value": 7})
    return Case(lambda: mortal.jobs.start(root), root, result=7)


@operation()
def start_a_tree_of_which_a_part_was_cancelled(living, mortal):
    root = living.jobs.create(tree())
    living.jobs.cancel(living.subs(root)[1])
    return Case(lambda: mortal.jobs.start(root), root, SETTLED)


def large(act):
    """Let a tree of a few jobs be large, and each of its jobs be recorded by a command of its own."""

    def act_so():
        with pytest.MonkeyPatch.context() as patch:
            for number in (
                "jobs.dispatcher.AT_ONCE",
                "jobs.dispatcher.HANDED_OVER",
                "maintenance.outbox_relay.HANDED_OVER",
                "store.drafts._PLANTED",
            ):
                patch.setattr(f"jobtracker.{number}", 1)
            patch.setattr("jobtracker.store.functions._BUNDLE", 1)
            act()

    return act_so


@operation()
def start_a_large_tree(living, mortal):
    root = living.jobs.create(tree())
    return Case(large(lambda: mortal.jobs.start(root)), root, result=TREE_RESULT)


@operation()
def submit_a_large_tree(living, mortal):
    return Case(large(lambda: mortal.jobs.submit(tree())), None, COMPLETED, result=TREE_RESULT)


@operation()
def send_what_was_handed_over(living, mortal):
    root = living.jobs.create(tree())
    large(lambda: living.jobs.start(root))()
    leaves = [each for each, subs in living.queries.families(root).items() if not subs]
    return Case(lambda: OutboxRelay(mortal.tracking).send_claimed(leaves), root, result=TREE_RESULT)


@operation()
def cancel_a_tree_that_was_handed_over(living, mortal):
    root = living.jobs.create(tree())
    large(lambda: living.jobs.start(root))()
    return Case(large(lambda: mortal.jobs.cancel(root)), root, SETTLED)


@operation()
def submit_a_tree(living, mortal):
    return Case(lambda: mortal.jobs.submit(tree()), None, COMPLETED | {"pending"}, result=TREE_RESULT)


@operation(**AWAY)
def submit_a_tree_while_the_broker_is_away(living, mortal):
    def submit():
        with suppress(BrokerUnavailableError):
            mortal.jobs.submit(tree())

    return Case(submit, None, COMPLETED | MISSING | {"pending"}, result=TREE_RESULT)


@operation()
def cancel_a_tree_that_was_not_started(living, mortal):
    root = living.jobs.create(tree())
    return Case(lambda: mortal.jobs.cancel(root), root, {"cancelled", "failed"})


@operation()
def cancel_a_tree_that_waits(living, mortal):
    root = living.jobs.create(tree())
    living.jobs.start(root)
    return Case(lambda: mortal.jobs.cancel(root), root, SETTLED)


@operation()
def cancel_a_tree_of_which_a_lost_worker_runs_a_part(living, mortal):
    root = living.jobs.create(tree())
    living.jobs.start(root)
    leaf = living.subs(living.subs(root)[0])[0]
    take(living, leaf)
    begin(living, leaf)
    return Case(lambda: mortal.jobs.cancel(root), root, SETTLED)


@operation()
def retry_a_job(living, mortal):
    root = living.create("mended", {"name": OPEN, "value": 7})
    sent(living, root)
    end(living, root, Event.FAIL)
    return Case(lambda: mortal.jobs.retry(root), root, result=7)


RETRIED_RESULT = [[1, 2], 3]


def failed_tree(living):
    """A tree of which two leaves have failed, and one has completed; its result is to be RETRIED_RESULT."""
    inner = job("collect", sub_jobs=[job("ok", {"value": 1}), job("mended", {"name": OPEN, "value": 2})])
    root = living.create("collect", sub_jobs=[inner, job("mended", {"name": OPEN, "value": 3})])
    sent(living, root)
    inner, bad = living.subs(root)
    good, worse = living.subs(inner)
    end(living, good, Event.COMPLETE, "1")
    end(living, worse, Event.FAIL)
    end(living, bad, Event.FAIL)
    assert living.job(root).status is Status.FAILED
    return root


@operation()
def retry_a_tree(living, mortal):
    root = failed_tree(living)
    return Case(lambda: mortal.jobs.retry(root), root, COMPLETED | {"failed"}, result=RETRIED_RESULT)


@operation()
def retry_a_large_tree(living, mortal):
    root = failed_tree(living)
    return Case(large(lambda: mortal.jobs.retry(root)), root, COMPLETED | {"failed"}, result=RETRIED_RESULT)


@operation(**AWAY)
def retry_a_tree_while_the_broker_is_away(living, mortal):
    root = failed_tree(living)

    def retry():
        with suppress(BrokerUnavailableError):
            mortal.jobs.retry(root)

    return Case(retry, root, COMPLETED | {"failed"}, result=RETRIED_RESULT)


def failed_chain(living, *following):
    """The ids of the jobs of a chain whose first one has failed."""
    first = living.signature("mended_and_kept", OPEN, 1)
    ids, result = [], chain(first, *following, app=living.app).apply_async()
    while result is not None:
        ids.insert(0, result.id)
        result = result.parent
    take(living, ids[0])
    end(living, ids[0], Event.FAIL)
    assert {living.job(each).status for each in ids[1:]} == {Status.CANCELLED}
    return ids


@operation()
def retry_a_chain(living, mortal):
    first, second, last = failed_chain(living, living.signature("collect", "a"), living.signature("collect", "b"))
    whole = {"label": "b", "results": {"label": "a", "results": 1}}
    return Case(lambda: mortal.jobs.retry(first), last, result=whole, others=[first, second], together=True)


@operation()
def retry_a_chord_of_which_a_chain_has_failed(living, mortal):
    innermost = chain(living.signature("mended_and_kept", OPEN, 1), living.signature("collect", "a"))
    body = chord([innermost, living.signature("kept", 2)], living.signature("collect"), app=living.app)
    last = chain(body, living.signature("collect", "b"), app=living.app).apply_async().id
    root = living.job(last).sent_by
    sub, other = living.subs(root)
    first = living.job(sub).sent_by
    take(living, first)
    end(living, first, Event.FAIL)
    take(living, other)
    end(living, other, Event.COMPLETE, "2")
    assert living.job(last).status is Status.CANCELLED
    whole = [{"label": "a", "results": 1}, 2]
    return Case(lambda: mortal.jobs.retry(root), root, COMPLETED | {"failed"}, whole, others=[first, last])


@operation()
def delete_a_tree(living, mortal):
    root = failed_tree(living)
    return Case(lambda: mortal.jobs.delete(root), root, MISSING)


# -- in a worker ----------------------------------------------------------------------------------------------------


def run_of(living, mortal, task_id):
    """What a worker's child does with a message that the worker has acknowledged; the worker has no lease."""
    mortal.tracker.worker.on_init(mortal.tracker)
    message = take(living, task_id)
    headers, properties = message["headers"], message["properties"]
    request = {
        **headers,
        "delivery_info": {**properties["delivery_info"], "redelivered": False},
        "correlation_id": properties["correlation_id"],
        "reply_to": properties.get("reply_to"),
    }
    body = base64.b64decode(message["body"])
    encoded = message["content-type"], message["content-encoding"]

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of redis-py, about a command that Celery uses
            trace_task_ret(headers["task"], headers["id"], request, body, *encoded, app=mortal.app)
        mortal.tracking.reporter.flush()  # as its own thread would a moment later

    return run


@operation()
def run_a_job(living, mortal):
    root = living.launch("ok", {"value": 7})
    return Case(run_of(living, mortal, root), root, SETTLED, result=7)


@operation()
def run_a_job_that_is_to_run_again_where_it_is_lost(living, mortal):
    root = living.launch("lost_once_rerun", {"how": "_exit"})
    alter(living.client, living.keys, root, {"relaunched": 0})
    living.tracking.relauncher.relaunch(root, run=1, reason="a second run returns")
    take(living, root)
    return Case(run_of(living, mortal, f"{root}~2"), root, COMPLETED, result="second run", begins=2)


@operation()
def run_the_first_attempt_of_a_job(living, mortal):
    root = living.launch("flaky", {"failures": 1})
    return Case(run_of(living, mortal, root), root, SETTLED, result=1, begins=2)


@operation()
def run_the_last_sub_job(living, mortal):
    root = living.launch("collect", sub_jobs=[job("ok", {"value": 1})])
    (sub,) = living.subs(root)
    return Case(run_of(living, mortal, sub), root, SETTLED, result=[1])


@operation()
def run_the_last_sub_job_of_a_parent_that_takes_failures(living, mortal):
    inner = job("collect", sub_jobs=[job("fail"), job("ok", {"value": 1})], failure_policy="continue")
    root = living.create("collect", sub_jobs=[inner], failure_policy="continue")
    living.jobs.start(root)
    (inner,) = living.subs(root)
    bad, last = living.subs(inner)
    perform = run_of(living, mortal, last)
    run_of(living, living, bad)()
    return Case(perform, root, SETTLED)


@operation()
def run_the_last_sub_job_of_a_parent_that_is_retried(living, mortal):
    root = failed_tree(living)
    living.jobs.retry(root)
    first, second = living.subs(root)
    last = f"{living.subs(first)[1]}~2"
    run_of(living, living, f"{second}~2")()
    return Case(run_of(living, mortal, last), root, SETTLED, result=RETRIED_RESULT)


@operation()
def run_the_first_sub_job_that_fails_fast(living, mortal):
    inner = job("collect", sub_jobs=[job("fail"), job("ok", {"value": 1})], failure_policy="fail_fast")
    root = living.create("collect", sub_jobs=[inner])
    living.jobs.start(root)
    (inner,) = living.subs(root)
    return Case(run_of(living, mortal, living.subs(inner)[0]), root, SETTLED)


@operation()
def run_a_sub_job_that_was_taken_for_lost(living, mortal):
    root = living.jobs.create(tree())
    living.jobs.start(root)
    leaf = living.subs(living.subs(root)[0])[0]
    perform = run_of(living, mortal, leaf)
    begin(living, leaf)
    lose_worker(living, leaf)
    return Case(perform, root, SETTLED, result=TREE_RESULT)


@operation()
def run_a_job_that_breaks_a_chain(living, mortal):
    result = (living.signature("fail") | living.signature("collect") | living.signature("collect")).apply_async()
    last, following, root = result.id, result.parent.id, result.parent.parent.id
    return Case(run_of(living, mortal, root), root, SETTLED, others=[following, last])


@operation()
def run_a_job_of_a_chain_that_is_retried(living, mortal):
    first, last = failed_chain(living, living.signature("collect", "a"))
    living.jobs.retry(first)
    perform = run_of(living, mortal, task_id_of(first, 2))
    return Case(perform, last, SETTLED, result={"label": "a", "results": 1}, others=[first])


@operation()
def run_the_last_sub_job_of_a_chord_in_a_chain_that_is_retried(living, mortal):
    body = chord([living.signature("mended_and_kept", OPEN, 1)], living.signature("collect", "a"), app=living.app)
    last = chain(body, living.signature("collect", "b"), app=living.app).apply_async().id
    root = living.job(last).sent_by
    (sub,) = living.subs(root)
    take(living, sub)
    end(living, sub, Event.FAIL)
    living.jobs.retry(root)
    perform = run_of(living, mortal, task_id_of(sub, 2))
    whole = {"label": "b", "results": {"label": "a", "results": [1]}}
    return Case(perform, last, SETTLED, result=whole, others=[root, sub])


@operation()
def run_the_task_of_a_parent(living, mortal):
    root = living.launch("collect", sub_jobs=[job("ok", {"value": 1})])
    (sub,) = living.subs(root)
    run_of(living, living, sub)()
    return Case(run_of(living, mortal, root), root, SETTLED, result=[1])


# -- in maintenance -------------------------------------------------------------------------------------------------


def lose_worker(project, job_id):
    """What maintenance does with a job whose worker has let its lease run out."""
    runner = MaintenanceRunner(project.tracking)
    [record] = project.queries.records([job_id])
    return runner.rescuer._settle(record, "WorkerLost", "was lost")


@operation()
def settle_a_lost_job(living, mortal):
    root = living.launch("ok")
    take(living, root)
    begin(living, root)
    return Case(lambda: lose_worker(mortal, root), root, {"failed"})


@operation()
def settle_a_lost_job_that_is_to_run_again(living, mortal):
    root = living.launch("hold_rerun", {"gate": OPEN})
    take(living, root)
    begin(living, root)
    return Case(lambda: lose_worker(mortal, root), root, COMPLETED, result=OPEN)


@operation()
def settle_a_lost_sub_job(living, mortal):
    inner = job("collect", sub_jobs=[job("ok")])
    root = living.launch("collect", sub_jobs=[inner])
    (inner,) = living.subs(root)
    (leaf,) = living.subs(inner)
    take(living, leaf)
    begin(living, leaf)
    return Case(lambda: lose_worker(mortal, leaf), root, {"failed"})


@operation()
def settle_a_lost_sub_job_of_a_parent_that_takes_failures(living, mortal):
    inner = job("collect", sub_jobs=[job("ok")], failure_policy="continue")
    root = living.launch("collect", sub_jobs=[inner])
    (inner,) = living.subs(root)
    (leaf,) = living.subs(inner)
    take(living, leaf)
    begin(living, leaf)
    return Case(lambda: lose_worker(mortal, leaf), root, COMPLETED | {"failed"}, result=[[None]])


@operation()
def send_what_is_unconfirmed(living, mortal):
    root = living.jobs.create(tree())
    families = list(living.queries.families(root))
    for each in families[:2]:
        living.tracking.store.apply(Event.ENQUEUE, each)
    outbox = OutboxRelay(mortal.tracking)

    def send():
        for each in families:
            outbox._send(each)

    return Case(send, root, result=TREE_RESULT)


@operation()
def relaunch_a_job(living, mortal):
    root = living.launch("ok", {"value": 7})
    take(living, root)
    relaunch = mortal.tracking.relauncher.relaunch
    return Case(lambda: relaunch(root, run=1, reason="its message is gone"), root, result=7)


@operation()
def relaunch_a_sub_job(living, mortal):
    root = living.jobs.create(tree())
    living.jobs.start(root)
    leaf = living.subs(living.subs(root)[0])[0]
    take(living, leaf)
    relaunch = mortal.tracking.relauncher.relaunch
    return Case(lambda: relaunch(leaf, run=1, reason="its message is gone"), root, result=TREE_RESULT)


# -- plain Celery ---------------------------------------------------------------------------------------------------


@operation()
def delay_a_task(living, mortal):
    return Case(lambda: mortal.send("ok", 7), None, SETTLED, result=7)


@operation()
def delay_a_chord(living, mortal):
    header = [mortal.signature("ok", n) for n in range(2)]
    return Case(lambda: mortal.chord(header, mortal.signature("collect")), None, SETTLED)


# -- how it comes about ---------------------------------------------------------------------------------------------


def sent(project, root):
    """Note that a tree was sent."""
    for each in project.queries.families(root):
        project.tracking.store.apply(Event.ENQUEUE, each)
        project.tracking.store.confirm(each)


def begin(project, job_id):
    """Begin a job on a worker that has no lease."""
    store, fields = project.tracking.store, {"lease": "gone", "worker": "gone@test"}
    project.tracking.propagation.propagate(job_id, store.apply(Event.START, job_id, run=1, attempt=0, fields=fields))


def end(project, job_id, event, result=None):
    """Let a job begin and come to its end."""
    store = project.tracking.store
    store.apply(Event.START, job_id, run=1, attempt=0)
    change = store.apply(event, job_id, run=1, attempt=0, data={"result": result} if result else {})
    project.tracking.propagation.propagate(job_id, change)


def take(project, task_id):
    """Take a task's message from the broker, for good."""
    with Redis.from_url(project.settings.broker_url) as broker:
        for key in broker.scan_iter(f"{project.name}:{project.queue}*", count=1000):
            for raw in broker.lrange(key, 0, -1):
                message = json.loads(raw)
                if message["headers"]["id"] == task_id:
                    assert broker.lrem(key, 1, raw) == 1
                    return message
    raise LookupError(task_id)


# -- what has become of it ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deaths(redis_server, worker_log_dir):
    """A project in which all has been mended that is, and the cases of each operation."""
    with new_project(redis_server, worker_log_dir, **SOON) as living:
        living.announce()
        living.diary.open_gate(OPEN)
        living.launch("ok")  # so that the server knows the scripts
        cases = {name: list(die(redis_server, living, *operation)) for name, operation in OPERATIONS.items()}
        with living.worker(concurrency=2):
            wait_until_mended(living)
            yield living, cases


def wait_until_mended(project):
    """Wait until nothing is under way any more, or has had all the time that it may take."""
    deadline = time.monotonic() + MENDED_WITHIN_S
    client, keys = project.client, project.keys
    watched = [*map(keys, ("unsent", "unconfirmed", "unnotified", "trash"))]
    looks_at_rest = 0
    while time.monotonic() < deadline:
        pending, running, retrying = (
            project.queries.entered_before(status, 2**53, 0, 10_000)
            for status in (Status.PENDING, Status.RUNNING, Status.RETRYING)
        )
        is_sent = any(run != 0 for run in project.queries.fields(pending, JobRecord.run))
        is_under_way = is_sent or running or retrying or client.exists(*watched)
        looks_at_rest = 0 if is_under_way else looks_at_rest + 1
        if looks_at_rest == LOOKS_AT_REST:
            break
        time.sleep(0.05)
    for _ in range(2):  # behind the last message in the queue
        project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", ["began", "returned"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_dying_process_leaves_is_mended(deaths, name):
    project, cases = deaths
    wrong = [f"died after {case.after} commands: {text}" for case in cases[name] for text in check(project, case)]
    assert not wrong, "\n".join(wrong)


def check(project, case):
    """What is not as it must be."""
    parents = dict(zip(case.made, project.queries.fields(case.made, JobRecord.parent), strict=True))
    root = case.root or next((each for each, parent in parents.items() if not parent), None)
    now = states(project, [root, *case.others] if root else case.made)
    if not case.root and {state.status for state in now.values()} <= {"missing"}:
        return  # as if nothing had been asked for
    for n, (job_id, state) in enumerate(now.items()):
        was = case.before.get(job_id, State("missing", 0, 0))
        if state == was or (state.is_unsent and (was.is_unsent or not case.root)):
            continue
        story = f"job {n} was {was}, is {state}"
        if state.status not in case.ends:
            yield story
        elif was.status == "completed" and (state.begun > was.begun or state.status != "completed"):
            yield f"{story}, and had completed"
        elif was.status != "completed":
            begun = state.begun - was.begun
            if begun > case.begins or (state.status == "completed" and not begun):
                yield f"{story}, and has begun {begun} times"
    if case.together and len({state == case.before[job_id] for job_id, state in now.items()}) > 1:
        yield f"something has become of some of them, and not of others: {now}"
    if case.root or not any(state.is_unsent for state in now.values()):
        yield from check_tree(project, root, now, case)


def check_tree(project, root, now, case):
    """What can't be of a tree as a whole."""
    for job_id in now:
        subs = [now[sub].status for sub in project.queries.sub_ids(job_id) if sub in now]
        policy = project.queries.field(job_id, JobRecord.policy)
        if now[job_id].status == "completed" and policy != "continue" and set(subs) - {"completed"}:
            yield f"a parent has completed, its sub-jobs are {subs}"
    if root and now[root].status == "completed" and case.result is not None:
        result = project.job(root).result
        if result != case.result:
            yield f"the result is {result}"


def test_nothing_else_is_left_of_it(deaths):
    project, _ = deaths
    assert recount(project.client, project.keys) == []
    again = Recount(project.tracking, repair=False, apart_s=0)
    again.run()
    # The chord of Celery code whose sender died when it had recorded one of the header, which was never sent.
    found = [each for each in again.differences.values() if not each.where.startswith("place of")]
    assert not found, "\n".join(map(str, found))
