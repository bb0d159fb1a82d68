"""Tasks that are replaced, that send others, and parents."""

from typing import Any

from celery import Task, chain, chord, group, shared_task

from jobtracker import current_job, tracked
from project.diary import diary, did


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
