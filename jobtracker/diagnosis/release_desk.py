"""Releases: how the jobs of each did, and whether a new one is worse than an old one.

Read when somebody asks, once for all who ask at about the same time.
"""

from collections import Counter
from collections.abc import Mapping
from functools import partial

from jobtracker.core.clock import from_ms
from jobtracker.core.statistics import (
    FEWEST,
    LEVEL,
    fisher_p_value,
    holm,
    rank_test,
    smallest_higher_rate,
    smallest_shift,
)
from jobtracker.diagnosis.kept import Kept
from jobtracker.errors import ReleaseNotFoundError
from jobtracker.runtime import Tracking
from jobtracker.schemas.releases import (
    FailuresCompared,
    Release,
    ReleaseComparison,
    Releases,
    ReleaseTypeFigures,
    RunTimesCompared,
    TypeCompared,
    Verdict,
)
from jobtracker.store.histograms import GAMMA, Histogram
from jobtracker.store.keys import MOST_RELEASES
from jobtracker.store.releases import KnownRelease, Outcomes, ReleaseLog, counted

RATIO = 1.1
"""Of medians or p95: run times that differ by less are not called worse or better, however certain that is."""
MOST_TYPES = 100
"""Types that are shown of a release, and compared."""
_MOST_WORKERS = 100
_KEPT_S = 5.0
"""An answer that is younger does."""
_SIZES = (20, MOST_RELEASES)
"""So many releases are read: one answer serves all who want fewer."""
_MOST_BUCKETS = 116
"""So many buckets higher is a hundredfold (`histograms.GAMMA`)."""

_ORDER = [Verdict.WORSE, Verdict.BETTER, Verdict.NO_DIFFERENCE, Verdict.TOO_FEW]
_EMPTY = Outcomes(0, 0, 0, Histogram())


