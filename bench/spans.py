"""What the two spans of a task cost beside bare ones of the SDK, in CPU time and in turns, as JSON.

A bare span has the same attributes and goes through the same processor. It is not handed on in a message, and is not
current while a task runs. Nothing is exported. It is a process of its own: an SDK can be configured once.
"""

import gc
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.app.task import Context
from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind

from jobtracker.instrumentation.current_job import CurrentJob
from jobtracker.instrumentation.job_spans import SendSpans, begin_process, end_process, end_span
from jobtracker.runtime import Tracking
from jobtracker.settings import Settings
from jobtracker.store.changes import NewJob
from jobtracker.tracing.active import active
from jobtracker.tracing.spans import Message

_SPANS, _ROUNDS = 1000, 15
_TASK, _QUEUE = "shop.send", "celery"


def measured() -> dict[str, float]:
    """Microseconds of each: the least of all rounds, for nothing but the machine's other work adds to it."""
    provider = TracerProvider(shutdown_on_exit=False)  # OTEL_TRACES_SAMPLER says what it samples
    provider.add_span_processor(SpanProcessor())
    trace.set_tracer_provider(provider)
    request = provider.get_tracer("bench").start_span("POST /orders")
    contexts.attach(trace.set_span_in_context(request))
    variants = _variants(provider)
    found: dict[str, list[float]] = {name: [] for name in variants}
    gc.disable()
    for _ in range(_ROUNDS):
        for name, make in variants.items():
            began = time.process_time()
            make()
            found[name].append((time.process_time() - began) / _SPANS * 1e6)
        gc.collect()
    return {name: round(min(times), 1) for name, times in found.items()}


def _nothing() -> None:
    """The task."""


def _variants(provider: TracerProvider) -> dict[str, Callable[[], None]]:
    app = Celery("bench", broker="redis://127.0.0.1:1/0")  # it is not connected to
    tracking = Tracking.connect(Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0"}), app)
    sends, spans = SendSpans(tracking, lambda *_: None), active()
    assert spans is not None
    task = app.task(_nothing, name=_TASK, shared=False)
    ids = [str(uuid.uuid4()) for _ in range(_SPANS)]
    messages = [Message("redis", _QUEUE, _TASK, each, _TASK, each) for each in ids]
    jobs = [NewJob(id=each, fields={"type": _TASK, "task": _TASK, "priority": "normal"}) for each in ids]
    headers: dict[str, Any] = {}
    propagate.inject(headers)
    requests = [Context(id=each, root_id=each, delivery_info={"routing_key": _QUEUE}, **headers) for each in ids]
    bare = provider.get_tracer("bench")

    def bare_send() -> None:
        for attributes in [each.attributes("send") for each in messages]:
            bare.start_span(f"send {_QUEUE}", kind=SpanKind.PRODUCER, attributes=attributes).end()

    def send() -> None:
        for job in jobs:
            span, _ = sends.begin(_TASK, [job], {"id": job.id, "root_id": job.id}, _QUEUE, None)
            end_span(span)

    def bare_process() -> None:
        for attributes in [each.attributes("process") for each in messages]:
            span = bare.start_span(f"process {_QUEUE}", kind=SpanKind.CONSUMER, attributes=attributes)
            span.set_attribute("celery.state", "SUCCESS")
            span.end()

    def process() -> None:
        for each in requests:
            job = CurrentJob(tracking, None, each.id, 1, 0, execution="some")
            begin_process(spans, tracking, task, each, job, _TASK)
            end_process(job, "SUCCESS", None)

    def none() -> None:
        for _ in ids:
            active()

    return {"bare send": bare_send, "send": send, "bare process": bare_process, "process": process, "active": none}


if __name__ == "__main__":
    print(json.dumps(measured()))
