"""GET and POST /api/tracking/examination, and the repair after it."""

import pytest
from support.serving import eventually

pytestmark = pytest.mark.thorough

PATH = "/api/tracking/examination"


def test_an_examination_is_started_watched_and_repaired_after(quiet_api):
    quiet_api.client.zadd(quiet_api.keys("entered", "failed", "normal", "custom"), {"j": 1})
    begun = quiet_api.request("POST", PATH, 202)
    assert (begun["state"], begun["repair"]) == ("running", False)
    eventually(lambda: (quiet_api.get(PATH)["last"] or {}).get("id") == begun["id"])
    [group] = [each for each in quiet_api.get(PATH)["last"]["result"]["differences"] if each["flaw"] == "stray"]
    assert (group["count"], group["repaired"]) == (1, 0)
    eventually(lambda: quiet_api.get(PATH)["current"] is None)
    repair = quiet_api.request("POST", f"{PATH}/repair", 202, json={"examination_id": begun["id"]})
    eventually(lambda: (quiet_api.get(PATH)["last"] or {}).get("id") == repair["id"])
    assert quiet_api.client.zscore(quiet_api.keys("entered", "failed", "normal", "custom"), "j") is None


def test_a_repair_of_what_nobody_has_seen_is_a_conflict(quiet_api):
    problem = quiet_api.problem("POST", f"{PATH}/repair", 409, json={"examination_id": "unheard-of"})
    assert problem["type"] == "urn:jobtracker:problem:examination"
    assert "not unheard-of" in problem["detail"]
    quiet_api.problem("POST", f"{PATH}/repair", 422, json={})
