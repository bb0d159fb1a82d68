"""What the signature of a task says about its payload and its sub-jobs."""

import pytest
from celery import Celery, Task

from jobtracker import Tracker
from jobtracker.core.declarations import needs_results, payload_schema, takes_results

app = Celery("declarations", set_as_current=False)


@app.task
def alone(title: str, copies: int = 1): ...


@app.task
def report(results, title: str): ...


@app.task
def either(results=None, /, *, title: str): ...


@app.task
def anything(*args, **kwargs): ...


@app.task(bind=True)
def bound(self, results, title: str): ...


@pytest.mark.parametrize(
    ("task", "takes", "needs"),
    [
        (alone, False, False),
        (report, True, True),
        (either, True, False),
        (anything, True, False),
        (bound, True, True),
    ],
)
def test_a_first_parameter_for_results_makes_a_task_a_parent(task, takes, needs):
    assert (takes_results(task), needs_results(task)) == (takes, needs)


@pytest.mark.parametrize("task", [report, either, bound])
def test_results_are_no_part_of_the_payload(task):
    assert payload_schema(task)["required"] == ["title"]
    assert payload_schema(task)["properties"].keys() == {"title"}


def test_defaults_are_optional_in_the_payload():
    assert payload_schema(alone)["required"] == ["title"]
    assert payload_schema(alone)["properties"]["copies"]["default"] == 1


class Compiled(Task):
    """A task whose parameters are not known."""

    name = "compiled"
    run = {}.update


@app.task(name="strange")
def strange(style: "as you like", frame: "pandas.DataFrame"): ...  # noqa: F722, F821


def test_a_task_that_can_not_be_looked_into_takes_any_payload_and_keeps_no_other_from_being_announced():
    odd = Celery("odd", broker="redis://nowhere.invalid", set_as_current=False)
    odd.register_task(Compiled())
    odd.task(name="strange")(strange.run)
    tracker = Tracker(odd)
    try:
        schemas = {kind.name: kind.payload_schema for kind in tracker.job_types()}
        assert (schemas["compiled"], schemas["strange"]) == (None, None)
    finally:
        tracker.detach()
