"""Checks that take too long are not waited for, nor begun twice."""

import threading

import pytest

from jobtracker.diagnosis.timely_checks import TimelyChecks
from jobtracker.schemas.health import Component


def test_what_takes_too_long_is_not_healthy_and_is_begun_once():
    goes_on, begun, checks = threading.Event(), [], TimelyChecks()

    def slow() -> Component:
        begun.append(1)
        goes_on.wait(60)
        return Component(healthy=True)

    parts = {"slow": slow, "quick": lambda: Component(healthy=True)}
    for _ in range(3):
        found = checks.run(parts, 0.05)
        assert [*found] == ["slow", "quick"]
        assert not found["slow"].healthy
        assert found["slow"].detail == "it has not answered within 0.05 s"
    assert len(begun) == 1
    goes_on.set()
    assert checks.run(parts, 60)["slow"].healthy


def test_what_a_check_raises_is_raised():
    def fails() -> Component:
        raise LookupError("as asked")

    with pytest.raises(LookupError, match="as asked"):
        TimelyChecks().run({"fails": fails}, 60)
