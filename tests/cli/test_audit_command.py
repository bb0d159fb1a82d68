"""`jobtracker audit`, and the commands that change the store themselves."""

import pytest
from support.commands import document, lines, run, shown
from support.serving import job

from jobtracker.connection.client import connect
from jobtracker.schemas.audit import AuditFilter
from jobtracker.settings import Settings
from jobtracker.store.audit import AuditLog
from jobtracker.store.keys import Keys

pytestmark = pytest.mark.thorough

NO_API = "http://127.0.0.1:9"


def test_entries_are_listed_and_filtered(quiet_api):
    made = quiet_api.create(job("document_analysis", {"text": "x"}))["id"]
    quiet_api.post(made, "cancel")
    header, cancelled, created = lines(quiet_api, "audit", "--job", made)
    assert header.split() == ["TIME", "WHO", "ACTION", "TARGET", "COUNT", "OUTCOME", "FROM"]
    assert ("cancel_job" in cancelled, "done 200" in cancelled, made in cancelled) == (True, True, True)
    assert "create_job" in created
    assert len(lines(quiet_api, "audit", "--job", made, "--action", "create_job")) == 2
    assert len(lines(quiet_api, "audit", "--limit", "1")) == 2
    assert all(len(line) <= 80 for line in shown(quiet_api, "audit", "--job", made))
    assert document(quiet_api, "audit", "--job", made) == quiet_api.get("/api/audit", job=made)
    for no in (["--principal", "nobody"], ["--until", "1h"], ["--outcome", "failed"]):
        assert len(lines(quiet_api, "audit", "--job", made, *no)) == 1


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (("doctor", "--repair"), "repair_store"),
        (("repartition", "--to", "2"), "repartition_store"),
        (("doctor",), None),
        (("uninstall", "--yes"), None),  # it is removed with the rest
    ],
)
def test_commands_that_change_the_store_themselves_are_in_it(redis_server, keys, monkeypatch, command, action):
    monkeypatch.setenv("REDIS_URL", f"{redis_server.url}/15")
    monkeypatch.setenv("TRACKING_NAMESPACE", keys.namespace)
    with connect(f"{redis_server.url}/15", timeout_s=5) as client:
        client.sadd(Keys(keys.namespace).parts[0]("kinds"), "normal:custom")
        run(NO_API, *command)
        page = AuditLog(client, Keys(keys.namespace), Settings()).page(AuditFilter(), size=5)
        assert [(each.action, each.via, each.outcome) for each in page.entries] == (
            [(action, "cli", "done")] if action else []
        )
        assert all("@" in each.principal for each in page.entries)
        if command[0] == "uninstall":
            assert client.keys(f"{keys.namespace}:*") == []
        client.flushdb()
