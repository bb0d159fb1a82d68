"""Metrics as text: what Prometheus' own library reads from them, in both formats."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from jobtracker.server.metrics.catalog import BOUNDS_S, METRICS
from jobtracker.server.metrics.exemplars import Exemplar
from jobtracker.server.metrics.text import Family, Histogram, as_text

NASTY = 'a "quoted" \\ 100 %s\nline \\n, é {x="y"}'
LESS = [0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 7]
FAMILIES = [
    Family("some", "gauge", "A gauge.", (), [((), 1.5)]),
    Family("of", "gauge", "With labels.", ("type", "status"), [((NASTY, "open"), 3), (("", "open"), 1e-7)]),
    Family("jobs", "counter", "Counted.", ("type",), [((NASTY,), 12_345_678_901_234_567)]),
    Family("run_seconds", "histogram", "Durations.", ("type",), [((NASTY,), Histogram(LESS, 12.25))]),
    Family("build", "info", "The version.", ("version",), [(("1.0",), 1)]),
    Family("none", "counter", "Nothing.", ("type",), []),
]


@pytest.mark.parametrize(("openmetrics", "read"), [(True, read_openmetrics), (False, read_text)])
def test_the_library_of_prometheus_reads_what_was_written(openmetrics, read):
    text = as_text(FAMILIES, openmetrics=openmetrics).decode()
    found = {family.name: family for family in read(text)}
    samples = {(s.name, *sorted(s.labels.items())): s.value for family in found.values() for s in family.samples}
    buckets = {
        ("run_seconds_bucket", ("le", le), ("type", NASTY)): n
        for le, n in zip([*map(str, BOUNDS_S), "+Inf"], LESS, strict=True)
    }
    assert samples == {
        ("some",): 1.5,
        ("of", ("status", "open"), ("type", NASTY)): 3,
        ("of", ("status", "open"), ("type", "")): 1e-7,
        ("jobs_total", ("type", NASTY)): 12_345_678_901_234_567,
        **buckets,
        ("run_seconds_count", ("type", NASTY)): 7,
        ("run_seconds_sum", ("type", NASTY)): 12.25,
        ("build_info", ("version", "1.0")): 1,
    }
    assert found["run_seconds"].type == "histogram"
    assert found["some"].documentation == "A gauge."
    assert text.endswith("# EOF\n") == openmetrics


def test_only_openmetrics_has_exemplars():
    named = Exemplar({"job_id": NASTY, "trace_id": "4b"}, 0.03, 1_764_451_234_567)
    family = Family("run", "histogram", "Durations.", ("type",), [(("%s",), Histogram(LESS, 12.25, {3: named}))])
    [found] = read_openmetrics(as_text([family], openmetrics=True).decode())
    [(le, exemplar)] = [(sample.labels["le"], sample.exemplar) for sample in found.samples if sample.exemplar]
    assert (le, exemplar.labels, exemplar.value) == ("0.05", {"job_id": NASTY, "trace_id": "4b"}, 0.03)
    assert float(exemplar.timestamp) == 1_764_451_234.567
    [found] = read_text(as_text([family], openmetrics=False).decode())
    assert len(found.samples) == len(LESS) + 2


def test_no_help_needs_quoting():
    assert not [each.name for each in METRICS.values() if set(each.help) & set('"\\\n')]
