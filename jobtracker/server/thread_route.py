"""Routes run in threads: they wait for Redis, the broker and workers."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError, create_model

from jobtracker.server.conditional import conditional, tagged
from jobtracker.server.live.sharing import LAST_EVENT_ID, SharedAnswers, key_of
from jobtracker.server.strict_requests import Utf8Request, check_no_body, check_query

THREADS = 40
"""How many requests are processed at once. Others wait."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def use_threads() -> None:
    """Limit the number of threads of the running event loop."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "request"))


class ThreadRoute(APIRoute):
    """A route whose function runs in a thread, unless it is a coroutine. FastAPI's own way costs about twice as much.

    It refuses unknown query parameters, and a body if it reads none. Answers to GET have an ETag,
    and may be shared, except those of coroutines: these stream, or answer a part.

    If a route only takes parameters and returns a response, all parameters are read at once. FastAPI reads them one
    by one, which costs a list more than everything else that Python does for it. FastAPI still documents them.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        @functools.wraps(endpoint)
        async def in_thread(**arguments: Any) -> Any:
            return await asyncio.to_thread(endpoint, **arguments)

        if options["methods"] == ["GET"]:
            options["responses"] = {304: {"description": "It is as `If-None-Match` says."}, **options["responses"]}
        super().__init__(path, endpoint if inspect.iscoroutinefunction(endpoint) else in_thread, **options)

    def get_route_handler(self) -> Handler:
        """The function that answers a request."""
        answer = self._reading_at_once() if self._takes_parameters_alone() else super().get_route_handler()
        known = frozenset(each.alias for each in self.dependant.query_params)
        is_get = self.methods == {"GET"}
        may_have_body = bool(self.dependant.body_params)
        may_share = not inspect.iscoroutinefunction(inspect.unwrap(self.endpoint))

        async def read(request: Request) -> Response:
            return tagged(await answer(Utf8Request(request.scope, request.receive)))

        async def answer_get(request: Request) -> Response:
            check_query(request, known)
            seen = request.headers.get(LAST_EVENT_ID) if may_share else None
            if seen is None:
                return conditional(request, await read(request))
            shared: SharedAnswers = request.app.state.shared_answers
            return conditional(request, await shared.answer(key_of(request.scope), seen, lambda: read(request)))

        async def answer_what_is_known(request: Request) -> Response:
            check_query(request, known)
            if may_have_body:
                return await answer(Utf8Request(request.scope, request.receive))
            await check_no_body(request)
            return await answer(request)

        if is_get:
            return answer_get
        return answer_what_is_known

    def _takes_parameters_alone(self) -> bool:
        takes, answer = self.dependant, inspect.signature(self.endpoint).return_annotation
        others = (takes.body_params, takes.header_params, takes.cookie_params, takes.response_param_name)
        return not any(others) and inspect.isclass(answer) and issubclass(answer, Response)

    def _reading_at_once(self) -> Handler:
        of_path, of_query = _model("path", self.dependant.path_params), _model("query", self.dependant.query_params)
        uses: list[Any] = self.dependant.dependencies  # of `dependencies.py`: all they want is the request

        async def answer(request: Request) -> Response:
            arguments: dict[str, Any] = {each.name: await each.call(request) for each in uses}
            errors: list[Any] = []
            for model, given in ((of_path, request.path_params), (of_query, request.query_params)):
                arguments |= _read(model, given, errors)
            if errors:
                raise RequestValidationError(errors)
            response: Response = await self.endpoint(**arguments)
            return response

        return answer


def _model(where: str, parameters: Iterable[Any]) -> type[BaseModel]:
    """All parameters of the route."""
    fields: dict[str, Any] = {each.name: (each.field_info.annotation, each.field_info) for each in parameters}
    return create_model(where, **fields)


def _read(model: type[BaseModel], given: Mapping[str, str], errors: list[Any]) -> dict[str, Any]:
    """The parameters as they are declared."""
    try:
        return dict(model.model_validate(dict(given)))
    except ValidationError as error:
        errors += [{**each, "loc": (model.__name__, *each["loc"])} for each in error.errors()]
        return {}
