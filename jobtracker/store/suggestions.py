"""What may stand at a place of a query. It looks at a bounded number of jobs."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from jobtracker.schemas.query_language import typed_at
from jobtracker.schemas.query_qualifiers import QUALIFIERS, Qualifier
from jobtracker.schemas.search import Suggestion, Suggestions
from jobtracker.store.job_types import Registry
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

LOOKED_AT = 500
"""So many of the latest jobs are looked at for names."""

MOST = 20
"""So many suggestions an answer has."""

_SEEN: Mapping[str, Callable[[JobRecord], Iterable[str | None]]] = {
    "tag": lambda record: record.tags,
    "queue": lambda record: [record.queue],
    "worker": lambda record: [record.worker],
    "release": lambda record: [record.release],
    "error_type": lambda record: [record.error_type],
    "failure_group": lambda record: [record.failure_group],
    "name": lambda record: [record.name],
}
"""What a job says of a qualifier's values."""


class Suggester:
    """Suggests what may stand in a query.

    Args:
        queries: The reader of jobs.
        registry: The types that workers announced.
        leases: The workers that live.
    """

    def __init__(self, queries: JobQueries, registry: Registry, leases: Leases) -> None:
        self._queries = queries
        self._registry = registry
        self._leases = leases

    def suggest(self, query: str, at: int | None = None) -> Suggestions:
        """What may take the place of the word that ends there, of which is typed what stands before it.

        Args:
            query: The query.
            at: The place, in characters from 0; default: its end.
        """
        at = len(query) if at is None else min(at, len(query))
        typed = typed_at(query, at)
        looked_at = None
        begun = typed.begun.lower()
        if typed.key is None:
            found = [
                Suggestion(text=f"{name}:", kind="qualifier", hint=qualifier.hint)
                for name, qualifier in QUALIFIERS.items()
                if name.startswith(begun)
            ]
        else:
            values, looked_at = self._values(typed.key)
            found = [
                Suggestion(text=written(value), kind="value", hint=hint)
                for value, hint in values.items()
                if begun in value.lower()
            ]
        return Suggestions(start=typed.start, end=at, suggestions=found[:MOST], looked_at=looked_at)

    def _values(self, qualifier: Qualifier) -> tuple[dict[str, str], int | None]:
        """Values with what to say of each, the most frequent first; and at how many jobs it has looked for them."""
        field = qualifier.field
        if field in {"status", "job_type", "priority"}:
            counts: Counter[str] = Counter()
            for count in self._queries.counts():
                counts[str(getattr(count, field))] += count.count
            names = qualifier.values or self._registry.names()
            known = dict.fromkeys([*(name for name, _ in counts.most_common()), *map(str, names)])
            order = qualifier.values or known
            return {name: _jobs(counts[name]) for name in order}, None
        if qualifier.values:
            return dict.fromkeys(qualifier.values, ""), None
        seen = _SEEN.get(field)
        if seen is None and field != "schedule":
            return {}, None
        rows = self._queries.latest(LOOKED_AT)
        if seen is None:
            names_seen = Counter(self._queries.schedules([record.id for record in rows if record.origin == "beat"]))
        else:
            names_seen = Counter(value for record in rows for value in seen(record) if value)
        values = {name: _of(number, len(rows)) for name, number in names_seen.most_common()}
        return values | {name: "" for name in self._others(field) if name not in values}, len(rows)

    def _others(self, field: str) -> list[str]:
        """Values that the store knows besides those of the latest jobs."""
        if field == "queue":
            return self._queries.queues().names
        if field in {"worker", "release"}:
            attribute = "name" if field == "worker" else "release"
            return sorted({getattr(worker, attribute) for worker in self._leases.live()} - {""})
        return []


def written(value: str) -> str:
    """A value as it stands in a query: quoted where it must be."""
    if value and not any(char.isspace() or char in ',"' for char in value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"


def _of(number: int, looked_at: int) -> str:
    return f"{number:,} of the latest {_jobs(looked_at)}"
