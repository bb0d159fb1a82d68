"""Every Redis key of jobtracker: name, type, writer, lifetime. Names of keys stand here only.

All keys begin with `<namespace>:{<partition>}:`, by default `jobtracker:{0}:`. The braces are a hash tag: on a
Redis Cluster a partition lies in one slot, so a command may touch any key of its own partition, and touches no other.
What else stands in them beside its number, as in `{1.234}`, chooses the slot (`tag_of`).
A partition is a whole store: records, indexes, counters, series, leases, its own leader's lock. A job's partition
follows from its id alone, not from its parent's. Keys that exist once for the whole store are in the first one.
"""

import functools
import itertools
import uuid
from binascii import crc32
from collections.abc import Callable, Sequence

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from jobtracker.core.job import place_of

PREFIXES: dict[str, str] = {
    # one job ---------------------------------------------------------------------------------------------------
    "job": "job:",
    # job:<id>       string  The record (`schema.JobRecord`), packed. Writer: every command. Until deleted.
    "data": "data:",
    # data:<id>      hash    The bulky part: payload, args, result, error, traceback. Writer: create, transition.
    "log": "log:",
    # log:<id>       stream  The job's own log: level, message; capped. Writer: append_log. Until the job is deleted.
    "history": "history:",
    # history:<id>   list    What the record does not say of its course, JSON; capped. Writer: every command.
    "executions": "executions:",
    # executions:<id> hash   Executions that the record does not name, and their fate; capped. Writer: transition.
    "subs": "subs:",
    # subs:<id>      zset    Sub-jobs of a parent, scored by their position. Writer: create. With the parent.
    "outcomes": "outcomes:",
    # outcomes:<id>  hash    sub-job -> "<run>:<status>" as the parent was last notified; "<run>.<reopened>:<status>"
    #                        of one in another partition that has left a terminal status. Writer: notify_parent. With
    #                        the parent.
    "tombstone": "tombstone:",
    # tombstone:<id> string  When (ms) the job was deleted: late reports must not bring it back, a message sent later
    #                        under its id does. Writer: delete, create. Expires.
    "bulk": "bulk:",
    # bulk:<id>      hash    Of a bulk run: state (JSON), who works at it (holder, held_until, ms), ids:<n> (JSON: the
    #                        jobs that it was given) and refused:<n> (JSON). Writer: BulkWriter. With the job.
    # indexes ---------------------------------------------------------------------------------------------------
    "type": "type:",
    # type:<t>       zset    Jobs of a type, scored by creation (ms).
    "entered": "entered:",
    # entered:<s>:<p>:<t> zset  Jobs of a status, priority and type, scored by when they came to that status (ms).
    #                        Their sizes are the counters: nothing has to be kept equal to a recount.
    "kinds": "kinds",
    # kinds          set     "<priority>:<type>" of all jobs there ever were. Writer: create, bulk_create, update. For
    #                        ever.
    # failures --------------------------------------------------------------------------------------------------
    "failure": "failure:",
    # failure:<g>    string  What is known of a group of failures, packed (`lua/lib/failures.lua`). Writer: commands
    #                        by which a job fails, mark_failure. At most 10,000, those that were seen last.
    "failed_by": "failed_by:",
    # failed_by:<g>  zset    The group's jobs that are failed now with its error, scored by when they failed (ms).
    #                        Writer: every command that moves a job. With the group.
    "failures": "failures",
    # failures       zset    Groups of failures, scored by when each was seen last (ms). With the group.
    "failure_counts": "failure_counts",
    # failure_counts zset    The same, scored by how many failures each has. With the group.
    # time series -----------------------------------------------------------------------------------------------
    "flow": "flow:",
    # flow:<hour>    string  How many jobs were created, completed, failed and cancelled in each minute
    #                        (`flow_series.py`). Expires.
    "settled": "settled:",
    # settled:<hour>:<t> string  Of settled jobs: numbers, ledgers, log-scale histograms (`histograms.py`). Expires,
    #                        once the totals have it.
    "released": "released:",
    # released:<day>:<bytes of r>:<r>:<t> string  Of settled jobs of a release and a type: outcomes and run times, as
    #                        "settled" has them. Writer: transition. Expires.
    "release_index": "release_index",
    # release_index  zset    What follows the prefix of all "released", scored by the day. No more than
    #                        MOST_RELEASE_SERIES: the oldest go with their series. Writer: transition.
    # totals ----------------------------------------------------------------------------------------------------
    "total": "total:",
    # total:<label>  string  The same as in "settled" of all time, in counters of 64 bits, but for what stands in the
    #                        series that are named in "unfolded" (`lua/lib/totals.lua`). The label is a type of
    #                        "named", or "" for all others. Writer: fold_totals, name_types, every command that moves
    #                        a job. For ever.
    "unfolded": "unfolded",
    # unfolded       set     "<hour>:<type>" of the series "settled" that the totals do not have yet. Writer: every
    #                        command that moves a job, fold_totals, name_types.
    "named": "named",
    # named          set     Types that are counted by their names, at most MOST_NAMED. Writer: create, bulk_create,
    #                        update, name_types. For ever.
    "labels": "labels",
    # labels         set     The same, and types that had been named before, at most MOST_LABELS: their totals stay.
    #                        Writer: the same. For ever.
    "counted": "counted",
    # counted        hash    "<what>:<label>" -> a number: "created" (with those that are there: all that were created
    #                        ever), "retried", "failed:<error type>". At most MOST_COUNTED. Writer: transition,
    #                        delete, prune, name_types. For ever.
    "maintained": "maintained",
    # maintained     string  When (ms) a round of maintenance ended last. Writer: LeadershipWriter. For ever.
    # queues ------------------------------------------------------------------------------------------------------
    "queues": "queues",
    # queues         zset    Names of the queues that jobs were sent to, scored by when (ms), to the minute. At most
    #                        MOST_QUEUES; "" stands for those that are left out then. Writer: create, bulk_create,
    #                        transition, notify_parent. A name is removed when nothing was sent there for as long as
    #                        settled jobs stay, and nothing waits there: forget_queues.
    "at_queue": "at_queue:",
    # at_queue:<n>:<queue> string  How many messages workers took from a queue in the n-th five minutes, and a
    #                        log-scale histogram of their waits (`queue_series.py`). Writer: transition. Expires after
    #                        some hours.
    "sent_to": "sent_to:",
    # sent_to:<n>:<queue> string  How many messages were sent there. Writer: create, bulk_create, transition,
    #                        notify_parent. Expires after some hours.
    "ended_at": "ended_at:",
    # ended_at:<n>:<queue> string  How many jobs ended whose messages had been taken from there. Writer: transition.
    #                        Expires after some hours.
    # the rest --------------------------------------------------------------------------------------------------
    "trash": "trash",
    # trash          set     Ids whose parent was deleted and who are still to be deleted. Writer: delete.
    "discarded": "discarded",
    # discarded      zset    Names of objects in the object store that no job needs any more, by since when (ms).
    #                        Writer: delete, prune, transition, create, update. A name leaves when its object is gone.
    "store_id": "store_id",
    # store_id       string  What the names of its objects begin with: several stores may share a bucket. Writer: the
    #                        first process that needs it. For ever.
    "types": "types",
    # types          hash    Job types that workers announced: name -> JSON. Writer: Registry. For ever.
    "leases": "leases",
    # leases         zset    Worker incarnations, scored by when their lease ends (ms). Writer: Leases.
    "lease": "lease:",
    # lease:<inc>    string  JSON of one worker: name, host, pid, pool, queues, … Writer: Leases. Expires.
    "worker": "worker:",
    # worker:<inc>   string  The same, until a day after its lease: who was lost, or has stopped. Writer: Leases.
    #                        Expires.
    "workers": "workers",
    # workers        zset    The last worker incarnations, a thousand at most, scored by when they were heard of
    #                        last (ms). Writer: Leases. A name leaves a day later.
    "drain": "drain:",
    # drain:<inc>    string  JSON: a worker was told to consume nothing, since when, and which queues it had. Writer:
    #                        Drains. Expires.
    "releases": "releases",
    # releases       zset    Releases (RELEASE_LABEL) that workers run or ran, scored by when one did last (ms). No
    #                        more than MOST_RELEASES. Writer: ReleaseLog. A name leaves when its jobs have left.
    "release_first": "release_first",
    # release_first  zset    The same, scored by when the first worker ran it (ms).
    "release_workers": "release_workers:",
    # release_workers:<r> zset  Names of its workers, scored by when they ran it last (ms). At most
    #                        MOST_RELEASE_WORKERS. Writer: ReleaseLog. Expires.
    "leader": "leader",
    # leader         string  The lock: "<term>:<leader>", who leads now. Writer: acquire_leadership. Expires.
    "terms": "terms",
    # terms          string  How often the lock was taken. Writer: acquire_leadership. For ever.
    "watched": "watched",
    # watched        string  Since when (ms) leaders have come by without a gap. Writer: acquire_leadership. Expires.
    "watching": "watching",
    # watching       string  There while somebody reads the hints. Writer: watch. Expires.
    "hints": "hints",
    # hints          stream  What changed, while that is watched (`lua/lib/hints.lua`); capped. Writer: watch, every
    #                        command. Expires, before "watching" does.
    "unsent": "unsent",
    # unsent         zset    Task ids that are recorded as sent, for a worker to send, by since when (ms). Writer:
    #                        bulk_create, hand_over, claim. Those of deleted jobs are removed when it is their turn.
    "draft": "draft:",
    # draft:<id>     hash    Jobs that are about to be recorded together, named after the root of their tree or the
    #                        first of them: number -> JSON of a part of them, no jobs yet. Writer: add_draft,
    #                        commit_draft, bulk_create. Expires, unless it is committed.
    "drafts": "drafts",
    # drafts         zset    Names of the drafts that are committed and not recorded to the end, by since when (ms).
    #                        Writer: commit_draft, bulk_create.
    "unconfirmed": "unconfirmed",
    # unconfirmed    zset    Task ids that are recorded as sent, and may not have been: their sender has not said yet.
    #                        Scored by when they were recorded (ms). Writer: create, transition, notify_parent,
    #                        confirm.
    "unnotified": "unnotified",
    # unnotified     zset    Jobs whose parent, or the next in whose chain, may not know yet that they are there,
    #                        have ended, or are open again. Scored by since when (ms). Writer: create, transition,
    #                        notify_parent, mark_parent_notified, mark_notified.
    "expiring": "expiring",
    # expiring       zset    Jobs that are not started after a time, by that time (ms). Writer: create,
    #                        look_at_expiry.
    #                        Settled and deleted jobs are removed when it is their turn.
    "unanswered": "unanswered",
    # unanswered     zset    Jobs that were taken for lost while Celery's result backend did not answer: it is asked
    #                        again. Scored by when they settled (ms); the last 10,000. Writer: transition, answered.
    "probe": "probe",
    # probe          never there: what a write that changes nothing names, which a server in trouble refuses.
    "partitions": "partitions",
    # partitions     string  How many the store has; not there: one; "<n>><m>" while it is moved from n to m of them,
    #                        "restoring:<n>" while it is restored. Writer: the first process, repartition, restore.
    #                        For ever.
    "libraries": "libraries",
    # libraries      zset    Function libraries that processes have used, scored by when they last said so (ms).
    #                        Writer: libraries. A name leaves when its library is removed.
    "examining": "examining",
    # examining      string  The examination that runs, JSON. Writer: Examinations. Expires when its process is gone.
    "examined": "examined",
    # examined       string  The last examination that ended, with what it found, JSON. Writer: Examinations. Expires.
    "unique": "unique:",
    # unique:<d>     string  The job that has a unique key (`lua/lib/unique.lua`). Writer: create, every command that
    #                        moves a job. Until it leaves the statuses for which it is unique, or expires.
    "answer": "answer:",
    # answer:<d>     string  JSON: a request with an Idempotency-Key, and its answer once there is one
    #                        (`kept_answers.py`). Writer: KeptAnswers. Expires after a day.
    "answering": "answering:",
    # answering:<d>  string  There while a process is about to answer it. Writer: KeptAnswers. Expires.
    "answers": "answers",
    # answers        zset    What follows the prefix of all "answer", scored by when it was asked for last (ms). At
    #                        most MOST_KEPT: the oldest go with their answers. Writer: KeptAnswers. Expires.
    "moved": "moved",
    # moved          set     Time series that were added to this partition's own. Writer: repartition. Until its end.
    "api_keys": "api_keys",
    # api_keys       hash    API keys: "<id>" -> JSON of the key; "<id>.revoked" -> when (ms); "<id>.secret.<SHA-256>"
    #                        -> "", or until when (ms) that secret is still taken. Writer: ApiKeys. Until forgotten.
    "api_keys_used": "api_keys_used",
    # api_keys_used  hash    Id of an API key -> when it was used last (ms), to the minute. Writer: ApiKeys.
    "session": "session:",
    # session:<SHA-256 of the cookie> string  JSON: which API key, and which secret of it, somebody has logged in
    #                        with. Writer: Sessions. Expires.
    "audit": "audit",
    # audit          stream  Who asked for which change, a JSON each; no more than AUDIT_MAX_ENTRIES, of
    #                        AUDIT_RETENTION_DAYS. Writer: append_audit.
    "audit_ends": "audit_ends",
    # audit_ends     hash    The id of an entry -> what became of it, JSON. Writer: append_audit. With the entry.
    "audit_cut": "audit_cut",
    # audit_cut      string  Up to when (ms) entries were removed because there were too many. Writer: append_audit.
    #                        Expires.
    # webhooks --------------------------------------------------------------------------------------------------
    "announcing": "announcing",
    # announcing     string  There while an endpoint of webhooks wants to know of jobs. Writer: Webhooks.
    "announcements": "announcements",
    # announcements  stream  Jobs that have settled meanwhile (`lua/lib/announcements.lua`), at most 50,000. Writer:
    #                        every command that settles a job. An entry leaves when its deliveries are noted.
    "unannounced": "unannounced",
    # unannounced    string  How many were left out, because there were so many. Writer: the same. While there are
    #                        endpoints.
    "webhooks": "webhooks",
    # webhooks       hash    Endpoints of webhooks: id -> JSON, with their secrets. Writer: Webhooks.
    "webhooks_disabled": "webhooks_disabled",
    # webhooks_disabled hash  Endpoints that jobtracker has disabled: id -> JSON, why and when. While they are.
    #                        Writer: settle_delivery.
    "webhook_deliveries": "webhook_deliveries:",
    # webhook_deliveries:<e> hash  What is to be sent to an endpoint, and was lately: id -> JSON
    #                        (`lua/lib/deliveries.lua`). Writer: enqueue_delivery, settle_delivery, redeliver. With
    #                        the endpoint; so are the six that follow.
    "webhook_pending": "webhook_pending:",
    # webhook_pending:<e> zset  Ids of those that are still to be sent, at most 5,000.
    "webhook_log": "webhook_log:",
    # webhook_log:<e> zset   Ids of those that were sent or given up, the last 1,000.
    "webhook_lanes": "webhook_lanes:",
    # webhook_lanes:<e> hash  What keeps them in order: job, or other subject -> pending ids.
    "webhook_due": "webhook_due:",
    # webhook_due:<e> zset   These subjects, by when (ms) their first delivery is sent next.
    "webhook_claims": "webhook_claims:",
    # webhook_claims:<e> hash  Those that a process sends now, and until when (ms) it has time for that.
    "webhook_state": "webhook_state:",
    # webhook_state:<e> hash  Since when it fails, when it took the last delivery, how many were dropped.
    "webhook_conditions": "webhook_conditions",
    # webhook_conditions hash  "<endpoint>:<condition>:<queue or worker>" -> since when that holds, and whether it was
    #                        told. Writer: Webhooks.
    "webhook_lock": "webhook_lock",
    # webhook_lock   string  The process that looks for such conditions now. Writer: Webhooks. Expires.
    "quota": "quota:",
    # quota:<who>    hash    Jobs that somebody has created and that were pending when that was looked at last: id ->
    #                        "<bytes of its payload>:<when (ms)>"; "" -> all these bytes together. Writer:
    #                        hold_pending, release_pending. Expires.
    "dropped": "dropped",
    # dropped        hash    reports -> how many were given up, last -> when (ms). Writer: store. For ever.
}

