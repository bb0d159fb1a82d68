"""A collector of traces: a real HTTP server that takes what OpenTelemetry's own exporter sends by OTLP."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

KINDS = {2: "server", 3: "client", 4: "producer", 5: "consumer"}
ERROR = 2


class Received(NamedTuple):
    """A span."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: list[str]
    """Ids of spans."""
    attributes: dict[str, Any]
    is_error: bool
    message: str

    @property
    def task_id(self) -> str:
        """Of what message or task it is."""
        return str(self.attributes.get("messaging.message.id", ""))


class Collector:
    """What came in."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.url = ""

    def of(self, task_id: str, kind: str) -> list[Received]:
        """The spans of a message, in the order of their end."""
        return [span for span in self.spans if span.task_id == task_id and span.kind == kind]

    def sends(self, task_id: str) -> list[Received]:
        """Where a message was sent."""
        return self.of(task_id, "producer")

    def executions(self, task_id: str) -> list[Received]:
        """Where its task was run."""
        return self.of(task_id, "consumer")

    def take(self, body: bytes) -> None:
        """Take one export."""
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Received(
                            service=about["service.name"],
                            name=span.name,
                            kind=KINDS.get(span.kind, "internal"),
                            trace_id=span.trace_id.hex(),
                            span_id=span.span_id.hex(),
                            parent_id=span.parent_span_id.hex(),
                            links=[link.span_id.hex() for link in span.links],
                            attributes={
                                each.key: getattr(each.value, each.value.WhichOneof("value"))
                                for each in span.attributes
                            },
                            is_error=span.status.code == ERROR,
                            message=span.status.message,
                        )
                    )


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, until the context ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def traced(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[trace.Tracer]:
    """Let this process trace too, meanwhile, each span of it at once."""
    provider = TracerProvider(resource=Resource({"service.name": "publisher"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces")))
    with monkeypatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider)
        yield provider.get_tracer("test")
