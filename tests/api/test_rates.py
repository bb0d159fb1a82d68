"""How often each may ask, and how many streams each may have."""

import httpx
import pytest
from support.api_under_test import QUIET_DB
from support.listening import Listening
from support.serving import eventually, problem_of, running_api

from jobtracker.errors import TooManyRequestsError
from jobtracker.schemas.api_keys import Grant
from jobtracker.server.access.rates import BURST_S, Rates, Streams
from jobtracker.store.api_keys import ApiKeys


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def refused_after(rates: Rates, name: str, most: int) -> tuple[int, int]:
    """How many requests are taken at once, and when to come again."""
    for count in range(most):
        try:
            rates.take(name)
        except TooManyRequestsError as error:
            return count, error.retry_after_s
    return most, 0


def test_each_may_send_so_many_at_once_and_then_as_many_as_time_allows():
    clock = Clock()
    rates = Rates(2, clock)
    assert refused_after(rates, "ada", 100) == (2 * BURST_S, 1)
    assert refused_after(rates, "bob", 100) == (2 * BURST_S, 1)
    clock.now += 1.5
    assert refused_after(rates, "ada", 100) == (3, 1)
    clock.now += 1000
    assert refused_after(rates, "ada", 100) == (2 * BURST_S, 1)


def test_a_refused_request_says_when_there_is_room_again():
    clock = Clock()
    rates = Rates(0.1, clock)
    assert refused_after(rates, "ada", 9) == (1, 10)
    clock.now += 9
    assert refused_after(rates, "ada", 9) == (0, 1)
    clock.now += 1
    assert refused_after(rates, "ada", 9)[0] == 1


def test_without_a_rate_nobody_is_refused():
    assert refused_after(Rates(0), "ada", 10_000) == (10_000, 0)


def test_what_is_known_of_each_is_bounded(monkeypatch):
    monkeypatch.setattr("jobtracker.server.access.rates._MOST_KNOWN", 3)
    rates = Rates(1, Clock())
    for number in range(100):
        rates.take(str(number))
    assert len(rates._buckets) == 3


def test_streams_are_counted_for_each():
    streams = Streams(2)
    for _ in range(2):
        streams.check("ada")
        streams.joined("ada")
    streams.check("bob")
    with pytest.raises(TooManyRequestsError, match="2 live streams"):
        streams.check("ada")
    streams.left("ada")
    streams.check("ada")
    streams.left("ada")
    assert not streams._open
    for _ in range(9):
        streams.check(None)
        streams.joined(None)


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB, api_rate_per_s=0.2, api_streams_each=1
    ) as api:
        yield api


def test_who_has_sent_too_many_is_told_when_to_come_again(api):
    for _ in range(10):
        assert api.http.get("/api/me").status_code == 200  # before there is a key nobody is counted
    keys = ApiKeys(api.client, api.keys)
    one, other, streaming = (
        {"Authorization": f"Bearer {keys.create(Grant(owner=name, role='viewer')).key}"} for name in ("a", "b", "s")
    )
    answers = [api.http.get("/api/me", headers=one) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 429, 429, 429]
    problem = problem_of(answers[-1], 429)
    assert problem["type"] == "urn:jobtracker:problem:too-many-requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
    assert api.http.get("/api/me", headers=other).status_code == 200
    assert api.http.get("/api/health", headers=one).status_code == 200
    eventually(lambda: api.http.get("/api/health").status_code == 429)  # nobody says who it is: the address counts
    for method in ("DELETE", "POST"):
        assert "127.0.0.1 sends more than" in problem_of(api.http.request(method, "/api/session"), 429)["detail"]

    with Listening(str(api.http.base_url).rstrip("/"), headers=streaming) as listening:
        listening.until(lambda each: each.last_id)
        answers: list[httpx.Response] = []

        def is_refused_for_its_streams() -> bool:
            answers.append(api.http.get("/api/events", headers=streaming, params={"for_s": 0.1}))
            return "1 live streams" in answers[-1].text

        eventually(is_refused_for_its_streams)
        problem_of(answers[-1], 429)
