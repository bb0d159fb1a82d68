"""Clients of the APIs under test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.clients_under_test import KINDS, AnyClient
from support.serving import Api

Connect = Callable[..., AnyClient]


@pytest.fixture(params=KINDS)
def connect(request) -> Iterator[Connect]:
    """Make clients of one kind; they are closed in the end."""
    made = []

    def make(*args: Any, **kwargs: Any) -> AnyClient:
        made.append(KINDS[request.param](*args, **kwargs))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def working(connect: Connect, api: Api) -> AnyClient:
    """A client of the API whose jobs are done."""
    return connect(str(api.http.base_url))


@pytest.fixture
def quiet(connect: Connect, quiet_api: Api) -> AnyClient:
    """A client of the API without a worker."""
    return connect(str(quiet_api.http.base_url))
