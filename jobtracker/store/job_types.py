"""Job types: workers announce theirs in Redis, the API validates against them and sends jobs by task name."""

import time
from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel, Field

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.core.masking import ALL, MASK, ArgumentRule
from jobtracker.errors import InvalidPayloadError, SubJobsError, UnknownJobTypeError
from jobtracker.schemas.job_types import JobType
from jobtracker.store.decode import read
from jobtracker.store.keys import Keys
from jobtracker.store.schema import JobRecord

CUSTOM = "custom"
"""The type of jobs that run any announced task. It is the API's own: no worker announces it."""

_CACHE_S = 1.0

_CLOCKS_DIFFER_MS = 5000
"""Those of two processes, at most."""


_HIDDEN = ArgumentRule(keep="none")
"""What may be shown of the arguments of a type that says so in a way that is not known."""


class CustomPayload(BaseModel, extra="forbid"):
    """The payload of a `custom` job: a task that a worker has announced, and what to call it with."""

    task: str = Field(min_length=1, description="Name of an announced task or job type.")
    args: list[Any] = []
    kwargs: dict[str, Any] = {}


_CUSTOM_TYPE = JobType(
    name=CUSTOM,
    task="",
    payload_schema=CustomPayload.model_json_schema(),
    description="Runs the announced task that its payload names.",
)


