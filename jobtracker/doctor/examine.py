"""One examination: the recount of the store, and the traps in how all is set up."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from celery import Celery

from jobtracker.broker.config import configure
from jobtracker.connection.away import store_errors
from jobtracker.connection.write_rejection import find_write_rejection
from jobtracker.core.clock import from_ms
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.doctor.collect import gather
from jobtracker.doctor.config_checks import TRAPS
from jobtracker.doctor.recount import Recount
from jobtracker.doctor.server_checks import SERVER_TRAPS
from jobtracker.runtime import Tracking
from jobtracker.schemas.examination import DifferenceGroup, Examination, Flaw
from jobtracker.settings import Settings
from jobtracker.store.partitions import expect_partitions, servers_of
from jobtracker.store.verification import Difference

_EXAMPLES = 5

_PATIENCE_S = 10.0
"""How long one call may take: nobody else waits for it."""


def examine(
    tracking: Tracking,
    inspector: Inspector,
    *,
    repair: bool = False,
    step: Callable[[Recount], None] | None = None,
) -> Examination:
    """Recount the store and look for traps; may run while everything else does.

    It takes a second or two for each ten thousand jobs; no call holds up the server for more than some milliseconds,
    but for a parent with very many sub-jobs, whose family is one look. Time series and histograms are not recounted:
    they outlive the records that they were made of.

    Args:
        tracking: The store, and the Celery app whose broker is looked at.
        inspector: Asks the workers and the broker.
        repair: Mend what differs from the records. Traps are settings: people change them.
        step: Called after each piece of the recount. What it raises ends the examination.

    Raises:
        redis.exceptions.RedisError: The tracking Redis does not answer.
        PartitionsError: The store has another number of partitions.
    """
    began = time.monotonic()
    expect_partitions(tracking.client, tracking.keys)  # of others nothing would be right, or could be mended
    recount = Recount(tracking, repair=repair, step=step)
    servers = servers_of(tracking.client, tracking.keys)
    rejections = (find_write_rejection(server, key, server.info()) for server, key in servers.items())
    rejection = next(filter(None, rejections), None)
    if rejection is None:
        recount.run()
    else:
        recount.unchecked.append(
            f"indexes: what looks at them is there to mend them, and the tracking Redis takes no writes "
            f"({rejection.problem})"
        )
    found = gather(tracking, inspector)
    traps = [trap for look in (*TRAPS, *SERVER_TRAPS) for trap in look(found)]
    differences = _grouped(recount.differences.values())
    return Examination(
        at=from_ms(found.now_ms),
        healthy=not traps and all(group.repaired == group.count for group in differences),
        jobs=recount.jobs if rejection is None else None,
        repair=repair,
        differences=differences,
        traps=traps,
        unchecked=recount.unchecked + found.unchecked,
        took_s=round(time.monotonic() - began, 3),
    )


def examine_here(*, repair: bool = False) -> Examination:
    """The same by this process's environment (`REDIS_URL`, `CELERY_BROKER_URL` and so on, as the API reads them).

    Raises:
        SettingsError: A variable has a value that can't be used.
        StoreAwayError: The tracking Redis does not answer.
    """
    return examine_apart(Settings.from_env(), repair=repair)


def examine_apart(
    settings: Settings, *, repair: bool = False, step: Callable[[Recount], None] | None = None
) -> Examination:
    """The same by some settings, with connections of its own, which have time.

    Raises:
        StoreAwayError: The tracking Redis does not answer.
        PartitionsError: The store has another number of partitions.
    """
    with _connected(settings) as tracking:
        return examine(tracking, Inspector(tracking), repair=repair, step=step)


class Recounted(NamedTuple):
    """What a recount alone has found."""

    jobs: int
    differences: list[DifferenceGroup]
    unchecked: list[str]


def recount_apart(settings: Settings, *, step: Callable[[Recount], None] | None = None) -> Recounted:
    """Recount a store, and look for no traps: neither the broker nor the workers are asked.

    Raises:
        StoreAwayError: The tracking Redis does not answer.
        StoreMismatchError: The store has another number of partitions, or is not whole.
    """
    with _connected(settings) as tracking:
        expect_partitions(tracking.client, tracking.keys)
        recount = Recount(tracking, repair=False, step=step)
        recount.run()
        return Recounted(recount.jobs, _grouped(recount.differences.values()), recount.unchecked)


@contextmanager
def _connected(settings: Settings) -> Iterator[Tracking]:
    settings = settings.model_copy(update={"tracking_timeout_s": _PATIENCE_S})
    app = Celery("jobtracker-doctor", set_as_current=False)
    configure(app, settings)
    app.conf.update(broker_connection_timeout=_PATIENCE_S, broker_heartbeat=0)
    tracking = Tracking.connect(settings, app)
    try:
        with store_errors():
            tracking.client.ping()
            yield tracking
    finally:
        tracking.client.close()
        app.close()


def _grouped(differences: Iterable[Difference]) -> list[DifferenceGroup]:
    groups: dict[tuple[Flaw, str], list[Difference]] = defaultdict(list)
    for each in differences:
        groups[each.flaw, each.where.partition(" of ")[0]].append(each)
    return [
        DifferenceGroup(
            flaw=flaw,
            where=where,
            count=len(group),
            repaired=sum(each.is_repaired for each in group),
            examples=[_told(each) for each in group[:_EXAMPLES]],
        )
        for (flaw, where), group in sorted(groups.items())
    ]


def _told(each: Difference) -> str:
    subject = each.subject
    if of := each.where.partition(" of ")[2]:
        subject = f"{of} of {subject}"
    return f"{subject}: {each.found or 'nothing'}, should be {each.wanted or 'nothing'}"
