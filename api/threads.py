"""Routes run in threads: they wait for Redis, the broker and workers."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi.routing import APIRoute

THREADS = 40
"""Requests that are worked on at once; others wait."""


def use_threads() -> None:
    """Give the running event loop its threads."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "request"))


class ThreadRoute(APIRoute):
    """A route whose function runs in a thread. FastAPI's own way to one and back costs about twice as much."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        @functools.wraps(endpoint)
        async def in_thread(**arguments: Any) -> Any:
            return await asyncio.to_thread(endpoint, **arguments)

        super().__init__(path, in_thread, **options)
