"""`jobtracker webhooks …`."""

import re

import pytest
from support.commands import document, lines, refusal, run, said, shown
from support.receivers import receiving
from support.serving import eventually, running_api


@pytest.fixture(scope="module")
def telling_api(redis_server, tmp_path_factory):
    with running_api(
        tmp_path_factory.mktemp("telling"),
        redis_url=redis_server.url,
        redis_db=9,
        webhook_allowed_networks="127.0.0.0/8",
        webhook_timeout_s=2,
    ) as api:
        yield api


def test_a_webhook_from_its_creation_to_its_end(telling_api, tmp_path):
    api, template = telling_api, tmp_path / "slack.json"
    template.write_text('{"text": "${data.summary}"}')
    assert "There are no webhooks." in run(api, "webhooks", "list").stderr
    with receiving() as receiver:
        made = said(
            api, "webhooks", "create", receiver.url, "-e", "job.failed", "-e", "queue.older_than",
            "--type", "invoice", "--older-than", "10m", "--template", str(template), "--description", "on call",
        )  # fmt: skip
        webhook, secret = made.split()
        assert re.fullmatch(r"whsec_\S{44}", secret)
        assert lines(api, "webhooks", "test", webhook)[0].endswith("delivered: HTTP 204")
        assert receiver.received[0].verified(secret) == {"text": "This is a test by jobtracker."}
        header, line = lines(api, "webhooks", "list")
        assert header.split() == ["WEBHOOK", "STATE", "PENDING", "LAST", "EVENTS", "URL"]
        assert line.split()[:3] == [webhook, "works", "0"]
        assert all(len(each) <= 80 for each in shown(api, "webhooks", "list"))
        assert document(api, "webhooks", "list") == api.get("/api/webhooks")
        text = said(api, "webhooks", "show", webhook)
        assert ("older than  600 s" in text, "job types   invoice" in text, secret in text) == (True, True, False)
        assert document(api, "webhooks", "show", webhook) == api.get(f"/api/webhooks/{webhook}")
        [_, delivery] = lines(api, "webhooks", "deliveries", webhook)
        assert delivery.split()[1] == "delivered"
        assert document(api, "webhooks", "deliveries", webhook)["deliveries"][0]["event"] == "webhook.test"
        said(api, "webhooks", "redeliver", webhook, delivery.split()[0])
        eventually(lambda: len(receiver.received) == 2)
        assert said(api, "webhooks", "rotate", webhook, "--keep-old", "1h").split()[1] != secret
        assert "disabled" in said(api, "webhooks", "disable", webhook)
        assert "is disabled" in refusal(api, "webhooks", "test", webhook)
        assert "works" in said(api, "webhooks", "enable", webhook)
        receiver.answer = lambda _: (500, {})
        failed = run(api, "webhooks", "test", webhook)
        assert (failed.exit_code, "pending: It answered 500" in failed.stdout) == (1, True)
        assert "failing for" in said(api, "webhooks", "list")
        said(api, "webhooks", "delete", webhook, "--yes")
    assert "There is no webhook" in refusal(api, "webhooks", "show", webhook)


def test_what_can_t_be_says_why(telling_api):
    assert "no address of the internet" in refusal(
        telling_api, "webhooks", "create", "https://10.0.0.1/", "-e", "job.failed"
    )
    assert "job.begun" in refusal(telling_api, "webhooks", "create", "https://x.y/", "-e", "job.begun", status=2)
