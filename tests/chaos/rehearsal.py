"""What the judge says of courses that are known: `python -m chaos.rehearsal REDIS_URL` prints it as JSON, by name.

Records stand in a real store and results in a real backend; what tasks wrote down and what was done is made up.
"""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from chaos.application import CALLED_QUEUE, LIMITED_QUEUE, QUEUE, create_app
from chaos.evidence import Evidence
from chaos.journal import BEGAN, RETURNED, Line
from chaos.judge import judge
from chaos.load import Act, Book
from chaos.orders import Node, Order
from chaos.stack import BEHIND_S, Harm, Hit, Outage, WrongClock
from jobtracker.connection.client import connect
from jobtracker.core.lifecycle import Event, Status
from jobtracker.settings import Settings
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

T0 = 1_800_000_000.0
"""When all begins, in seconds since the epoch."""

ID = "the-job"
VALUE = 7


def _ms(at_s: float) -> int:
    return int((T0 + at_s) * 1000)


class Stage:
    """One course of one job.

    Args:
        url: The Redis server.
    """

    def __init__(self, url: str) -> None:
        settings = Settings.model_validate(
            {"redis_url": url, "celery_broker_url": f"{url}/1", "celery_result_backend": f"{url}/2"}
        )
        keys = Keys(f"rehearsal-{uuid.uuid4().hex}")
        client = connect(settings.tracking_url, 5)
        self.id = f"{ID}-{uuid.uuid4().hex}"
        self.app = create_app(settings)
        self.store = JobStore(client, keys)
        self.queries = JobQueries(client, keys)
        self.book = Book()
        self.lines: list[Line] = []

    def order(self, task: str = "early", **options: Any) -> Order:
        """What somebody has asked for."""
        made = Order(1, "celery", "single", [Node(task, {"value": VALUE}, id=self.id)], acknowledged=True, **options)
        self.book.orders.append(made)
        return made

    def record(
        self,
        event: Event | None = Event.COMPLETE,
        *,
        at_s: float = 2,
        result: Any = VALUE,
        job: str = "",
        **fields: Any,
    ) -> None:
        """What the tracker has come to know; it starts after a second where its task has begun then."""
        job = job or self.id
        known = {"type": "early", "priority": "normal", "queue": QUEUE, **fields}
        self.store.create(NewJob(id=job, fields=known), at_ms=_ms(0))
        self.store.apply(Event.ENQUEUE, job, at_ms=_ms(0))
        if event in {Event.COMPLETE, Event.FAIL}:
            self.store.apply(Event.START, job, at_ms=_ms(1), fields={"worker": "prefork-1@chaos"})
        if event is Event.COMPLETE:
            self.store.apply(event, job, at_ms=_ms(at_s), data={"result": json.dumps(result)})
            self.app.backend.store_result(job, result, "SUCCESS")
        elif event is not None:
            self.store.apply(event, job, at_ms=_ms(at_s), fields={"reason": "as it is"}, data={"error": LOST})

    def did(self, at_s: float, *what: str, run: int = 1, worker: str = "prefork-1", detail: Any = None) -> None:
        """What its task has written down."""
        task_id = self.id if run == 1 else f"{self.id}~{run}"
        for each in what:
            value = VALUE if each == RETURNED and detail is None else detail
            self.lines.append(Line(T0 + at_s, task_id, 0, 1, each, value, worker))

    def judged(self, **harm: Any) -> list[str]:
        """The kinds of what is found, each once."""
        known = Harm(**{"began_s": T0 - 1, **harm})
        evidence = Evidence(self.book, sorted(self.lines), self.queries, self.app, known)
        return sorted({finding.kind for finding in judge(evidence)})


LOST = json.dumps({"type": "MessageLost", "message": "as it is"})
AWAY = {"outages": [Outage(T0 + 0.5, T0 + 1.5, frozenset({"tracking"}))]}
KILLED = {"hits": [Hit(T0 + 1.5, T0 + 4, "prefork-1", None)]}


