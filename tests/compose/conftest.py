"""The stack that the checks of Docker Compose share."""

import time
from collections.abc import Iterator

import pytest
from support.compose_stack import Stack


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that runs when it is first asked for, and is gone in the end."""
    stack = Stack()
    failed_before, is_up = request.session.testsfailed, False
    try:
        stack.make("build")
        stack.began = time.time()
        stack.make("run")
        is_up = True
        yield stack
    finally:
        if not is_up or request.session.testsfailed > failed_before:
            with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
                print(stack.compose("logs", "--tail", "60"))  # noqa: T201 (pytest shows it with the failure)
        stack.remove()
