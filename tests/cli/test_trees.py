"""A tree of jobs on paper."""

import io

import pytest
from rich.console import Console
from support.job_trees import job

from jobtracker.cli.tree_view import draw_tree, outcome, walk
from jobtracker.schemas.jobs import JobTree

TIMES = {"started_at": "2026-03-01T12:00:00.000Z", "finished_at": "2026-03-01T12:00:01.250Z"}


def draw(tree: JobTree, width: int = 80) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=width).print(draw_tree(tree))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_a_tree_is_drawn_with_status_duration_and_outcome_in_columns():
    tree = job(
        "Report",
        result={"words": 12},
        **TIMES,
        sub_jobs=[
            job("Names", result={"entities": [1, 2]}, **TIMES, sub_jobs=[job("Deep", "pending")]),
            job("Drugs", "failed", error={"type": "ValueError", "message": "no\nink"}, **TIMES),
        ],
    )
    assert draw(tree) == [
        "Report        completed    1.25 s  words 12",
        "├── Names     completed    1.25 s  entities 2",
        "│   └── Deep  pending",
        "└── Drugs     failed       1.25 s  ValueError: no ink",
    ]


def test_a_long_line_is_cut_and_not_wrapped():
    tree = job("Report", result={"words": 12, "language": "en", "pages": 3}, sub_jobs=[job("Names")])
    lines = draw(tree, width=45)
    assert len(lines) == 2
    assert lines[0].endswith("…")


def test_a_long_name_leaves_room_for_the_status():
    assert "completed" in draw(job("n" * 200), width=80)[0]


def test_names_and_results_are_text_and_not_markup():
    assert draw(job("[bold]x[/bold]", result="[red]y"))[0].startswith("[bold]x[/bold]  completed")
    assert draw(job("x", result="[red]y"))[0].endswith('"[red]y"')


def test_wide_characters_keep_the_columns():
    lines = draw(job("報告", sub_jobs=[job("x")]))
    # Each of the two takes two cells.
    assert lines[0].index("completed") + 2 == lines[1].index("completed")


def test_parents_come_before_their_sub_jobs():
    tree = job("a", sub_jobs=[job("b", sub_jobs=[job("c")]), job("d")])
    assert [(depth, each.name) for depth, each in walk(tree)] == [(0, "a"), (1, "b"), (2, "c"), (1, "d")]


@pytest.mark.parametrize(
    ("status", "fields", "text"),
    [
        ("completed", {"result": {"words": 1}}, "words 1"),
        ("completed", {"result_omitted_bytes": 70000}, "a result of 70,000 bytes"),
        (
            "completed",
            {"large_values": {"result": {"bytes": 70000, "sha256": "0", "object": "o"}}},
            "a result of 70,000 bytes",
        ),
        ("failed", {"error": {"type": "E", "message": "m"}, "reason": "r"}, "E: m"),
        ("cancelled", {"reason": "Called off."}, "Called off."),
        ("pending", {}, ""),
    ],
)
def test_the_outcome_of_a_job_follows_its_status(status, fields, text):
    assert outcome(job("x", status, **fields)) == text
