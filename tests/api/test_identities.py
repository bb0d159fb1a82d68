"""The caller: by a key, a session, a trusted proxy, or because the request comes from this machine."""

import asyncio
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

import pytest
from support.liveness import wait_until

from jobtracker.core.access import ROLES, Scope
from jobtracker.errors import NotAuthenticatedError
from jobtracker.schemas.api_keys import Grant
from jobtracker.server.access.identities import ANONYMOUS, KEPT_S, Identities, Rules
from jobtracker.server.access.networks import client_of, networks_of
from jobtracker.server.access.recent import Recent
from jobtracker.store.api_keys import ApiKeys, Credential
from jobtracker.store.sessions import Sessions

HERE = "127.0.0.1"
_PROXIED = ("Via", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "Remote-User")
ROLES_OF = {"sre": "admin", "devs": "operator"}


@pytest.fixture
def api_keys(client, keys) -> ApiKeys:
    return ApiKeys(client, keys)


@pytest.fixture
def sessions(client, keys) -> Sessions:
    return Sessions(client, keys)


def asked(api_keys, sessions, peer: str | None = HERE, headers: dict[str, str] | None = None, **rules: str):
    """The caller, or why that is not known."""
    made = Rules(
        open_to=networks_of(rules.get("open_to", "")),
        proxies=networks_of(rules.get("proxies", "")),
        roles=ROLES_OF | ({"*": rules["everybody"]} if "everybody" in rules else {}),
    )
    scope = {
        "client": (peer, 50000) if peer else None,
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    try:
        return asyncio.run(Identities(api_keys, sessions, made).of(scope))
    except NotAuthenticatedError as error:
        return str(error)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    ("peer", "headers", "rules", "is_open"),
    [
        ("127.0.0.1", {}, {}, True),
        ("127.9.9.9", {}, {}, True),
        ("::1", {}, {}, True),
        ("::ffff:127.0.0.1", {}, {}, True),
        ("10.1.2.3", {}, {}, False),
        ("10.1.2.3", {}, {"open_to": "10.1.0.0/16"}, True),
        ("::ffff:10.1.2.3", {}, {"open_to": "10.1.0.0/16"}, True),
        ("10.2.2.3", {}, {"open_to": "10.1.0.0/16, 10.3.0.1"}, False),
        ("fe80::1%eth0", {}, {}, False),
        (None, {}, {}, False),
        ("testclient", {}, {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, {}, False),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, {}, False),
        *(("127.0.0.1", {name: "x"}, {}, False) for name in _PROXIED),
        ("127.0.0.1", {}, {"proxies": "10.0.0.0/8"}, False),
        ("127.0.0.1", {"Cookie": "jobtracker_session=old"}, {}, True),
    ],
)
def test_without_any_key_only_this_machine_and_named_networks_may_ask(
    api_keys, sessions, peer, headers, rules, is_open
):
    found = asked(api_keys, sessions, peer, headers, **rules)
    if is_open:
        assert found == ANONYMOUS
        assert Scope.MASKED_READ not in found.scopes
    else:
        assert "jobtracker keys create" in found


def test_once_there_is_a_key_nobody_may_ask_without_one(api_keys, sessions):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    assert "does not know who the caller is" in asked(api_keys, sessions)
    api_keys.revoke(issued.id)
    assert "does not know who the caller is" in asked(api_keys, sessions)
    api_keys.forget(issued.id)
    assert asked(api_keys, sessions) == ANONYMOUS


def test_who_shows_a_key_is_its_owner_wherever_they_are(api_keys, sessions):
    issued = api_keys.create(Grant(owner="ada", scopes=[Scope.JOBS_READ, Scope.JOBS_CREATE], job_types=["mail"]))
    found = asked(api_keys, sessions, "203.0.113.9", bearer(issued.key))
    assert (found.name, found.key_id, found.job_types, found.tags) == ("ada", issued.id, ("mail",), None)
    assert found.scopes == {Scope.JOBS_READ, Scope.JOBS_CREATE}
    assert asked(api_keys, sessions, headers={"authorization": f"bearer  {issued.key} "}) == found