def _as_it_should_be(stage: Stage) -> Iterator[list[str]]:
    stage.order()
    stage.record()
    stage.did(1, BEGAN, RETURNED)
    yield stage.judged()


def _again_in_one_run(stage: Stage) -> Iterator[list[str]]:
    """Without a reason; then its worker was killed, or its clock was behind, or Redis has delivered it again."""
    stage.order()
    stage.record(at_s=6, deliveries="2")
    stage.store.apply(Event.START, stage.id, at_ms=_ms(5), fields={"worker": "threads-1@chaos"})
    stage.did(1, BEGAN)
    stage.did(5, BEGAN, RETURNED, worker="threads-1")
    yield stage.judged()
    yield stage.judged(**KILLED)
    yield stage.judged(wrong_clocks=[WrongClock(T0 + 3, T0 + 9, "threads-1")])
    stage.lines = [line._replace(at_s=line.at_s + 10) if line.at_s > T0 + 4 else line for line in stage.lines]
    yield stage.judged()
    yield stage.judged(redelivers=False)


def _again_in_another_run(stage: Stage) -> Iterator[list[str]]:
    """After it had returned, with the result backend away or not; then somebody had asked for it."""
    stage.order()
    stage.record(None)
    stage.store.apply(Event.START, stage.id, at_ms=_ms(1))
    stage.store.apply(Event.RELAUNCH, stage.id, at_ms=_ms(20), run=1)
    stage.store.apply(Event.START, stage.id, at_ms=_ms(21), run=2)
    stage.store.apply(Event.COMPLETE, stage.id, at_ms=_ms(22), run=2, data={"result": json.dumps(VALUE)})
    stage.app.backend.store_result(f"{stage.id}~2", VALUE, "SUCCESS")
    stage.did(1, BEGAN, RETURNED)
    stage.did(21, BEGAN, RETURNED, run=2)
    yield stage.judged()
    yield stage.judged(outages=[Outage(T0, T0 + 30, frozenset({"backend"}))])
    yield stage.judged(**KILLED)
    stage.book.acts.append(Act("retry", stage.id, T0 + 10, T0 + 10, Status.PENDING, 2))
    yield stage.judged()


def _lost_without_a_reason(stage: Stage) -> Iterator[list[str]]:
    """Then its worker was killed, and another one."""
    stage.order("limited")
    stage.record(Event.LOSE, at_s=8, type="limited", queue=LIMITED_QUEUE, next="another")
    yield stage.judged()
    yield stage.judged(hits=[Hit(T0 + 3, T0 + 4, "limited-1", None)])
    yield stage.judged(**KILLED)


def _expired_and_begun(stage: Stage) -> Iterator[list[str]]:
    """Then on a worker whose clock is behind."""
    stage.order(expires_s=1)
    stage.record(at_s=8, expires=_ms(1))
    stage.did(7, BEGAN, RETURNED)
    yield stage.judged()
    yield stage.judged(wrong_clocks=[WrongClock(T0 + 3, T0 + 9, "prefork-1")])


def _expired_and_failed(stage: Stage) -> Iterator[list[str]]:
    stage.order(expires_s=1)
    stage.record(Event.LOSE, at_s=8, expires=_ms(1))
    yield stage.judged(**AWAY)


def _expired_and_cancelled(stage: Stage) -> Iterator[list[str]]:
    """Then before its time."""
    stage.order(expires_s=1)
    stage.record(Event.CANCELLED, at_s=2, expires=_ms(1))
    yield stage.judged()
    other = Stage(_url())
    other.order(expires_s=60)
    other.record(Event.CANCELLED, at_s=2, expires=_ms(60))
    yield other.judged()


