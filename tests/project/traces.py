"""Traces of a worker, set up as OpenTelemetry's documentation says: in each child of the pool, after the fork.

Where no pool forks (`main`), at once.
"""

import os
from typing import Any

from celery.signals import worker_process_init
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def set_up(**_: Any) -> None:
    """Export the spans of this process; with OpenTelemetry's own instrumentation of Celery, if that is wanted."""
    provider = TracerProvider(resource=Resource({"service.name": "project"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200))
    trace.set_tracer_provider(provider)
    if os.environ.get("PROJECT_TRACES") == "celery":
        from opentelemetry.instrumentation.celery import CeleryInstrumentor

        CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call] # of another project


if os.environ.get("PROJECT_TRACES") == "main":
    set_up()
else:
    worker_process_init.connect(set_up)
