"""Exports spans by OTLP, as the environment's OTEL_… variables say: in the processes that this repository ships.

A project's own workers set up an SDK as they like: `active` finds it.
"""

import logging
import os
import sys
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from jobtracker.core.version import package_version

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"

_END_S = 2.0
"""So long a process waits at its end for a collector to take its last spans."""


def start_export(service: str) -> bool:
    """Set up the SDK in this process, if OTEL_EXPORTER_OTLP_ENDPOINT (or its variant for traces) names a collector.

    It may be called before the process forks: each process exports by a thread and a connection of its own. Where the
    process has an SDK already, that stays.

    Args:
        service: What `service.name` is, unless OTEL_SERVICE_NAME says it.

    Returns:
        Whether this call has set it up.
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return False
    if missing := [name for name in ("opentelemetry.sdk", _EXPORTER) if not _is_installed(name)]:
        logger.warning(
            "Traces are not exported, though OTEL_EXPORTER_OTLP_ENDPOINT is set: %s is not installed. "
            'Install "celery-jobtracker[otel]".',
            missing[0],
        )
        return False
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _HTTP)
    if protocol != _HTTP:
        logger.warning(
            "Traces are exported by OTLP over HTTP, not by %s: that is all that jobtracker speaks. Let "
            "OTEL_EXPORTER_OTLP_ENDPOINT name the collector's port for HTTP (4318).",
            protocol,
        )
    return _set_up(service)


_EXPORTER = "opentelemetry.exporter.otlp.proto.http"


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # what it is in is missing too
        return False


def _set_up(service: str) -> bool:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    if type(trace.get_tracer_provider()).__name__ != "ProxyTracerProvider":
        return False
    # What the environment says comes first (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES).
    named = None if _names_service() else {"service.name": service}
    resource = Resource({"service.version": package_version()}).merge(Resource.create(named))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_exporting())
    trace.set_tracer_provider(provider)
    return True


def _names_service() -> bool:
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )


def _new_batches() -> "BatchSpanProcessor | None":
    """What exports spans by OTLP; None: a setting of it is wrong, which whoever ends a span must not see."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    try:
        return BatchSpanProcessor(OTLPSpanExporter())
    except Exception:
        logger.exception("Traces are not exported. Look at the variables OTEL_…")
        return None


def _exporting() -> "SpanProcessor":
    """Exports the spans of this process, and after a fork those of the child."""
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

    class PerProcess(SpanProcessor):
        """Makes what exports with the first span of each process: threads and connections don't outlive a fork."""

        def __init__(self) -> None:
            self._pid = 0
            self._batches: BatchSpanProcessor | None = None
            self._renew()
            os.register_at_fork(after_in_child=self._renew)  # another thread may hold it just then

        def _renew(self) -> None:
            self._lock = threading.Lock()

        def on_end(self, span: ReadableSpan) -> None:
            if self._pid != os.getpid():
                self._begin()
            if self._batches is not None:
                self._batches.on_end(span)

        def _begin(self) -> None:
            with self._lock:
                if self._pid == os.getpid():
                    return
                self._batches = _new_batches()
                self._pid = os.getpid()

        def shutdown(self) -> None:
            if self._batches is not None and self._pid == os.getpid():
                self._batches.shutdown()  # type: ignore[no-untyped-call] # of the SDK

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            if self._batches is None or self._pid != os.getpid():
                return True
            return self._batches.force_flush(timeout_millis)

    return PerProcess()


def flush_at_end() -> None:
    """Export what has ended, before the process ends; without a collector that takes two seconds at most."""
    api = sys.modules.get("opentelemetry.trace")
    flush: Any = getattr(api.get_tracer_provider(), "force_flush", None) if api is not None else None
    if flush is not None:
        thread = threading.Thread(target=flush, name="jobtracker-last-spans", daemon=True)
        thread.start()
        thread.join(_END_S)
