"""A live stream ends when who listens may not do so any more."""

from pathlib import Path

import pytest
from support.api_under_test import QUIET_DB
from support.listening import Listening
from support.sample_jobs import create_job
from support.serving import eventually, running_api

from jobtracker.schemas.api_keys import Grant
from jobtracker.store.api_keys import ApiKeys, Credential
from jobtracker.store.sessions import Sessions


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    command = ["uvicorn", "watchful_api:create_app", "--factory", "--app-dir", str(Path(__file__).parent)]
    with running_api(api_log_dir, command=command, redis_url=redis_server.url, redis_db=QUIET_DB) as api:
        yield api


def ended(each: Listening) -> bool:
    return each.has_ended


def test_a_stream_ends_with_its_key_its_session_or_the_limits_that_it_kept_to(api):
    url, keys = str(api.http.base_url).rstrip("/"), ApiKeys(api.client, api.keys)
    anonymous = Listening(url).until(lambda each: each.last_id)
    revoked, kept, logged_in = (keys.create(Grant(owner=name, role="viewer")) for name in ("ada", "bob", "cy"))
    tagged = keys.create(Grant(owner="dee", role="viewer", tags=["eu"]))
    job = create_job(api.store, tags='["eu"]')
    sessions = Sessions(api.client, api.keys)
    session = sessions.open(Credential.read(logged_in.key), 60)
    with (
        Listening(url, headers={"Authorization": f"Bearer {revoked.key}"}) as of_revoked,
        Listening(url, headers={"Authorization": f"Bearer {kept.key}"}) as of_kept,
        Listening(url, headers={"Cookie": f"jobtracker_session={session}"}) as of_session,
        Listening(url, headers={"Authorization": f"Bearer {tagged.key}"}, job_id=job) as of_tagged,
    ):
        anonymous.until(ended)  # there is a key now
        streams = (of_revoked, of_kept, of_session, of_tagged)
        for each in streams:
            each.until(lambda stream: stream.last_id)
        keys.revoke(revoked.id)
        of_revoked.until(ended)
        sessions.close(session)
        of_session.until(ended)
        api.store.update(job, fields={"tags": '["us"]'})
        of_tagged.until(ended)
        heard = len(of_kept.ids)
        create_job(api.store)
        eventually(lambda: len(of_kept.ids) > heard)
        assert [each.has_ended for each in streams] == [True, False, True, True]
