"""A backup is a whole store, though everybody goes on writing; a restore makes the same store of it."""

import io
import itertools
import threading
import uuid
from collections import defaultdict

import pytest
from redis.client import NEVER_DECODE
from support.backups import back_up, restore, restoring
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, a_worker, create_in, create_job, create_parent, new_job
from support.whole_stores import all_of, fill

from jobtracker.connection.client import connect, server_ms
from jobtracker.core.job import unique_id
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.errors import RestoreUnfinishedError
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.audit import AuditFilter
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.webhooks import StoredWebhook, WebhookEvent, WebhookSecret
from jobtracker.settings import Settings
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.audit import AuditLog
from jobtracker.store.backup import _TOGETHER, KEPT, LEFT_OUT, MADE_ANEW, WITH_JOBS, Backup
from jobtracker.store.backup_file import BackupWriter, Jobs, OtherKeys
from jobtracker.store.keys import PREFIXES, Keys
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import expect_partitions, partitions_of
from jobtracker.store.reader import JobQueries
from jobtracker.store.restore import RestoreError
from jobtracker.store.restored_jobs import ERROR_TYPE
from jobtracker.store.webhooks import WebhookStore
from jobtracker.store.writer import JobStore

DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def _known_partitions(client, keys):
    """The store says how many partitions it has, as a process does that uses it."""
    if len(keys.parts) > 1:
        expect_partitions(client, keys)


@pytest.fixture
def copy_keys(client, keys):
    """A namespace for the restored store."""
    there = Keys(f"copy-{uuid.uuid4().hex}", len(keys.parts))
    yield there
    if names := keys_of(client, there):
        client.unlink(*names)


@pytest.fixture
def copied(client, keys, copy_keys):
    """Backs the store up, and restores it beside itself."""

    def copied(**how):
        restore(client, copy_keys, back_up(client, keys), **how)
        assert recount(client, copy_keys) == []
        expect_partitions(client, copy_keys)
        return JobQueries(client, copy_keys)

    return copied


def packed(client, keys, job_id):
    return client.execute_command("GET", keys("job", job_id), **{NEVER_DECODE: True})


def test_what_becomes_of_each_key_is_decided_once():
    sets = (WITH_JOBS, MADE_ANEW, LEFT_OUT, KEPT)
    assert set().union(*sets) == PREFIXES.keys()
    assert sum(map(len, sets)) == len(PREFIXES)


def test_there_is_nothing_that_differs(client, keys, copy_keys, copied):
    fill(client, keys)
    queries, store = JobQueries(client, keys), JobStore(client, keys)
    for sub in queries.sub_ids("p"):
        store.notify_parent("p", sub, 1, queries.state(sub)[1])
    copied(keep_open=True)
    assert all_of(client, copy_keys) == all_of(client, keys)
    names = {key.partition("}:")[2] for key in keys_of(client, keys)}
    assert {key.partition("}:")[2] for key in keys_of(client, copy_keys)} ^ names <= {"partitions", "libraries"}


def test_bytes_and_times_to_live_are_as_they_were(client, keys, copy_keys, copied):
    store, queries = JobStore(client, keys), JobQueries(client, keys)
    job_id = create_in(store, Status.FAILED)
    store.append_log(
        job_id,
        [(n, "info", f"line {n} \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")) for n in range(5)],
    )
    part = keys.of(job_id)
    client.hset(part("data", job_id), "result", b"\xff\x00\xfe raw")
    create_job(store, "gone")
    store.delete("gone")
    copied()
    there = copy_keys.of(job_id)
    assert (
        client.execute_command("HGET", there("data", job_id), "result", **{NEVER_DECODE: True}) == b"\xff\x00\xfe raw"
    )
    assert JobQueries(client, copy_keys).log(job_id) == queries.log(job_id)
    tombstone = ("tombstone", "gone")
    assert client.pexpiretime(copy_keys(*tombstone)) == client.pexpiretime(keys(*tombstone)) > 0
    assert JobStore(client, copy_keys).create(new_job("gone")) == [Outcome.DELETED]


