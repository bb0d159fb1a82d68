"""A tree of jobs while it runs."""

import io

from rich.console import Console
from support.job_trees import job

from jobtracker.cli.live_view import RANKED, LiveBars, StatusLines, tree_view
from jobtracker.cli.tree_view import STYLES
from jobtracker.core.lifecycle import Status


def test_every_status_has_a_colour_and_a_rank():
    assert set(STYLES) == set(Status)
    assert sorted(RANKED) == sorted(Status)


def test_without_a_terminal_each_change_of_a_status_is_one_plain_line():
    output = io.StringIO()
    with tree_view(Console(file=output)) as view:
        view.update(job("Report", "pending", sub_jobs=[job("Names", "pending")]))
        view.update(job("Report", "running", sub_jobs=[job("Names", "running")]))
        view.update(job("Report", "running", sub_jobs=[job("Names", "running", progress=_half())]))
        view.update(job("Report", "running", sub_jobs=[job("Names", "completed")]))
    lines = [line.partition(" s  ")[2] for line in output.getvalue().splitlines()]
    assert lines == [
        "Report: pending",
        "  Names: pending",
        "Report: running",
        "  Names: running",
        "  Names: completed",
    ]
    assert "\x1b" not in output.getvalue()


def test_two_jobs_of_one_name_are_told_apart():
    output = io.StringIO()
    with StatusLines(Console(file=output)) as view:
        view.update(job("a", sub_jobs=[job("b", "running", id="1"), job("b", "pending", id="2")]))
        view.update(job("a", sub_jobs=[job("b", "running", id="1"), job("b", "pending", id="2")]))
    assert len(output.getvalue().splitlines()) == 3


def test_a_terminal_gets_bars_with_percent_and_note():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, color_system=None)
    with tree_view(console) as view:
        assert isinstance(view, LiveBars)
        view.update(job("Report", "running", sub_jobs=[job("Names", "running", progress=_half())]))
        view._live.refresh()
    shown = output.getvalue()
    assert "50%" in shown
    assert "page 3" in shown
    assert "━" in shown


def test_on_80_columns_a_name_is_whole_and_a_note_has_the_rest():
    name = "Extract medications from the discharge"
    output = io.StringIO()
    with LiveBars(Console(file=output, force_terminal=True, width=80, color_system=None)) as view:
        view.update(job("Report", "running", sub_jobs=[job(name, "running", progress=_half())]))
        view._live.refresh()
    assert f"  {name}  running" in output.getvalue()
    assert "page 3" in output.getvalue()


def test_what_has_settled_has_no_note_of_its_progress():
    output = io.StringIO()
    with LiveBars(Console(file=output, force_terminal=True, width=80, color_system=None)) as view:
        subs = [job("Done", progress=_half()), job("Broke", "failed", progress=_half(), reason="lost")]
        view.update(job("Report", "running", sub_jobs=subs))
        view._live.refresh()
    assert "page 3" not in output.getvalue()
    assert "lost" in output.getvalue()


def test_of_more_jobs_than_lines_those_that_tell_most_are_shown_and_the_others_counted():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, height=6, color_system=None)
    subs = [job(f"done {n}") for n in range(10)] + [job("runs", "running"), job("broke", "failed")]
    with LiveBars(console) as view:
        view.update(job("Report", "running", sub_jobs=subs))
        view._live.refresh()
    shown = output.getvalue()
    assert all(name in shown for name in ("Report", "runs", "broke"))
    assert "done 1" not in shown
    assert "… 9 more" in shown
    assert "9 completed" in shown


def test_the_bars_are_gone_at_the_end():
    output = io.StringIO()
    with LiveBars(Console(file=output, force_terminal=True, width=100, color_system=None)) as view:
        view.update(job("Report"))
    erase_line = "\x1b[2K"
    assert erase_line in output.getvalue().rpartition("Report")[2]


def _half() -> dict[str, object]:
    return {"done": 5, "total": 10, "percent": 50, "note": "page 3"}
