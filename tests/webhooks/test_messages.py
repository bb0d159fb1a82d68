"""Messages, and what templates make of them."""

import json

import pytest

from jobtracker.webhooks.messages import (
    MOST_BYTES,
    TemplateError,
    body_of,
    check_template,
    events_of,
    job_data,
    message,
)

JOB = {"id": "j1", "type": "invoice", "status": "failed", "run": 1, "reason": 'KeyError: "x"\n\\', "tags": '["a"]'}


def test_a_message_says_what_is_known():
    told = json.loads(body_of(message("job.failed", job_data(JOB, None), 1000), None, is_json=True))
    assert told["type"] == "job.failed"
    assert told["timestamp"] == "1970-01-01T00:00:01Z"
    assert (told["data"]["id"], told["data"]["tags"], told["data"]["name"]) == ("j1", ["a"], "invoice")
    assert "worker" not in told["data"]
    assert told["data"]["summary"].startswith("invoice failed: KeyError")


def test_a_template_is_filled_and_what_it_makes_stays_json():
    template = '{"text": "$type of ${data.id}: ${data.reason} ${data.worker} $$5", "tags": "${data.tags}"}'
    check_template(template, is_json=True)
    made = json.loads(body_of(message("job.failed", job_data(JOB, None)), template, is_json=True))
    assert made == {"text": 'job.failed of j1: KeyError: "x"\n\\  $5', "tags": "a"}


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ('{"x": "$"}', "begins no placeholder"),
        ('{"x": "${data.nothing}"}', "data.nothing, which no message has"),
        ('{"x": "${data.__class__}"}', "begins no placeholder|no message has"),
        ('{"x": ${data.id}}', "no JSON"),
        ("text ${data.id}", "no JSON"),
    ],
)
def test_a_template_that_can_t_be_used_is_refused(template, why):
    with pytest.raises(TemplateError, match=why):
        check_template(template, is_json=True)


def test_the_template_of_a_mail_is_any_text():
    check_template("Subject of ${data.id}\n\n$type", is_json=False)
    assert body_of(message("job.failed", job_data(JOB, None)), "${data.id}\n$type", is_json=False) == "j1\njob.failed"
    assert "reason: KeyError" in body_of(message("job.failed", job_data(JOB, None)), None, is_json=False)


def test_a_body_is_bounded():
    template = json.dumps({"x": "${data.reason}" * 500})
    job = {**JOB, "reason": "r" * 5000}
    assert len(body_of(message("job.failed", job_data(job, None)), template, is_json=True)) < 500 * 201 + 20
    assert len(body_of(message("job.failed", job_data(job, None)), None, is_json=True)) < MOST_BYTES


@pytest.mark.parametrize(
    ("job", "events"),
    [
        ({"status": "completed"}, ["job.settled"]),
        ({"status": "cancelled"}, ["job.settled"]),
        ({"status": "failed"}, ["job.settled", "job.failed"]),
        ({"status": "failed", "lost": True}, ["job.settled", "job.failed", "job.lost"]),
        ({"status": "failed", "group_is": "new"}, ["job.settled", "job.failed", "failure_group.new"]),
        ({"status": "failed", "group_is": "regressed"}, ["job.settled", "job.failed", "failure_group.regressed"]),
    ],
)
def test_the_events_of_a_job(job, events):
    assert events_of(job) == events
