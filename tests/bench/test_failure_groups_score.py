"""How well failures are grouped: the counting of pairs, and that the figures hold."""

import pytest

from bench.failures import Failure, corpus, mistakes, pairs_of, run


def failure(kind, message):
    return Failure(kind, "OSError", message, "", is_held_out=False)


def test_pairs_are_counted():
    found = [failure("a", "gone"), failure("a", "gone"), failure("a", "away"), failure("b", "gone")]
    assert pairs_of(found) == (3, 1, 3, 2)
    assert len(list(mistakes(found))) == 2


@pytest.mark.thorough
def test_what_belongs_together_is_together_and_nothing_else():
    figures = run(1, 1)
    assert figures["all"]["kinds"] >= 40
    assert figures["all"]["failures"] >= 300
    for each in figures.values():
        assert each["same_together"] >= 0.95
        assert each["others_together"] <= 0.01


@pytest.mark.thorough
def test_the_corpus_is_the_same_each_time_but_for_ports_and_folders():
    first, second = ([(each.kind, each.group) for each in corpus(1)] for _ in range(2))
    assert first == second
