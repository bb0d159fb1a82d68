"""`jobtracker explain`."""

from rich.text import Text

from jobtracker.cli.console import output_console
from jobtracker.cli.options import AsJson, JobId, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import print_json, time_of, trace_of
from jobtracker.cli.tree_view import STYLES
from jobtracker.client import Client
from jobtracker.schemas.explanation import Code, Estimate, Explanation, SubJobState

_WIDTH = len("not before  ")


def explain(job_id: JobId, url: Url = None, as_json: AsJson = False) -> None:
    """Say why a job is not done, or why it ended as it did."""
    with Client(url) as client:
        found = client.explain(job_id)
    if as_json:
        print_json(found)
        return
    console = output_console()
    console.print(
        Text(found.status, STYLES[found.status]).append(f"  {one_line(found.summary)}", "not bold default"),
        soft_wrap=True,
    )
    for name, value in _facts(found):
        console.print(Text(name.ljust(_WIDTH), "dim").append(one_line(value), "not dim"), soft_wrap=True)


def _facts(found: Explanation) -> list[tuple[str, str]]:
    """The facts that the summary does not have."""
    facts = [_sub_job(sub) for sub in found.sub_jobs]
    more = found.sub_jobs_open - len(found.sub_jobs)
    if more > 0:
        facts.append(("waits for", f"{more} sub-jobs more"))
    if found.not_before:
        facts.append(("not before", str(time_of(found.not_before))))
    if found.finish:
        facts.append(("may be done", _outlook(found.finish)))
    if trace := trace_of(found):
        facts.append(("trace", trace))
    return facts + [("not known", what) for what in found.unavailable]


def _sub_job(sub: SubJobState) -> tuple[str, str]:
    """A sub-job that its parent waits for, or that kept its parent from completing."""
    if sub.code is Code.SETTLED:
        return str(sub.status), f"{sub.name} ({sub.id}): {sub.summary}"
    return "waits for", f"{sub.name} ({sub.id}): {sub.code}. {sub.summary}"


def _outlook(finish: Estimate) -> str:
    late = f", or by {time_of(finish.late_at)}" if finish.late_at else ""
    if finish.by == "progress":
        return f"{time_of(finish.at)}, if it goes on as fast as until now"
    return f"{time_of(finish.at)}{late}, as {finish.based_on} of its type before"