def test_what_has_expired_meanwhile_does_not_come_back(client, keys, copy_keys):
    create_job(JobStore(client, keys))
    mark = keys.parts[0]("settled", 1, "t")
    client.set(mark, "x", px=60_000)
    backup = back_up(client, keys)
    client.pexpire(mark, 60_000)
    assert restore(client, copy_keys, backup).figures.keys > 0
    assert client.get(copy_keys.parts[0]("settled", 1, "t")) == "x"
    client.set(mark, "x", px=30)
    short = back_up(client, keys)
    while client.exists(mark):
        pass
    restore(client, copy_keys, short)
    assert not client.exists(copy_keys.parts[0]("settled", 1, "t"))


def test_totals_and_the_series_that_they_lack_are_read_at_one_moment(client, keys):
    """A fold between two of them would count an hour twice, or never."""
    store = JobStore(client, keys)
    for n in range(4):
        create_in(store, Status.COMPLETED, type=f"t{n}")
    backup = Backup(client, keys)
    for part in keys.parts:
        for label in ("", "a", "b"):
            client.setrange(part("total", label), 9000, "x")
        client.sadd(part("labels"), "a", "b")
        names = backup._totals(part)
        assert {f"total:{label}" for label in ("", "a", "b")} <= set(names)
        found = list(backup._export_keys(part, names, at_once=_TOGETHER))
        assert len(found) == 1  # one entry is one call
        assert len(found[0].packed) == sum(client.exists(part.prefix + name) for name in names)


@pytest.mark.thorough
def test_large_families_and_logs_are_read_in_pieces(client, keys, copy_keys, copied):
    store = JobStore(client, keys, max_log_lines=2000)
    subs = [f"s{n}" for n in range(1100)]
    store.create(*(new_job(sub, parent="p", run=1) for sub in subs), new_job("p", subs=subs), at_ms=START_MS)
    store.append_log("p", [(n, "info", f"line {n}") for n in range(1100)])
    queries = copied(keep_open=True)
    assert queries.sub_ids("p") == subs
    assert len(queries.log("p", most=9999)) == 1100
    assert queries.record("p").subs == 1100
    assert queries.page(JobFilter(), size=1).total == 1101


def test_keys_webhooks_and_the_audit_come_along_and_sessions_do_not(client, keys, copy_keys, copied):
    create_job(JobStore(client, keys))
    issued = ApiKeys(client, keys).create(Grant(owner="ada", role="operator"))
    endpoint = StoredWebhook(
        id="wh_1", url="https://example.com/x", events=list(WebhookEvent), created_at="2026-11-01T00:00:00Z",
        secrets=[WebhookSecret(secret="whsec_c2VjcmV0")],
    )  # fmt: skip
    WebhookStore(client, keys).add(endpoint, 20)
    settings = Settings()
    entry = AuditLog(client, keys, settings).begin("api", "cancel_job", target="j")
    client.set(keys.parts[0]("session", "x"), "{}")
    copied()
    assert [key.id for key in ApiKeys(client, copy_keys).all()] == [issued.id]
    assert WebhookStore(client, copy_keys).all() == [endpoint]
    assert all(client.exists(part("announcing")) for part in copy_keys.parts)
    assert not client.exists(copy_keys.parts[0]("session", "x"))
    page = AuditLog(client, copy_keys, settings).page(AuditFilter(), size=9)
    assert [each.id for each in page.entries] == [entry]


# -- what had not ended ---------------------------------------------------------------------------------------------


def test_open_jobs_fail_nothing_is_sent_and_a_report_corrects_it(client, keys, copy_keys, copied):
    store = JobStore(client, keys)
    unsent, waiting, running = (create_job(store, name) for name in ("unsent", "waiting", "running"))
    for job_id in (waiting, running):
        store.apply(Event.ENQUEUE, job_id, at_ms=START_MS)
    store.apply(Event.START, running, run=1, attempt=0, at_ms=START_MS)
    done = create_in(store, Status.COMPLETED)
    store.hand_over([waiting])
    queries = copied()
    there = JobStore(client, copy_keys)
    assert [record.status for record in queries.records([unsent, waiting, running, done])] == [
        Status.PENDING, Status.FAILED, Status.FAILED, Status.COMPLETED,
    ]  # fmt: skip
    record = queries.record(waiting)
    assert record.error_type == ERROR_TYPE
    assert "restored from a backup of 20" in record.reason
    assert queries.get(waiting).error.type == ERROR_TYPE
    assert queries.unsent(2**53, 9) == queries.unconfirmed(2**53, 9) == []
    assert set(queries.unanswered(9)) == {waiting, running}
    assert there.apply(Event.START, waiting, run=1, attempt=0).applied
    assert there.apply(Event.COMPLETE, running, run=1, attempt=0).applied
    assert [record.status for record in queries.records([waiting, running])] == [Status.RUNNING, Status.COMPLETED]
    assert recount(client, copy_keys) == []


