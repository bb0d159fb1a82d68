"""An app's tracked tasks as job types."""

from celery import Celery

from jobtracker.broker.queues import queue_of_route
from jobtracker.core.declarations import DEFAULT, declaration_of, needs_results, payload_schema, takes_results
from jobtracker.instrumentation.task_filter import TaskFilter
from jobtracker.schemas.job_types import JobType


def job_types_of(app: Celery, task_filter: TaskFilter) -> list[JobType]:
    """The job types of an app, by the names of their tasks."""
    types = []
    for name, task in sorted(app.tasks.items()):
        tracked = task_filter.find(name)
        if tracked is None:
            continue
        declared = declaration_of(task) or DEFAULT
        types.append(
            JobType(
                name=tracked.job_type,
                task=name,
                queue=queue_of_route(app, name),
                payload_schema=payload_schema(task),
                description=(task.__doc__ or "").strip().partition("\n")[0],
                needs_results=needs_results(task),
                takes_results=takes_results(task),
                acks_late=bool(task.acks_late),
                store_result=declared.store_result,
                on_lost=declared.on_lost,
                max_deliveries=declared.max_deliveries,
                arguments=tracked.arguments,
            )
        )
    return types
