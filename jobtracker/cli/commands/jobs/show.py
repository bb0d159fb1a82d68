"""`jobtracker jobs show`."""

import json
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.for_each import for_each
from jobtracker.cli.options import AsJson, JobIds, Url
from jobtracker.cli.sanitize import one_line, plain
from jobtracker.cli.tables import status_text, time_of, trace_of
from jobtracker.client import Client
from jobtracker.schemas.jobs import Job

_MOST_LINES = 20


def show(job_ids: JobIds, url: Url = None, as_json: AsJson = False) -> None:
    """Show jobs with payload, result and error.

    --json prints one job as an object, several as an array.
    """
    console = output_console()
    with Client(url) as client:
        for_each(job_ids, client.get, lambda job: _print_job(console, job), as_json=as_json)


def _print_job(console: Console, job: Job) -> None:
    facts = {name: fact for name, fact in _facts(job).items() if fact}
    width = max(map(len, facts))
    for name, fact in facts.items():
        line = Text.assemble((f"{name.ljust(width)}  ", "bold"), fact if isinstance(fact, Text) else one_line(fact))
        console.print(line, soft_wrap=True)
    for name, value in (("payload", job.payload), ("args", job.args), ("result", job.result)):
        if value is not None and value != {}:
            _print_json(console, name, value)
    if job.error:
        console.print(Text("error", "bold"))
        text = job.error.traceback or f"{job.error.type}: {job.error.message}"
        console.print(Text(plain(text.rstrip()), "red"), soft_wrap=True)


def _facts(job: Job) -> dict[str, Text | str | None]:
    """The facts about a job, a line each."""
    counts, progress, omitted = job.sub_job_counts, job.progress, job.result_omitted_bytes
    sub_jobs = took = in_vain = None
    if counts:
        parts = ("completed", counts.completed), ("failed", counts.failed), ("cancelled", counts.cancelled)
        sub_jobs = ", ".join([str(counts.total), *(f"{count} {name}" for name, count in parts if count)])
    if job.started_at and job.finished_at:
        took = f"{(job.finished_at - job.started_at).total_seconds():.2f} s"
    if job.redeliveries or job.double_runs or job.wasted_s:
        in_vain = f"{job.wasted_s:.2f} s, redeliveries {job.redeliveries}, double runs {job.double_runs}"
    return {
        "id": job.id,
        "name": job.name,
        "type": job.job_type,
        "failures": job.failure_group,
        "status": Text.assemble(status_text(job), f"  {one_line(job.reason)}" if job.reason else ""),
        "priority": job.priority,
        "tags": ", ".join(job.tags),
        "parent": job.parent_id,
        "sent by": job.sent_by or job.schedule or job.sent_from,
        "next": job.next_id,
        "group": job.group_id,
        "sub-jobs": sub_jobs,
        "progress": f"{progress.done:g} of {progress.total:g}  {progress.note}" if progress else None,
        "task": job.task,
        "queue": job.queue,
        "worker": job.worker,
        "tries": f"run {job.run}, attempt {job.attempt + 1}, deliveries {job.deliveries}" if job.run else None,
        "in vain": in_vain,
        "created": time_of(job.created_at),
        "started": time_of(job.started_at),
        "finished": time_of(job.finished_at),
        "took": took,
        "not before": time_of(job.not_before),
        "expires": time_of(job.expires_at),
        "cancel asked": time_of(job.cancel_requested_at),
        "trace": trace_of(job),
        "arguments": job.arguments_repr,
        **{f"large {name}": _large(job, name) for name in ("payload", "args", "result")},
        "result size": f"{omitted:,} bytes, in Celery's result backend" if omitted else None,
        "not kept": job.result_omitted_reason,
    }


def _large(job: Job, name: Literal["payload", "args", "result"]) -> str | None:
    value = job.large_values.get(name)
    command = f": jobtracker jobs {name} {job.id}" if name != "args" else ""
    return f"{value.bytes:,} bytes{command}" if value else None


def _print_json(console: Console, name: str, value: Any) -> None:
    lines = json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    console.print(Text(name, "bold"))
    for line in lines[:_MOST_LINES]:
        console.print(Text(line), soft_wrap=True)
    if len(lines) > _MOST_LINES:
        console.print(Text(f"… {len(lines) - _MOST_LINES} lines more; --json prints all", "dim"))
