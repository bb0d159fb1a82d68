"""The audit: written before, completed after, kept within its bounds."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import RedisError

from jobtracker.core.access import Principal, Scope, acting
from jobtracker.schemas.audit import AuditFilter, AuditOutcome
from jobtracker.settings import Settings
from jobtracker.store.audit import AuditLog
from jobtracker.store.cursors import BadCursorError

ANY = AuditFilter()


def log_of(client, keys, **settings) -> AuditLog:
    return AuditLog(client, keys, Settings(**settings))


@contextlib.contextmanager
def asking(name):
    token = acting.set(Principal(name, frozenset(Scope), key_id="k1"))
    try:
        yield
    finally:
        acting.reset(token)


def test_an_entry_is_there_before_its_change_and_completed_after_it(client, keys):
    log = log_of(client, keys)
    with asking("ada"), log.recording("cli", "repair_store"):
        [entry] = log.page(ANY, size=10).entries
        assert (entry.principal, entry.key_id, entry.action, entry.via) == ("ada", "k1", "repair_store", "cli")
        assert entry.outcome is AuditOutcome.UNKNOWN
    [entry] = log.page(ANY, size=10).entries
    assert entry.outcome is AuditOutcome.DONE
    assert entry.took_ms is not None
    with pytest.raises(KeyError), log.recording("cli", "repair_store"):
        raise KeyError
    assert log.page(ANY, size=1).entries[0].outcome is AuditOutcome.FAILED


def test_a_change_is_not_carried_out_where_its_entry_can_t_be_written(client, keys):
    client.set(keys.parts[0]("audit"), "no stream")
    done = []
    with pytest.raises(RedisError), log_of(client, keys).recording("cli", "x"):
        done.append(1)
    assert done == []


def test_entries_are_found_by_every_filter_and_page_by_page(client, keys):
    log, ids = log_of(client, keys), []
    for n in range(7):
        with asking(f"p{n % 2}"):
            ids.append(log.begin("api", f"a{n % 3}", target=f"j{n}"))
        if n:
            log.end(ids[-1], AuditOutcome.DONE if n > 3 else AuditOutcome.REFUSED, status=200)
    now = datetime.now(UTC)
    for wanted, found in (
        (ANY, [6, 5, 4, 3, 2, 1, 0]),
        (AuditFilter(principal="p1"), [5, 3, 1]),
        (AuditFilter(action="a0"), [6, 3, 0]),
        (AuditFilter(job="j4"), [4]),
        (AuditFilter(outcome=AuditOutcome.UNKNOWN), [0]),
        (AuditFilter(outcome=AuditOutcome.REFUSED), [3, 2, 1]),
        (AuditFilter(since=now - timedelta(minutes=5)), [6, 5, 4, 3, 2, 1, 0]),
        (AuditFilter(since=now + timedelta(minutes=5)), []),
        (AuditFilter(until=now - timedelta(minutes=5)), []),
        (AuditFilter(until=now + timedelta(minutes=5), principal="p0"), [6, 4, 2, 0]),
    ):
        seen, cursor = [], None
        while True:
            page = log.page(wanted, size=2, cursor=cursor)
            seen += [int(entry.target[1:]) for entry in page.entries]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == found, wanted
    with pytest.raises(BadCursorError):
        log.page(ANY, size=2, cursor="x")


def test_the_oldest_go_where_there_are_too_many_and_that_is_said(client, keys):
    log = log_of(client, keys, audit_max_entries=5)
    for n in range(12):
        log.end(log.begin("api", "a", target=str(n)), AuditOutcome.DONE)
    page = log.page(ANY, size=50)
    assert [entry.target for entry in page.entries] == ["11", "10", "9", "8", "7"]
    assert page.cut_before is not None
    assert page.cut_before <= page.entries[-1].at
    assert client.hlen(keys.parts[0]("audit_ends")) == 5
    assert log.page(ANY, size=2).cut_before == page.cut_before


def test_what_is_too_old_goes_and_is_not_shown_meanwhile(client, keys):
    kept = log_of(client, keys)
    client.xadd(keys.parts[0]("audit"), {"begun": '{"via":"api","action":"old"}'}, id="1000-0")
    client.hset(keys.parts[0]("audit_ends"), "1000-0", '{"outcome":"done"}')
    assert kept.page(ANY, size=5).entries == []
    new = kept.begin("api", "new")
    assert [entry_id for entry_id, _ in client.xrange(keys.parts[0]("audit"))] == [new]
    assert client.hlen(keys.parts[0]("audit_ends")) == 0
    assert kept.page(ANY, size=5).cut_before is None
    kept.end("1000-0", AuditOutcome.DONE)  # it had gone: nothing is left behind
    assert client.hlen(keys.parts[0]("audit_ends")) == 0


def test_values_are_bounded(client, keys):
    log = log_of(client, keys)
    log.begin("api", "bulk", target="x" * 10_000, filter={"q": "y" * 10_000}, count=3)
    [entry] = log.page(ANY, size=1).entries
    assert len(entry.target) == 300
    assert entry.count == 3
    assert len(entry.filter["cut"]) == 1200
