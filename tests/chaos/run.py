"""One run from start to end."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from redis import RedisError
from support.recount import recount

from chaos import journal
from chaos.application import create_app
from chaos.evidence import Evidence
from chaos.judge import Finding, judge
from chaos.load import Book, Load
from chaos.orders import Orders
from chaos.report import Report, details_of, figures_of
from chaos.stack import LEASE_LOST_S, Broker, Stack
from chaos.tasks import LIMIT_S
from chaos.trouble import Trouble, plan
from jobtracker import Client, Tracker
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.local.supervisor import Supervisor
from jobtracker.server.celery_app import SendingCelery
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)

SETTLE_S = LEASE_LOST_S + 25
"""So long after the trouble all has settled."""
_STEP_S = 0.05


@dataclass(frozen=True)
class Wanted:
    """What a run is to be like.

    Attributes:
        seed: Decides orders and faults.
        seconds: How long the trouble lasts.
        every_s: About how much time lies between two faults.
        kinds: The kinds of faults, see `trouble.WEIGHTS`.
        senders: How many place orders at once.
        tracking_apart: The tracking has a Redis of its own, though Celery's broker is one.
        broker: Celery's broker.
    """

    seed: int
    seconds: float
    every_s: float
    kinds: Sequence[str]
    senders: int
    tracking_apart: bool
    broker: Broker


def run(wanted: Wanted, folder: Path, supervisor: Supervisor) -> Report:
    """Make a run; whoever asks the supervisor to stop ends it.

    Args:
        wanted: What it is to be like.
        folder: For the data and the logs.
        supervisor: Checked all the time.

    Raises:
        StopRequestedError: Somebody asked it to end.
        ProcessError: Something could not be started.
    """
    with Stack(folder, broker=wanted.broker, tracking_apart=wanted.tracking_apart, seed=wanted.seed) as stack:
        settings = stack.settings
        app = create_app(settings, SendingCelery)  # as it lives through outages, and waits for no results
        tracker = Tracker(app, settings)
        queries = tracker.tracking.queries
        with Load(Orders(wanted.seed), app, stack.api_url, wanted.senders) as load:
            faults = plan(wanted.seed, wanted.seconds, wanted.every_s, wanted.kinds)
            made = _trouble(stack, Trouble(stack, faults, load.post_large), wanted.seconds, supervisor)
            stack.heal()
            load.stop()
            load.close_nobodys()
        logger.info("The trouble is over, with %d orders; all has to settle.", len(load.book.orders))
        settled_after_s = _settle(stack, queries, load.book, supervisor)
        harm = stack.harm
        (folder / "harm.json").write_text(json.dumps(asdict(harm), default=sorted))
        evidence = Evidence(load.book, list(journal.read(stack.journal)), queries, app, harm)
        findings = judge(evidence)
        findings += [Finding("counters off", "", text) for text in recount(queries.client, queries.keys)]
        findings += [Finding("wrong", "", text) for text in load.book.unexpected]
        details = details_of(evidence, findings)
        with Client(stack.api_url) as client:
            for finding in findings:
                if finding.kind == "stuck" and finding.job_id in details:
                    details[finding.job_id]["explain"] = client.explain(finding.job_id).model_dump(mode="json")
        by_themselves = {f"{part.name} ended by itself": n for part in stack.parts if (n := part.ended_by_itself)}
        tracker.detach()
        return Report(
            seed=wanted.seed,
            broker=wanted.broker,
            seconds=wanted.seconds,
            faults={**made, **by_themselves},
            settled_after_s=settled_after_s,
            figures=figures_of(evidence),
            findings=findings,
            details=details,
        )


def _trouble(stack: Stack, trouble: Trouble, seconds: float, supervisor: Supervisor) -> dict[str, int]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        supervisor.check()
        stack.check()
        trouble.step()
        time.sleep(_STEP_S)
    return dict(trouble.made)


def _settle(stack: Stack, queries: JobQueries, book: Book, supervisor: Supervisor) -> float | None:
    """Wait until all has settled; returns after how many seconds, None where not in time."""
    began = time.monotonic()
    accepted = {node.id for order in book.orders if order.acknowledged for node in order.all()}
    # Faults hold up the worker of rate-limited tasks, which begins one in `LIMIT_S` at most: they may have piled up.
    patience_s = SETTLE_S + LIMIT_S * sum(node.task == "limited" for order in book.orders for node in order.all())
    while time.monotonic() - began < patience_s:
        supervisor.check()
        stack.check()
        try:
            if not _unsettled(queries, accepted):
                return time.monotonic() - began
        except RedisError as error:
            logger.info("The store does not answer: %s", error)
        time.sleep(0.2)
    return None


def _unsettled(queries: JobQueries, accepted: set[str | None]) -> bool:
    open_ids = [
        job_id
        for status in Status
        if status not in SETTLED
        for job_id in queries.entered_before(status, 2**53, 0, 10**6)
    ]
    runs = queries.fields(open_ids, JobRecord.run)
    return any(job_id in accepted or int(run or 0) for job_id, run in zip(open_ids, runs, strict=True))
