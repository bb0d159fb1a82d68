"""`jobtracker keys`: API keys in the store itself, without an API."""

import json

import pytest
from typer.testing import CliRunner

from jobtracker.cli.app import app
from jobtracker.connection.client import connect
from jobtracker.core.access import Scope
from jobtracker.store.api_keys import ApiKeys, Credential


@pytest.fixture
def run(redis_server, keys, client):
    environment = {"REDIS_URL": redis_server.url, "TRACKING_NAMESPACE": keys.namespace}

    def run(*arguments: str, status: int = 0):
        result = CliRunner().invoke(app, ["keys", *arguments], env=environment)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def api_keys(redis_server, keys):
    with connect(redis_server.url, 5) as client:
        yield ApiKeys(client, keys)


def test_the_key_alone_is_printed_and_what_it_is_beside_it(run, api_keys):
    made = run("create", "--owner", "ada", "--role", "operator", "--type", "mail", "--tag", "eu", "--expires", "90d")
    [text] = made.stdout.splitlines()
    known = api_keys.find(Credential.read(text)).key
    assert (known.owner, known.role, known.job_types, known.tags) == ("ada", "operator", ["mail"], ["eu"])
    assert round((known.expires_at - known.created_at).total_seconds()) == 90 * 86_400
    assert f"Key {known.id} of ada: operator. It is not shown again." in made.stderr


def test_scopes_instead_of_a_role(run, api_keys):
    made = json.loads(
        run("create", "--owner", "ci", "--scope", "jobs:create", "--scope", "jobs:read", "--json").stdout
    )
    assert api_keys.find(Credential.read(made["key"])).key.allowed == {Scope.JOBS_CREATE, Scope.JOBS_READ}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--owner", "x"], "give either a role or scopes"),
        (["--owner", "x", "--role", "admin", "--scope", "admin"], "give either a role or scopes"),
        (["--owner", "x", "--role", "king"], "role"),
        (["--owner", "", "--role", "admin"], "owner"),
        (["--owner", "x", "--scope", "all"], "jobs:read"),
        (["--role", "admin"], "--owner"),
    ],
)
def test_what_can_not_be_a_key_is_refused(run, api_keys, arguments, says):
    assert says in " ".join(run("create", *arguments, status=2).stderr.replace("│", " ").split())
    assert not api_keys.exist()


def test_the_list_shows_all_but_the_secrets(run):
    assert "There are no keys" in run("list").stderr
    text = run("create", "--owner", "ada", "--role", "viewer", "--type", "mail", "--tag", "eu").stdout.strip()
    shown = run("list").stdout
    assert shown.splitlines()[1].split()[1:7] == ["ada", "active", "viewer", "mail,", "tag", "eu"]
    assert text.split("_")[2] not in shown + run("list", "--json").stdout


def test_a_key_is_shown_whole_but_for_its_secret(run):
    made = run("create", "--owner", "ada", "--role", "viewer", "--type", "mail", "--tag", "eu", "--expires", "90d")
    _, key_id, secret = made.stdout.strip().split("_")
    shown = {" ".join(line[:10].split()): line[10:] for line in run("show", key_id).stdout.splitlines()}
    assert shown["owner"] == "ada"
    assert (shown["state"], shown["role"], shown["may"]) == ("active", "viewer", "jobs:read")
    assert (shown["job types"], shown["tags"], shown["used"]) == ("mail", "one of eu", "never")
    assert shown.keys() >= {"created", "expires"}
    run("revoke", key_id)
    assert "revoked" in run("show", key_id).stdout
    as_json = run("show", key_id, "--json").stdout
    assert json.loads(as_json)["job_types"] == ["mail"]
    assert secret not in as_json + str(shown)
    assert "There is no API key" in run("show", "none", status=1).stderr


def test_a_key_is_rotated_and_revoked(run, api_keys):
    first = run("create", "--owner", "ada", "--role", "viewer").stdout.strip()
    key_id = first.split("_")[1]
    rotated = run("rotate", key_id, "--overlap", "1h")
    assert "Older secrets are accepted until" in rotated.stderr
    second = rotated.stdout.strip()
    assert all(api_keys.find(Credential.read(each)) for each in (first, second))
    for listed in (run("revoke", key_id), run("list")):
        assert listed.stdout.splitlines()[1].split()[:4] == [key_id, "ada", "revoked", "viewer"]
    run("revoke", key_id, "--forget")
    assert not api_keys.exist()
    assert "There is no API key" in run("revoke", key_id, status=1).stderr
