"""Tables and values for people."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from jobtracker.cli.tables import Column, age, print_table, time_of

COLUMNS = [
    Column("ID"),
    Column("NAME", may_shrink=True),
    Column("COUNT", is_number=True),
    Column("NOTE", may_shrink=True),
]


def printed(*rows: tuple[object, ...], width: int = 40) -> list[str]:
    output = io.StringIO()
    print_table(Console(file=output, width=width), COLUMNS, rows)
    return output.getvalue().splitlines()


def ago(**distance: float) -> datetime:
    return datetime.now(UTC) - timedelta(**distance)


def test_columns_are_as_wide_as_they_need_and_numbers_stand_to_the_right():
    assert printed(("a", "one", 1, "x"), ("bb", "three", 12345, None)) == [
        "ID  NAME    COUNT  NOTE",
        "a   one         1  x",
        "bb  three  12,345",
    ]


def test_the_widest_of_the_columns_that_may_shrink_are_cut_and_no_id():
    lines = printed(("i" * 15, "n" * 50, 1, "x" * 8))
    assert lines[1].startswith("i" * 15 + "  nnn")
    assert "…" in lines[1]
    assert max(map(len, lines)) <= 40


def test_a_column_that_keeps_its_end_is_cut_at_its_beginning():
    output = io.StringIO()
    column = Column("T", may_shrink=True, keeps_end=True)
    print_table(Console(file=output, width=12), [column], [("shop.tasks.報告",)])
    [_, line] = output.getvalue().splitlines()
    assert line == "….tasks.報告"
    assert cell_len(line) == 12


def test_a_width_that_does_not_suffice_at_all_leaves_the_ids_whole():
    assert printed(("i" * 60, "n" * 50, 1, "x" * 8))[1].startswith("i" * 60)


def test_what_stands_in_a_cell_is_text_on_one_line_and_no_markup():
    line = printed(("[red]", "two\nlines", Text("3"), ""))[1]
    assert line.split() == ["[red]", "two", "lines", "3"]


def test_wide_characters_keep_the_columns():
    lines = printed(("報告", "x", 1, "y"), ("a", "x", 1, "y"))
    assert len({cell_len(line) for line in lines[1:]}) == 1


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        ({"seconds": 5.5}, "5s"),
        ({"seconds": 59.5}, "59s"),
        ({"seconds": 60.5}, "1m"),
        ({"minutes": 59.9}, "59m"),
        ({"hours": 23.9}, "23h"),
        ({"days": 400.1}, "400d"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(distance, text):
    assert age(ago(**distance)) == text


def test_a_time_says_how_far_away_it_is_in_the_past_and_to_come():
    assert time_of(ago(minutes=3.5)).endswith("(3m ago)")
    assert time_of(ago(hours=-2.5)).endswith("(in 2h)")
    assert time_of(None) is None
