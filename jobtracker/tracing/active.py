"""Whether this process traces, and in which trace it is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobtracker.core.traceparent import read

if TYPE_CHECKING:
    from jobtracker.tracing.spans import Spans

_NOT_SET_UP = {"ProxyTracerProvider", "NoOpTracerProvider"}
"""Classes of OpenTelemetry's API that stand in for a provider."""

_last: tuple[Any, "Spans | None"] = (None, None)
"""The provider that was found last, and what makes spans with it."""


def active() -> "Spans | None":
    """What makes spans in this process; None where no SDK is configured: nothing is traced then.

    It is asked for each message and each task. A process may configure its SDK at any time, and mostly does so after
    it has forked.
    """
    global _last  # noqa: PLW0603 (a cache of one)
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    known, spans = _last
    if spans is None and known is not None and getattr(api, "_TRACER_PROVIDER", known) is None:
        return None  # none was set since it was found that there is none: the API would look at the environment again
    provider = api.get_tracer_provider()
    if provider is not known:
        spans = None
        if type(provider).__name__ not in _NOT_SET_UP:
            from jobtracker.tracing.spans import Spans

            spans = Spans(provider)
        _last = provider, spans
    return spans


def current() -> str | None:
    """The `traceparent` of the span that is current here; None where there is none."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    span = api.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None


def current_trace_id() -> str | None:
    """The id of the trace that is current here, for logs; None where there is none."""
    context = read(current())
    return context.trace_id if context else None


@contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """Go on with a trace: spans that begin within belong to it, and refer to the span that was current before.

    Args:
        traceparent: A span of it. None, or one of the trace that is current already: nothing changes.
    """
    if read(traceparent) is None or "opentelemetry.trace" not in sys.modules:
        yield
        return
    from jobtracker.tracing.spans import continuing

    with continuing(str(traceparent)):
        yield