@pytest.mark.parametrize("policy", ["fail", "fail_fast", "continue"])
def test_a_parent_whose_sub_jobs_had_not_ended_is_not_called(client, keys, copy_keys, copied, policy):
    store = JobStore(client, keys)
    parent, (done, running) = create_parent(store, 2, policy=policy, callback_mode="own")
    for sub in (done, running):
        store.apply(Event.START, sub, run=1, attempt=0)
    store.apply(Event.COMPLETE, done, run=1, attempt=0)
    queries = copied()
    records = queries.records([parent, done, running])
    assert [record.status for record in records] == [Status.FAILED, Status.COMPLETED, Status.FAILED]
    assert records[0].error_type == ERROR_TYPE
    assert (records[0].subs_completed, records[0].subs_failed) == (1, 1)
    assert records[0].callback_mode == "own"
    assert records[0].run == 1


def test_a_failed_parent_that_was_about_to_open_again_is_not_called_either(client, keys, copy_keys, copied):
    store = JobStore(client, keys)
    parent, subs = create_parent(store, 2, callback_mode="own")
    for sub in subs:
        store.apply(Event.START, sub, run=1, attempt=0)
        store.apply(Event.FAIL if sub == subs[0] else Event.COMPLETE, sub, run=1, attempt=0)
        state = JobQueries(client, keys).state(sub)
        store.notify_parent(parent, sub, *state)
    assert JobQueries(client, keys).record(parent).inferred == "subs_failed"
    store.apply(Event.RERUN, subs[0])
    store.apply(Event.COMPLETE, subs[0], run=2, attempt=0)
    queries = copied()
    record = queries.record(parent)
    assert (record.status, record.error_type, record.subs_completed) == (Status.FAILED, ERROR_TYPE, 2)
    assert queries.unconfirmed(2**53, 9) == []


def test_with_keep_open_they_stay_as_they_were(client, keys, copy_keys, copied):
    store = JobStore(client, keys)
    parent, subs = create_parent(store, 2)
    store.apply(Event.START, subs[0], run=1, attempt=0)
    queries = copied(keep_open=True)
    for job_id in (parent, *subs):
        assert packed(client, copy_keys, job_id) == packed(client, keys, job_id)
    assert sorted(queries.unconfirmed(2**53, 9)) == sorted([parent, *subs])


# -- while others write ---------------------------------------------------------------------------------------------


def test_a_job_is_as_it_was_when_it_changed_last(client, keys, copy_keys):
    """Jobs that are created, settled and deleted between any two pieces of the backup."""
    store = JobStore(client, keys)
    old = [create_job(store, f"old{n}", at_ms=START_MS + n) for n in range(300)]
    now = server_ms(client, keys.parts[0]("probe"))
    created = []

    def meanwhile(n):
        if n > 3:
            return
        created.append(create_job(store, f"new{n}", at_ms=now))
        parent, subs = f"tree{n}", [f"tree{n}.{sub}" for sub in range(3)]
        store.create(*(new_job(sub, parent=parent) for sub in subs), new_job(parent, subs=subs), at_ms=now)
        store.apply(Event.ENQUEUE, old[n], at_ms=now)
        store.apply(Event.COMPLETE, old[n], run=1, at_ms=now)
        store.delete(old[100 + n])
        created.extend([parent, *subs])

    backup = back_up(client, keys, meanwhile=meanwhile)
    restore(client, copy_keys, backup, keep_open=True)
    assert recount(client, copy_keys) == []
    queries = JobQueries(client, copy_keys)
    assert [record.status for record in queries.records(old[:4])] == [Status.COMPLETED] * 4
    assert not any(record.exists for record in queries.records(old[100:104]))
    assert all(record.exists for record in queries.records(created))
    assert all(len(queries.sub_ids(f"tree{n}")) == 3 for n in range(4))


