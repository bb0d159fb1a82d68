"""The two clients. They only send and wait; `endpoints` and `flows` describe the calls."""

import asyncio
import copy
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from jobtracker.client.calls import Call
from jobtracker.client.connections import AsyncStream, BlockingStream, Transport
from jobtracker.client.credentials import key_for
from jobtracker.client.endpoint import Asynchronous, Blocking
from jobtracker.client.errors import ApiError, ApiUnavailableError
from jobtracker.client.flows import Streams, job_settling
from jobtracker.client.listening import SILENCE_S
from jobtracker.client.patience import Patience, sending
from jobtracker.client.steps import Flow, Found, Listen, NextEvent, Pause, Step
from jobtracker.core.idempotency_key import HEADER, RULE, is_key
from jobtracker.core.net import is_loopback
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.jobs import Job
from jobtracker.schemas.problems import REQUEST_ID

T = TypeVar("T")

DEFAULT_URL = "http://localhost:19000"

_CONNECTION_LOST = (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError, httpx.CloseError)
_BROKE_OFF = "without sending complete message body"
"""What h11 says, below httpx, when a connection ends within an answer."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def url_of(url: str | None) -> str:
    """Where the API is: as given, by the environment, or on this machine."""
    found = url or os.environ.get("JOBTRACKER_URL") or DEFAULT_URL
    return found if found.endswith("://") else found.rstrip("/")


class _Base(Streams):
    """The base of both clients."""

    _http: Any

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout_s: float = 10.0,
        outage_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
        api_key: str | None = None,
    ) -> None:
        self.url = url_of(url)
        host = _host(self.url)
        self.timeout_s = timeout_s
        self.outage_s = outage_s
        self.headers = dict(headers or {})
        has_credential = any(name.lower() == "authorization" for name in self.headers)
        if not has_credential and (key := key_for(self.url, api_key)):
            self.headers["Authorization"] = f"Bearer {key}"
        self.idempotency_key: str | None = None
        self._connect(
            base_url=self.url,
            # A proxy in the environment is no way to this machine.
            trust_env=not is_loopback(host),
            # Given up before uvicorn does it, after 5 s: else a request might meet a connection that is being closed.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=3),
        )

    def _connect(self, **options: Any) -> None:
        raise NotImplementedError

    def with_request_id(self, request_id: str) -> Self:
        """The same client, on the same connections, whose requests all bear this `X-Request-ID`.

        Args:
            request_id: 1 to 128 ASCII letters, digits, and `_.:-`.

        Raises:
            ValueError: It is something else, which the API would not take.
        """
        if not REQUEST_ID.fullmatch(request_id):
            raise ValueError(f"{request_id!r} is no request id: it has 1 to 128 letters, digits, and _.:- only.")
        other = copy.copy(self)
        other.headers = {**self.headers, "X-Request-ID": request_id}
        return other

    def with_idempotency_key(self, key: str) -> Self:
        """The same client, on the same connections, whose next request that creates or changes bears this key.

        Each such request (POST) has a key of its own by itself. One of yours lets another process, or a later call,
        send the same request again: it is done once a day.

        Args:
            key: 1 to 255 printable ASCII characters, for example a UUID. It is for one request.

        Raises:
            ValueError: It is something else, which the API would not take.
        """
        if not is_key(key):
            raise ValueError(f"{key!r} is no {HEADER}: it has {RULE}.")
        other = copy.copy(self)
        other.idempotency_key = key
        return other

    def _keyed(self, call: Call[T]) -> Call[T]:
        """A call that may be sent again, if it is one that creates or changes."""
        if call.method != "POST" or call.key:
            return call
        return replace(call, key=self.idempotency_key or str(uuid.uuid4()))

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        content = call.content
        kind = {} if content is None else {"Content-Type": "application/json"}
        if call.key:
            kind[HEADER] = call.key
        return {
            "method": call.method,
            "url": call.path,
            "params": call.query,
            "content": content,
            "headers": {**self.headers, **kind},
            "timeout": min(self.timeout_s, call.most_s),
        }

    def _stream_request(self, step: Listen) -> httpx.Request:
        headers = {**self.headers, "Accept": "text/event-stream"}
        if step.last_event_id:
            headers["Last-Event-ID"] = step.last_event_id
        timeout = httpx.Timeout(self.timeout_s, read=SILENCE_S)
        call = step.call
        built: httpx.Request = self._http.build_request(
            call.method, call.path, params=call.query, headers=headers, timeout=timeout
        )
        return built

    def _transport(self) -> Transport:
        return Transport(self._stream_request, self._unanswered, self._read)

    def _read(self, call: Call[T], response: httpx.Response) -> T:
        return call.read(self.url, response.status_code, response.headers, response.content)

    def _unanswered(self, call: Call[Any], error: httpx.TransportError) -> ApiUnavailableError:
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.TimeoutException):
            reason = f"not within {min(self.timeout_s, call.most_s):g} s"
        broke_off = isinstance(error, httpx.RemoteProtocolError) and _BROKE_OFF in reason
        return call.unanswered(self.url, reason, sent=not isinstance(error, _NOT_SENT), broke_off=broke_off)

    def _settling(self, job_id: str, timeout_s: float | None) -> Flow[Job]:
        return job_settling(job_id, Patience(job_id, timeout_s, self.outage_s))


class Client(_Base, Blocking):
    """The API, from code that blocks; threads may share one. Use it as `with Client() as client`, or `close` it.

    Args:
        url: Where it is; default: `JOBTRACKER_URL`, else http://localhost:19000.
        timeout_s: Seconds that it may take to answer one call.
        outage_s: Seconds that it may be away at a time while `wait`, `watch`, `follow` and `events` go on, and for
            which a request that creates or changes is sent again if it may have been done.
        headers: Sent with each request, for example for a proxy that wants a token.
        api_key: The caller's; default: `JOBTRACKER_API_KEY`, the file that `JOBTRACKER_API_KEY_FILE` names, or what
            `jobtracker login` has kept for this URL. None is sent where `headers` have an Authorization.
    """

    def _connect(self, **options: Any) -> None:
        self._http = httpx.Client(**options)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """Send a call. A GET whose connection is lost is sent once more.

        One that creates or changes (POST) bears an Idempotency-Key: it is sent again for `outage_s`, and done once.
        Others that change (PUT, DELETE) are sent once.

        Raises:
            ApiUnavailableError: The API does not answer.
            ApiError: It refuses.
        """
        call = self._keyed(call)
        if not call.key:
            return self._send(call)
        flow = sending(call, self.outage_s)
        step = next(flow)
        while not isinstance(step, Found):
            answer, error = None, None
            try:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                else:
                    answer = self._send(step)
            except JobTrackerError as raised:
                error = raised
            step = flow.send(answer) if error is None else flow.throw(error)
        return step.value

    def _send(self, call: Call[T]) -> T:
        request = self._request(call)
        try:
            try:
                response = self._http.request(**request)
            except _CONNECTION_LOST:
                if call.method != "GET":
                    raise
                response = self._http.request(**request)
        except httpx.TransportError as error:
            raise self._unanswered(call, error) from error
        return self._read(call, response)

    def run(self, flow: Flow[T]) -> Iterator[T]:
        """Go through a flow: send its calls, wait its pauses, listen to its events, yield what it finds."""
        stream = BlockingStream(self._http, self._transport())
        try:
            step = next(flow, None)
            while step is not None:
                answer, error = None, None
                try:
                    match step:
                        case Found(value):
                            yield value
                        case Pause(seconds):
                            time.sleep(seconds)
                        case Listen():
                            stream.open(step)
                        case NextEvent():
                            answer = stream.next_event()
                        case Call():
                            answer = self.send(step)
                except JobTrackerError as raised:
                    error = raised
                step = _next(flow, answer, error)
        finally:
            stream.close()

    def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        """Wait until a job has settled, and return it; its status says whether it completed.

        Listens and looks as `watch` does, and raises what that raises.
        """
        *_, job = self.run(self._settling(job_id, timeout_s))
        return job


class AsyncClient(_Base, Asynchronous):
    """The API, from asyncio. Use it as `async with AsyncClient() as client`, or `aclose` it.

    Args:
        url: Where it is; default: `JOBTRACKER_URL`, else http://localhost:19000.
        timeout_s: Seconds that it may take to answer one call.
        outage_s: Seconds that it may be away at a time while `wait`, `watch`, `follow` and `events` go on, and for
            which a request that creates or changes is sent again if it may have been done.
        headers: Sent with each request, for example for a proxy that wants a token.
        api_key: The caller's; default: `JOBTRACKER_API_KEY`, the file that `JOBTRACKER_API_KEY_FILE` names, or what
            `jobtracker login` has kept for this URL. None is sent where `headers` have an Authorization.
    """

    def _connect(self, **options: Any) -> None:
        self._http = httpx.AsyncClient(**options)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call. A GET whose connection is lost is sent once more.

        One that creates or changes (POST) bears an Idempotency-Key: it is sent again for `outage_s`, and done once.
        Others that change (PUT, DELETE) are sent once.

        Raises:
            ApiUnavailableError: The API does not answer.
            ApiError: It refuses.
        """
        call = self._keyed(call)
        if not call.key:
            return await self._send(call)
        flow = sending(call, self.outage_s)
        step = next(flow)
        while not isinstance(step, Found):
            answer, error = None, None
            try:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                else:
                    answer = await self._send(step)
            except JobTrackerError as raised:
                error = raised
            step = flow.send(answer) if error is None else flow.throw(error)
        return step.value

    async def _send(self, call: Call[T]) -> T:
        request = self._request(call)
        try:
            try:
                response = await self._http.request(**request)
            except _CONNECTION_LOST:
                if call.method != "GET":
                    raise
                response = await self._http.request(**request)
        except httpx.TransportError as error:
            raise self._unanswered(call, error) from error
        return self._read(call, response)

    async def run(self, flow: Flow[T]) -> AsyncIterator[T]:
        """Go through a flow: send its calls, wait its pauses, listen to its events, yield what it finds."""
        stream = AsyncStream(self._http, self._transport())
        try:
            step = next(flow, None)
            while step is not None:
                answer, error = None, None
                try:
                    match step:
                        case Found(value):
                            yield value
                        case Pause(seconds):
                            await asyncio.sleep(seconds)
                        case Listen():
                            await stream.open(step)
                        case NextEvent():
                            answer = await stream.next_event()
                        case Call():
                            answer = await self.send(step)
                except JobTrackerError as raised:
                    error = raised
                step = _next(flow, answer, error)
        finally:
            await stream.close()

    async def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        """Wait until a job has settled, and return it; its status says whether it completed.

        Listens and looks as `watch` does, and raises what that raises.
        """
        *_, job = [job async for job in self.run(self._settling(job_id, timeout_s))]
        return job


def _next(flow: Flow[T], answer: Any, error: JobTrackerError | None) -> Step | Found[T] | None:
    """Give a flow the answer to its last step, or the error; its next step, None at its end."""
    try:
        return flow.send(answer) if error is None else flow.throw(error)
    except StopIteration:
        return None


def _host(url: str) -> str:
    """The host that a URL names.

    Raises:
        ApiError: It is no address of an API.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and parts.scheme in {"http", "https"} else None
    except ValueError:
        host = None
    if not host:
        raise ApiError(f"{url!r} (JOBTRACKER_URL) is no address of an API: it has to look like {DEFAULT_URL}.")
    return host
