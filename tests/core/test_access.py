"""The caller, and what they may do."""

import asyncio

import pytest

from jobtracker.core.access import ROLES, Principal, Scope, acting


def test_each_role_may_do_more_than_the_one_before():
    assert ROLES["viewer"] < ROLES["operator"] < ROLES["admin"] == set(Scope)


def test_only_admins_see_masked_values():
    assert [role for role, scopes in ROLES.items() if Scope.MASKED_READ in scopes] == ["admin"]


@pytest.mark.parametrize(
    ("job_types", "tags", "reached"),
    [
        (None, None, True),
        (("report",), None, True),
        (("other",), None, False),
        (None, ("nightly",), True),
        (None, ("weekly",), False),
        (("report",), ("weekly", "nightly"), True),
        (("other",), ("nightly",), False),
        ((), None, False),
        (None, (), False),
    ],
)
def test_a_limited_principal_reaches_jobs_of_its_types_and_tags_only(job_types, tags, reached):
    principal = Principal("ada", ROLES["viewer"], job_types=job_types, tags=tags)
    assert principal.reaches("report", ["nightly", "eu"]) is reached
    assert principal.limited is (job_types is not None or tags is not None)


def test_who_asks_is_known_in_threads_too():
    async def ask() -> Principal | None:
        acting.set(Principal("ada", ROLES["viewer"], key_id="k1"))
        return await asyncio.to_thread(acting.get)

    principal = asyncio.run(ask())
    assert principal is not None
    assert principal.key_id == "k1"
    assert acting.get() is None