class Registry:
    """The job types that are known.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        expected: Types that a job may have before any worker has announced them; their tasks have the types' names.
        default_queue: Where jobs are sent that name no queue.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys,
        expected: Collection[str] = (),
        default_queue: Callable[[], str] = lambda: "celery",
    ) -> None:
        self.client = client
        self.keys = keys
        self.expected = frozenset(expected)
        self.default_queue = default_queue
        self._cached: dict[str, JobType] = {}
        self._cached_at = -_CACHE_S
        self._cached_at_ms = 0

    def announce(self, *types: JobType) -> None:
        """Make job types known. The last word on a name counts."""
        if types:
            self.client.hset(self.keys("types"), mapping={t.name: t.model_dump_json() for t in types})

    def all(self, *, fresh: bool = False) -> dict[str, JobType]:
        """The announced types by name, at most a second old, or read anew."""
        if fresh or time.monotonic() - self._cached_at >= _CACHE_S:
            announced = self.client.hgetall(self.keys("types"))
            found = {name: read(JobType, text, arguments=_HIDDEN) for name, text in sorted(announced.items())}
            self._cached = {name: job_type for name, job_type in found.items() if job_type}
            self._cached_at, self._cached_at_ms = time.monotonic(), now_ms()
        return self._cached

    def names(self) -> list[str]:
        """All names that a job may bear."""
        return sorted({CUSTOM, *self.all(), *self.expected})

    def listed(self) -> list[JobType]:
        """All types that a job may have, by name; of an expected one that nobody has announced only the name."""
        known = {CUSTOM: _CUSTOM_TYPE, **self.all(fresh=True)}
        return [known.get(name) or JobType(name=name, task=name) for name in self.names()]

    def type_of_task(self, task: str) -> JobType | None:
        """The job type of a Celery task; None where nobody announced one."""
        return _of_task(task, self.all())

    def remembered_type_of_task(self, task: str) -> JobType | None:
        """The same without asking Redis, as it was when somebody asked last."""
        return _of_task(task, self._cached)

    def type_of(self, record: JobRecord) -> JobType | None:
        """The type of a job, of a custom one that of its task; None where nobody has announced it."""
        found = self._type_of(record)
        if found is None and record.created > self._cached_at_ms - _CLOCKS_DIFFER_MS:
            self.all(fresh=True)  # another process has created it, of a type that was announced meanwhile
            found = self._type_of(record)
        return found

    def _type_of(self, record: JobRecord) -> JobType | None:
        announced = self.all().get(record.type) if record.type != CUSTOM else None
        return announced or self.type_of_task(record.task)

    def queue_of(self, record: JobRecord, default: str) -> str:
        """Where a job is sent whose record does not say, as a chord's body; the default where no worker says it.

        That is the default of the process that asks, for example the API, and may differ from that of the workers.
        """
        announced = self.type_of(record)
        return (announced and announced.queue) or default

    def rule_of(self, record: JobRecord) -> ArgumentRule | None:
        """What may be shown of a job's arguments; None where nobody has announced its type."""
        announced = self.type_of(record)
        return announced.arguments if announced else None

    def resolve(
        self, job_type: str, payload: dict[str, Any], *, has_sub_jobs: bool
    ) -> tuple[JobType, list[Any], dict[str, Any]]:
        """The type to send a job to, the positional and the keyword arguments; both have been checked.

        Raises:
            UnknownJobTypeError: Nobody has announced it, and it is not expected.
            InvalidPayloadError: The payload does not fit its schema.
            SubJobsError: The job has sub-jobs and its task takes no results, or the other way round.
        """
        found, args, kwargs = self._find(job_type, payload)
        if found.needs_results > has_sub_jobs or has_sub_jobs > found.takes_results:
            # Celery would find out when all sub-jobs have completed, and say so in its log only.
            raise SubJobsError(found.name, has_sub_jobs=has_sub_jobs)
        return found, args, kwargs

    def _find(self, job_type: str, payload: dict[str, Any]) -> tuple[JobType, list[Any], dict[str, Any]]:
        if job_type == CUSTOM:
            return self._resolve_custom(payload)
        announced = self.all().get(job_type) or self.all(fresh=True).get(job_type)
        if announced is None:
            if job_type not in self.expected:
                raise UnknownJobTypeError(job_type, self.names())
            announced = JobType(name=job_type, task=job_type)
        _refuse_mask(announced.name, announced.arguments, [], payload)
        self._check(announced, payload)
        return announced, [], payload

    def _resolve_custom(self, payload: dict[str, Any]) -> tuple[JobType, list[Any], dict[str, Any]]:
        self._check(_CUSTOM_TYPE, payload)
        wanted = CustomPayload.model_validate(payload)
        found = _named(wanted.task, self.all()) or _named(wanted.task, self.all(fresh=True))
        if found is None:
            tasks = ", ".join(sorted(t.task for t in self.all().values())) or "none so far: start a worker"
            raise InvalidPayloadError(
                CUSTOM, [(["task"], f"no worker has announced {wanted.task!r}; known: {tasks}")]
            )
        _refuse_mask(CUSTOM, found.arguments, wanted.args, wanted.kwargs)
        if not wanted.args:  # a schema says nothing of positional arguments
            self._check(found, wanted.kwargs, CUSTOM, "kwargs")
        return found, wanted.args, wanted.kwargs

    @staticmethod
    def _check(job_type: JobType, payload: dict[str, Any], name: str = "", *within: str) -> None:
        problems = job_type.check.problems(payload, job_type.arguments)
        if problems:
            raise InvalidPayloadError(
                name or job_type.name, [([*within, *path], reason) for path, reason in problems]
            )


def _of_task(task: str, types: dict[str, JobType]) -> JobType | None:
    return next((t for t in types.values() if t.task == task), None)


def _named(name: str, types: dict[str, JobType]) -> JobType | None:
    """The type of that name, or of a task of that name."""
    return next((t for t in types.values() if name in {t.task, t.name}), None)


def _refuse_mask(name: str, rule: ArgumentRule, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Refuse what came from an answer of ours: the mask would be taken for the value."""
    hidden = rule.mask_arguments(args, kwargs).hidden
    echoed = [each for each, values in hidden.items() if each != ALL and MASK in values]
    if echoed:
        text = (
            f"{MASK!r} stands for the masked value of {', '.join(echoed)}: send the value, or leave the payload out"
        )
        raise InvalidPayloadError(name, [([], text)])
