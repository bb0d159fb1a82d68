"""Releases of the user's project (`RELEASE_LABEL`): how their jobs did, and whether one is worse than another."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class ReleaseFigures(BaseModel):
    """How jobs ended that a release ran, as far as the time series reach back."""

    completed: int
    failed: int
    cancelled: int
    failure_rate: float | None = Field(
        description="failed / (completed + failed); null if no job completed or failed."
    )


class ReleaseTypeFigures(ReleaseFigures):
    """The same for one job type, with run times."""

    run_p50_s: float | None = Field(
        description="Seconds of the execution that counts, as in `Performance`; within 2 %."
    )
    run_p95_s: float | None


class Release(ReleaseFigures):
    """A release: a value of `RELEASE_LABEL` that workers have or had. A job counts for the one that ran it last."""

    release: str
    first_seen: datetime = Field(description="When the first worker with it renewed its lease.")
    last_seen: datetime = Field(description="When the last one did.")
    workers: list[str] = Field(description="Names of the live workers that run it, at most 100.")
    workers_ever: int = Field(
        description="How many names its workers have had, live ones included; at most 1000 are known."
    )
    by_type: dict[str, ReleaseTypeFigures] = Field(description="By job type, those with the most jobs first.")
    types_left_out: int = Field(default=0, description="How many further types there are; the sums contain them.")
    new_failure_groups: int | None = Field(
        default=None, description="How many failure groups were seen in it first; null: there are too many groups."
    )


class Releases(BaseModel):
    """The releases that were seen last, the newest first."""

    releases: list[Release]
    count: int = Field(description="How many releases are known. The last 200 are.")
    some_left_out: bool = Field(
        default=False,
        description="There were too many releases, types and days: the figures of the oldest days are gone.",
    )


class Verdict(StrEnum):
    """What a comparison shows."""

    WORSE = "worse"
    """The new release is worse, at the stated level."""
    BETTER = "better"
    """The new release is better, at the stated level."""
    NO_DIFFERENCE = "no_difference"
    """No difference was seen. There may be a smaller one than this sample could show."""
    TOO_FEW = "too_few"
    """There are too few jobs to say anything."""


class Compared(BaseModel):
    """One comparison of two samples."""

    verdict: Verdict
    count_a: int = Field(description="The sample size of the old release.")
    count_b: int = Field(description="The sample size of the new one.")
    p_value: float | None = Field(
        description="How likely so large a difference is by chance, corrected for all comparisons (Holm); null: too "
        "few jobs."
    )
    text: str = Field(description="The verdict and what it rests on, a sentence.")


class FailuresCompared(Compared):
    """The failure rates: Fisher's exact test. The samples are the jobs that completed or failed."""

    failed_a: int
    failed_b: int
    rate_a: float | None
    rate_b: float | None
    detectable_rate: float | None = Field(
        description="The lowest failure rate of the new release that these samples would have shown as worse, with a "
        "chance of 80 %; null: none, or too few jobs."
    )


class RunTimesCompared(Compared):
    """The run times: the test of Mann and Whitney on histograms. The samples: jobs whose run time is known."""

    p50_a_s: float | None
    p50_b_s: float | None
    p95_a_s: float | None
    p95_b_s: float | None
    b_is_longer: float | None = Field(
        description="The chance that a job of the new release takes longer than one of the old; 0.5: neither does."
    )
    detectable_ratio: float | None = Field(
        description="By how much longer the new release would have had to take, as a factor, for these samples to "
        "show it with a chance of 80 %; null: more than a hundredfold, or too few jobs."
    )


class TypeCompared(BaseModel):
    """A job type in both releases."""

    job_type: str
    verdict: Verdict = Field(description="Worse if one of the two is; better if one is and none is worse.")
    failures: FailuresCompared
    run_times: RunTimesCompared


class ReleaseComparison(BaseModel):
    """Whether a new release (b) is worse than an old one (a), by job type.

    Types are not added up: a release that runs more jobs of a type that fails often is not worse.
    """

    a: str
    b: str
    verdict: Verdict = Field(description="Worse if a type is; better if a type is and none is worse.")
    summary: str = Field(description="The verdict, a sentence.")
    level: float = Field(description="The chance of any false alarm.")
    comparisons: int = Field(description="How many comparisons were made; p-values are corrected for their number.")
    by_type: list[TypeCompared] = Field(description="The worse ones first, then the better ones, then by jobs.")
    types_left_out: int = Field(
        default=0, description="How many further types there are; those with the fewest jobs."
    )
