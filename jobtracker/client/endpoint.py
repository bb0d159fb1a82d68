"""What makes methods of both clients of a description of their call."""

from collections.abc import Callable, Coroutine
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from jobtracker.client.calls import Call

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """Marks a client whose methods return the answer, for type checkers."""


class Asynchronous:
    """Marks a client whose methods return a coroutine of the answer, for type checkers."""


class Endpoint(Generic[P, T]):
    """A method of both clients, made of one that describes its call."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        @wraps(describe)
        def method(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(describe(client, *args, **kwargs))

        self.__doc__ = describe.__doc__
        self._describe = describe
        self._method = method

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """The call that the method sends."""
        return self._describe(None, *args, **kwargs)

    @overload
    def __get__(self, client: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: Any = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Asynchronous, owner: Any = None) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: Any = None) -> Any:
        return self if client is None else MethodType(self._method, client)