MOST_QUEUES = 500
"""So many names of queues a partition knows: a project may have one for each of its customers."""

MOST_RELEASE_SERIES = 10_000
"""Days of a type and a release of which a partition has the figures: at most some 30 MB."""

MOST_RELEASES, MOST_RELEASE_WORKERS = 200, 1000
"""Releases that are known, and workers of each: a label may be new at each start, and so may the names of workers."""

MOST_NAMED, MOST_LABELS = 200, 400
"""So many types are counted by name, and were ever, each in some KB; all others together."""

MOST_COUNTED = 5000
"""Fields of "counted": an error's name may be made up."""

LET_GO = "none"
"""In the place of a job's lease: the worker that had it does not run it any more, and does not know how it ended."""

PROCESS_GONE = "gone"
"""The same, for a lost process."""

RELEASED = frozenset({LET_GO, PROCESS_GONE})
"""What stands for the lease of a worker that lives and does not run the job any more."""

NOBODY = "nobody"
"""In the place of a lease that must still hold a job: none does."""


OF_ONE_JOB = frozenset(
    {
        "job",
        "data",
        "log",
        "history",
        "executions",
        "subs",
        "outcomes",
        "bulk",
        "tombstone",
        "answer",
        "answering",
        "unique",
    }
)
"""Names of the keys that begin with a job's id, or with what else decides in that way where they lie."""

