"""The part of Firestore that Celery's results in a bucket need, on this machine: counters, kept in memory.

`python -m jobtracker.local.firestore_emulator` serves it, for tests and for a first try with Docker Compose. It
checks no credentials. What it does not do is an error, never a wrong answer.
"""

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jobtracker.errors import need_packages
from jobtracker.local.ports import LOOPBACK

_SERVICE = "google.firestore.v1.Firestore"
_THREADS = 16
_DEFAULT_PORT = 8080
_LARGEST = 2**63 - 1


class NotEmulatedError(Exception):
    """Firestore can do that, and this can't."""


class PreconditionError(Exception):
    """A document is not there, or is, against what a write demands."""

    def __init__(self, name: str, *, is_there: bool) -> None:
        super().__init__(f"{name} {'exists' if is_there else 'does not exist'}")
        self.is_there = is_there


class Documents:
    """Documents by their names. Each commit is one step: others see all of it, or nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fields: dict[str, dict[str, Any]] = {}

    def commit(self, request: Any) -> Any:
        """Apply the writes of a CommitRequest; returns a CommitResponse.

        Raises:
            NotEmulatedError: One of them is of a kind that is not emulated. Nothing is applied.
            PreconditionError: One of them may not be applied. Nothing is.
        """
        from google.cloud.firestore_v1.types import CommitResponse
        from google.protobuf.timestamp_pb2 import Timestamp

        if request.transaction:
            raise NotEmulatedError("a transaction")
        with self._lock:
            changed: dict[str, dict[str, Any] | None] = {}
            results = [self._apply(write, changed) for write in request.writes]
            for name, fields in changed.items():
                if fields is None:
                    self._fields.pop(name, None)
                else:
                    self._fields[name] = fields
        now = Timestamp()
        now.GetCurrentTime()
        return CommitResponse(write_results=results, commit_time=now)

    def get(self, request: Any) -> Iterator[Any]:
        """The documents of a BatchGetDocumentsRequest, one BatchGetDocumentsResponse each.

        Raises:
            NotEmulatedError: It asks for a transaction, an earlier time, or some fields only.
        """
        from google.cloud.firestore_v1.types import BatchGetDocumentsResponse, Document
        from google.protobuf.timestamp_pb2 import Timestamp

        raw = type(request).pb(request)
        if raw.WhichOneof("consistency_selector") or raw.HasField("mask"):
            raise NotEmulatedError("a transaction, an earlier time, or a part of a document")
        with self._lock:
            found = {name: self._fields.get(name) for name in request.documents}
        now = Timestamp()
        now.GetCurrentTime()
        for name, fields in found.items():
            if fields is None:
                yield BatchGetDocumentsResponse(missing=name, read_time=now)
            else:
                document = Document(name=name, fields=fields, create_time=now, update_time=now)
                yield BatchGetDocumentsResponse(found=document, read_time=now)

    def _apply(self, write: Any, changed: dict[str, dict[str, Any] | None]) -> Any:
        """Apply one write to `changed`, where the writes before it are; returns a WriteResult."""
        from google.cloud.firestore_v1.types import WriteResult

        raw = type(write).pb(write)
        kind = raw.WhichOneof("operation")
        if kind not in {"update", "delete"}:
            raise NotEmulatedError(f"a write of the kind {kind}")
        name = write.delete if kind == "delete" else write.update.name
        was = changed[name] if name in changed else self._fields.get(name)
        self._check(raw, name, is_there=was is not None)
        if kind == "delete":
            changed[name] = None
            return WriteResult()
        fields = dict(was or {}) if raw.HasField("update_mask") else {}
        given = dict(write.update.fields)
        for path in write.update_mask.field_paths if raw.HasField("update_mask") else given:
            if "." in path or "`" in path:
                raise NotEmulatedError(f"a field inside a field, as {path}")
            if path in given:
                fields[path] = given[path]
            else:
                fields.pop(path, None)
        results = [_transform(transform, fields) for transform in write.update_transforms]
        changed[name] = fields
        return WriteResult(transform_results=results)

    def _check(self, raw: Any, name: str, *, is_there: bool) -> None:
        demanded = raw.current_document.WhichOneof("condition_type")
        if demanded is None:
            return
        if demanded != "exists":
            raise NotEmulatedError(f"a write that demands {demanded}")
        if raw.current_document.exists != is_there:
            raise PreconditionError(name, is_there=is_there)


def _transform(transform: Any, fields: dict[str, Any]) -> Any:
    """Change a field; returns its new value."""
    from google.cloud.firestore_v1.types import Value

    kind = type(transform).pb(transform).WhichOneof("transform_type")
    by = transform.increment
    if kind != "increment" or type(by).pb(by).WhichOneof("value_type") != "integer_value":
        raise NotEmulatedError(f"the transform {kind}, other than an increment by a whole number")
    was = fields.get(transform.field_path)
    count = was.integer_value if was is not None and "integer_value" in was else 0  # no number counts as none
    value = Value(integer_value=max(-_LARGEST - 1, min(count + by.integer_value, _LARGEST)))
    fields[transform.field_path] = value
    return value


def serve(host: str, port: int) -> Any:
    """Serve documents in threads; returns the gRPC server, which runs.

    Raises:
        RuntimeError: The port is taken.
        MissingExtraError: The extra `gcp` is not installed.
    """
    need_packages("The emulator of Firestore", "gcp", "grpc", "google.cloud.firestore_v1")
    import grpc
    from google.cloud.firestore_v1.types import (
        BatchGetDocumentsRequest,
        BatchGetDocumentsResponse,
        CommitRequest,
        CommitResponse,
    )

    documents = Documents()
    handlers = {
        "Commit": grpc.unary_unary_rpc_method_handler(
            _answering(documents.commit), CommitRequest.deserialize, CommitResponse.serialize
        ),
        "BatchGetDocuments": grpc.unary_stream_rpc_method_handler(
            _answering(lambda request: iter(list(documents.get(request)))),  # an error is raised before it answers
            BatchGetDocumentsRequest.deserialize,
            BatchGetDocumentsResponse.serialize,
        ),
    }
    # Without this option a second server could listen on the same port, and each would count for itself.
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_insecure_port(f"{host}:{port}")
    server.start()
    return server


def _answering(answer: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    import grpc

    def handle(request: Any, context: Any) -> Any:
        try:
            return answer(request)
        except NotEmulatedError as error:
            return context.abort(grpc.StatusCode.UNIMPLEMENTED, f"This emulator can't do that: {error}.")
        except PreconditionError as error:
            code = grpc.StatusCode.ALREADY_EXISTS if error.is_there else grpc.StatusCode.NOT_FOUND
            return context.abort(code, str(error))

    return handle


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="An emulator of the part of Firestore that Celery's results need.")
    parser.add_argument("--host", default=LOOPBACK, help="where it listens (default: %(default)s)")
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="its port (default: %(default)s)")
    options = parser.parse_args()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    server = serve(options.host, options.port)
    print(f"FIRESTORE_EMULATOR_HOST={options.host}:{options.port}", flush=True)  # noqa: T201 (for who starts it)
    told.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
