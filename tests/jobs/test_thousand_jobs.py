"""The acceptance run: a thousand mixed jobs on two workers, and then what failed once more."""

import random
from collections import Counter
from contextlib import suppress

import pytest
from celery import chain, chord
from support.recount import recount
from support.workers_under_test import eventually, job, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import SETTLED
from jobtracker.errors import IllegalTransitionError

pytestmark = [pytest.mark.long, pytest.mark.thorough]
GATE = "mended"

PLAIN = {
    ("ok", 1): 40,
    ("count", 3): 20,
    ("fail",): 20,
    ("flaky", 1, 0): 20,
    ("never",): 2,
    ("ignored",): 2,
    ("lost", "_exit"): 2,
}
"""Tasks with their arguments, and how often they come."""


class Mix:
    """Sends jobs of all kinds in a random order, always the same; remembers what it called off."""

    def __init__(self, project):
        self.project = project
        self.random = random.Random(1)
        self.launched: list[str] = []
        self.called_off: set[str] = set()

    def send(self):
        """Send a thousand jobs, and call some of them off at once, some while others are still being sent."""
        kinds = {
            self.plain: 300,
            self.plain_chord: 12,
            self.plain_chord_in_chords: 8,
            self.plain_chain: 20,
            self.alone: 200,
            self.tree: 50,
        }
        todo = [kind for kind, times in kinds.items() for _ in range(times)]
        self.random.shuffle(todo)
        for kind in todo:
            kind()

    def plain(self):
        (kind,) = self.random.choices(list(PLAIN), PLAIN.values())
        task, *args = kind
        job_id = self.project.send(task, *args)
        if self.random.random() < 0.1:
            self.call_off(job_id)

    def leaf(self):
        return self.project.signature(self.random.choice(["ok", "ok", "ok", "ok", "fail", "ignored"]))

    def plain_chord(self):
        self.project.chord([self.leaf() for _ in range(4)], self.project.signature("collect"))

    def plain_chord_in_chords(self):
        signature = self.project.signature
        inner = chord([self.leaf() for _ in range(2)], signature("collect"), app=self.project.app)
        middle = chord([inner, signature("ok")], signature("collect"), app=self.project.app)
        self.project.chord([middle, signature("ok"), signature("ok")], signature("collect"))

    def plain_chain(self):
        first = self.random.choice([("ok", 1), ("fail", "as asked")])
        signature = self.project.signature
        chain(signature(*first), signature("add", 1), signature("add", 1)).apply_async()

    def wanted(self):
        """A job that may fail until the gate opens."""
        return self.random.choice(
            [
                job("ok", {"value": 1}),
                job("ok", {"value": 2}),
                job("flaky", {"failures": 1}),
                job("mended", {"name": GATE, "value": 3}),
            ]
        )

    def alone(self):
        self.launch(self.wanted())

    def tree(self):
        policy = self.random.choice(["fail", "fail_fast", "continue"])
        inner = job("collect", failure_policy=policy, sub_jobs=[self.wanted() for _ in range(2)])
        outer_policy = self.random.choice(["fail", "fail_fast", "continue"])
        self.launch(job("collect", failure_policy=outer_policy, sub_jobs=[inner, self.wanted(), inner]))

    def launch(self, wanted):
        job_id = self.project.jobs.create(wanted)
        self.project.jobs.start(job_id)
        self.launched.append(job_id)
        if self.random.random() < 0.15:
            self.call_off(job_id)

    def call_off(self, job_id):
        with suppress(IllegalTransitionError):  # it was faster
            self.project.jobs.cancel(job_id)
            self.called_off |= self.project.queries.families(job_id).keys()

    def retry(self):
        """Run again all launched jobs that failed or were cancelled; they are forgotten as called off."""
        for job_id in self.launched:
            if self.project.job(job_id).status in {Status.FAILED, Status.CANCELLED}:
                self.project.jobs.retry(job_id)
                self.called_off -= self.project.queries.families(job_id).keys()


def records(project):
    ids = [job_id for status in Status for job_id in project.queries.entered_before(status, 2**53, 0, 10_000)]
    return {record.id: record for record, _ in project.queries.load(ids)}


def unsettled(project):
    return sum(count.count for count in project.queries.counts() if count.status not in SETTLED)


def truth(project, record, everything):
    """The status that follows from what a task wrote down of its current run."""
    did = project.did(record.id, record.run)
    if not did:
        subs = [everything[sub].status for sub in project.subs(record.id)]
        called_off = record.cancel or not subs
        return Status.CANCELLED if called_off or set(subs) == {Status.COMPLETED} else Status.FAILED
    if did[-1] == "returned":
        return Status.COMPLETED
    if record.task == "ignored" or did[-1] == "began attempt 0":  # its retry never came: it was called off
        return Status.CANCELLED
    if record.task == "count" and record.cancel:  # it looks, and stops
        return Status.CANCELLED
    return Status.FAILED


def contradictions(project, mix):
    """The jobs whose status is not what their tasks wrote down, or that were called off by nobody."""
    everything = records(project)
    for job_id, record in everything.items():
        wanted = truth(project, record, everything)
        if record.status != wanted:
            yield job_id, record.task, record.status, wanted
        if record.status == Status.CANCELLED and not was_called_off(record, everything, mix):
            yield job_id, record.task, record.reason, "called off by nobody"


def was_called_off(record, everything, mix):
    """By us, by its task, by a parent that fails fast, or because the task before it in its chain failed."""
    policies = set()
    above = record
    while above := everything.get(above.parent):
        policies.add(above.policy)
    return (
        record.id in mix.called_off
        or record.task == "ignored"
        or "fail_fast" in policies
        or (record.task == "add" and "did not complete" in record.reason)
    )


@pytest.mark.timeout(150)
def test_a_thousand_mixed_jobs_end_as_their_tasks_say(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir) as project, project.worker("one"), project.worker("two"):
        mix = Mix(project)
        mix.send()
        eventually(lambda: unsettled(project) == 0, lambda: f"{unsettled(project)} jobs are not settled")
        everything = records(project)
        statuses = Counter(record.status for record in everything.values())
        assert len(everything) >= 1000
        assert min(statuses[status] for status in SETTLED) > 50, statuses
        assert list(contradictions(project, mix)) == []
        assert recount(project.client, project.keys) == []

        project.diary.open_gate(GATE)
        mix.retry()
        eventually(lambda: unsettled(project) == 0, lambda: f"{unsettled(project)} jobs are not settled")
        assert {project.job(job_id).status for job_id in mix.launched} == {Status.COMPLETED}
        assert list(contradictions(project, mix)) == []
        assert recount(project.client, project.keys) == []
