"""Recounts everything that the store keeps beside its records: indexes, counters, families, and what is left over."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from jobtracker.connection.client import RedisClient
from jobtracker.core.lifecycle import SETTLED
from jobtracker.store.keys import PREFIXES, Keys, Partition
from jobtracker.store.schema import DATA_FIELDS, PLACES
from support.raw_records import group_of, name_of, places

MOST_EXECUTIONS = 100
INDEXES = ("type", "entered", "failed_by")
Records = dict[str, dict[str, str]]
OF_ONE_JOB = ("data", "log", "history", "executions", "subs", "outcomes")


def keys_of(client: RedisClient, keys: Keys) -> list[str]:
    """Every key of a namespace."""
    return sorted(set(client.scan_iter(match=f"{keys.namespace}:{{*", count=1000)))


def names_of(client: RedisClient, keys: Keys) -> list[str]:
    """What follows the prefix in every key of a namespace."""
    return [key.partition("}:")[2] for key in keys_of(client, keys)]


def recount(client: RedisClient, keys: Keys) -> list[str]:
    """The differences between what the records say and what stands beside them: [] where all is well."""
    there = keys_of(client, keys)
    names = {part: _by_name(there, part) for part in keys.parts}
    records = {part: _records(client, part, own["job"]) for part, own in names.items()}
    everywhere = {job_id: record for own in records.values() for job_id, record in own.items()}
    return [
        *(
            f"job {job_id} lies in another partition"
            for part in records
            for job_id in records[part]
            if keys.of(job_id) is not part
        ),
        *(
            difference
            for part in keys.parts
            for difference in _of_part(client, part, names[part], records[part], everywhere)
        ),
    ]


def _records(client: RedisClient, keys: Partition, job_ids: list[str]) -> Records:
    return {
        job_id: {name_of(place): str(value) for place, value in places(client, keys, job_id).items()}
        for job_id in job_ids
    }


def _of_part(
    client: RedisClient, keys: Partition, names: dict[str, list[str]], records: Records, everywhere: Records
) -> Iterator[str]:
    yield from _unknown(names)
    for job_id, record in records.items():
        yield from _of_record(job_id, record)
    yield from _of_indexes(client, keys, names, records)
    yield from _of_counts(client, keys, records)
    yield from _of_locks(client, keys, names, records)
    yield from _of_groups(client, keys, names, is_alone=everywhere.keys() == records.keys())
    yield from _of_families(client, keys, names, records, everywhere)
    yield from _of_ledgers(client, keys, names, records)
    yield from _orphans(client, keys, names, records)


def _by_name(there: list[str], keys: Partition) -> dict[str, list[str]]:
    """The rest of each key behind its prefix in `keys.PREFIXES`, by the name of the prefix."""
    longest_first = sorted(PREFIXES.items(), key=lambda item: -len(item[1]))
    found: dict[str, list[str]] = defaultdict(list)
    for key in there:
        if not key.startswith(keys.prefix):
            continue
        rest = key.removeprefix(keys.prefix)
        for name, prefix in longest_first:
            if rest == prefix or (prefix.endswith(":") and rest.startswith(prefix)):
                found[name].append(rest.removeprefix(prefix))
                break
        else:
            found[""].append(rest)
    return found


def _read(client: RedisClient, command: str, keys: Partition, name: str, parts: list[str], *args: Any) -> list[Any]:
    pipe = client.pipeline(transaction=False)
    for part in parts:
        getattr(pipe, command)(keys(name, part) if part else keys(name), *args)
    return list(pipe.execute())


def _unknown(names: dict[str, list[str]]) -> Iterator[str]:
    for rest in names[""]:
        yield f"key {rest} is not in keys.PREFIXES"


def _of_record(job_id: str, record: dict[str, str]) -> Iterator[str]:
    for field in record.keys() - set(PLACES):
        yield f"job {job_id} has the unknown field {field}"
    settled = record["status"] in SETTLED
    finished = record.get("finished", record["status_changed_at"] if settled else None)
    if finished != (record["status_changed_at"] if settled else None):
        yield f"job {job_id} is {record['status']} since {record['status_changed_at']}, finished: {finished}"
    for field in ("executing", "eta"):
        if settled and field in record:
            yield f"job {job_id} is {record['status']} and has {field}"
    for field in ("error_type", "failure_group"):
        if (record["status"] == "failed") != (field in record):
            yield f"job {job_id} is {record['status']}, {field}: {record.get(field)}"
    if not settled and "inferred" in record:
        yield f"job {job_id} is {record['status']} by presumption"


def _of_indexes(client: RedisClient, keys: Partition, names: dict[str, list[str]], records: Records) -> Iterator[str]:
    expected: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for job_id, record in records.items():
        status, job_type = record["status"], record["type"]
        expected["type", job_type][job_id] = float(record["created"])
        expected["entered", f"{status}:{record.get('priority', 'normal')}:{job_type}"][job_id] = float(
            record["status_changed_at"]
        )
        if group := record.get("failure_group"):
            expected["failed_by", group][job_id] = float(record["status_changed_at"])
    actual: dict[tuple[str, str], dict[str, float]] = {}
    for name in INDEXES:
        sets = _read(client, "zrange", keys, name, names[name], 0, -1, False, True)
        for part, entries in zip(names[name], sets, strict=True):
            actual[name, part] = dict(entries)
    for where in sorted(expected.keys() | actual.keys()):
        wanted, found = expected.get(where, {}), actual.get(where, {})
        for job_id in sorted(wanted.keys() | found.keys()):
            if wanted.get(job_id) != found.get(job_id):
                yield f"index {where} has {job_id} at {found.get(job_id)}, not {wanted.get(job_id)}"


def _of_locks(client: RedisClient, keys: Partition, names: dict[str, list[str]], records: Records) -> Iterator[str]:
    found = dict(zip(names["unique"], _read(client, "get", keys, "unique", names["unique"]), strict=True))
    claims = {job_id: record["unique"].split() for job_id, record in records.items() if "unique" in record}
    wanted = {
        claim[0]: job_id
        for job_id, claim in claims.items()
        if records[job_id]["status"] in claim[1].split(",") and (claim[2] == "0" or found.get(claim[0]) == job_id)
    }
    if found != wanted:
        yield f"the locks of unique keys are {found}, not {wanted}"


def _of_counts(client: RedisClient, keys: Partition, records: Records) -> Iterator[str]:
    kinds = {f"{record.get('priority', 'normal')}:{record['type']}" for record in records.values()}
    for kind in sorted(kinds - client.smembers(keys("kinds"))):
        yield f"kind {kind} is not known"


def _of_groups(client: RedisClient, keys: Partition, names: dict[str, list[str]], *, is_alone: bool) -> Iterator[str]:
    groups = {id_: group_of(client, keys, id_) for id_ in names["failure"]}
    for name, field in (("failures", "last"), ("failure_counts", "count")):
        wanted = {id_: float(group[field]) for id_, group in groups.items()}
        if (found := dict(client.zrange(keys(name), 0, -1, withscores=True))) != wanted:
            yield f"{name} has {found}, not {wanted}"
    for id_ in set(names["failed_by"]) - groups.keys():
        yield f"group {id_} is not there, and has jobs"
    for id_, group in groups.items() if is_alone else ():  # else counts may stand in another partition than jobs
        if group["count"] < (listed := client.zcard(keys("failed_by", id_))):
            yield f"group {id_} counts {group['count']} failures and lists {listed} jobs"
        for what in ("types", "workers", "hours"):
            told = sum((group.get(what) or {}).values())
            if told > group["count"] or (what == "types" and told != group["count"]):
                yield f"group {id_} counts {group['count']} failures and {what} {group[what]}"


def _of_families(
    client: RedisClient, keys: Partition, names: dict[str, list[str]], records: Records, everywhere: Records
) -> Iterator[str]:
    subs = dict(zip(names["subs"], _read(client, "zrange", keys, "subs", names["subs"], 0, -1), strict=True))
    told = dict(zip(names["outcomes"], _read(client, "hgetall", keys, "outcomes", names["outcomes"]), strict=True))
    for job_id, record in records.items():
        family, outcomes = subs.get(job_id, []), told.get(job_id, {})
        if int(record.get("subs", 0)) != len(family):
            yield f"parent {job_id} counts {record.get('subs', 0)} sub-jobs and has {len(family)}"
        for stranger in outcomes.keys() - set(family):
            yield f"parent {job_id} was told of {stranger}, which is none of its sub-jobs"
        statuses = Counter(outcome.partition(":")[2] for outcome in outcomes.values())
        for status in sorted(SETTLED):
            counted = int(record.get(f"subs_{status}", 0))
            if counted != statuses[status]:
                yield f"parent {job_id} counts {counted} {status} sub-jobs and was told of {statuses[status]}"
        for sub in family:
            if sub in everywhere and everywhere[sub].get("parent", job_id) != job_id:
                yield f"{sub} is a sub-job of {job_id}, but says {everywhere[sub]['parent']}"


def _of_ledgers(client: RedisClient, keys: Partition, names: dict[str, list[str]], records: Records) -> Iterator[str]:
    others = dict(
        zip(names["executions"], _read(client, "hgetall", keys, "executions", names["executions"]), strict=True)
    )
    for job_id, record in records.items():
        kept, ran = others.get(job_id, {}), record.get("execution")
        redeliveries, double_runs, wasted_ms = map(int, record.get("ledger", "0 0 0").split())
        deliveries = int(record.get("deliveries", 0))
        if "executing" in record and ran in kept:
            yield f"job {job_id} is executing {ran}, and keeps of it {kept[ran]}"
        if len(kept) >= MOST_EXECUTIONS:
            continue
        known = len(kept.keys() | ({ran} if ran else set()))
        if not redeliveries <= deliveries or known > deliveries:
            yield f"job {job_id} counts {deliveries} deliveries, {redeliveries} of them again, and knows {known}"
        standings = {execution: standing.split(" ")[0] for execution, standing in kept.items()}
        told = Counter(standing[0] for standing in standings.values())
        if told["!"] != double_runs:
            yield f"job {job_id} counts {double_runs} double runs, and knows {told['!']}"
        in_vain_ms = sum(
            max(int(standing[1:]) - int(execution.split("-")[0]), 0)
            for execution, standing in standings.items()
            if standing not in {"-", "+"}
        )
        if in_vain_ms != wasted_ms:
            yield f"job {job_id} counts {wasted_ms} ms in vain, and knows {in_vain_ms}"


def _orphans(client: RedisClient, keys: Partition, names: dict[str, list[str]], records: Records) -> Iterator[str]:
    for name in OF_ONE_JOB:
        for job_id in sorted(set(names[name]) - records.keys()):
            yield f"{name} of {job_id} is there, its record is not"
    for job_id in sorted(set(client.zrange(keys("unnotified"), 0, -1)) - records.keys()):
        yield f"{job_id} is unnotified, its record is not there"
    for job_id in sorted(set(names["tombstone"]) & records.keys()):
        yield f"job {job_id} is there in spite of its tombstone"
    for job_id, data in zip(names["data"], _read(client, "hgetall", keys, "data", names["data"]), strict=True):
        for field in data.keys() - set(DATA_FIELDS):
            yield f"the data of {job_id} has the unknown field {field}"
