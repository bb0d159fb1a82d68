"""API keys in the store: what is stored of them, and what changes do."""

from datetime import UTC, datetime, timedelta

import pytest

from jobtracker.core.access import ROLES, Scope
from jobtracker.core.clock import now_ms
from jobtracker.errors import ApiKeyNotFoundError, TooManyApiKeysError
from jobtracker.schemas.api_keys import Grant, KeyState
from jobtracker.store.api_keys import ApiKeys, Credential
from jobtracker.store.keys import Keys
from jobtracker.store.sessions import Sessions


@pytest.fixture
def api_keys(client, keys) -> ApiKeys:
    return ApiKeys(client, keys)


def state(api_keys, text: str, at_ms: float | None = None) -> KeyState | None:
    known = api_keys.find(Credential.read(text))
    return known and known.state_at(now_ms() if at_ms is None else at_ms)


def test_a_key_is_found_by_its_whole_text_and_its_secret_is_not_stored(api_keys, client, keys):
    assert not api_keys.exist()
    issued = api_keys.create(Grant(owner="ada", role="operator", job_types=["mail"], tags=["eu"]))
    prefix, key_id, secret = issued.key.split("_")
    assert (prefix, key_id, len(bytes.fromhex(secret))) == ("jt", issued.id, 32)
    assert secret not in str(client.hgetall(keys("api_keys")))
    assert api_keys.exist()
    known = api_keys.find(Credential.read(issued.key)).key
    assert known == api_keys.get(issued.id) == api_keys.all()[0]
    assert (known.owner, known.job_types, known.tags, known.state) == ("ada", ["mail"], ["eu"], KeyState.ACTIVE)
    assert frozenset(known.scopes) == known.allowed == ROLES["operator"]
    last = "1" if secret[-1] == "0" else "0"
    assert api_keys.find(Credential.read(issued.key[:-1] + last)) is None
    assert api_keys.find(Credential.read(f"jt_{'0' * 12}_{secret}")) is None


@pytest.mark.parametrize(
    "text", ["", "jt_", "jt_1_2", "Bearer", f"jt_{'0' * 12}_{'g' * 64}", f"jt_{'0' * 12}_{'0' * 64}\n"]
)
def test_what_is_no_key_is_none(text):
    assert Credential.read(text) is None


def test_scopes_may_be_given_one_by_one(api_keys):
    issued = api_keys.create(Grant(owner="ci", scopes=[Scope.JOBS_CREATE]))
    assert api_keys.get(issued.id).allowed == {Scope.JOBS_CREATE}


def test_a_key_is_refused_from_its_end_on(api_keys):
    ends = datetime.now(UTC) + timedelta(days=1)
    issued = api_keys.create(Grant(owner="ada", role="viewer", expires_at=ends))
    end_ms = ends.timestamp() * 1000
    assert state(api_keys, issued.key, end_ms - 1) is KeyState.ACTIVE
    assert state(api_keys, issued.key, end_ms + 1) is KeyState.EXPIRED
    past = api_keys.create(Grant(owner="ada", role="viewer", expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert api_keys.get(past.id).state is KeyState.EXPIRED


def test_a_revoked_key_stays_revoked_and_in_the_list(api_keys):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    revoked = api_keys.revoke(issued.id)
    assert revoked.state is KeyState.REVOKED
    assert api_keys.revoke(issued.id) == revoked
    assert state(api_keys, issued.key) is KeyState.REVOKED
    assert state(api_keys, api_keys.rotate(issued.id, 60).key) is KeyState.REVOKED
    assert [each.id for each in api_keys.all()] == [issued.id]


def test_after_a_rotation_the_older_secrets_are_accepted_for_a_while(api_keys):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    second = api_keys.rotate(issued.id, 3600)
    until_ms = second.older_until.timestamp() * 1000
    assert second.id == issued.id
    assert state(api_keys, issued.key, until_ms - 1) is KeyState.ACTIVE
    assert state(api_keys, issued.key, until_ms + 1) is KeyState.EXPIRED
    assert state(api_keys, second.key, until_ms + 1) is KeyState.ACTIVE
    third = api_keys.rotate(issued.id, 7200)  # does not make the first one live longer
    assert state(api_keys, issued.key, until_ms + 1) is KeyState.EXPIRED
    assert state(api_keys, second.key, until_ms + 1) is KeyState.ACTIVE
    last = api_keys.rotate(issued.id, 0)
    assert [state(api_keys, each.key) for each in (issued, second, third)] == [KeyState.EXPIRED] * 3
    assert state(api_keys, last.key) is KeyState.ACTIVE
    api_keys.rotate(issued.id, 0)
    assert state(api_keys, third.key) is None  # what is over is not kept for ever


def test_a_forgotten_key_leaves_nothing(api_keys, client, keys):
    issued, other = (api_keys.create(Grant(owner="ada", role="viewer")) for _ in range(2))
    api_keys.note_use(api_keys.get(issued.id), 1)
    api_keys.revoke(issued.id)
    api_keys.forget(issued.id)
    assert issued.id not in str(client.hgetall(keys("api_keys"))) + str(client.hgetall(keys("api_keys_used")))
    assert [each.id for each in api_keys.all()] == [other.id]
    api_keys.forget(other.id)
    assert not api_keys.exist()


@pytest.mark.parametrize("act", ["get", "revoke", "forget", "rotate"])
@pytest.mark.parametrize("which", ["none", "secret", "revoked"])
def test_a_key_that_is_not_there_is_an_error(api_keys, client, keys, act, which):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    api_keys.revoke(issued.id)
    [secret] = [name for name in client.hkeys(keys("api_keys")) if ".secret." in name]
    key_id = {"none": "none", "secret": secret, "revoked": f"{issued.id}.revoked"}[which]
    with pytest.raises(ApiKeyNotFoundError, match=key_id):
        getattr(api_keys, act)(key_id, *([60] if act == "rotate" else []))


def test_there_may_be_only_so_many(api_keys, monkeypatch):
    monkeypatch.setattr("jobtracker.store.api_keys.MOST_KEYS", 2)
    for _ in range(2):
        api_keys.create(Grant(owner="ada", role="viewer"))
    with pytest.raises(TooManyApiKeysError, match="2 API keys already"):
        api_keys.create(Grant(owner="ada", role="viewer"))


def test_the_use_of_a_key_is_written_once_a_minute(api_keys):
    issued = api_keys.create(Grant(owner="ada", role="viewer"))
    seen = []
    for at_ms in (1_000_000, 1_059_999, 1_060_000):
        api_keys.note_use(api_keys.get(issued.id), at_ms)
        seen.append(api_keys.get(issued.id).last_used_at.timestamp() * 1000)
    assert seen == [1_000_000, 1_000_000, 1_060_000]


def test_keys_are_the_same_whatever_the_number_of_partitions(client, keys):
    issued = ApiKeys(client, Keys(keys.namespace, 1)).create(Grant(owner="ada", role="viewer"))
    assert ApiKeys(client, Keys(keys.namespace, 4)).find(Credential.read(issued.key)).key.id == issued.id


def test_a_session_ends_by_itself_and_its_cookie_is_not_stored(client, keys):
    sessions, shown = Sessions(client, keys), Credential("1", "2")
    token = sessions.open(shown, 60)
    assert sessions.find(token) == shown
    assert sessions.find("0" * 64) is None
    [key] = client.keys(f"{keys.namespace}:*session:*")
    assert token not in key
    assert 0 < client.ttl(key) <= 60
    sessions.close(token)
    assert sessions.find(token) is None
