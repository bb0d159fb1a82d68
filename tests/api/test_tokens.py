"""Tokens of an OpenID Connect issuer, by a real HTTP server that plays it."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.liveness import wait_until

from jobtracker.core.access import ROLES
from jobtracker.errors import IssuerUnavailableError, NotAuthenticatedError
from jobtracker.schemas.api_keys import Grant
from jobtracker.server import ApiSettings
from jobtracker.server.access import issuer as issuers
from jobtracker.server.access.identities import Identities, Rules
from jobtracker.server.access.issuer import Issuer
from jobtracker.server.access.tokens import Tokens
from jobtracker.settings import SettingsError
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.sessions import Sessions

RSA_KEYS = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("first", "second")}
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ROLES_OF = {"sre": "admin", "devs": "operator"}


class Provider(ThreadingHTTPServer):
    """An issuer: its configuration and its keys, which tests change."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/realm"
        self.named = self.url
        self.keys = [public("first"), {**public("es"), "kid": "es"}]
        self.asked: list[str] = []
        self.is_away = False
        self.answers: dict[str, bytes] = {}
        """By path, instead of what it would answer."""
        self.goes_on = threading.Event()
        self.goes_on.set()


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        about = {"issuer": self.server.named, "jwks_uri": f"{self.server.url}/keys"}
        answers = {"/realm/.well-known/openid-configuration": about, "/realm/keys": {"keys": self.server.keys}}
        content = self.server.answers.get(self.path) or json.dumps(answers.get(self.path, {})).encode()
        self.server.goes_on.wait(60)
        self.send_response(503 if self.server.is_away else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def public(name: str) -> dict[str, Any]:
    if name == "es":
        return json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key()))
    return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEYS[name].public_key())), "kid": name, "use": "sig"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        thread = threading.Thread(target=provider.serve_forever, args=(0.01,))
        thread.start()
        yield provider
        provider.goes_on.set()
        provider.shutdown()
        thread.join()


@pytest.fixture
def who(provider, client, keys):
    """Whose a token is, or why that is not known."""
    rules = Rules(roles=ROLES_OF)
    tokens = Tokens(Issuer(provider.url), "jobtracker", "email", "realm_access.roles", rules.scopes_of)
    identities = Identities(ApiKeys(client, keys), Sessions(client, keys), rules, tokens)
    loop = asyncio.new_event_loop()

    def who(text: str | None) -> Any:
        headers = [(b"authorization", f"Bearer {text}".encode())] if text is not None else []
        try:
            return loop.run_until_complete(identities.of({"client": ("127.0.0.1", 1), "headers": headers}))
        except (NotAuthenticatedError, IssuerUnavailableError) as error:
            return str(error)

    yield who
    loop.close()


def token(provider: Provider, key: Any = RSA_KEYS["first"], algorithm: str = "RS256", kid: Any = "first", **claims):
    known = {
        "iss": provider.url,
        "aud": "jobtracker",
        "exp": time.time() + 60,
        "sub": "1",
        "email": "ada@example.com",
    }
    claims = {**known, "realm_access": {"roles": ["devs", "other"]}, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else {})


def test_a_token_says_who_asks_and_what_they_may_do(provider, who):
    found = who(token(provider))
    assert (found.name, found.scopes, found.key_id) == ("ada@example.com", ROLES["operator"], None)
    assert who(token(provider, realm_access={"roles": "sre devs"})).scopes == ROLES["admin"]
    for groups in (None, {}, {"roles": None}, {"roles": 5}, ["sre"]):
        assert who(token(provider, realm_access=groups)).scopes == frozenset()
    assert who(token(provider, email=None)).name == "1"
    assert who(token(provider, aud=["other", "jobtracker"])).name == "ada@example.com"
    assert who(token(provider, EC_KEY, "ES256", "es")).name == "ada@example.com"
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"aud": "another"}, "[Aa]udience"),
        ({"aud": None}, "aud"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "integer|number"),
        ({"nbf": 2**40}, "not yet valid"),
        ({"sub": None, "email": None}, "does not say who the caller is"),
        ({"key": RSA_KEYS["second"]}, "[Ss]ignature"),
        ({"key": EC_KEY, "algorithm": "ES256"}, "not accepted"),
        ({"kid": "second", "key": RSA_KEYS["second"]}, "has no such key"),
        ({"kid": None}, "has no such key"),
        ({"key": "a" * 32, "algorithm": "HS256"}, "algorithm is 'HS256'"),
        ({"key": None, "algorithm": "none"}, "algorithm is 'none'"),
    ],
)
def test_any_other_token_is_not_accepted(provider, who, changed, says):
    found = who(token(provider, **changed))
    assert isinstance(found, str)
    assert re.search(says, found)