def test_of_two_jobs_with_one_unique_key_one_has_it(client, keys, copy_keys):
    store, digest = JobStore(client, keys), uuid.uuid4().hex[:20]
    first, second = (unique_id(str(uuid.uuid4()), digest) for _ in range(2))
    claim = f"{digest} pending,running,retrying 0"
    store.create(new_job(first, unique=claim, run=1))
    backup = Backup(client, keys)
    header = backup.header()
    entries = [each for each in backup.entries() if isinstance(each, Jobs)]
    store.apply(Event.COMPLETE, first, run=1)
    store.create(new_job(second, unique=claim, run=1))
    later = Backup(client, keys)
    later.header()
    entries += [each for each in later.entries() if isinstance(each, OtherKeys)]
    [call] = [part for part in keys.parts if part is keys.of(second)]
    entries += list(later._export(call, [second], set(), again=True))
    work = _restore_entries(client, copy_keys, header, entries)
    assert work.figures.without_key == 1
    assert recount(client, copy_keys) == []
    assert client.get(copy_keys("unique", digest)) == first


def _restore_entries(client, keys, header, entries):
    stream = io.BytesIO()
    writer = BackupWriter(stream, header)
    for entry in entries:
        writer.add(entry)
    writer.end({"moment_ms": START_MS})
    return restore(client, keys, stream.getvalue(), keep_open=True)


class Writers:
    """Threads that write all the time, each about jobs of its own; they note each record that a job has had."""

    COURSE = (Event.ENQUEUE, Event.START, Event.PROGRESS, Event.RETRY, Event.START, Event.COMPLETE)

    def __init__(self, url, keys, threads=2):
        self.keys = keys
        self.seen = defaultdict(set)
        self.failures = []
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert not self.failures

    def _run(self, number):
        try:
            with connect(self._url, 10) as client:
                self._write(client, JobStore(client, self.keys), number)
        except Exception as error:  # noqa: BLE001 (the test fails with it)
            self.failures.append(error)

    def _write(self, client, store, number):
        n = 0
        while not self._over.is_set():
            job_id, n = f"w{number}.{n}", n + 1
            store.create(new_job(job_id, type=f"t{n % 3}"))
            self.seen[job_id].add(packed(client, self.keys, job_id))
            for at, event in enumerate(self.COURSE):
                attempt = 1 if at > 3 else 0
                more = {} if event is Event.ENQUEUE else {"run": 1, "attempt": attempt}
                store.apply(event, job_id, fields={"progress_done": at}, **more)
                self.seen[job_id].add(packed(client, self.keys, job_id))
            name = f"f{number}.{n}"
            parent, subs = create_parent(store, 2, name=name)
            for sub in subs:
                store.apply(Event.START, sub, run=1, attempt=0)
                store.apply(Event.COMPLETE if n % 2 else Event.FAIL, sub, run=1, attempt=0)
                store.notify_parent(parent, sub, *JobQueries(client, self.keys).state(sub))
            if n % 5 == 0:
                store.delete(parent)


def _expect_each_record_was_seen(client, keys, copy_keys, writers):
    there = [key.partition("}:job:")[2] for key in keys_of(client, copy_keys) if "}:job:" in key]
    own = [job_id for job_id in there if job_id in writers.seen]
    assert own
    strange = [job_id for job_id in own if packed(client, copy_keys, job_id) not in writers.seen[job_id]]
    assert strange == []


def test_while_others_write_each_job_is_as_it_was_at_some_moment(client, redis_server, keys, copy_keys, request):
    url = request.getfixturevalue("cluster").url if request.config.getoption("--cluster") else redis_server.url
    store = JobStore(client, keys)
    store.create(*(new_job(f"o{n}", type=f"t{n % 5}") for n in range(400)), at_ms=START_MS)
    with Writers(url, keys) as writers:
        backup = back_up(client, keys)
    restore(client, copy_keys, backup, keep_open=True)
    assert recount(client, copy_keys) == []
    _expect_each_record_was_seen(client, keys, copy_keys, writers)
    restore(client, copy_keys, backup)
    assert recount(client, copy_keys) == []