def _link_with_another_argument(stage: Stage) -> Iterator[list[str]]:
    """Then with the one that it should have."""
    before = Node("early", {"value": 5}, id="another")
    node = Node("link", {"value": VALUE}, id=stage.id, before=before)
    stage.book.orders.append(Order(1, "celery", "chain", [node], acknowledged=True))
    stage.record(type="link", result=[5, VALUE])
    stage.did(1, BEGAN, detail=VALUE)
    stage.did(1, RETURNED, detail=[5, VALUE])
    yield stage.judged()
    stage.lines = [line._replace(detail=5) if line.what == BEGAN else line for line in stage.lines]
    yield stage.judged()


def _of_a_tree_that_is_not_recorded(stage: Stage) -> Iterator[list[str]]:
    """Then it is."""
    stage.order()
    stage.record(parent="the-parent")
    stage.did(1, BEGAN, RETURNED)
    yield stage.judged()
    stage.store.create(NewJob(id="the-parent", fields={"type": "collect", "priority": "normal"}), at_ms=_ms(0))
    yield stage.judged()


def _with_too_few_deliveries(stage: Stage) -> Iterator[list[str]]:
    """Of two executions while the store was away one is not known; then its process was killed, or it is counted."""
    stage.order()
    stage.record()
    stage.did(0.8, BEGAN, worker="prefork-2")
    stage.did(1, BEGAN, RETURNED)
    yield stage.judged(**AWAY)
    yield stage.judged(**AWAY, hits=[Hit(T0 + 2, T0 + 4, "prefork-2", None)])
    stage.store.count_dropped(1)
    yield stage.judged(**AWAY)


def _unknown(stage: Stage) -> Iterator[list[str]]:
    """Then who ran it was killed with its reports."""
    stage.did(1, BEGAN, RETURNED)
    yield stage.judged(**AWAY)
    yield stage.judged(**AWAY, **KILLED)


def _failed_after_it_had_returned(stage: Stage) -> Iterator[list[str]]:
    """For its result could not be stored; then its process was killed."""
    stage.order()
    stage.record(None)
    stage.store.apply(Event.START, stage.id, at_ms=_ms(1))
    error = json.dumps({"type": "WorkerLost", "message": "as it is"})
    stage.store.apply(Event.LOSE, stage.id, at_ms=_ms(9), data={"error": error})
    stage.did(1, BEGAN, RETURNED)
    backend_away = Outage(T0, T0 + 30, frozenset({"backend"}))
    yield stage.judged(outages=[backend_away])
    yield stage.judged(outages=[backend_away], **KILLED)


def _noted_by_a_clock_that_is_behind(stage: Stage) -> Iterator[list[str]]:
    """It is cancelled 90 s before it begins, by the clock of a worker that was behind; then by one that was right."""
    stage.order(queue=CALLED_QUEUE)
    stage.book.acts.append(Act("cancel", stage.id, T0 + 1, T0 + 1))
    stage.record(None)
    stage.store.apply(Event.START, stage.id, at_ms=_ms(1))
    stage.store.apply(Event.CANCELLED, stage.id, at_ms=_ms(3 - BEHIND_S))
    stage.did(1, BEGAN)
    yield stage.judged(wrong_clocks=[WrongClock(T0, T0 + 9, "threads-1")])
    yield stage.judged()


COURSES: list[Callable[[Stage], Iterator[list[str]]]] = [
    _as_it_should_be,
    _again_in_one_run,
    _again_in_another_run,
    _lost_without_a_reason,
    _expired_and_begun,
    _expired_and_failed,
    _expired_and_cancelled,
    _link_with_another_argument,
    _of_a_tree_that_is_not_recorded,
    _with_too_few_deliveries,
    _unknown,
    _failed_after_it_had_returned,
    _noted_by_a_clock_that_is_behind,
]


def _url() -> str:
    return sys.argv[1]


if __name__ == "__main__":
    print(json.dumps({each.__name__.strip("_"): list(each(Stage(_url()))) for each in COURSES}, indent=1))
