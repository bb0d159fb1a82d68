"""Writes metrics as text: in Prometheus' format, or in OpenMetrics.

prometheus-client writes the same, and takes 12 µs for a line. There are ten thousand of them if there are many types.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from jobtracker.server.metrics.catalog import BOUNDS_S
from jobtracker.server.metrics.exemplars import Exemplar, Exemplars

_LE = [*map(str, BOUNDS_S), "+Inf"]
_MOST_HISTOGRAMS = 1024
"""So many are kept as templates: two metrics of all types that have names, under two names each; some 2 MB."""


class Histogram(NamedTuple):
    """A value of a histogram.

    Attributes:
        buckets: How many durations are below each bound of the catalog, and how many there are.
        sum_s: The sum of all, in seconds.
        exemplars: Jobs in buckets, by their numbers. Only OpenMetrics has them.
    """

    buckets: Sequence[float]
    sum_s: float
    exemplars: Exemplars = MappingProxyType({})


class Family(NamedTuple):
    """A metric with its values.

    Attributes:
        name: Its name, without the suffix of its kind.
        kind: gauge, counter, histogram or info.
        help: What it says: no quotation marks, backslashes or line breaks.
        labels: Names of its labels.
        values: Each with the values of its labels.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    values: Sequence[tuple[tuple[str, ...], float | Histogram]]


_SUFFIX = {"counter": "_total", "info": "_info"}


def as_text(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """The families in one of the formats."""
    lines: list[str] = []
    for family in families:
        lines += _lines(family, openmetrics=openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join([*lines, ""]).encode()


def _lines(family: Family, *, openmetrics: bool) -> Iterator[str]:
    name = family.name + _SUFFIX.get(family.kind, "")
    called, kind = (family.name, family.kind) if openmetrics else (name, family.kind.replace("info", "gauge"))
    yield f"# HELP {called} {family.help}"
    yield f"# TYPE {called} {kind}"
    for values, value in family.values:
        labels = _labels(family.labels, values)
        if isinstance(value, Histogram):
            numbers: list[object] = [*value.buckets, value.buckets[-1], value.sum_s]
            for n, exemplar in value.exemplars.items() if openmetrics else ():
                numbers[n] = f"{numbers[n]}{_shown(exemplar)}"
            yield _template(name, labels) % tuple(numbers)
        else:
            yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"


def _shown(exemplar: Exemplar) -> str:
    labels = exemplar.labels
    return f" # {{{_labels(labels, labels.values())}}} {exemplar.value_s} {exemplar.at_ms / 1000}"


def _labels(names: Iterable[str], values: Iterable[str]) -> str:
    return ",".join([f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)])


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return value


@lru_cache(maxsize=_MOST_HISTOGRAMS)
def _template(name: str, labels: str) -> str:
    labels = labels.replace("%", "%%")
    lines = [f'{name}_bucket{{{labels},le="{le}"}} %s' for le in _LE]
    return "\n".join([*lines, f"{name}_count{{{labels}}} %s", f"{name}_sum{{{labels}}} %s"])
