"""Routes run in threads: they wait for Redis, the broker and workers."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, get_origin

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from jobtracker.core.idempotency_key import HEADER, LONGEST_KEY
from jobtracker.server.access.needs import declared
from jobtracker.server.access.openapi import operation_of
from jobtracker.server.auditing import audited
from jobtracker.server.conditional import conditional, tagged
from jobtracker.server.live.sharing import LAST_EVENT_ID, SharedAnswers, is_by_clock, key_of
from jobtracker.server.strict_requests import Utf8Request, check_no_body, check_query

THREADS = 40
"""How many requests are processed at once. Others wait."""

_with_key: ContextVar[Request | None] = ContextVar("jobtracker_with_key", default=None)
"""The request that is answered, if it bears an Idempotency-Key."""

_KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "description": "Stands for this request, e.g. a UUID. Sent again with the same key, it is done once and answered "
    "the same, for a day.",
}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def use_threads() -> None:
    """Limit the number of threads of the running event loop."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "request"))


class ThreadRoute(APIRoute):
    """A route whose function runs in a thread, unless it is a coroutine. FastAPI's own way costs about twice as much.

    It declares what it needs (`access.needs`), which is checked before anything else.

    A POST that bears an `Idempotency-Key` is answered once, unless its function is a coroutine: by
    `app.state.answered_once`, when all that FastAPI looks at is found good.

    It refuses unknown query parameters, and a body if it reads none. Answers to GET have an ETag,
    and may be shared, except those of coroutines: these stream, or answer a part.

    If a route only takes parameters, or a model as its body, and returns a response, all is read at once. FastAPI
    reads them one by one, which costs a list more than everything else that Python does for it. FastAPI still
    documents them, and says what is wrong with a body.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        is_get = options["methods"] == ["GET"]
        status = options.get("status_code") or 200
        called = endpoint if is_get else audited(endpoint, status)

        @functools.wraps(endpoint)
        async def in_thread(**arguments: Any) -> Any:
            if (request := _with_key.get()) is None:
                return await asyncio.to_thread(called, **arguments)
            body, once = await request.body(), request.app.state.answered_once
            return await asyncio.to_thread(once, request, body, called, arguments, status)

        self.needs, options["dependencies"] = declared(path, options["dependencies"] or ())
        if self.needs.scope:
            options["openapi_extra"] = {**operation_of(self.needs.scope), **(options["openapi_extra"] or {})}
        if options["methods"] == ["POST"] and not inspect.iscoroutinefunction(endpoint):
            options["openapi_extra"] = _with_parameter(options.get("openapi_extra"))
            options["responses"] = _with_conflict(options["responses"])
        if is_get:
            options["responses"] = {304: {"description": "It is as `If-None-Match` says."}, **options["responses"]}
        super().__init__(path, called if inspect.iscoroutinefunction(endpoint) else in_thread, **options)

    def get_route_handler(self) -> Handler:
        """The function that answers a request."""
        answer = super().get_route_handler()
        if self._can_read_at_once():
            answer = self._reading_at_once(answer)
        names = _fields(self.dependant.query_params)
        known, repeatable = frozenset(info.alias or name for name, info in names.items()), _lists(names)
        is_get, is_post = self.methods == {"GET"}, self.methods == {"POST"}
        may_have_body = bool(self.dependant.body_params)
        function = inspect.unwrap(self.endpoint)
        may_share, by_clock = not inspect.iscoroutinefunction(function), is_by_clock(function)

        admit = self.needs

        async def read(request: Request) -> Response:
            return tagged(await answer(request))  # it keeps the query that `check_query` has read

        async def answer_get(request: Request) -> Response:
            await admit(request)
            check_query(request, known, repeatable)
            seen = request.headers.get(LAST_EVENT_ID) if may_share else None
            if seen is None:
                return conditional(request, await read(request))
            shared: SharedAnswers = request.app.state.shared_answers
            answered = shared.answer(key_of(request.scope), seen, lambda: read(request), by_clock=by_clock)
            return conditional(request, await answered)

        async def answer_what_is_known(request: Request) -> Response:
            await admit(request)
            check_query(request, known, repeatable)
            if may_have_body:
                request = Utf8Request(request.scope, request.receive)
            else:
                await check_no_body(request)
            if not (is_post and HEADER in request.headers):
                return await answer(request)
            token = _with_key.set(request)
            try:
                return await answer(request)
            finally:
                _with_key.reset(token)

        if is_get:
            return answer_get
        return answer_what_is_known

    def _can_read_at_once(self) -> bool:
        takes, answer = self.dependant, inspect.signature(self.endpoint).return_annotation
        others = (takes.header_params, takes.cookie_params, takes.request_param_name)
        reads_body = not takes.body_params or self._body() is not None
        return reads_body and not any(others) and inspect.isclass(answer) and issubclass(answer, Response)

    def _body(self) -> type[BaseModel] | None:
        """The model that the body is; None: the route takes none, or FastAPI has to find out which."""
        return _model_of(self.dependant.body_params)

    def _reading_at_once(self, fastapis: Handler) -> Handler:
        takes = self.dependant
        of_path, of_query = _model("path", takes.path_params), _model("query", takes.query_params)
        lists = _lists(_fields(takes.query_params))
        as_one = takes.query_params[0].name if _model_of(takes.query_params) else None
        uses: list[Any] = takes.dependencies  # of `dependencies.py`: all they want is the request
        of_body = self._body()

        async def answer(request: Request) -> Response:
            arguments: dict[str, Any] = {each.name: await each.call(request) for each in uses}
            errors: list[Any] = []
            query: dict[str, Any] = dict(request.query_params)
            query |= {name: request.query_params.getlist(name) for name in lists & query.keys()}
            for model, given in ((of_path, request.path_params), (of_query, query)):
                found = _read(model, given, errors)
                arguments |= {as_one: found} if as_one and model is of_query else dict(found or {})
            if of_body:
                body = await _read_body(of_body, request)
                if body is None or errors:
                    return await fastapis(request)
                arguments[takes.body_params[0].name] = body
            if errors:
                raise RequestValidationError(errors)
            if takes.response_param_name:
                arguments[takes.response_param_name] = _empty_response()
            response: Response = await self.endpoint(**arguments)
            return response

        return answer


async def _read_body(model: type[BaseModel], request: Request) -> BaseModel | None:
    """The body of a request; None: it is not as it should be."""
    if request.headers.get("content-type") != "application/json":  # FastAPI knows others
        return None
    try:
        return model.model_validate(await request.json())
    except (ValueError, RecursionError):
        return None


def _empty_response() -> Response:
    """Where a function puts headers of its answer."""
    response = Response()
    del response.headers["content-length"]
    return response


def _with_parameter(extra: dict[str, Any] | None) -> dict[str, Any]:
    parameters = [*(extra or {}).get("parameters", ()), _KEY_PARAMETER]
    return {**(extra or {}), "parameters": parameters}


def _with_conflict(responses: dict[int | str, Any]) -> dict[int | str, Any]:
    texts = [responses[409]["description"]] if 409 in responses else []
    texts.append("A request with this `Idempotency-Key` is being answered: ask again after `Retry-After` seconds.")
    conflict = {**responses.get(422, {}), **responses.get(409, {}), "description": " Or: ".join(texts)}
    return {**responses, 409: conflict}


def _model(where: str, parameters: Sequence[Any]) -> type[BaseModel]:
    """All parameters of the route."""
    fields = {name: (info.annotation, info) for name, info in _fields(parameters).items()}
    base = _model_of(parameters)
    return create_model(where, __base__=base) if base else create_model(where, **fields)  # type: ignore[call-overload] # by their names


def _model_of(parameters: Sequence[Any]) -> type[BaseModel] | None:
    """The model that all parameters are fields of, if the function takes them as one."""
    annotation = parameters[0].field_info.annotation if len(parameters) == 1 else None
    return annotation if inspect.isclass(annotation) and issubclass(annotation, BaseModel) else None


def _fields(parameters: Sequence[Any]) -> Mapping[str, FieldInfo]:
    """The parameters by name."""
    model = _model_of(parameters)
    return model.model_fields if model else {each.name: each.field_info for each in parameters}


def _lists(fields: Mapping[str, FieldInfo]) -> frozenset[str]:
    """Names of the parameters that may have several values."""
    return frozenset(name for name, info in fields.items() if get_origin(info.annotation) is list)


def _read(model: type[BaseModel], given: Mapping[str, Any], errors: list[Any]) -> BaseModel | None:
    """The parameters as they are declared."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        errors += [{**each, "loc": (model.__name__, *_place(each["loc"], given))} for each in error.errors()]
        return None


def _place(path: tuple[Any, ...], given: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a parameter is wrong: its name, and which of its values where it has several."""
    values = given.get(path[0]) if path else None
    return path[:1] if isinstance(values, list) and len(values) == 1 else path