@pytest.mark.thorough
@pytest.mark.parametrize("partitions", [3, 5])
def test_the_same_on_a_cluster(cluster, partitions):
    keys, there = (Keys(f"{name}-{uuid.uuid4().hex}", partitions) for name in ("test", "copy"))
    with connect(cluster.url, 10) as client:
        expect_partitions(client, keys)
        fill(client, keys)
        with Writers(cluster.url, keys) as writers:
            backup = back_up(client, keys)
        for keep_open in (True, False):
            restore(client, there, backup, keep_open=keep_open)
            assert recount(client, there) == []
            expect_partitions(client, there)
            if keep_open:
                _expect_each_record_was_seen(client, keys, there, writers)
        for name in (*keys_of(client, keys), *keys_of(client, there)):
            client.unlink(name)


# -- where it may be restored ---------------------------------------------------------------------------------------


def test_a_restore_that_was_broken_off_leaves_a_mark_and_is_begun_anew(client, keys, copy_keys):
    fill(client, keys)
    backup = back_up(client, keys)
    reader, work = restoring(client, copy_keys, backup)
    steps = itertools.count()

    def break_off():
        if next(steps) == 2:
            raise KeyboardInterrupt

    work.step = break_off
    with pytest.raises(KeyboardInterrupt):
        work.run(reader, keep_open=True)
    for look in (expect_partitions, partitions_of):
        with pytest.raises(RestoreUnfinishedError, match="restore --replace FILE"):
            look(client, copy_keys)
    _, again = restoring(client, copy_keys, backup)
    assert again.is_unfinished
    assert again.store_before() is not None
    restore(client, copy_keys, backup, keep_open=True)
    assert recount(client, copy_keys) == []
    expect_partitions(client, copy_keys)


def test_who_uses_a_store_that_is_being_restored_is_refused(client, keys, copy_keys, monkeypatch):
    monkeypatch.setattr("jobtracker.store.functions.CHECKED_EVERY_S", 0)
    create_job(JobStore(client, keys))
    backup = back_up(client, keys)
    user = JobStore(client, copy_keys, check=lambda: expect_partitions(client, copy_keys))
    reader, work = restoring(client, copy_keys, backup)

    def look():
        with pytest.raises(RestoreUnfinishedError):
            user.create(new_job("x"))

    work.step = look
    work.run(reader, keep_open=True)
    assert user.create(new_job("x")) == [Outcome.APPLIED]


def test_it_says_what_is_in_the_way(client, keys, copy_keys):
    store = JobStore(client, keys)
    create_in(store, Status.COMPLETED)
    backup = back_up(client, keys)
    _, work = restoring(client, copy_keys, backup)
    assert work.store_before() is None
    work.expect_unused()
    leases = Leases(client, copy_keys, lost_s=60)
    leases.renew(a_worker("w"))
    with pytest.raises(RestoreError, match=r"in use: these workers use it: w@test\. Stop the workers"):
        work.expect_unused()
    leases.release("w")
    client.set(copy_keys.parts[-1]("leader"), "1:x")
    with pytest.raises(RestoreError, match="an API or a worker does"):
        work.expect_unused()
    client.unlink(copy_keys.parts[-1]("leader"))
    assert work.store_before() is None
    there = JobStore(client, copy_keys)
    create_job(there, "other")
    create_job(there, "another")
    assert work.store_before() == 2
    restore(client, copy_keys, backup)
    assert not JobQueries(client, copy_keys).records(["other"])[0].exists
    assert recount(client, copy_keys) == []


def test_another_number_of_partitions_is_refused(client, keys):
    create_job(JobStore(client, keys))
    backup = back_up(client, keys)
    wanted = len(keys.parts) + 1
    with pytest.raises(
        RestoreError, match=rf"TRACKING_PARTITIONS is {wanted} here\. Set it to .* repartition --to {wanted}"
    ):
        restoring(client, Keys("x", wanted), backup)