OF_ENDPOINTS = (
    "webhook_deliveries",
    "webhook_pending",
    "webhook_log",
    "webhook_lanes",
    "webhook_due",
    "webhook_claims",
    "webhook_state",
)
"""Names of the keys that each endpoint of a webhook has."""

OF_THE_STORE = frozenset(
    {
        "types",
        "dropped",
        "partitions",
        "libraries",
        "store_id",
        "worker",
        "workers",
        "drain",
        "releases",
        "release_first",
        "release_workers",
        "examining",
        "examined",
        "api_keys",
        "api_keys_used",
        "session",
        "quota",
        "audit",
        "audit_ends",
        "audit_cut",
        "webhooks",
        "webhooks_disabled",
        *OF_ENDPOINTS,
        "webhook_conditions",
        "webhook_lock",
    }
)
"""Names of the keys of which the first partition has the only one."""


@functools.cache
def tag_of(number: int) -> str:
    """The hash tag of a partition; servers that have even shares of the slots have even shares of the partitions.

    By its number alone, two of three would lie on one of three servers. Up to six, and eight, fall one on each of as
    many servers; of more of them, each further one lies in the middle between two.
    """
    if number == 0:
        return "0"
    # Van der Corput's sequence, from the slot of the first one on; from the fourth one on each level of it backwards.
    bits = f"{number if number < 4 else number ^ (1 << number.bit_length() - 1) - 1:b}"
    wanted = key_slot(b"0") + int(bits[::-1], 2) * REDIS_CLUSTER_HASH_SLOTS // (1 << len(bits))
    tags = (f"{number}.{n}" for n in itertools.count())
    return next(tag for tag in tags if 0 <= (key_slot(tag.encode()) - wanted) % REDIS_CLUSTER_HASH_SLOTS < _NEAR)


