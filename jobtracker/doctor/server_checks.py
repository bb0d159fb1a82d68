"""Traps in the configuration of the Redis servers, and in the clocks of their clients. See `config_checks.py`."""

from collections.abc import Callable, Iterable, Iterator

from jobtracker.doctor.collect import Evidence, Server
from jobtracker.schemas.examination import Trap

_PERSISTENCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"
_EVICTION = "https://redis.io/docs/latest/develop/reference/eviction/"

_MOST_SKEW_MS = 2000


def writes_refused(found: Evidence) -> Iterator[Trap]:
    """A server answers, and takes no writes."""
    for server in found.servers:
        if server.rejection:
            yield Trap(
                name="writes_refused",
                where=server.name,
                problem=f"It takes no writes: {server.rejection.problem}.",
                consequence="Nothing new gets there: " + _refused_by(server),
                change=server.rejection.change,
                source=server.rejection.source,
            )


def evicting_memory_policy(found: Evidence) -> Iterator[Trap]:
    """A server throws data away where its memory is full."""
    for server in found.servers:
        policy, most = server.info.get("maxmemory_policy"), int(server.info.get("maxmemory") or 0)
        if policy and policy != "noeviction" and most:
            yield Trap(
                name="evicting_memory_policy",
                where=server.name,
                problem=f"maxmemory-policy is {policy}, and maxmemory is {most:,} bytes.",
                consequence="Where the memory is full Redis deletes keys without a word: "
                + _lost_of(server, volatile=policy.startswith("volatile-")),
                change="maxmemory-policy noeviction; caches belong on a server of their own",
                source=_EVICTION,
            )


def no_persistence(found: Evidence) -> Iterator[Trap]:
    """A server forgets what it holds when it stops, or the last minutes of it."""
    for server in found.servers:
        if server.info.get("aof_enabled") or server.save is None:
            continue
        lost = _lost_of(server, volatile=False)
        if server.save == "":
            problem = "It writes nothing to disk: appendonly is no, and save is empty."
            consequence = f"Whenever it stops or restarts, all is lost: {lost}"
        else:
            problem = f"It writes snapshots only (save {server.save}): appendonly is no."
            consequence = f"Whenever it stops without a last snapshot, what came after the one before is lost: {lost}"
        yield Trap(
            name="no_persistence",
            where=server.name,
            problem=problem,
            consequence=consequence,
            change="appendonly yes, with appendfsync everysec",
            source=_PERSISTENCE,
        )


def persistence_fails(found: Evidence) -> Iterator[Trap]:
    """A server could not write to its disk lately."""
    for server in found.servers:
        failed = [
            name
            for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
            if server.info.get(name, "ok") != "ok"
        ]
        if failed:
            yield Trap(
                name="persistence_fails",
                where=server.name,
                problem=f"Its last write to disk failed: {', '.join(failed)}.",
                consequence="It may refuse all writes (stop-writes-on-bgsave-error), and loses data when it stops.",
                change="make room on its disk, or let it write to its dir; its log says what is wrong",
                source=_PERSISTENCE,
            )


def clock_skew(found: Evidence) -> Iterator[Trap]:
    """A worker's clock is not the server's."""
    for worker, skew_ms in sorted(found.skews_ms.items()):
        if abs(skew_ms) > _MOST_SKEW_MS:
            yield Trap(
                name="clock_skew",
                where=worker,
                problem=f"Its clock is {abs(skew_ms) / 1000:.1f} s {'ahead of' if skew_ms > 0 else 'behind'} that "
                "of the tracking Redis.",
                consequence="Times, waits and run times of what it reports are wrong by that much.",
                change="synchronise the clocks (NTP, chrony) on its host",
                source="jobtracker/store/leases.py",
            )


SERVER_TRAPS: tuple[Callable[[Evidence], Iterable[Trap]], ...] = (
    writes_refused,
    evicting_memory_policy,
    no_persistence,
    persistence_fails,
    clock_skew,
)


def _refused_by(server: Server) -> str:
    """What can't be kept there, in words."""
    kept = {
        "the tracking Redis": "no job is created, and reports wait in the workers",
        "the broker": "no task is sent, and workers fetch none",
        "the result backend": "no result is stored, and no chord ends",
    }
    return "; ".join(kept[role] for role in server.roles) + "."


def _lost_of(server: Server, *, volatile: bool) -> str:
    """What is kept there, in words."""
    kept = {
        "the tracking Redis": "leases, so that workers look lost, and tombstones"
        if volatile
        else "jobs and their counters",
        "the broker": "nothing of the broker" if volatile else "messages that wait",
        "the result backend": "results, and chords that have not ended",
    }
    return ", ".join(kept[role] for role in server.roles) + "."