def test_a_public_key_is_no_shared_secret(provider, who):
    """A token that is signed with the public key, as if it were one."""
    secret = RSA_KEYS["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = token(provider).split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').rstrip(b"=").decode()
    signature = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    text = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert "algorithm is 'HS256'" in who(text)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.b", "é.b.c", "x" * 20_000])
def test_what_is_no_token_is_refused(who, text):
    assert "not accepted" in who(text)


def test_api_keys_are_accepted_beside_tokens(client, keys, who):
    issued = ApiKeys(client, keys).create(Grant(owner="bob", role="viewer"))
    assert who(issued.key).name == "bob"


def test_with_an_issuer_this_machine_needs_a_token_too(who):
    assert "does not know who the caller is" in who(None)


def test_a_new_key_is_found_and_a_withdrawn_one_is_refused(provider, who, monkeypatch):
    assert who(token(provider)).name == "ada@example.com"
    provider.keys = [public("second")]
    new = token(provider, RSA_KEYS["second"], kid="second")
    assert "no such key" in who(new)  # it was asked a moment ago
    asked = len(provider.asked)
    for number in range(20):
        assert "no such key" in who(token(provider, kid=f"none {number}"))
    assert len(provider.asked) == asked
    monkeypatch.setattr(issuers, "ASKED_EVERY_S", 0)
    assert who(new).name == "ada@example.com"
    assert "no such key" in who(token(provider))


def test_while_the_issuer_is_away_known_keys_do_for_a_while(provider, who, monkeypatch):
    provider.is_away = True
    assert "can't be read" in who(token(provider))
    assert "can't be read" in who(token(provider))
    assert len(provider.asked) == 1
    monkeypatch.setattr(issuers, "ASKED_EVERY_S", 0)
    provider.is_away = False
    assert who(token(provider)).name == "ada@example.com"
    provider.is_away = True
    monkeypatch.setattr(issuers, "KEYS_KEPT_S", 0)
    assert who(token(provider)).name == "ada@example.com"
    monkeypatch.setattr(issuers, "KEPT_WHILE_AWAY_S", 0)
    assert "can't be read" in who(token(provider))


def test_a_configuration_of_another_issuer_is_not_believed(provider, who):
    provider.named = "https://other.example"
    assert "names another issuer" in who(token(provider))


def test_secret_and_private_keys_of_an_issuer_are_not_used(provider, who):
    provider.keys = [{"kty": "oct", "k": "AAAA", "kid": "first"}]
    assert "no such key" in who(token(provider))


def test_an_issuer_needs_an_audience():
    with pytest.raises(SettingsError, match="API_OIDC_AUDIENCE"):
        ApiSettings.from_env({"API_OIDC_ISSUER": "https://login.example"})


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_a_key_without_an_algorithm_is_for_all_of_its_kind(provider, who, algorithm):
    assert "alg" not in provider.keys[0]
    assert who(token(provider, algorithm=algorithm)).name == "ada@example.com"


@pytest.mark.parametrize("curve", [ec.SECP384R1, ec.SECP521R1])
def test_a_curve_has_one_algorithm(provider, who, curve):
    key = ec.generate_private_key(curve())
    provider.keys = [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": "first"}]
    algorithm = {"secp384r1": "ES384", "secp521r1": "ES512"}[curve.name]
    assert who(token(provider, key, algorithm)).name == "ada@example.com"
    assert "no such key for RS256" in who(token(provider))


def test_a_key_with_an_algorithm_is_for_that_alone(provider, who):
    provider.keys = [{**public("first"), "alg": "RS384"}]
    assert who(token(provider, algorithm="RS384")).name == "ada@example.com"
    assert "no such key for RS256" in who(token(provider))
    assert "no such key for PS384" in who(token(provider, algorithm="PS384"))


CONFIGURATION = "/realm/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (CONFIGURATION, b"[]"),
        (CONFIGURATION, b"nonsense"),
        (CONFIGURATION, b"\xff\xfe"),
        (CONFIGURATION, b"[" * 100_000),
        (CONFIGURATION, b'{"issuer": 5, "jwks_uri": "http://x"}'),
        (CONFIGURATION, b'{"issuer": "ISSUER"}'),
        (CONFIGURATION, b'{"issuer": "ISSUER", "jwks_uri": 5}'),
        (CONFIGURATION, b'{"issuer": "ISSUER", "jwks_uri": "http://[no"}'),
        (CONFIGURATION, b'{"issuer": "ISSUER", "jwks_uri": "http://x\\u0000y/"}'),
        (CONFIGURATION, b'{"issuer": "ISSUER", "jwks_uri": "file:///etc/passwd"}'),
        (CONFIGURATION, b'{"issuer": "ISSUER", "jwks_uri": ""}'),
        ("/realm/keys", b"null"),
        ("/realm/keys", b'{"keys": {}}'),
        ("/realm/keys", b" " * 1_100_000),
    ],
)
def test_an_issuer_that_answers_nonsense_is_away(provider, who, path, answer):
    provider.answers[path] = answer.replace(b"ISSUER", provider.url.encode())
    assert "can't be read" in who(token(provider))