class ReleaseDesk:
    """Tells of releases.

    Args:
        tracking: Whose.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._queries = tracking.queries
        self._leases = tracking.leases
        self._log = ReleaseLog(tracking.client, tracking.keys, tracking.settings.series_s)
        self._kept = {most: Kept(partial(self.look, most), _KEPT_S) for most in _SIZES}

    def releases(self, most: int) -> Releases:
        """The releases that were seen last, the newest first; at most some seconds old."""
        size = next((size for size in _SIZES if size >= most), _SIZES[-1])
        found = self._kept[size].get()
        last = sorted(found.releases, key=lambda each: each.last_seen, reverse=True)[:most]
        names = {each.release for each in last}
        return found.model_copy(update={"releases": [each for each in found.releases if each.release in names]})

    def look(self, most: int) -> Releases:
        """Find it out now."""
        known, count = self._log.known(most)
        outcomes = self._log.outcomes({each.release for each in known})
        live: dict[str, list[str]] = {}
        for worker in self._leases.live():
            live.setdefault(worker.release, []).append(worker.name)
        new_groups = self._queries.new_in_releases()
        found = [self._told(each, outcomes[each.release], live.get(each.release, []), new_groups) for each in known]
        return Releases(releases=found, count=count, some_left_out=self._log.is_cut())

    def _told(
        self,
        known: KnownRelease,
        outcomes: Mapping[str, Outcomes],
        live: list[str],
        new_groups: Mapping[str, int] | None,
    ) -> Release:
        completed, failed, cancelled = counted(outcomes)
        types = _busiest(outcomes)
        return Release(
            release=known.release,
            first_seen=from_ms(known.first_ms),
            last_seen=from_ms(known.last_ms),
            workers=sorted(live)[:_MOST_WORKERS],
            workers_ever=len(known.workers.keys() | set(live)),
            completed=completed,
            failed=failed,
            cancelled=cancelled,
            failure_rate=_rate(failed, completed + failed),
            by_type={name: _figures(outcomes[name]) for name in types[:MOST_TYPES]},
            types_left_out=max(len(types) - MOST_TYPES, 0),
            new_failure_groups=None if new_groups is None else new_groups.get(known.release, 0),
        )

    def compare(self, a: str, b: str) -> ReleaseComparison:
        """Whether a new release is worse than an old one.

        Args:
            a: The old one.
            b: The new one.

        Raises:
            ReleaseNotFoundError: One of them has no jobs, and no worker that is known.
        """
        outcomes = self._log.outcomes({a, b})
        known, _ = self._log.known(MOST_RELEASES)
        for release in (a, b):
            if not outcomes[release] and release not in {each.release for each in known}:
                raise ReleaseNotFoundError(release)
        return compare(a, b, outcomes[a], outcomes[b])


def compare(a: str, b: str, of_a: Mapping[str, Outcomes], of_b: Mapping[str, Outcomes]) -> ReleaseComparison:
    """Whether release b is worse than a, by their outcomes of each type."""
    types = _busiest(of_a, of_b)
    pairs = {name: (of_a.get(name, _EMPTY), of_b.get(name, _EMPTY)) for name in types[:MOST_TYPES]}
    p_values = holm(_p_values(pairs))
    each_level = LEVEL / max(len(p_values), 1)
    found = []
    for name, (one, other) in pairs.items():
        failures = _failures(one, other, p_values.get((name, "failures")), each_level)
        times = _run_times(one.run, other.run, p_values.get((name, "run")), each_level)
        verdict = min((failures.verdict, times.verdict), key=_ORDER.index)
        found.append(TypeCompared(job_type=name, verdict=verdict, failures=failures, run_times=times))
    found.sort(key=lambda each: _ORDER.index(each.verdict))
    verdict = min((each.verdict for each in found), key=_ORDER.index, default=Verdict.TOO_FEW)
    return ReleaseComparison(
        a=a,
        b=b,
        verdict=verdict,
        summary=_summary(a, b, verdict, found),
        level=LEVEL,
        comparisons=len(p_values),
        by_type=found,
        types_left_out=max(len(types) - MOST_TYPES, 0),
    )


def _p_values(pairs: Mapping[str, tuple[Outcomes, Outcomes]]) -> dict[tuple[str, str], float]:
    found = {}
    for name, (a, b) in pairs.items():
        if min(a.tried, b.tried) >= FEWEST:
            found[name, "failures"] = fisher_p_value(a.failed, a.tried, b.failed, b.tried)
        if min(a.run.count, b.run.count) >= FEWEST:
            found[name, "run"] = rank_test(a.run.buckets, b.run.buckets).p_value
    return found


def _failures(a: Outcomes, b: Outcomes, p_value: float | None, each_level: float) -> FailuresCompared:
    rate_a, rate_b = _rate(a.failed, a.tried), _rate(b.failed, b.tried)
    detectable, verdict = None, Verdict.TOO_FEW
    text = f"Too few jobs: {a.tried:,} and {b.tried:,}; each release needs {FEWEST}."
    if p_value is not None and rate_a is not None and rate_b is not None:
        detectable = smallest_higher_rate(rate_a, a.tried, b.tried, each_level)
        rates = f"{_percent(rate_a)} of {a.tried:,} jobs failed before, {_percent(rate_b)} of {b.tried:,} now"
        if p_value < LEVEL:
            verdict = Verdict.WORSE if rate_b > rate_a else Verdict.BETTER
            text = f"{'More' if rate_b > rate_a else 'Fewer'} jobs fail: {rates} (p = {p_value:.2g})."
        else:
            verdict = Verdict.NO_DIFFERENCE
            shown = "these samples are too small to detect any higher rate"
            if detectable:
                shown = f"a rate of {_percent(detectable)} would have been detected"
            text = f"No difference seen: {rates} (p = {p_value:.2g}); {shown}."
    return FailuresCompared(
        verdict=verdict,
        count_a=a.tried,
        count_b=b.tried,
        p_value=p_value,
        text=text,
        failed_a=a.failed,
        failed_b=b.failed,
        rate_a=rate_a,
        rate_b=rate_b,
        detectable_rate=detectable,
    )


def _run_times(a: Histogram, b: Histogram, p_value: float | None, each_level: float) -> RunTimesCompared:
    p50_a, p50_b, p95_a, p95_b = (_seconds(each, q) for q in (0.5, 0.95) for each in (a, b))
    longer, ratio, verdict = None, None, Verdict.TOO_FEW
    text = f"Too few jobs: {a.count:,} and {b.count:,}; each release needs {FEWEST}."
    if p_value is not None:
        longer = rank_test(a.buckets, b.buckets).b_is_longer
        shift = smallest_shift(a.buckets, b.count, each_level, _MOST_BUCKETS)
        ratio = round(GAMMA**shift, 3) if shift else None
        times = f"median {_span(p50_a)} before, {_span(p50_b)} now; p95 {_span(p95_a)} and {_span(p95_b)}"
        factors = [_factor(p50_a, p50_b), _factor(p95_a, p95_b)]
        is_longer = longer > 0.5
        matters = any(factor >= RATIO if is_longer else factor <= 1 / RATIO for factor in factors)
        if p_value < LEVEL and matters:
            verdict = Verdict.WORSE if is_longer else Verdict.BETTER
            text = f"They take {'longer' if is_longer else 'less time'}: {times} (p = {p_value:.2g})."
        elif p_value < LEVEL:
            verdict = Verdict.NO_DIFFERENCE
            text = f"The difference is certain, and too small to matter: {times} (p = {p_value:.2g})."
        else:
            verdict = Verdict.NO_DIFFERENCE
            smallest = f"{ratio:.2f} times as long" if ratio else "no factor up to 100"
            text = f"No difference seen: {times} (p = {p_value:.2g}); {smallest} would have been detected."
    return RunTimesCompared(
        verdict=verdict,
        count_a=a.count,
        count_b=b.count,
        p_value=p_value,
        text=text,
        p50_a_s=p50_a,
        p50_b_s=p50_b,
        p95_a_s=p95_a,
        p95_b_s=p95_b,
        b_is_longer=longer,
        detectable_ratio=ratio,
    )


def _summary(a: str, b: str, verdict: Verdict, found: list[TypeCompared]) -> str:
    names = [each.job_type for each in found if each.verdict is verdict]
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    match verdict:
        case Verdict.WORSE:
            return f"{b} is worse than {a}: {named}."
        case Verdict.BETTER:
            return f"{b} is better than {a}: {named}."
        case Verdict.NO_DIFFERENCE:
            return f"No difference between {b} and {a} was seen; each comparison says what it could have detected."
    return f"There are too few jobs to compare {b} with {a}: each release needs {FEWEST} of a type."


def _busiest(*releases: Mapping[str, Outcomes]) -> list[str]:
    """The types, those with the most jobs first."""
    jobs = Counter[str]()
    for outcomes in releases:
        for name, of in outcomes.items():
            jobs[name] += of.tried + of.cancelled
    return sorted(jobs, key=lambda name: (-jobs[name], name))


def _figures(of: Outcomes) -> ReleaseTypeFigures:
    return ReleaseTypeFigures(
        completed=of.completed,
        failed=of.failed,
        cancelled=of.cancelled,
        failure_rate=_rate(of.failed, of.tried),
        run_p50_s=_seconds(of.run, 0.5),
        run_p95_s=_seconds(of.run, 0.95),
    )


def _rate(failed: int, tried: int) -> float | None:
    return failed / tried if tried else None


def _seconds(run: Histogram, q: float) -> float | None:
    ms = run.quantile(q)
    return None if ms is None else round(ms / 1000, 6)


def _factor(a: float | None, b: float | None) -> float:
    return 1.0 if a is None or b is None or a == b else b / a if a else float("inf")


def _percent(rate: float) -> str:
    return f"{rate:.2%}" if 0 < rate < 0.1 else f"{rate:.1%}"


def _span(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.3g} s"
