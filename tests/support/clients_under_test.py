"""Both clients, used in the same way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from jobtracker import AsyncClient, Client


class Awaited:
    """An `AsyncClient` whose methods are awaited here, so that a test can use it as it uses a `Client`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.client = AsyncClient(*args, **kwargs)
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.client, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            return self._each(result) if hasattr(result, "__anext__") else self._runner.run(result)

        return call

    def with_request_id(self, request_id: str) -> "Awaited":
        other = object.__new__(Awaited)
        other.client, other._runner = self.client.with_request_id(request_id), self._runner
        return other

    def with_idempotency_key(self, key: str) -> "Awaited":
        other = object.__new__(Awaited)
        other.client, other._runner = self.client.with_idempotency_key(key), self._runner
        return other

    def close(self) -> None:
        self._runner.run(self.client.aclose())
        self._runner.close()

    def _each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(items, None)

        while (item := self._runner.run(following())) is not None:
            yield item


AnyClient = Client | Awaited
KINDS: dict[str, Callable[..., AnyClient]] = {"sync": Client, "async": Awaited}