def test_a_session_is_worth_what_its_key_is(api_keys, sessions):
    issued = api_keys.create(Grant(owner="ada", role="operator"))
    token = sessions.open(Credential.read(issued.key), 60)
    cookie = {"Cookie": f"theme=dark; jobtracker_session={token}; x=y"}
    found = asked(api_keys, sessions, "203.0.113.9", cookie)
    assert (found.name, found.scopes) == ("ada", ROLES["operator"])
    rotated = api_keys.rotate(issued.id, 0)
    assert "does not know who the caller is" in asked(
        api_keys, sessions, headers=cookie
    )  # its secret is not accepted now
    other = sessions.open(Credential.read(rotated.key), 60)
    assert asked(api_keys, sessions, headers={"Cookie": f"jobtracker_session={other}"}).name == "ada"
    sessions.close(other)
    assert "does not know who the caller is" in asked(
        api_keys, sessions, headers={"Cookie": f"jobtracker_session={other}"}
    )


@pytest.mark.parametrize(
    ("headers", "scopes"),
    [
        ({"X-Forwarded-User": "ada", "X-Forwarded-Groups": "sre, other"}, ROLES["admin"]),
        ({"X-Forwarded-User": "ada", "X-Forwarded-Groups": "devs"}, ROLES["operator"]),
        ({"X-Forwarded-User": "ada", "X-Forwarded-Groups": "other"}, frozenset()),
        ({"X-Forwarded-User": "ada"}, frozenset()),
    ],
)
def test_a_trusted_proxy_says_who_asks(api_keys, sessions, headers, scopes):
    found = asked(api_keys, sessions, "10.0.0.1", headers, proxies="10.0.0.1")
    assert (found.name, found.scopes, found.key_id) == ("ada", scopes, None)
    everybody = asked(api_keys, sessions, "10.0.0.1", headers, proxies="10.0.0.1", everybody="viewer")
    assert everybody.scopes == scopes | ROLES["viewer"]


def test_the_owner_of_a_key_is_not_the_user_of_a_proxy_who_is_called_the_same(api_keys, sessions):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    found = [
        asked(api_keys, sessions, "10.0.0.1", headers, proxies="10.0.0.1")
        for headers in (bearer(issued.key), {"X-Forwarded-User": "ada"})
    ]
    assert [each.name for each in found] == ["ada", "ada"]
    assert len({each.account for each in found}) == 2


def test_long_names_of_others_stay_different(api_keys, sessions):
    names = ["x" * 120 + end for end in ("a", "b")]
    found = [asked(api_keys, sessions, "10.0.0.1", {"X-Forwarded-User": name}, proxies="10.0.0.1") for name in names]
    assert len({each.account for each in found}) == 2
    assert all(len(each.name) == 100 for each in found)


@pytest.mark.parametrize(
    "pairs", [[], [("x-forwarded-user", "")], [("x-forwarded-user", "ada"), ("x-forwarded-user", "root")]]
)
def test_a_proxy_that_does_not_say_who_asks_is_not_believed(api_keys, sessions, pairs):
    scope = {"client": ("10.0.0.1", 1), "headers": [(name.encode(), value.encode()) for name, value in pairs]}
    identities = Identities(api_keys, sessions, Rules(proxies=networks_of("10.0.0.1"), roles={"*": "admin"}))
    with pytest.raises(NotAuthenticatedError, match="X-Forwarded-User once"):
        asyncio.run(identities.of(scope))


def test_others_than_listed_proxies_can_not_say_who_asks(api_keys, sessions):
    headers = {"X-Forwarded-User": "ada", "X-Forwarded-Groups": "sre"}
    assert "does not know who the caller is" in asked(api_keys, sessions, "10.0.0.2", headers, proxies="10.0.0.1")


