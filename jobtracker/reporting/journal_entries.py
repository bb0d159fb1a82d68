"""The entries of a journal: lines of JSON. A report is written with all that another process needs to apply it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jobtracker.core.lifecycle import Event
from jobtracker.reporting.report import Importance, Notice, Report
from jobtracker.store.changes import NewJob


class Unwritten(NamedTuple):
    """What a journal holds that was not written to the store."""

    reports: list[tuple[bytes, Report]]
    """In the order in which they came, each also as text."""
    dropped: int
    """How many more reports were given up and not counted in the store."""


def report_entry(number: int, report: bytes) -> bytes:
    """A report waits, under a number of its own."""
    return b'["report",%d,%s]\n' % (number, report)


def done_entry(number: int) -> bytes:
    """It does not wait any more: it was written or given up."""
    return b'["end",%d]\n' % number


def dropped_entry(count: int) -> bytes:
    """This many reports were given up; below 0: this many were counted in the store."""
    return b'["dropped",%d]\n' % count


def read_entries(lines: Iterable[bytes]) -> Unwritten:
    """What the lines of a journal leave to be written."""
    reports: dict[int, tuple[bytes, Report]] = {}
    dropped = 0
    for line in lines:
        try:
            kind, value, *rest = json.loads(line)
            if kind == "report":
                text = line[line.index(b",", line.index(b",") + 1) + 1 : line.rindex(b"]")]
                reports[value] = text, _decoded(*rest)
            elif kind == "end":
                reports.pop(value, None)
            elif kind == "dropped":
                dropped += value
        except (ValueError, TypeError, KeyError, AttributeError):
            # Cut off where the process was killed; or of another release, and nobody here can write it.
            dropped += line.startswith(b'["report"')
    return Unwritten(list(reports.values()), max(0, dropped))


_PLAIN = ("run", "attempt", "execution", "lease", "fields", "data", "created", "sent")


def encoded(report: Report) -> bytes:
    """A report as JSON.

    How to record its job is a part of it where that is not on disk already, and in every end.
    """
    start = report.start if report.start is not None else report
    whole: dict[str, Any] = {}
    if report.importance >= Importance.END or not start.is_on_disk:
        whole["jobs"] = _jobs_of(report)
        whole["start"] = None if report.start is None else _of_report(report.start, {"jobs": _jobs_of(report.start)})
    return json.dumps(_of_report(report, whole), separators=(",", ":")).encode()


def _jobs_of(report: Report) -> list[Any]:
    return [_of_job(job) for job in report.jobs]


def _of_report(report: Report, more: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name in _PLAIN if (value := getattr(report, name)) not in (None, "", (), {}, [])}
    more = {name: value for name, value in more.items() if value}
    return {"event": report.event, "job": report.job_id, "at": report.at_ms, **said, **more}


def _of_job(job: NewJob) -> list[Any]:
    return [
        job.id,
        dict(job.fields),
        dict(job.data),
        list(job.subs.items()),
        job.sends,
        job.published,
        job.chained_anew,
    ]


def _decoded(said: dict[str, Any]) -> Report:
    event, start = said["event"], said.get("start")
    return Report(
        Notice(event) if event in _NOTICES else Event(event),
        said["job"],
        at_ms=said["at"],
        jobs=[_job(*each) for each in said.get("jobs", ())],
        start=None if start is None else _decoded(start),
        **{name: said[name] for name in _PLAIN if name in said},
    )


_NOTICES = frozenset(map(str, Notice))


def _job(job_id: str, fields: Any, data: Any, subs: Sequence[tuple[int, str]], *flags: bool) -> NewJob:
    sends, published, chained_anew = (*flags, False, False)[:3]
    return NewJob(
        id=job_id,
        fields=fields,
        data=data,
        subs=dict(subs),
        sends=sends,
        published=published,
        chained_anew=chained_anew,
    )