@pytest.mark.parametrize(
    "key",
    [
        None,
        5,
        "key",
        {},
        {"kty": "RSA"},
        {"kty": "RSA", "n": 5, "e": [], "kid": "first"},
        {"kty": "RSA", "n": "AQAB", "e": "AA"},
        {"kty": ["RSA"], "kid": {}},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "?"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    ],
)
def test_a_key_that_is_none_does_not_keep_others_from_being_used(provider, who, key):
    provider.keys = [key, public("first"), key]
    assert who(token(provider)).name == "ada@example.com"
    assert "no such key" in who(token(provider, kid="other"))


def test_who_needs_a_known_key_does_not_wait_for_a_slow_issuer(provider, client, keys, monkeypatch):
    monkeypatch.setattr(issuers, "ASKED_EVERY_S", 0)
    monkeypatch.setattr(issuers, "READ_WITHIN_S", 60)
    tokens = Tokens(Issuer(provider.url), "jobtracker", "email", "groups", lambda _: frozenset())

    async def ask() -> None:
        await tokens.principal_of(token(provider))
        provider.goes_on.clear()
        others = [asyncio.create_task(tokens.principal_of(token(provider, kid="new"))) for _ in range(3)]
        await asyncio.to_thread(wait_until, lambda: len(provider.asked) == 3)
        for _ in range(10):
            assert (await tokens.principal_of(token(provider))).name == "ada@example.com"
        assert not any(each.done() for each in others)
        assert len(provider.asked) == 3  # once for all of them
        provider.goes_on.set()
        for each in others:
            with pytest.raises(NotAuthenticatedError, match="no such key"):
                await each

    asyncio.run(ask())


def test_nobody_waits_long_for_an_issuer_that_does_not_answer(provider, who, monkeypatch):
    monkeypatch.setattr(issuers, "READ_WITHIN_S", 0.2)
    provider.goes_on.clear()
    assert "did not answer within 0.2 s" in who(token(provider))


def test_keys_are_read_anew_before_anybody_has_to_wait(provider, who, monkeypatch):
    monkeypatch.setattr(issuers, "ASKED_EVERY_S", 0)
    assert who(token(provider)).name == "ada@example.com"
    monkeypatch.setattr(issuers, "_READ_AFTER", 0)
    provider.goes_on.clear()
    assert who(token(provider)).name == "ada@example.com"
    provider.goes_on.set()
    wait_until(lambda: bool(who(token(provider))) and len(provider.asked) >= 4)