def test_two_credentials_are_none(api_keys, sessions):
    scope = {"client": (HERE, 1), "headers": [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")]}
    with pytest.raises(NotAuthenticatedError, match="more than one"):
        asyncio.run(Identities(api_keys, sessions, Rules()).of(scope))


def test_a_key_that_expires_is_refused_from_then_on_though_it_was_just_looked_up(api_keys, sessions):
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    issued = api_keys.create(Grant(owner="ada", role="viewer", expires_at=soon))
    identities = Identities(api_keys, sessions, Rules())
    scope = {"client": (HERE, 1), "headers": [(b"authorization", f"Bearer {issued.key}".encode())]}

    async def ask() -> None:
        assert (await identities.of(scope)).name == "ada"
        await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.01)
        with pytest.raises(NotAuthenticatedError, match="is expired"):
            await identities.of(scope)

    asyncio.run(ask())
    assert KEPT_S > 0.3


def test_the_use_of_a_key_is_noted(api_keys, sessions):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    assert api_keys.get(issued.id).last_used_at is None
    asked(api_keys, sessions, headers=bearer(issued.key))
    first = api_keys.get(issued.id).last_used_at
    assert abs((datetime.now(UTC) - first).total_seconds()) < 60
    asked(api_keys, sessions, headers=bearer(issued.key))
    assert api_keys.get(issued.id).last_used_at == first


def test_what_is_looked_up_is_bounded_shared_and_not_kept_too_long():
    read: list[int] = []

    def look_up(key: int) -> int:
        read.append(key)
        if key < 0:
            raise ValueError(key)
        return key

    async def ask() -> None:
        recent = Recent(look_up, kept_s=60, most=3)
        assert await asyncio.gather(*(recent.get(1) for _ in range(20))) == [1] * 20
        assert read == [1]
        for key in (2, 3, 4):
            await recent.get(key)
        assert read == [1, 2, 3, 4]
        await recent.get(4)
        await recent.get(1)  # was dropped: three are kept
        assert read == [1, 2, 3, 4, 1]
        recent.forget()
        await recent.get(1)
        assert read == [1, 2, 3, 4, 1, 1]
        await recent.get(2)
        recent.forget(2)
        await recent.get(1)
        assert read == [1, 2, 3, 4, 1, 1, 2]
        await recent.get(2)
        assert read == [1, 2, 3, 4, 1, 1, 2, 2]
        for _ in range(2):
            with pytest.raises(ValueError, match="-1"):
                await recent.get(-1)
        assert read[-2:] == [-1, -1]
        short = Recent(look_up, kept_s=0, most=3)
        await short.get(7)
        await short.get(7)
        assert read[-2:] == [7, 7]

    asyncio.run(ask())


def test_what_another_thread_forgets_is_not_kept_though_it_was_just_looked_up():
    read: list[str] = []
    others: list[threading.Thread] = []

    class Kept(OrderedDict):
        """Another thread forgets everything just before an answer is kept."""

        def pop(self, *args):
            others.append(threading.Thread(target=recent.forget))
            others[-1].start()
            others[-1].join(0.2)
            return super().pop(*args)

    recent = Recent(read.append, kept_s=60, most=3)
    recent._kept = Kept()

    async def ask() -> None:
        await recent.get("key")
        for each in others:
            each.join()
        await recent.get("key")

    asyncio.run(ask())
    assert read == ["key", "key"]


def test_a_revoked_key_is_refused_after_some_seconds_at_the_latest(api_keys, sessions, monkeypatch):
    monkeypatch.setattr("jobtracker.server.access.identities.KEPT_S", 0.2)
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    identities = Identities(api_keys, sessions, Rules())
    scope = {"client": (HERE, 1), "headers": [(b"authorization", f"Bearer {issued.key}".encode())]}
    loop = asyncio.new_event_loop()

    def is_refused() -> bool:
        try:
            loop.run_until_complete(identities.of(scope))
        except NotAuthenticatedError as error:
            return "is revoked" in str(error)
        return False

    try:
        assert not is_refused()
        api_keys.revoke(issued.id)
        wait_until(is_refused)
    finally:
        loop.close()


PROXIES = networks_of("10.0.0.0/24,::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # no proxy of ours: it may say what it wants
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.5", ["192.0.2.7, 203.0.113.9"], "203.0.113.9"),  # the client wrote the first one itself
        ("10.0.0.5", ["192.0.2.7", "203.0.113.9, 10.0.0.6"], "203.0.113.9"),
        ("::ffff:10.0.0.5", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.5", ["203.0.113.9, unknown"], "10.0.0.5"),
        ("10.0.0.5", ["10.0.0.7"], "10.0.0.7"),
    ],
)
def test_where_a_request_came_from_is_what_trusted_proxies_say(peer, forwarded, client):
    headers = [(b"host", b"api"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    assert client_of({"client": (peer, 1), "headers": headers}, PROXIES) == client


def test_a_request_over_a_unix_socket_has_no_address():
    assert client_of({"client": None, "headers": []}, PROXIES) is None