_NEAR = 64
"""Slots: so far from where it should be, at most, a partition may lie."""


class Partition:
    """Key names of one partition.

    Attributes:
        number: Which one, from 0.
        prefix: What every key in it begins with.
    """

    __slots__ = ("number", "prefix")

    def __init__(self, namespace: str, number: int) -> None:
        self.number = number
        self.prefix = f"{namespace}:{{{tag_of(number)}}}:"

    def __call__(self, name: str, *parts: object) -> str:
        """The key of that name in `PREFIXES`, e.g. `part("entered", "failed", "low", "custom")`."""
        return self.prefix + PREFIXES[name] + ":".join(map(str, parts))


class Keys:
    """Key names of a store.

    Args:
        namespace: What all of them begin with.
        partitions: How many partitions it has.

    Attributes:
        parts: The partitions.
    """

    def __init__(self, namespace: str = "jobtracker", partitions: int = 1) -> None:
        self.namespace = namespace
        self.parts = tuple(Partition(namespace, number) for number in range(partitions))
        self._only = self.parts[0] if partitions == 1 else None

    def of(self, job_id: str) -> Partition:
        """The partition of a job."""
        return self._only or self.parts[crc32(place_of(job_id).encode(errors="replace")) % len(self.parts)]

    def are_together(self, job_id: str, other_id: str) -> bool:
        """Whether two jobs lie in one partition."""
        return self._only is not None or self.of(job_id) is self.of(other_id)

    def new_id(self, beside: str | None = None) -> str:
        """An id for a job, a UUID; one that lies in the same partition as another job."""
        return self.placed(str(uuid.uuid4()), beside)

    def placed(self, new_id: str, beside: str | None) -> str:
        """An id, a UUID, or one like it that lies in the same partition as another job."""
        if self._only or beside is None:
            return new_id
        wanted, head, tail = self.of(beside), new_id[:28], int(new_id[28:], 16)
        while self.of(new_id) is not wanted:  # about as many times as there are partitions
            tail = (tail + 1) % 2**32
            new_id = f"{head}{tail:08x}"
        return new_id

    def share_out(
        self, ids: Sequence[str], job_id_of: Callable[[str], str] | None = None
    ) -> dict[Partition, list[str]]:
        """Jobs by the partition in which each lies, in their order; of partitions with none nothing.

        Args:
            ids: Ids of jobs, or of something else.
            job_id_of: Tells the job then.
        """
        if self._only:
            return {self._only: list(ids)} if ids else {}
        shares: dict[Partition, list[str]] = {}
        for each in ids:
            shares.setdefault(self.of(job_id_of(each) if job_id_of else each), []).append(each)
        return shares

    def __call__(self, name: str, *parts: object) -> str:
        """The key of that name in `PREFIXES` where it can be only one, e.g. `keys("job", job_id)`.

        Raises:
            ValueError: Each of several partitions has one.
        """
        if self._only:
            return self._only(name, *parts)
        if name in OF_ONE_JOB:
            return self.of(str(parts[0]))(name, *parts)
        if name in OF_THE_STORE:
            return self.parts[0](name, *parts)
        raise ValueError(f"each partition has its own {name}")
