"""What came of a soak, for people and for programs."""

import json
import statistics
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from soak.account import Account
from soak.load import Load
from soak.memory import Memory, Slope, bytes_per_job, slopes
from soak.trouble import API, ENGINE, Trouble

if TYPE_CHECKING:
    from soak.run import Wanted

_WARM_UP_S, _LEAST_S = 600, 600
"""Of a process's life these first seconds are no slope; and with less than that after it there is none."""


@dataclass
class Report:
    """A soak in figures.

    Attributes:
        wanted: What it was to be.
        most_per_s: How many operations a second the stack could do.
        began_s: When the load at a rate began, in seconds since the epoch.
        ended_s: When it ended: later than wanted, if what was done took longer.
        load: What was asked.
        trouble: What was done.
        memory: What was sampled.
        account: What became of the jobs.
        doctor: What the doctor said.
        is_sound: Whether it found nothing.
    """

    wanted: "Wanted"
    most_per_s: float
    began_s: float
    ended_s: float
    load: Load
    trouble: Trouble
    memory: Memory
    account: Account
    doctor: str
    is_sound: bool

    @cached_property
    def refused(self) -> Counter[str]:
        """How many requests were refused, by what that is put down to; "" for nothing."""
        return Counter(self.trouble.forgives(each) or "" for each in self.load.refusals)

    @cached_property
    def slopes(self) -> list[Slope]:
        """How memory grew, by role."""
        return slopes(self.memory.samples, _WARM_UP_S, _LEAST_S)

    @property
    def silent(self) -> int:
        """How often the live events were silent for too long, but for restarts of the engine."""
        return self.load.events["silent"]

    @cached_property
    def off(self) -> list[str]:
        """What is not as it must be."""
        off = [f"{number} {kind}" for kind, number in self.account.findings.items()]
        if self.refused[""]:
            off.append(f"{self.refused['']} requests were refused")
        off += [f"never answered: {each}" for each in self.load.unanswered[:10]]
        off += self.trouble.problems
        if self.account.settled_s is None:
            off.append("not all jobs have settled in time")
        if not self.is_sound:
            off.append("the doctor found something")
        for each in self.slopes:
            # Redis grows with its jobs.
            if (
                not each.role.startswith("redis")
                and each.mb_per_hour - 2 * each.error_mb_per_hour > self.wanted.most_mb_per_hour
            ):
                off.append(f"{each.role} grows by {each.mb_per_hour:.0f} MB an hour")
        return off

    def as_text(self) -> str:
        """For people."""
        done = Counter(hit.what for hit in self.trouble.hits)
        took = sorted(seconds for _, seconds in self.load.took_s)
        again, settled = self.account.again, self.account.settled_s
        rows = [
            ("load", f"{(self.ended_s - self.began_s) / 60:.1f} minutes; {self.rate_text}"),
            ("answers", f"{self.load.answered.total():,}; {self.load.answered['POST']:,} of them to a POST"),
            ("latency", f"p50 {_at(took, 0.5)} ms, p99 {_at(took, 0.99)} ms"),
            ("meanwhile", ", ".join(f"{what}: {number}" for what, number in done.items())),
            (
                "the engine was away",
                ", ".join(f"{h.end_s - h.begin_s:.0f} s" for h in self.trouble.hits if h.what == ENGINE) or "-",
            ),
            ("refused", str(self.refused[""])),
            ("refused while the engine restarts", str(self.refused[ENGINE])),
            ("cut by the killed API", str(self.refused[API])),
            ("jobs", f"{self.account.jobs.total():,}"),
            *((name, str(self.account.findings[name])) for name in ("lost", "wrong", "stuck", "created twice")),
            ("all settled after", "not in time" if settled is None else f"{settled} s"),
            (
                "delivered again, run anew, ran twice",
                f"{again['delivered again']}, {again['run anew']}, {again['ran twice']}",
            ),
            ("doctor", "nothing" if self.is_sound else self.doctor[:2000]),
            ("live events", ", ".join(f"{name}: {number:,}" for name, number in self.load.events.items())),
            ("Redis, bytes a job", f"{bytes_per_job(self.memory.redis):,.0f}"),
        ]
        lines = [f"{name:38} {value}" for name, value in rows]
        lines.append(
            f"\n{'memory of a process':38} {'last MB':>8} {'most MB':>8} {'MB an hour':>16} {'of':>4} {'hours':>6}"
        )
        for each in self.slopes:
            grows = f"{each.mb_per_hour:.1f} ± {2 * each.error_mb_per_hour:.1f}" if each.processes else "-"
            memory = f"{each.last_mb:8.0f} {each.most_mb:8.0f} {grows:>16}"
            lines.append(f"{each.role:38} {memory} {each.processes:4} {each.hours:6.2f}")
        lines += ["", *(f"OFF: {each}" for each in self.off), *self.account.examples[:20]]
        lines += [f"refused: {each}" for each in self.load.refusals if not self.trouble.forgives(each)][:20]
        return "\n".join(lines)

    @property
    def rate_text(self) -> str:
        """How much was asked."""
        most, share = self.most_per_s, self.wanted.share
        return f"{most * share:.1f} operations a second, {share:.0%} of {most:.1f}"

    def as_json(self) -> str:
        """For programs."""
        load, trouble = self.load, self.trouble
        found: dict[str, Any] = {
            "wanted": asdict(self.wanted),
            "most_per_s": self.most_per_s,
            "began_s": self.began_s,
            "ended_s": self.ended_s,
            "off": self.off,
            "refused": self.refused,
            "refusals": [each._asdict() | {"forgiven": trouble.forgives(each)} for each in load.refusals[:5000]],
            "unanswered": load.unanswered,
            "answered": load.answered,
            "events": load.events,
            "latency_ms_by_minute": self._by_minute(),
            "hits": [each._asdict() for each in trouble.hits],
            "problems": trouble.problems,
            "account": vars(self.account),
            "doctor": self.doctor,
            "slopes": [each._asdict() for each in self.slopes],
            "redis": self.memory.redis,
            "redis_bytes_per_job": bytes_per_job(self.memory.redis),
            "samples": self.memory.samples,
        }
        return json.dumps(found, indent=1)

    def _by_minute(self) -> list[tuple[int, int, float, float]]:
        """Of each minute: how many answers, p50 and p99."""
        minutes: dict[int, list[float]] = {}
        for at_s, seconds in self.load.took_s:
            minutes.setdefault(int((at_s - self.began_s) // 60), []).append(seconds)
        return [
            (minute, len(took), round(1000 * statistics.median(took), 1), _at(sorted(took), 0.99))
            for minute, took in sorted(minutes.items())
        ]


def _at(took: list[float], share: float) -> float:
    return round(1000 * took[int(len(took) * share)], 1) if took else 0.0
